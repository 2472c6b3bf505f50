"""Decisions on transfers: kept, counted by distinct persons, and asked again at every use."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from retention.catalog.transfers import find_decision
from retention.clock import ManualClock
from retention.errors import InputError
from retention.evidence.entries import EntryType, decode_entry
from retention.model.transfer import Crossing, PersonCount, TransferRequest, Verdict
from retention.settings.sections import S3Store, SqlStore, StoreSettings
from retention.wiring import open_gate
from retention.workflows.adopt_policy import adopt_policy
from retention.workflows.consents import grant_consent, list_consents, withdraw_consent
from retention.workflows.decide_transfer import (
    MOST_NAMED,
    TransferDenied,
    check_transfer,
    circumstances,
    territory_of,
    use_decision,
)
from retention.workflows.replay_ledger import catch_up
from retention.workflows.transfer_gate import KEPT_SECONDS, TransferGate
from tests.transfer_policy import CONSENT, with_transfers
from tests.workflow.conftest import POLICY, START, Provider, open_provider

REQUEST = TransferRequest("c-1", "models", "CN", "SG", "Lion Pte", "support", "training", 10, 0)
NAMED = replace(REQUEST, persons=None, sensitive_persons=None)


MEASURES = """\
  measures:
    scc-1:
      {kind: standard-contract, number: "1", datasets: [models], destinations: [SG], recipients: [Lion Pte],
       impact-assessment: PIA-1, from: 2026-01-01, until: 2027-12-31}
"""


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    yield from opened_under(with_transfers(POLICY), tmp_path)


@pytest.fixture
def covered(tmp_path: Path) -> Iterator[Provider]:
    """The provider with a standard contract, which sensitive information needs."""
    yield from opened_under(with_transfers(POLICY) + MEASURES, tmp_path)


def opened_under(policy: str, root: Path) -> Iterator[Provider]:
    opened = open_provider(root, ManualClock(START))
    (root / "policies.yaml").write_text(policy, encoding="utf-8")
    adopt_policy(opened.deployment, root / "policies.yaml")
    opened.tell("service-activated", "c-1", service="training")
    grant_consent(opened.deployment, "c-1", CONSENT)
    yield opened
    opened.deployment.close()


def counted(provider: Provider) -> PersonCount:
    """Who has gone abroad this year."""
    with provider.deployment.catalog.reading() as session:
        return circumstances(provider.deployment, session, "c-1").counted


def persons_counted(provider: Provider) -> int:
    """How many persons the next decision counts, as its ledger entry and reason say."""
    decided = check_transfer(provider.deployment, REQUEST)
    (few,) = [ground for ground in decided.decision.grounds if ground.code == "few-persons"]
    return int(few.about["persons"]) - 10


def test_an_allowed_transfer_is_kept_with_what_it_rests_on(provider: Provider) -> None:
    decided = check_transfer(provider.deployment, REQUEST)
    assert (decided.decision.verdict, decided.decision.consent) == (Verdict.ALLOW, "K-1")
    entry = decode_entry(provider.deployment.journal.ledger.entry(decided.entry))
    assert entry.type is EntryType.TRANSFER_DECIDED
    assert (entry.body["verdict"], entry.body["destination"]) == ("allow", "SG")


def test_asking_counts_nobody_and_using_counts_once(provider: Provider) -> None:
    first = check_transfer(provider.deployment, REQUEST)
    assert persons_counted(provider) == 0
    for _ in range(3):
        use_decision(provider.deployment, first.id)
    assert persons_counted(provider) == 10
    second = check_transfer(provider.deployment, REQUEST)
    use_decision(provider.deployment, second.id)
    assert persons_counted(provider) == 20, "nobody can tell that these are the same ten"


def test_persons_who_are_named_count_once_a_year(provider: Provider) -> None:
    for names in (["a", "b", "c"], ["b", "c", "d"], ["a", "a"]):
        use_decision(provider.deployment, check_transfer(provider.deployment, REQUEST, names).id)
    assert persons_counted(provider) == 4
    with provider.deployment.catalog.reading() as session:
        from sqlmodel import select

        from retention.catalog.tables import AbroadPersonRow

        stored = session.exec(select(AbroadPersonRow.person)).all()
    assert all(len(person) == 64 for person in stored), "as commitments, not as names"


def test_of_the_named_ones_only_the_sensitive_are_counted_as_sensitive(covered: Provider) -> None:
    expected = [
        (["a", "b", "c"], ["b"], (3, 1)),
        (["a", "b"], ["a", "b"], (3, 2)),  # a was counted before and becomes sensitive
        (["a", "b", "c"], [], (3, 2)),  # and stays so
        (None, ["c", "d"], (4, 4)),  # who is named as sensitive is a person
        (["e"], ["f"], (6, 5)),
    ]
    for persons, sensitive, counts in expected:
        decided = check_transfer(covered.deployment, NAMED, persons, sensitive)
        assert decided.decision.verdict is Verdict.ALLOW
        before = counted(covered)
        assert decided.request.persons is not None
        assert decided.request.sensitive_persons is not None
        use_decision(covered.deployment, decided.id)
        assert counted(covered) == PersonCount(*counts)
        assert counts == (
            before.persons + decided.request.persons,
            before.sensitive_persons + decided.request.sensitive_persons,
        )


def test_what_a_decision_adds_is_counted_anew_when_it_is_used(covered: Provider) -> None:
    first, second = (check_transfer(covered.deployment, NAMED, ["a", "b"], ["a"]) for _ in range(2))
    assert (second.request.persons, second.request.sensitive_persons) == (2, 1), "nothing has gone yet"
    for decided in (first, second, first):
        use_decision(covered.deployment, decided.id)
    assert counted(covered) == PersonCount(2, 1)
    used = [e for e in map(decode_entry, covered.deployment.journal.ledger.entries()) if e.type == "transfer-used"]
    assert [entry.body["persons"] for entry in used] == [2, 0]


@pytest.mark.parametrize(
    ("request_", "persons", "sensitive", "says"),
    [
        (replace(REQUEST, sensitive_persons=1), ["a"], None, "sensitive ones are a number"),
        (REQUEST, None, ["a"], "persons are a number"),
        (NAMED, (str(n) for n in range(MOST_NAMED + 1)), None, "at most 100000, so split it"),
        (NAMED, [f"a{n}" for n in range(MOST_NAMED)], ["b"], "more than 100000"),
    ],
    ids=["names, and some of them sensitive", "a number, of which these are sensitive", "too many", "too many of both"],
)
def test_names_that_do_not_tell_who_is_meant_decide_nothing(
    provider: Provider, request_: TransferRequest, persons: Any, sensitive: Any, says: str
) -> None:
    size = provider.deployment.journal.ledger.checkpoint().size
    with pytest.raises(InputError, match=says):
        check_transfer(provider.deployment, request_, persons, sensitive)
    assert provider.deployment.journal.ledger.checkpoint().size == size


def test_spaces_and_blank_lines_are_nobody(provider: Provider) -> None:
    decided = check_transfer(provider.deployment, NAMED, ["a", " a\r", "", "  "], ["a\r"])
    assert (decided.request.persons, decided.request.sensitive_persons) == (1, 1)


def test_names_do_not_say_whose_sensitive_information_is_in_it(provider: Provider) -> None:
    """The dataset holds none, so it is not asked; a number of none is said as before."""
    unsaid = check_transfer(provider.deployment, NAMED, ["a"])
    assert unsaid.request.sensitive_persons is None
    assert check_transfer(provider.deployment, REQUEST, ["a"]).request.sensitive_persons == 0
    use_decision(provider.deployment, unsaid.id)
    assert counted(provider) == PersonCount(1, 0)


def test_thousands_of_names_are_counted(covered: Provider) -> None:
    names = [f"person-{n}" for n in range(3_001)]
    for sensitive, count in (([], 0), (names[:1_501], 1_501), (names, 3_001)):
        use_decision(covered.deployment, check_transfer(covered.deployment, NAMED, names, sensitive).id)
        assert counted(covered) == PersonCount(3_001, count)


def test_who_goes_abroad_again_in_the_next_year_is_counted_in_it(covered: Provider) -> None:
    named = check_transfer(covered.deployment, NAMED, ["a", "b"], ["b"])
    numbers = check_transfer(covered.deployment, REQUEST)
    for _ in range(2):
        for decided in (named, numbers):
            use_decision(covered.deployment, decided.id)
        assert counted(covered) == PersonCount(12, 1)
        covered.clock.advance(datetime(2026, 12, 31, 16, 0, tzinfo=UTC) - covered.clock.now())
    with covered.deployment.catalog.reading() as session:
        found = find_decision(session, named.id)
    assert found is not None
    assert found.used_at is not None
    assert found.used_at.year == 2026, "the first use stays the first"


def test_uses_at_the_same_moment_count_everybody_once(tmp_path: Path, catalog_url: str) -> None:
    clock = ManualClock(START)
    processes = [open_provider(tmp_path / "disk", clock, catalog_url) for _ in range(2)]
    first = processes[0]
    (tmp_path / "policies.yaml").write_text(with_transfers(POLICY) + MEASURES, encoding="utf-8")
    adopt_policy(first.deployment, tmp_path / "policies.yaml")
    first.tell("service-activated", "c-1", service="training")
    grant_consent(first.deployment, "c-1", CONSENT)
    made = [check_transfer(first.deployment, NAMED, [f"p{n}", f"p{n + 1}", "x"], [f"p{n}"]) for n in range(6)]
    made.append(check_transfer(first.deployment, REQUEST))
    with ThreadPoolExecutor(4) as threads:
        running = [threads.submit(use_decision, p.deployment, d.id) for d in made for p in processes]
        assert all(each.result().verdict is Verdict.ALLOW for each in running)
    assert counted(first) == PersonCount(8 + 10, 6)
    used = [e for e in map(decode_entry, first.deployment.journal.ledger.entries()) if e.type == "transfer-used"]
    assert len(used) == len(made), "one entry each, whoever came first"
    for process in processes:
        process.deployment.close()


def test_what_stays_at_home_counts_nobody(provider: Provider) -> None:
    home = replace(REQUEST, destination="CN")
    for decided in (
        check_transfer(provider.deployment, home),
        check_transfer(provider.deployment, home, ["a", "b"]),
        check_transfer(provider.deployment, replace(home, source="SG")),
    ):
        assert use_decision(provider.deployment, decided.id).verdict is Verdict.ALLOW
    assert counted(provider) == PersonCount()


def test_the_count_begins_anew_on_the_first_of_january_in_shanghai(provider: Provider) -> None:
    decided = check_transfer(provider.deployment, REQUEST)
    use_decision(provider.deployment, decided.id)
    provider.clock.advance(datetime(2026, 12, 31, 15, 59, tzinfo=UTC) - provider.clock.now())
    assert persons_counted(provider) == 10
    provider.pass_time(minutes=1)
    assert persons_counted(provider) == 0


def test_a_decision_is_asked_again_at_every_use(provider: Provider) -> None:
    decided = check_transfer(provider.deployment, REQUEST)
    use_decision(provider.deployment, decided.id)
    withdraw_consent(provider.deployment, "c-1", "K-1")
    with pytest.raises(TransferDenied, match="consent-withdrawn"):
        use_decision(provider.deployment, decided.id)


def test_what_was_denied_cannot_be_used_and_what_is_not_there_neither(provider: Provider) -> None:
    denied = check_transfer(provider.deployment, TransferRequest("c-2", "models", "CN", "SG"))
    assert denied.decision.verdict is Verdict.DENY
    with pytest.raises(TransferDenied):
        use_decision(provider.deployment, denied.id)
    with pytest.raises(InputError, match="no decision"):
        use_decision(provider.deployment, "nothing")


def test_the_hundred_thousandth_person_needs_a_measure(provider: Provider) -> None:
    big = TransferRequest("c-1", "models", "CN", "SG", "Lion Pte", "support", "training", 99_995, 0)
    use_decision(provider.deployment, check_transfer(provider.deployment, big).id)
    decided = check_transfer(provider.deployment, REQUEST).decision
    assert (decided.verdict, [ground.code for ground in decided.grounds]) == (Verdict.DENY, ["no-measure"])


@pytest.mark.parametrize(
    ("place", "territory"),
    [
        ("SG", "SG"),
        ("ap-southeast-1", "SG"),
        ("cn-north-1", "CN"),
        ("objects", "CN"),
        ("sg", "SG"),
        ("restored", None),
        ("eu-west-1", None),
        ("jp", None),
    ],
    ids=[
        "a territory",
        "a region",
        "home",
        "a store at home",
        "a store abroad",
        "a store that does not say where it lies",
        "a region nobody told",
        "no word",
    ],
)
def test_a_place_lies_where_the_policy_says_or_nowhere(provider: Provider, place: str, territory: str | None) -> None:
    assert territory_of(provider.deployment, place) == territory


def test_no_decision_names_anybody_in_the_ledger(provider: Provider) -> None:
    check_transfer(provider.deployment, REQUEST, ["zhang-san", "li-si"])
    provider.deployment.journal.publish()
    raw = b"".join(provider.deployment.journal.ledger.entries())
    assert not any(name in raw for name in (b"c-1", b"zhang-san", b"li-si", b"K-1"))


# --------------------------------------------------------------------------------------------------------- the gate


def crossing(**changes: Any) -> Crossing:
    return replace(Crossing("c-1", "models", "CN", "SG", "s3://abroad"), **changes)


def answer(gate: TransferGate, **changes: str | None) -> tuple[str, list[str]]:
    decision = gate(crossing(**changes))
    return str(decision.verdict), [ground.code for ground in decision.grounds]


def test_the_gate_is_shut_until_something_was_decided(provider: Provider) -> None:
    gate = TransferGate(provider.deployment)
    assert answer(gate) == ("deny", ["no-decision"])
    check_transfer(provider.deployment, REQUEST)
    assert answer(gate)[0] == "allow"
    assert persons_counted(provider) == 10, "what goes through the gate is counted"


def test_who_was_named_is_counted_at_the_gate_too(covered: Provider) -> None:
    check_transfer(covered.deployment, NAMED, ["a", "b"], ["b"])
    for _ in range(2):
        assert answer(TransferGate(covered.deployment))[0] == "allow"
    assert counted(covered) == PersonCount(2, 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"customer": None}, ("needs-information", ["customer-unknown"])),
        ({"dataset": None}, ("needs-information", ["dataset-missing"])),
        ({"destination": None}, ("needs-information", ["destination-unknown"])),
        ({"destination": "JP"}, ("deny", ["no-decision"])),
        ({"customer": "c-2"}, ("deny", ["no-decision"])),
        ({"dataset": "logs"}, ("deny", ["no-decision"])),
        ({"source": "JP"}, ("deny", ["no-decision"])),
        ({"destination": "CN"}, ("allow", ["within-home"])),
    ],
    ids=[
        "of nobody",
        "of no dataset",
        "to nowhere",
        "elsewhere",
        "of another customer",
        "of another dataset",
        "from elsewhere",
        "home",
    ],
)
def test_a_decision_opens_the_gate_for_what_it_is_about(
    provider: Provider, changes: dict[str, str | None], said: tuple[str, list[str]]
) -> None:
    check_transfer(provider.deployment, REQUEST)
    assert answer(TransferGate(provider.deployment), **changes) == said


def test_a_withdrawal_shuts_the_gate(provider: Provider) -> None:
    gate = TransferGate(provider.deployment)
    check_transfer(provider.deployment, REQUEST)
    assert answer(gate)[0] == "allow"
    withdraw_consent(provider.deployment, "c-1", "K-1")
    assert answer(TransferGate(provider.deployment)) == ("deny", ["consent-withdrawn"])


def test_an_answer_is_kept_for_a_moment_and_no_longer(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = TransferGate(provider.deployment)
    check_transfer(provider.deployment, REQUEST)
    assert answer(gate)[0] == "allow"
    withdraw_consent(provider.deployment, "c-1", "K-1")
    later = provider.deployment.wall.reading()
    monkeypatch.setattr(
        type(provider.deployment.wall), "reading", lambda _: replace(later, ticks=later.ticks + 2 * KEPT_SECONDS)
    )
    assert answer(gate)[0] == "deny"


def test_an_old_catalogue_hears_of_decisions_consents_and_persons(provider: Provider) -> None:
    shutil.copy(provider.root / "catalog.db", provider.root / "old.db")
    names = ["a", "b"]
    used = check_transfer(provider.deployment, REQUEST, names)
    use_decision(provider.deployment, used.id)
    waiting = check_transfer(provider.deployment, REQUEST, ["b", "c"])
    unused = check_transfer(provider.deployment, REQUEST)
    use_decision(provider.deployment, check_transfer(provider.deployment, REQUEST).id)
    withdraw_consent(provider.deployment, "c-1", "K-1")
    grant_consent(provider.deployment, "c-1", {**CONSENT, "consent": "K-2"})
    before = persons_counted(provider)
    provider.deployment.close()
    for file in provider.root.glob("catalog.db*"):
        file.unlink()
    shutil.copy(provider.root / "old.db", provider.root / "catalog.db")
    again = open_provider(provider.root, provider.clock)
    try:
        assert catch_up(again.deployment) is not None
        assert before == 12
        assert persons_counted(again) == before
        assert [each.consent.id for each in list_consents(again.deployment, "c-1")] == ["K-1", "K-2"]
        with again.deployment.catalog.reading() as session:
            found = find_decision(session, unused.id)
        assert found == unused
        grant_consent(again.deployment, "c-1", {**CONSENT, "consent": "K-3"})
        use_decision(again.deployment, waiting.id)
        assert persons_counted(again) == before + 1, "c was named before the catalogue was lost"
    finally:
        again.deployment.close()


def test_an_old_catalogue_counts_the_same_persons_as_sensitive(covered: Provider) -> None:
    shutil.copy(covered.root / "catalog.db", covered.root / "old.db")
    for persons, sensitive in ((["a", "b", "c"], ["b"]), (["a"], ["a", "d"])):
        use_decision(covered.deployment, check_transfer(covered.deployment, NAMED, persons, sensitive).id)
    waiting = check_transfer(covered.deployment, NAMED, ["a", "e"], ["c"])
    covered.deployment.close()
    for file in covered.root.glob("catalog.db*"):
        file.unlink()
    shutil.copy(covered.root / "old.db", covered.root / "catalog.db")
    again = open_provider(covered.root, covered.clock)
    try:
        catch_up(again.deployment)
        assert counted(again) == PersonCount(4, 3)
        use_decision(again.deployment, waiting.id)
        assert counted(again) == PersonCount(5, 4)
    finally:
        again.deployment.close()


def test_guards_know_where_the_settings_stores_lie(provider: Provider) -> None:
    stores: dict[str, StoreSettings] = {
        "home": S3Store(kind="s3", bucket="at-home", region="cn-north-1", endpoint="https://S3.example.cn"),
        "abroad": SqlStore.model_validate(
            {"kind": "sql", "url": "postgresql://u@db.example.sg/app", "region": "ap-southeast-1"}
        ),
        "silent": S3Store(kind="s3", bucket="somewhere", region="xx-1"),
    }
    permit, territories = open_gate(provider.deployment, stores)
    assert (territories.home, territories.regions) == ("CN", {"cn-north-1": "CN", "ap-southeast-1": "SG"})
    assert territories.hosts == {"s3.example.cn": "CN", "db.example.sg": "SG"}
    assert territories.buckets == {"at-home": "CN"}, "what lies in no known region lies nowhere"
    assert permit(crossing()).verdict is Verdict.DENY
