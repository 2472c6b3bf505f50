"""The whole catalogue from before deletions is put back: it opens nothing, is not believed, and hears what happened since."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from retention.catalog import cases as case_rows
from retention.catalog import keys as key_rows
from retention.catalog import ledger_outbox
from retention.errors import NotInOrder
from retention.evidence.certificate import verify_certificate
from retention.evidence.entries import Entry, EntryType, decode_entry
from retention.evidence.ledger import Ledger
from retention.evidence.verify import verify_files
from retention.keys.errors import KeyGone
from retention.keys.keyring import Keyring
from retention.keys.sealed import Binding, ObjectSubject
from retention.keys.sealer import Sealer
from retention.model.key import KeyScope
from retention.workflows.adopt_policy import adopt_policy, approve
from retention.workflows.certify import certify
from retention.workflows.check_policy import check_policy
from retention.workflows.plan_deletions import plan_deletions
from retention.workflows.record_facts import record_facts
from retention.workflows.replay_ledger import Replayed, catch_up
from retention.workflows.roll_keys import roll_keys
from retention.workflows.run_cycle import run_cycle
from retention.workflows.seal import open_sealed, seal
from retention.workflows.status import CaseStatus, status
from retention.workflows.verify_again import verify_again
from tests.workflow.conftest import Provider, Told, open_provider
from tests.workflow.old_catalogue import Dump, differing, dumped, put_back

NAME = "models/c-1/a.bin"
CUSTOMERS = ("c-1", "c-2", "c-3", "c-4", "c-5", "c-6")


def arrivals(dump: Dump) -> list[str]:
    """The facts in the order in which they arrived."""
    return [str(row["id"]) for row in sorted(dump["fact"], key=lambda row: int(row["position"]))]


# ------------------------------------------------------------------------------------------------------------ the story


def begin(provider: Provider) -> None:
    """Six customers with sealed models and old plain logs; one of them has ended, and nothing is deleted yet."""
    for customer in CUSTOMERS:
        provider.tell("service-activated", customer, service="training")
        for name in ("a.bin", "b.bin"):
            provider.put_model(customer, name, b"secret weights")
        provider.put_log(customer, "2025.log", provider.clock.now() - timedelta(days=300))
    provider.tell("service-expired", "c-6", service="training")
    provider.run()


def go_on(provider: Provider, policy: Path) -> None:
    """Three deletions, a hold, a comeback and another policy; on the same day, so that no epoch is rolled."""
    provider.tell("deletion-ordered", "c-1", ground="order", dataset="models")
    provider.tell("deletion-ordered", "c-2", ground="order", dataset="models", objects=["a.bin"])
    provider.tell("deletion-ordered", "c-3", ground="order", dataset="logs")
    provider.tell("hold-placed", "c-4", hold="h-1", ground="suit", authority="court")
    provider.tell("data-deleted", "c-4", dataset="models")
    provider.tell("data-deleted", "c-5", key="mistake", dataset="models")
    provider.run()
    policy.write_text(policy.read_text().replace('version: "1"', 'version: "2"').replace("default: 15", "default: 20"))
    approve(provider.deployment, check_policy(policy, provider.deployment.store_kinds).hash, "chief officer")
    adopt_policy(provider.deployment, policy)
    provider.tell("deletion-withdrawn", "c-5", withdraws={"source": "/platform", "id": "mistake"})
    provider.tell("service-renewed", "c-6", service="training")
    provider.tell("service-activated", "c-7", service="inference")
    provider.tell("service-expired", "c-7", service="inference")
    provider.tell("data-deleted", "nobody-we-know", dataset="models")
    provider.run()
    provider.run()


def finish(provider: Provider) -> None:
    """Days pass, and everything that waits is done."""
    for _ in range(4):
        provider.pass_time(days=2)
        provider.run()
    verify_again(provider.deployment)


def entries_of(provider: Provider) -> list[Entry]:
    return [decode_entry(entry) for entry in provider.deployment.journal.ledger.entries()]


def everything(provider: Provider) -> tuple[CaseStatus, ...]:
    return status(provider.deployment)


def is_whole(provider: Provider) -> bool:
    ledger = provider.deployment.journal.ledger
    return not verify_files([ledger.files.root], ledger.key).findings


def readable(provider: Provider, customer: str, name: str = "b.bin") -> bytes:
    target = io.BytesIO()
    full = f"models/{customer}/{name}"
    with (provider.objects / full).open("rb") as source:
        open_sealed(provider.deployment, customer, "models", full, source, target)
    return target.getvalue()


def key_owners(provider: Provider) -> set[str]:
    with provider.deployment.catalog.reading() as session:
        return {key.scope.customer for key in key_rows.all_keys(session)}


def restored(processes: Callable[[], Provider], policy: Path, *, rolled: bool) -> tuple[Provider, Provider, Dump]:
    """The provider as it goes on to the end, the one that starts on the old copy, and the catalogue at the end."""
    provider = processes()
    begin(provider)
    copy = dumped(provider.deployment.catalog)
    go_on(provider, policy)
    if rolled:
        finish(provider)
    end = dumped(provider.deployment.catalog)
    put_back(provider.deployment.catalog, copy)
    return provider, processes(), end


@pytest.fixture
def policy(tmp_path: Path, processes: Callable[[], Provider]) -> Path:
    """The policy file that the provider has adopted."""
    return tmp_path / "policies.yaml"


# ------------------------------------------------------------------------------------------------------------ the tests

on_sqlite = pytest.mark.parametrize("catalog_url", ["sqlite"], indirect=True)
"""For what is the same on every kind of catalogue."""


@pytest.mark.parametrize("rolled", [False, True], ids=["on the day of the copy", "after epochs were rolled"])
def test_a_catalogue_from_before_three_deletions_hears_what_happened_and_goes_on(
    processes: Callable[[], Provider], policy: Path, rolled: bool
) -> None:
    provider, again, end = restored(processes, policy, rolled=rolled)
    size = len(entries_of(again))
    replayed = catch_up(again.deployment)
    assert replayed is not None
    assert replayed.size == size
    after = dumped(again.deployment.catalog)
    assert differing(after, end) == {}
    assert arrivals(after) == arrivals(end)
    assert (replayed.facts, replayed.shreds) == (11, sum(e.type is EntryType.KEY_SHREDDED for e in entries_of(again)))
    assert "c-1" not in key_owners(again)
    told = entries_of(again)[size:]
    assert [entry.type for entry in told] == [EntryType.CATALOGUE_BEHIND]
    assert told[0].body == {
        "known": replayed.known,
        "size": size,
        "facts": 11,
        "cases": replayed.cases,
        "shreds": replayed.shreds,
        "keys_lost": replayed.keys_lost,
    }
    assert is_whole(again)
    certificate = certify(again.deployment, again.case("c-1").case).certificate
    verify_certificate(certificate.encode(), again.deployment.journal.ledger.key)
    plan = plan_deletions(again.deployment, again.clock.now(), count=False)
    assert not plan.acting, "nothing that was done is done again"
    provider.deployment.close()


@on_sqlite
def test_nothing_is_lost_where_no_epoch_was_rolled_since_the_copy(
    processes: Callable[[], Provider], policy: Path
) -> None:
    _, again, _ = restored(processes, policy, rolled=False)
    replayed = catch_up(again.deployment)
    assert replayed is not None
    assert replayed.keys_lost == 0
    assert "every key of the old copy that was not shredded opens still" in replayed.sentence
    assert readable(again, "c-6") == b"secret weights"
    with pytest.raises(KeyGone):
        ask_for_shredded_key(again, "c-1")
    finish(again)
    assert is_whole(again)
    assert {case.state for case in everything(again) if case.customer in ("c-1", "c-2", "c-3")} == {"certified"}


def ask_for_shredded_key(provider: Provider, customer: str) -> None:
    """Ask for a key of the customer's that was shredded, as a reader would."""
    with provider.deployment.catalog.reading() as session:
        (gone,) = [key for record in case_rows.strands(session, customer=customer) for key in record.keys]
    provider.deployment.keyring.key_for_opening(gone.key_id, KeyScope(customer, "models"))


@on_sqlite
def test_before_the_replay_nothing_is_read_told_opened_or_deleted(
    processes: Callable[[], Provider], policy: Path
) -> None:
    _, again, _ = restored(processes, policy, rolled=False)
    before = {path: path.read_bytes() for path in again.objects.rglob("*") if path.is_file()}
    dump = dumped(again.deployment.catalog)
    attempts: dict[str, Callable[[], object]] = {
        "run": lambda: run_cycle(again.deployment),
        "look again": lambda: verify_again(again.deployment),
        "roll": lambda: roll_keys(again.deployment),
        "tell": lambda: again.tell("service-activated", "c-8", service="training"),
        "status": lambda: status(again.deployment),
        "certify": lambda: certify(again.deployment, "0" * 16),
        "open": lambda: readable(again, "c-6"),
        "seal": lambda: seal(again.deployment, "c-6", "models", "x", io.BytesIO(b"x"), io.BytesIO()),
        "key": lambda: again.deployment.key_store.epochs(),
        "nothing to tell": lambda: record_facts(again.deployment, ()),
    }
    for what, attempt in attempts.items():
        with pytest.raises(NotInOrder, match="the catalogue is behind the ledger") as refused:
            attempt()
        assert "retention run --once" in str(refused.value), what
    assert {path: path.read_bytes() for path in again.objects.rglob("*") if path.is_file()} == before
    assert dumped(again.deployment.catalog) == dump


@on_sqlite
def test_a_second_start_does_nothing(processes: Callable[[], Provider], policy: Path) -> None:
    _, again, _ = restored(processes, policy, rolled=False)
    catch_up(again.deployment)
    size, dump = len(entries_of(again)), dumped(again.deployment.catalog)
    assert catch_up(again.deployment) is None
    third = processes()
    assert catch_up(third.deployment) is None
    assert everything(third) == everything(again)
    assert len(entries_of(third)) == size
    assert differing(dumped(third.deployment.catalog), dump) == {}


@on_sqlite
def test_a_process_under_which_the_catalogue_was_exchanged_does_nothing_before_it_has_caught_up(
    processes: Callable[[], Provider], policy: Path
) -> None:
    provider, _, end = restored(processes, policy, rolled=False)
    with pytest.raises(NotInOrder, match="the catalogue is behind the ledger"):
        provider.run()
    assert differing(dumped(provider.deployment.catalog), end)
    assert catch_up(provider.deployment) is not None
    assert differing(dumped(provider.deployment.catalog), end) == {}


# ------------------------------------------------------------------------------------------- on the embedded catalogue


class Killed(BaseException):
    """The process dies here."""


@pytest.fixture(scope="module")
def history(adopted: Told, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Much has happened since a copy of the catalogue's file was made, which lies beside it."""
    root = tmp_path_factory.mktemp("history")
    provider = adopted.go_on(root / "first")
    begin(provider)
    provider.deployment.catalog.forget_freed_pages()
    shutil.copy(provider.root / "catalog.db", provider.root / "copy.db")
    go_on(provider, provider.root / "policies.yaml")
    return Told.by(provider, root / "disk")


@pytest.fixture
def old(history: Told, tmp_path: Path) -> Callable[[], Provider]:
    """Much has happened since a copy of the catalogue's file was made; it is put back, and each call starts on it."""
    provider = history.go_on(tmp_path)
    provider.deployment.close()
    for left in provider.root.glob("catalog.db*"):
        left.unlink()
    shutil.copy(provider.root / "copy.db", provider.root / "catalog.db")
    return lambda: open_provider(provider.root, provider.clock)


MOMENTS = ("read", "epoch", "told", "committed", "published")


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_the_next_start_ends_the_same(old: Callable[[], Provider], moment: str) -> None:
    def die(now: str) -> None:
        if now == moment:
            raise Killed

    first = old()
    size = len(entries_of(first))
    before = dumped(first.deployment.catalog)
    with pytest.raises(Killed):
        catch_up(first.deployment, die)
    if moment in MOMENTS[:3]:
        assert differing(dumped(first.deployment.catalog), before) == {}
    first.deployment.close()
    second = old()
    second.pass_time(minutes=1)
    catch_up(second.deployment)
    second.run()
    assert [e.type for e in entries_of(second)[size:]] == [EntryType.CATALOGUE_BEHIND]
    assert is_whole(second)
    assert key_owners(second) == {"c-2", "c-3", "c-4", "c-5", "c-6"}
    assert [(c.customer, c.state) for c in everything(second) if c.customer in ("c-1", "c-2", "c-3")] == [
        ("c-1", "verified"),
        ("c-2", "certified"),
        ("c-3", "certified"),
    ]
    second.deployment.close()


def particulars(provider: Provider) -> Path:
    return provider.root / "ledger-particulars" / "000"


def test_the_folder_of_particulars_names_nobody(old: Callable[[], Provider]) -> None:
    data = particulars(old()).read_bytes()
    customers = [f'"{customer}"' for customer in (*CUSTOMERS, "c-7")]  # short names stand in random bytes by themselves
    names = (*customers, "nobody-we-know", "a.bin", "chief officer", "training", "service-expired", "models")
    assert [name for name in names if name.encode() in data] == []


def records(data: bytes) -> list[tuple[int, int, int]]:
    """Position, begin and end of every record in a file of particulars."""
    found, at = [], 0
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at + 8 : at + 12])
        found.append((int.from_bytes(data[at : at + 8]), at, end))
        at = end
    return found


def without(data: bytes) -> bytes:
    at = records(data)[-5][1]
    return data[:at]


def changed(data: bytes) -> bytes:
    at = records(data)[-5][2] - 1
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def swapped(data: bytes) -> bytes:
    """Two records of one file in each other's place."""
    first, second = records(data)[-5], records(data)[-4]
    one, other = data[first[1] + 8 : first[2]], data[second[1] + 8 : second[2]]
    return data[: first[1] + 8] + other + data[second[1] : second[1] + 8] + one + data[second[2] :]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        pytest.param(without, "are missing", id="some are missing"),
        pytest.param(changed, "were changed", id="one bit was changed"),
        pytest.param(swapped, "were changed, or belong to another entry", id="two were swapped"),
    ],
)
def test_where_particulars_are_not_there_or_not_as_they_were_nothing_is_changed_and_the_entry_is_named(
    old: Callable[[], Provider], harm: Callable[[bytes], bytes], said: str
) -> None:
    again = old()
    before = dumped(again.deployment.catalog)
    whole = particulars(again).read_bytes()
    particulars(again).write_bytes(harm(whole))
    position = records(whole)[-5][0]
    with pytest.raises(NotInOrder, match=f"the particulars of entry {position} {said}"):
        catch_up(again.deployment)
    assert differing(dumped(again.deployment.catalog), before) == {}
    with pytest.raises(NotInOrder, match="the catalogue is behind the ledger"):
        status(again.deployment)
    particulars(again).write_bytes(whole)
    assert catch_up(again.deployment) is not None


def test_a_damaged_ledger_is_not_replayed(old: Callable[[], Provider]) -> None:
    again = old()
    tile = max((again.root / "ledger/tile/0/000.p").iterdir(), key=lambda path: int(path.name))
    data = tile.read_bytes()
    tile.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(NotInOrder, match="the ledger is not whole, and nothing is replayed from it"):
        catch_up(again.deployment)


def test_a_catalogue_that_went_on_by_itself_is_refused(old: Callable[[], Provider], tmp_path: Path) -> None:
    """The copy was used beside another copy of the ledger, and then brought here."""
    again = old()
    again.deployment.close()
    apart = tmp_path / "apart"
    shutil.copytree(again.root, apart, ignore=shutil.ignore_patterns("apart", "ledger", "ledger-particulars"))
    cut_off(again, apart)
    other = open_provider(apart, again.clock)
    other.tell("service-activated", "c-9", key="told elsewhere", service="training")
    other.deployment.close()
    for left in again.root.glob("catalog.db*"):
        left.unlink()
    shutil.copy(apart / "catalog.db", again.root / "catalog.db")
    forked = old_start(again)
    with pytest.raises(NotInOrder, match="the ledger is not this catalogue's: its first"):
        catch_up(forked.deployment)
    forked.deployment.close()


def old_start(provider: Provider) -> Provider:
    return open_provider(provider.root, provider.clock)


def cut_off(provider: Provider, apart: Path) -> None:
    """A ledger of its own for the copy: the same entries up to where the copy ends, and then others."""
    journal = provider.deployment.journal
    with provider.deployment.catalog.beyond_the_bar().reading() as session:
        size = ledger_outbox.size(session)
    Ledger.create(apart / "ledger", journal.signer).publish(0, list(journal.ledger.entries(0, size)), journal.signer)


def test_keys_whose_epochs_were_rolled_since_the_copy_are_lost_counted_and_said(
    provider: Provider, tmp_path: Path
) -> None:
    begin(provider)
    copy = dumped(provider.deployment.catalog)
    go_on(provider, tmp_path / "policies.yaml")
    roll_keys(provider.deployment)
    put_back(provider.deployment.catalog, copy)
    again = old_start(provider)
    with capture_logs() as logs:
        replayed = catch_up(again.deployment)
    assert replayed is not None
    assert replayed.keys_lost == 5
    assert "5 keys of the old copy open nothing any more, and what was sealed under them is lost" in replayed.sentence
    assert ("error", 5) in [(line["log_level"], line.get("count")) for line in logs]
    assert entries_of(again)[-1].body["keys_lost"] == 5
    with pytest.raises(KeyGone):
        readable(again, "c-6")
    again.put_model("c-6", "new.bin", b"new weights")
    assert readable(again, "c-6", "new.bin") == b"new weights"
    again.deployment.close()


def test_where_the_epoch_that_the_ledger_tells_of_is_gone_too_another_is_made(provider: Provider) -> None:
    begin(provider)
    copy = dumped(provider.deployment.catalog)
    provider.tell("hold-placed", "c-4", hold="h-1", ground="suit", authority="court")
    provider.deployment.journal.publish()
    for epoch in provider.deployment.provider.epochs():  # a roll that was cut off before the ledger heard of it
        provider.deployment.provider.destroy_epoch(epoch)
    put_back(provider.deployment.catalog, copy)
    again = old_start(provider)
    replayed = catch_up(again.deployment)
    assert replayed is not None
    assert replayed.keys_lost == 6
    assert [e.type for e in entries_of(again)[-2:]] == [EntryType.EPOCH_ROLLED, EntryType.CATALOGUE_BEHIND]
    again.put_model("c-5", "new.bin", b"new weights")
    assert readable(again, "c-5", "new.bin") == b"new weights"
    again.run()
    assert is_whole(again)
    again.deployment.close()


def test_an_empty_catalogue_beside_a_ledger_hears_all_of_it(old: Callable[[], Provider]) -> None:
    again = old()
    catch_up(again.deployment)
    known = everything(again)
    again.deployment.close()
    for left in again.root.glob("catalog.db*"):
        left.unlink()
    empty = old_start(again)
    replayed = catch_up(empty.deployment)
    assert isinstance(replayed, Replayed)
    assert replayed.known == 0
    assert everything(empty) == known
    empty.deployment.close()


def test_wherever_the_published_ledger_ends_it_is_replayed_and_the_service_goes_on(old: Callable[[], Provider]) -> None:
    """A machine that died between two pages of one transaction took the rest of it along."""
    again = old()
    journal, root = again.deployment.journal, again.root
    whole = list(journal.ledger.entries())
    with again.deployment.catalog.beyond_the_bar().reading() as session:
        known = ledger_outbox.size(session)
    again.deployment.close()
    kept = shutil.copytree(root / "ledger-particulars", root / "kept")
    for end in range(known + 1, len(whole), 19):
        shutil.rmtree(root / "ledger")
        shutil.rmtree(root / "ledger-particulars")
        shutil.copytree(kept, root / "ledger-particulars")
        Ledger.create(root / "ledger", journal.signer).publish(0, whole[:end], journal.signer)
        for left in root.glob("catalog.db*"):
            left.unlink()
        shutil.copy(root / "copy.db", root / "catalog.db")
        cut = old_start(again)
        replayed = catch_up(cut.deployment)
        assert replayed is not None
        assert replayed.size == end
        assert catch_up(cut.deployment) is None
        run_cycle(cut.deployment)
        assert is_whole(cut)
        shreds = {str(e.body["key"]) for e in entries_of(cut) if e.type is EntryType.KEY_SHREDDED}
        with cut.deployment.catalog.reading() as session:
            assert not shreds & {key.key_id for key in key_rows.all_keys(session)}
        cut.deployment.close()


# ----------------------------------------------------------------------------------------------- the keys by themselves


def shredded(provider: Provider) -> tuple[bytes, Dump]:
    """An object of a customer whose keys are shredded and rolled away; and the catalogue from before."""
    provider.tell("service-activated", "c-1", service="training")
    provider.tell("service-activated", "c-2", service="training")
    provider.put_model("c-1", "a.bin", b"secret weights")
    provider.put_model("c-2", "a.bin", b"other weights")
    sealed = (provider.objects / NAME).read_bytes()
    dump = dumped(provider.deployment.catalog)
    provider.tell("deletion-ordered", "c-1", ground="order", dataset="models")
    run_cycle(provider.deployment)
    roll_keys(provider.deployment)
    assert provider.case("c-1").unrecoverable_at is not None
    return sealed, dump


def test_the_old_keys_beside_the_live_provider_open_nothing(processes: Callable[[], Provider]) -> None:
    provider = processes()
    sealed, dump = shredded(provider)
    put_back(provider.deployment.catalog, dump)
    with provider.deployment.catalog.reading() as session:
        assert len(key_rows.keys_of(session, "c-1", "models")) == 1, "the old copy holds the wrapped key again"
    keyring = Keyring(provider.deployment.key_store, provider.deployment.provider, provider.clock.now, lambda: 0.0)
    with pytest.raises(KeyGone):
        Sealer(keyring).open(Binding("c-1", "models", ObjectSubject(NAME)), io.BytesIO(sealed), io.BytesIO())


def test_a_reader_in_the_way_keeps_the_wrapped_key_in_the_log_only_until_it_has_gone(provider: Provider) -> None:
    provider.tell("service-activated", "c-1", service="training")
    provider.put_model("c-1", "a.bin")
    with provider.deployment.catalog.reading() as session:
        (key,) = key_rows.keys_of(session, "c-1", "models")  # and the reading goes on
        provider.tell("deletion-ordered", "c-1", ground="order", dataset="models")
        provider.run()
    provider.run()
    files = [path for path in provider.root.iterdir() if path.name.startswith("catalog.db")]
    pieces = [key.wrapped[at : at + 16] for at in range(len(key.wrapped) - 15)]
    assert [path.name for path in files if any(piece in path.read_bytes() for piece in pieces)] == []


def test_the_other_customers_go_on_reading_after_the_roll(processes: Callable[[], Provider]) -> None:
    provider = processes()
    shredded(provider)
    for process in (provider, processes()):
        target = io.BytesIO()
        name = "models/c-2/a.bin"
        with (provider.objects / name).open("rb") as source:
            open_sealed(process.deployment, "c-2", "models", name, source, target)
        assert target.getvalue() == b"other weights"
