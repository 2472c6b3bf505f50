"""Run one deletion again and again, each time killed -9 at another moment, and print how each of them ended.

    python killed_runs.py STORY moments|commits FOLDER [FIRST [EVERY]]

A child process opens the service on a copy of the same prepared disk, runs a cycle and kills itself at its n-th moment (or
just before its n-th commit). A second child opens what is left, lets time pass, runs until nothing is left to do, and says
how it ended. One JSON object a line; the first one is the run that nobody killed.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import io
import json
import os
import shutil
import signal
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path

from sqlalchemy import event

import retention.wiring
import storage_adapters.files.store
from retention.catalog import keys as key_rows
from retention.catalog.database import open_catalog
from retention.clock import ManualClock
from retention.evidence.certificate import verify_certificate
from retention.evidence.entries import EntryType, decode_entry
from retention.evidence.verify import verify_files
from retention.keys.errors import KeyRefused
from retention.settings.sections import BackupsSettings, FilesStore
from retention.wiring import Parts, assemble, backup_parts, file_provider
from retention.workflows.adopt_policy import adopt_policy
from retention.workflows.carry_out_plan import RunHooks
from retention.workflows.certify import certify
from retention.workflows.deployment import Deployment
from retention.workflows.read_facts import read_facts
from retention.workflows.record_facts import record_facts
from retention.workflows.run_cycle import run_cycle
from retention.workflows.seal import open_sealed, seal
from retention.workflows.status import status
from retention.workflows.strand_run import Moment
from storage_adapters.files import FileStore

START = datetime(2026, 11, 10, 2, 0, tzinfo=UTC)
STORES = ("objects", "cache", "backups")
POLICY = """
policy: {title: T, version: "1", effective: 2026-11-01, time-zone: Asia/Shanghai, holidays: CN, home: CN}
services: {training: {title: Training, buffer: 15 days}}
datasets:
  models:
    title: Models
    services: [training]
    personal-information: true
    in: {store: objects, prefix: "models/{customer}/"}
    encrypted: customer
    caches: [{store: cache, prefix: "features/{customer}/"}]
    backups: [nightly]
  notes:
    title: Notes
    services: [training]
    personal-information: true
    in: {store: objects, prefix: "notes/{customer}/"}
    encrypted: no
rules:
  customer-deletion:
    {title: D, clause: "6.10", when: [data-deleted], buffer: none, tombstone: 24 hours, complete-within: 15 days}
  end-of-service:
    title: E
    clause: "6.11"
    when: [service-expired]
    cancelled-by: [service-renewed]
    buffer: service
    tombstone: none
    complete-within: 15 days
backups:
  nightly: {title: B, store: backups, sets: "nightly/{date}/", holds: [models], mixed: true, delete-after: 30 days}
limits: {customers-per-run: 50, share-of-customers: 100 %, clock-jump: 1 hour}
schedule: {deletions: "*/10 * * * *", backups: "0 3 * * *", verification: "30 3 * * *", report: "0 6 1 * *"}
"""


def open_service(root: Path, now: datetime) -> Deployment:
    """The embedded service on the disk, as a process that has just started."""
    clock = ManualClock(now, ticks=(now - START).total_seconds())
    keys = file_provider(root / "keys", clock)
    parts = Parts(
        catalog_url=f"sqlite:///file:{root / 'catalog.db'}?uri=true",
        ledger_directory=root / "ledger",
        origin="test.example/ledger",
        provider=keys,
        ledger_keys=keys,
        stores={name: FileStore(name, root / name) for name in STORES},
        store_kinds=dict.fromkeys(STORES, "files"),
        lease_term=timedelta(milliseconds=1),  # who was killed cannot give it back
        backups=backup_parts(
            {"backups": FilesStore(kind="files", root=root / "backups", quarantine=root / "quarantine")},
            BackupsSettings(scratch=root / "scratch"),
        ),
    )
    return assemble(parts, clock)


def tell(deployment: Deployment, kind: str, customer: str, id_: str, **data: object) -> None:
    now = deployment.clock.now()
    envelope = {"specversion": "1.0", "source": "/platform", "time": now.isoformat()}
    text = json.dumps({**envelope, "id": id_, "type": kind, "subject": customer, "data": data})
    read = read_facts(text, "facts", now)
    assert not read.problems, read.problems
    record_facts(deployment, read.facts)


def write(root: Path, deployment: Deployment, customer: str) -> None:
    """Three sealed objects with plain copies in the cache, and three plain notes."""
    for name in ("a.bin", "b.bin", "c.bin"):
        sealed = io.BytesIO()
        seal(deployment, customer, "models", f"models/{customer}/{name}", io.BytesIO(b"weights " * 9), sealed)
        for path, content in (
            (root / "objects/models" / customer / name, sealed.getvalue()),
            (root / "cache/features" / customer / name, b"weights"),
            (root / "objects/notes" / customer / name, f"of {customer}".encode()),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


# ------------------------------------------------------------------------------------------------------- stories


def prepare(root: Path, deployment: Deployment) -> None:
    (root / "policies.yaml").write_text(POLICY, encoding="utf-8")
    adopt_policy(deployment, root / "policies.yaml")
    for customer in ("c-1", "c-10", "c-2"):
        tell(deployment, "service-activated", customer, f"on-{customer}", service="training")
        write(root, deployment, customer)


def expire(deployment: Deployment) -> None:
    tell(deployment, "service-expired", "c-1", "end", service="training")


def renew(deployment: Deployment) -> None:
    tell(deployment, "service-renewed", "c-1", "renewed", service="training")


def delete(deployment: Deployment) -> None:
    tell(deployment, "data-deleted", "c-1", "delete")


def withdraw(deployment: Deployment) -> None:
    tell(deployment, "deletion-withdrawn", "c-1", "undo", withdraws={"source": "/platform", "id": "delete"})


def run(deployment: Deployment) -> None:
    run_cycle(deployment)


def expire_another(deployment: Deployment) -> None:
    """Its buffer is not over when the first customer's is: whatever happens to that one, this one's data stays."""
    tell(deployment, "service-expired", "c-2", "end-2", service="training")


def nothing(deployment: Deployment) -> None:
    """Nobody says anything."""


@dataclass(frozen=True, slots=True)
class Story:
    """What happens before the cycle that is killed (each with the days that pass after it), and right after the kill."""

    before: tuple[tuple[Callable[[Deployment], None], timedelta], ...]
    after: Callable[[Deployment], None] = nothing


HERE = Path()
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
STORIES = {
    "expired": Story(((expire, 14 * DAY), (expire_another, 2 * DAY))),
    "deleted": Story(((delete, timedelta(0)), (run, 1 * DAY), (expire_another, timedelta(minutes=1)))),
    "paid": Story(((delete, timedelta(hours=1)),), after=withdraw),
    "brought-back": Story(((delete, timedelta(0)), (run, timedelta(hours=1)), (withdraw, timedelta(hours=1)))),
}


# ------------------------------------------------------------------------------------------------------- endings


def digest(root: Path, customer: str) -> str:
    """Everything that lies on the disk under a customer's name, with its place."""
    found = hashlib.sha256()
    for store in STORES:
        for path in sorted((root / store).rglob("*")):
            if customer in path.parts and path.is_file():
                found.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


def names(root: Path, customer: str) -> list[str]:
    """The files of a customer's in every store, wherever a store may have put them."""
    paths = (path for store in STORES for path in (root / store).rglob("*") if path.is_file())
    return sorted(str(path.relative_to(root)) for path in paths if customer in path.parts)


def ending(root: Path, deployment: Deployment) -> dict[str, object]:
    """How it all ended, as a person and as an auditor would see it."""
    (case,) = status(deployment, "c-1")
    ledger = deployment.journal.ledger
    entries = [decode_entry(entry) for entry in ledger.entries()]
    mine = [entry for entry in entries if entry.case == case.case]
    with deployment.catalog.reading() as session:
        living = {key.scope.customer: str(key.state) for key in key_rows.all_keys(session)}
    return {
        "state": case.state,
        "copies": sorted([c.dataset, c.role, c.end_state, c.reason] for c in case.copies),
        "counts": sorted([c.dataset, c.role, c.seen_count, c.gone_count] for c in case.copies),
        "files": names(root, "c-1"),
        "others": {customer: digest(root, customer) for customer in ("c-10", "c-2")},
        "keys": living,
        "shreds": sum(entry.type is EntryType.KEY_SHREDDED for entry in mine),
        "batched": sum(int(str(entry.body["count"])) for entry in mine if entry.type is EntryType.BATCH),
        "refused": sum(entry.type is EntryType.REFUSED for entry in mine),
        "ledger": [str(finding) for finding in verify_files([root / "ledger"], ledger.key).findings],
        "certificate": is_certified(deployment, case.case) if case.copies else "none",
        "opens": opens(root, deployment),
    }


def is_certified(deployment: Deployment, case: str) -> str:
    issued = certify(deployment, case)
    verify_certificate(issued.certificate.encode(), deployment.journal.ledger.key)
    return "final" if issued.final else "not final"


def opens(root: Path, deployment: Deployment) -> list[str]:
    """The models that their customers can still read, content and all."""
    able = []
    for path in sorted((root / "objects/models").rglob("*.bin")):
        place, target = path.relative_to(root / "objects"), io.BytesIO()
        with contextlib.suppress(KeyRefused), path.open("rb") as source:
            open_sealed(deployment, place.parts[1], "models", str(place), source, target)
            assert target.getvalue() == b"weights " * 9
            able.append(str(place))
    return able


# ------------------------------------------------------------------------------------------------------- children


def killed_at(root: Path, now: datetime, number: int, of_what: str) -> None:
    """Run one cycle and die at moment (or before commit) `number`, counted from 1; 0 is never."""
    deployment = open_service(root, now)
    counts: Counter[str] = Counter()
    last = "before its first moment"

    def observe(moment: Moment) -> None:
        nonlocal last
        last = f"{moment.strand.partition('/')[2]}: {moment.step} {moment.phase}"
        count("moments")

    def count(what: str) -> None:
        counts[what] += 1
        if what == of_what and counts[what] == number:
            (root / "killed").write_text(last, encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)

    def committing(_: object) -> None:
        if (
            threading.current_thread() is threading.main_thread()
        ):  # the lease is renewed beside it, when time has passed
            count("commits")

    event.listen(deployment.catalog.engine, "commit", committing)
    run_cycle(deployment, RunHooks(observe=observe))
    event.remove(deployment.catalog.engine, "commit", committing)
    deployment.close()
    (root / "killed").write_text("after its last moment", encoding="utf-8")
    (root / "counts").write_text(json.dumps(counts), encoding="utf-8")


def finish(root: Path, now: datetime, after: Callable[[Deployment], None]) -> None:
    """Start again, hear what is new, and run often enough for everything that is due."""
    deployment = open_service(root, now + timedelta(minutes=1))
    after(deployment)
    for _ in range(2):
        run_cycle(deployment)
        deployment.clock.sleep(timedelta(minutes=10))
    (root / "end.json").write_text(json.dumps(ending(root, deployment)), encoding="utf-8")
    deployment.close()


def in_child(act: Callable[[], None]) -> int:
    """The process id of a child that does it; it ends with 1 where that raises, and never returns here."""
    child = os.fork()
    if child:
        return child
    try:
        act()
    except BaseException:  # noqa: BLE001 - a child must not go on as if it were its parent
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def begin(folder: Path, story: Story, number: int, of_what: str) -> datetime:
    """A copy of the prepared disk is the present directory; when it is there."""
    root = folder / f"{of_what}-{number}"
    shutil.copytree(folder / "template", root)
    os.chdir(root)
    return START + MINUTE + sum((passing for _, passing in story.before), timedelta(0))


def nobody_killed(folder: Path, story: Story, of_what: str) -> None:
    """The try to compare with. It is made in this process, so that its children inherit every statement compiled."""
    now = begin(folder, story, 0, of_what)
    killed_at(HERE, now, 0, of_what)
    finish(HERE, now, story.after)
    gc.freeze()


def tried(folder: Path, story: Story, number: int, of_what: str) -> None:
    """One try on a copy of the prepared disk, in processes of its own."""
    now = begin(folder, story, number, of_what)
    _, ended = os.waitpid(in_child(partial(killed_at, HERE, now, number, of_what)), 0)
    assert ended == signal.SIGKILL, f"it ended with {ended} and not by the kill"
    _, ended = os.waitpid(in_child(partial(finish, HERE, now, story.after)), 0)
    assert ended == 0, f"what was killed at {number} could not be finished"


def report(folder: Path, of_what: str, number: int) -> None:
    root = folder / f"{of_what}-{number}"
    told = {"number": number, "killed": (root / "killed").read_text(encoding="utf-8")}
    print(json.dumps({**told, "end": json.loads((root / "end.json").read_text(encoding="utf-8"))}))  # noqa: T201 - its answer
    shutil.rmtree(root)


def set_up(template: Path, story: Story) -> None:
    deployment = open_service(template, START)
    prepare(template, deployment)
    deployment.clock.sleep(MINUTE)  # of an ending and an activation at one instant, the ending loses
    for act, passing in story.before:
        act(deployment)
        deployment.clock.sleep(passing)
    deployment.close()


def main(story_name: str, of_what: str, folder: Path, first: int = 1, every: int = 1) -> None:
    vars(retention.wiring)["open_catalog"] = cache(open_catalog)  # every process opens connections of its own with it
    vars(storage_adapters.files.store)["PAGE_SIZE"] = 2  # several batches of a few small files
    story = STORIES[story_name]
    for store in STORES:
        (folder / "template" / store).mkdir(parents=True)
    _, ended = os.waitpid(in_child(partial(set_up, folder / "template", story)), 0)
    assert ended == 0
    nobody_killed(folder, story, of_what)
    last = json.loads((folder / f"{of_what}-0/counts").read_text(encoding="utf-8"))[of_what]
    report(folder, of_what, 0)
    numbers = range(first, last + 1, every)
    for start in range(0, len(numbers), 2):
        pair = numbers[start : start + 2]
        children = [in_child(partial(tried, folder, story, number, of_what)) for number in pair]
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(pair), "see above"
        for number in pair:
            report(folder, of_what, number)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *map(int, sys.argv[4:]))
