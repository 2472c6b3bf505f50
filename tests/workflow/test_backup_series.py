"""Series of backups of every make: what is in their sets, for whom each waits, and what comes back from them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import make_url

from retention.clock import ManualClock
from retention.errors import InputError
from retention.evidence.verify import verify_files
from retention.model.copy import CopyRole, EndState, SetEnd
from retention.workflows.adopt_policy import adopt_policy
from retention.workflows.backup_sets import listed_sets
from retention.workflows.certify import certify
from retention.workflows.restore_backup import RestoreRefused, restore_backup
from retention.workflows.scan_backups import scan_backups
from retention.workflows.status import status
from retention.workflows.verify_again import verify_again
from storage_adapters.backups.places import PostgresPlace
from tests.workflow.conftest import POLICY, START, Provider, open_provider

if TYPE_CHECKING:
    from retention.workflows.status import CaseStatus

NIGHT = "nightly/2026-11-10/"
DUMP = b"--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n\n-- PostgreSQL database dump complete\n"
Open = Callable[..., Provider]
New = Callable[[], str]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Open]:
    """A provider of the usual policy, in which each given text is replaced by the other one."""
    opened: list[Provider] = []

    def with_policy(**replaced: str) -> Provider:
        text = POLICY
        for key, new in replaced.items():
            old = _PLACES[key]
            assert old in text
            text = text.replace(old, new)
        provider = open_provider(tmp_path, ManualClock(START))
        opened.append(provider)
        (tmp_path / "policies.yaml").write_text(text, encoding="utf-8")
        adopt_policy(provider.deployment, tmp_path / "policies.yaml")
        return provider

    yield with_policy
    for provider in opened:
        provider.deployment.close()


_PLACES = {
    "nightly": next(line.strip() for line in POLICY.splitlines() if line.startswith("  nightly: ")),
    "models_in": 'in: {store: objects, prefix: "models/{customer}/"}',
    "sealed": "encrypted: customer",
    "logs": "keep-at-least: {period: 6 months, from: written, basis: CSL 23(3)}",
    "backups": "backups: [nightly]",
}
_NIGHTLY = _PLACES["nightly"]
ANONYMISED = _NIGHTLY.replace("30 days}", "30 days, anonymise: true}")
PLAIN = "encrypted: no"
WITH_LOGS = _NIGHTLY.replace("[models]", "[models, logs]")


def write(provider: Provider, name: str, content: bytes = b"plain") -> None:
    path = provider.objects / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def on(provider: Provider, *customers: str) -> None:
    for customer in customers:
        provider.tell("service-activated", customer, service="training")


def delete(provider: Provider, customer: str, objects: list[str] | None = None) -> None:
    """The customer deletes models, all or some, and everything is done that can be done at once."""
    some = {} if objects is None else {"objects": objects}
    provider.tell("data-deleted", customer, at=None, key=None, dataset="models", **some)
    provider.run()
    provider.pass_time(hours=25)
    assert provider.run().report.troubles == []


def days_go_by(provider: Provider, days: int) -> None:
    """Time passes, and the service does twice what it does every day."""
    provider.pass_time(days=days)
    for _ in range(2):
        provider.run()
        verify_again(provider.deployment)
        provider.pass_time(days=1)
    provider.run()


def only_case(provider: Provider, customer: str) -> CaseStatus:
    (found,) = status(provider.deployment, customer)
    return found


def ends(provider: Provider, customer: str, dataset: str = "models") -> dict[str, SetEnd]:
    """How each set ended for the customer's copies in backups."""
    copies = [c for c in only_case(provider, customer).copies if c.dataset == dataset and c.role == CopyRole.BACKUP]
    return {end.set: end for copy in copies for end in copy.sets}


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()) if root.exists() else []


def certified(provider: Provider, customer: str) -> None:
    """The customer's certificate is final, and nothing is wrong with it or the ledger."""
    issued = certify(provider.deployment, only_case(provider, customer).case)
    assert issued.final, [(e.end_state, e.reason) for e in issued.certificate.statement.exceptions]
    path = provider.root / f"{customer}.json"
    path.write_bytes(issued.certificate.encode())
    assert verify_files([path, provider.root / "ledger"], provider.deployment.journal.ledger.key).findings == ()


# --------------------------------------------------------------------------------------- dumps of no dataset


def test_dumps_in_a_series_without_tables_are_left_out_of_a_restore(begin: Open) -> None:
    provider = begin()
    on(provider, "c-1", "c-2")
    provider.put_model("c-2", "a.bin")
    (provider.back_up() / "app.sql").write_bytes(DUMP)
    restored = restore_backup(provider.deployment, NIGHT, ["restored"])
    assert restored.left_out == {"pg-dump-plain": 1}
    assert files(provider.root / "restored") == ["models/c-2/a.bin"]


def test_dumps_in_a_series_without_tables_are_not_anonymised(begin: Open) -> None:
    provider = begin(nightly=ANONYMISED, sealed=PLAIN)
    on(provider, "c-1", "c-2")
    for customer in ("c-1", "c-2"):
        write(provider, f"models/{customer}/a.bin")
    (provider.back_up() / "app.sql").write_bytes(DUMP)
    delete(provider, "c-1")
    end = ends(provider, "c-1")[NIGHT]
    assert end.end_state is EndState.QUARANTINED
    assert "no dataset of the series has tables" in (end.reason or "")
    assert len(files(provider.root / "quarantine")) == 3


def test_rows_that_no_dataset_of_the_series_has_are_not_given_out(begin: Open, new_postgres_database: New) -> None:
    provider = begin()
    on(provider, "c-1")
    provider.put_model("c-1", "a.bin")
    night, source, target = provider.back_up(), new_postgres_database(), new_postgres_database()
    with psycopg.connect(libpq(source)) as connection:
        connection.execute("CREATE TABLE invoice (customer text, amount int)")
        connection.execute("INSERT INTO invoice VALUES ('c-1', 12)")
    dumped = ["pg_dump", "-f", str(night / "app.sql"), libpq(source)]
    subprocess.run(dumped, check=True, stdin=subprocess.DEVNULL, timeout=60)
    places = provider.deployment.backups.places
    assert isinstance(places, dict)
    places["database"] = PostgresPlace("database", target, scratch=provider.root / "scratch")
    with pytest.raises(RestoreRefused, match="nobody knows whose rows"):
        restore_backup(provider.deployment, NIGHT, ["database", "restored"])
    assert files(provider.root / "restored") == []
    with psycopg.connect(libpq(target)) as connection:
        assert connection.execute("SELECT to_regclass('invoice')").fetchone() == (None,)


def libpq(url: str) -> str:
    """The URL as PostgreSQL's own programs take it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


# ----------------------------------------------------------------------------------------- several customers


def test_two_cases_wait_for_one_mixed_set_and_both_are_closed_when_it_goes(begin: Open) -> None:
    provider = begin(sealed=PLAIN)
    on(provider, "c-1", "c-2", "c-3")
    for customer in ("c-1", "c-2", "c-3"):
        write(provider, f"models/{customer}/a.bin")
    provider.back_up()
    delete(provider, "c-1")
    delete(provider, "c-2")
    for customer in ("c-1", "c-2"):
        assert ends(provider, customer)[NIGHT].end_state is EndState.QUARANTINED
    scan_backups(provider.deployment)
    (listed,) = listed_sets(provider.deployment)
    assert (listed.waiting_count, listed.is_mixed, listed.holds) == (2, True, ("models",))
    days_go_by(provider, 30)
    for customer in ("c-1", "c-2"):
        assert ends(provider, customer)[NIGHT].end_state is EndState.ERASED_VERIFIED
        certified(provider, customer)
    assert listed_sets(provider.deployment) == ()


def test_a_set_is_rewritten_once_for_everybody_who_is_gone_by_then(begin: Open) -> None:
    provider = begin(nightly=ANONYMISED, sealed=PLAIN)
    on(provider, "c-1", "c-2", "c-3")
    for customer in ("c-1", "c-2", "c-3"):
        write(provider, f"models/{customer}/a.bin", customer.encode())
    night = provider.back_up()
    shutil.rmtree(night / "models")
    with tarfile.open(night / "all.tar", "w") as archive:
        archive.add(provider.objects / "models", "models")
    os.utime(night / "all.tar", (provider.clock.now().timestamp(),) * 2)
    provider.tell("data-deleted", "c-2", dataset="models")
    delete(provider, "c-1")
    assert ends(provider, "c-1")[NIGHT].end_state is EndState.ANONYMISED
    assert ends(provider, "c-2")[NIGHT].end_state is EndState.ANONYMISED
    with tarfile.open(night / "all.tar") as archive:
        members = [member.name for member in archive if member.isfile()]
    assert members == ["models/c-3/a.bin"]
    days_go_by(provider, 1)
    certified(provider, "c-1")
    certified(provider, "c-2")


# ---------------------------------------------------------------------------------------------- parts of data


def test_what_one_subscription_wrote_is_looked_for_alone(begin: Open) -> None:
    provider = begin(models_in='in: {store: objects, prefix: "models/{customer}/{subscription}/"}', sealed=PLAIN)
    for subscription in ("s-1", "s-2"):
        provider.tell("service-activated", "c-1", service="training", subscription=subscription)
        write(provider, f"models/c-1/{subscription}/a.bin")
    night = provider.back_up()
    provider.pass_time(days=1)
    without = provider.back_up()
    shutil.rmtree(without / "models" / "c-1" / "s-1")
    provider.tell("service-expired", "c-1", service="training", subscription="s-1")
    provider.run()
    provider.pass_time(days=17)
    provider.run()
    assert files(provider.objects) == ["models/c-1/s-2/a.bin"]
    found = {name: end.end_state for name, end in ends(provider, "c-1").items()}
    assert found == {NIGHT: EndState.QUARANTINED, "nightly/2026-11-11/": EndState.NOT_FOUND}
    assert not night.exists()
    restore_backup(provider.deployment, NIGHT, ["restored"])
    assert files(provider.root / "restored") == ["models/c-1/s-2/a.bin"]


def test_one_object_that_was_deleted_keeps_its_backups_and_nothing_else_out_of_a_restore(begin: Open) -> None:
    provider = begin()
    on(provider, "c-1")
    for name in ("a.bin", "b.bin"):
        provider.put_model("c-1", name)
    provider.back_up()
    delete(provider, "c-1", objects=["a.bin"])
    assert ends(provider, "c-1")[NIGHT].end_state is EndState.QUARANTINED, "the key still opens it"
    restore_backup(provider.deployment, NIGHT, ["restored"])
    assert files(provider.root / "restored") == ["models/c-1/b.bin"]
    days_go_by(provider, 30)
    certified(provider, "c-1")


def test_one_object_that_was_deleted_is_taken_out_of_an_archive(begin: Open) -> None:
    provider = begin(nightly=ANONYMISED, sealed=PLAIN)
    on(provider, "c-1")
    for name in ("a.bin", "a.bin.old", "b.bin"):
        write(provider, f"models/c-1/{name}")
    night = provider.root / "backups" / NIGHT
    night.mkdir(parents=True)
    with tarfile.open(night / "all.tar", "w") as archive:
        archive.add(provider.objects / "models", "models")
    os.utime(night / "all.tar", (provider.clock.now().timestamp(),) * 2)
    delete(provider, "c-1", objects=["a.bin"])
    assert ends(provider, "c-1")[NIGHT].end_state is EndState.ANONYMISED
    with tarfile.open(night / "all.tar") as archive:
        assert sorted(member.name for member in archive if member.isfile()) == [
            "models/c-1/a.bin.old",
            "models/c-1/b.bin",
        ]


def test_an_object_with_a_key_of_its_own_is_closed_by_that_key(begin: Open) -> None:
    provider = begin(sealed="encrypted: object")
    on(provider, "c-1", "c-2")
    for name in ("a.bin", "b.bin"):
        provider.put_model("c-1", name)
    provider.put_model("c-2", "a.bin")
    night = provider.back_up()
    delete(provider, "c-1")
    assert ends(provider, "c-1")[NIGHT].end_state is EndState.SHREDDED_VERIFIED
    assert night.exists()
    restore_backup(provider.deployment, NIGHT, ["restored"])
    assert files(provider.root / "restored") == ["models/c-2/a.bin"]


# ------------------------------------------------------------------------------------------------ kept by law


def test_backups_are_looked_at_only_when_nothing_of_the_primary_is_kept_by_law_any_more(begin: Open) -> None:
    provider = begin(nightly=WITH_LOGS, logs=f"{_PLACES['logs']}\n    backups: [nightly]")
    on(provider, "c-1")
    provider.put_model("c-1", "a.bin")
    provider.put_log("c-1", "old.log", START - timedelta(days=300))
    provider.put_log("c-1", "new.log", START)
    night = provider.back_up()
    provider.tell("service-expired", "c-1", service="training")
    provider.run()
    days_go_by(provider, 17)
    assert files(provider.objects) == ["logs/c-1/new.log"]
    assert night.exists(), "the logs that have to be kept may be restored from it"
    assert ends(provider, "c-1", "logs") == {}
    assert ends(provider, "c-1")[NIGHT].end_state is EndState.SHREDDED_VERIFIED
    days_go_by(provider, 190)
    assert files(provider.objects) == []
    assert ends(provider, "c-1", "logs")[NIGHT].end_state is EndState.ERASED_VERIFIED
    days_go_by(provider, 1)
    certified(provider, "c-1")


# ----------------------------------------------------------------------------------------------------- places


def test_two_places_for_the_same_content_are_refused(begin: Open) -> None:
    provider = begin()
    on(provider, "c-1")
    provider.put_model("c-1", "a.bin")
    provider.back_up()
    places = provider.deployment.backups.places
    assert isinstance(places, dict)
    places["second"] = type(places["restored"])("second", provider.root / "second")
    with pytest.raises(InputError, match="would take the same files"):
        restore_backup(provider.deployment, NIGHT, ["restored", "second"])
    assert files(provider.root / "restored") == files(provider.root / "second") == []
    assert restore_backup(provider.deployment, NIGHT, ["restored", "restored"]).places == ("restored",)


# ------------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize("customer", ["客户一", "Ωmega ünï", "a b{c}", "c.*"])
def test_names_in_any_script_are_found_in_sets_and_in_their_names(begin: Open, customer: str) -> None:
    own = _NIGHTLY.replace("nightly/", "own/{customer}/").replace("nightly", "own").replace("true", "false")
    provider = begin(nightly=f"{_NIGHTLY}\n  {own}", backups="backups: [nightly, own]", sealed=PLAIN)
    on(provider, customer, "客户")
    for one in (customer, "客户"):
        write(provider, f"models/{one}/模型 一.bin")
        path = provider.root / "backups" / "own" / one / "2026-11-10" / "models" / one / "模型 一.bin"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"plain")
        os.utime(path, (provider.clock.now().timestamp(),) * 2)
    provider.back_up()
    delete(provider, customer)
    found = {name: end.end_state for name, end in ends(provider, customer).items()}
    assert found == {NIGHT: EndState.QUARANTINED, "own/{customer}/2026-11-10/": EndState.ERASED_VERIFIED}
    assert files(provider.root / "backups" / "own") == ["客户/2026-11-10/models/客户/模型 一.bin"]
    restore_backup(provider.deployment, NIGHT, ["restored"])
    assert files(provider.root / "restored") == ["models/客户/模型 一.bin"]


# ------------------------------------------------------------------------------------------------------ counts


def test_a_list_of_sets_counts_the_cases_that_wait_and_not_those_that_are_closed(begin: Open) -> None:
    provider = begin()
    on(provider, "c-1", "c-2")
    for customer in ("c-1", "c-2"):
        provider.put_model(customer, "a.bin")
    provider.back_up()
    odd = provider.root / "backups" / "by-hand" / "all.csv"
    odd.parent.mkdir()
    odd.write_bytes(b"c-1,12")
    os.utime(odd, (provider.clock.now().timestamp(),) * 2)
    delete(provider, "c-1")
    delete(provider, "c-2", objects=["a.bin"])
    scan_backups(provider.deployment)
    counts = {
        each.known.set.name: (each.waiting_count, each.holds, each.is_mixed)
        for each in listed_sets(provider.deployment)
    }
    assert counts == {
        "by-hand/": (2, (), True),
        NIGHT: (1, ("models",), True),
    }, "the first customer's key is gone, the second one's is not"
