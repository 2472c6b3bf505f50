"""Decisions, named persons and their counts are the same on every database, and older catalogues are taken along."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import column, insert, table

from retention.catalog import tables, transfers
from retention.catalog.columns import Instant
from retention.catalog.database import Catalog, open_catalog
from retention.catalog.facts import add_fact
from retention.catalog.transfers import DecidedTransfer
from retention.model.fact import Fact, FactKey, FactType
from retention.model.particulars import ToldUse
from retention.model.transfer import Decision, Ground, NamedPersons, PersonCount, TransferRequest, Verdict

NOW = datetime(2026, 12, 31, 15, 59, tzinfo=UTC)  # the year's last minute in Shanghai
A, B, C = ("a" * 64, "b" * 64, "c" * 64)

BEFORE = table(
    "transfer_decision",
    *map(column, ("id", "customer", "dataset", "destination", "verdict", "request", "decision", "entry")),
    column("decided_at", Instant()),
    column("used_at", Instant()),
)
"""The decisions as the schema had them before."""
EVERY_ROW = {
    "customer": "c-1",
    "dataset": "models",
    "destination": "SG",
    "verdict": "allow",
    "entry": 0,
    "decided_at": NOW,
}


def decided(name: str, persons: int | None = None, *, measure: str | None = None) -> DecidedTransfer:
    request = TransferRequest("c-1", "models", "CN", "SG", persons=persons, persons_are_named=persons is None)
    decision = Decision(Verdict.ALLOW, (Ground("needed"),), NOW, measure=measure)
    return DecidedTransfer(name, request, decision, None, 0)


def test_named_persons_are_counted_once_and_numbers_add_up(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        transfers.put_decision(session, decided("d1"), NamedPersons((A, B), (C,)))
        transfers.put_decision(session, decided("d2"), NamedPersons((C,), (A,)))
        transfers.put_decision(session, decided("d3", 7))
        assert transfers.named_persons(session, "d1") == NamedPersons((A, B), (C,))
        assert transfers.new_persons(session, 2026, NamedPersons((A, B), (C,))) == PersonCount(3, 1)
        counts = []
        for name in ("d1", "d2", "d3"):
            transfers.put_use(session, ToldUse(name, 2026), NOW)
            counts.append(transfers.person_count(session, 2026))
        assert counts == [PersonCount(3, 1), PersonCount(3, 2), PersonCount(10, 2)]
        assert transfers.new_persons(session, 2026, NamedPersons((), (A, B))) == PersonCount(0, 1)
        assert transfers.person_count(session, 2027) == PersonCount()
        assert transfers.is_counted(session, "d1", 2026)
        assert not transfers.is_counted(session, "d1", 2027)


def test_decisions_rest_on_a_measure_in_the_year_in_which_they_are_made_or_used(catalog: Catalog) -> None:
    next_year = NOW + timedelta(minutes=1)
    with catalog.transaction() as session:
        transfers.put_decision(session, decided("d1", 1, measure="contract"))
        transfers.put_decision(session, decided("d2", 1, measure="other"))
        assert transfers.resting_count(session, "contract", 2026, NOW - timedelta(days=1)) == 1
        assert transfers.resting_count(session, "contract", 2027, next_year) == 0
        transfers.put_use(session, ToldUse("d1", 2027), next_year)
        assert transfers.resting_count(session, "contract", 2027, next_year) == 1


def test_consents_are_found_among_the_facts(catalog: Catalog) -> None:
    def fact(name: str, kind: FactType, customer: str, consent: str | None = None) -> Fact:
        return Fact(FactKey("s", name), kind, customer, NOW, NOW, withdrawn_consent=consent)

    withdrawn = fact("2", FactType.CONSENT_WITHDRAWN, "c-1", "K-1")
    with catalog.transaction() as session:
        for each in (
            fact("1", FactType.DATA_DELETED, 'c-1"consent-'),
            withdrawn,
            fact("3", FactType.CONSENT_WITHDRAWN, "c-2", "K-1"),
        ):
            add_fact(session, each)
    with catalog.reading() as session:
        assert transfers.consent_facts(session, "c-1") == (withdrawn,)
        assert [each.customer for each in transfers.consent_facts(session)] == ["c-1", "c-2"]


def test_what_was_used_before_is_counted_still(catalog_url: str) -> None:
    older = open_catalog(catalog_url)
    config = Config()
    config.set_main_option("script_location", str(Path(tables.__file__).parent / "migrations"))
    request = {"customer": "c-1", "dataset": "models", "source": "CN", "destination": "SG"}
    rows = [
        ("d1", {**request, "persons": 5, "sensitive_persons": 2}, NOW),
        ("d2", {**request, "persons": 5, "persons_are_named": True}, NOW),
        ("d3", {**request, "persons": 5}, None),
        ("d4", {**request, "persons": None}, NOW + timedelta(minutes=1)),
    ]
    with older.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0004")
        for name, asked, used_at in rows:
            decision = {"verdict": "allow", "grounds": [], "decided_at": NOW.isoformat(), "measure": "contract"}
            values = {"id": name, "request": json.dumps(asked), "decision": json.dumps(decision), "used_at": used_at}
            connection.execute(insert(BEFORE).values(**EVERY_ROW, **values))
        connection.commit()
    older.close()
    catalog = open_catalog(catalog_url)
    with catalog.reading() as session:
        assert transfers.person_count(session, 2026) == PersonCount(5, 2)
        assert transfers.person_count(session, 2027) == PersonCount()
        counted = [
            (n, y) for n in ("d1", "d2", "d3", "d4") for y in (2026, 2027) if transfers.is_counted(session, n, y)
        ]
        assert counted == [("d1", 2026), ("d2", 2026), ("d4", 2027)]
        assert transfers.resting_count(session, "contract", 2026, NOW) == 4
    catalog.close()
