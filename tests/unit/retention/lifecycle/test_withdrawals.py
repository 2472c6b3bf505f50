"""A consent is withdrawn: what lies abroad under it goes, what lies at home or under another consent stays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from retention.lifecycle.cases import NO_HISTORY, History, derive
from retention.lifecycle.explain import explain
from retention.lifecycle.places import locate
from retention.lifecycle.sentences import Language
from retention.model.case import Strand
from retention.model.copy import CopyRole
from retention.model.fact import Fact, Part
from retention.model.policy import Policy
from retention.model.transfer import Consent
from storage_adapters.contract import Objects, Prefix
from tests.unit.retention.lifecycle.world import CUSTOMER, fact, flags, instant, local, passed, policy

REPLICAS = """caches: [{store: cache, keys: "weights:{customer}:*"}],
     replicas: [{store: sg, prefix: "lion/{customer}/", territory: SG, recipient: Lion Pte},
                {store: sg, prefix: "shared/{customer}/", territory: SG},
                {store: de, prefix: "weights/{customer}/", territory: DE},
                {store: home, prefix: "weights/{customer}/", territory: CN}],"""
RULE = """rules:
  withdrawal:
    {title: 撤回, clause: "6.12", when: [consent-withdrawn], buffer: none, tombstone: none, complete-within: 15 days}"""


def abroad() -> Policy:
    return policy(**{'caches: [{store: cache, keys: "weights:{customer}:*"}],': REPLICAS, "rules:": RULE})


def consent(
    name: str,
    when: str,
    *,
    to: str = "SG",
    recipient: str = "Lion Pte",
    until: str | None = None,
    begins: str | None = None,
    dataset: str = "weights",
) -> Fact:
    given = Consent(
        id=name,
        customer=CUSTOMER,
        dataset=dataset,
        purpose="support",
        service="training",
        recipient=recipient,
        contact="privacy@lion.example",
        destination=to,
        method="API",
        categories=("weights",),
        rights="privacy@lion.example",
        given_at=instant(when),
        how_given="signed",
        is_separate=True,
        document="ab" * 32,
        valid_from=instant(begins or when),
        valid_until=instant(until) if until else None,
    )
    return replace(fact("consent-granted", when), consent=given)


def withdrawal(name: str, when: str, **more: str) -> Fact:
    return replace(fact("consent-withdrawn", when, **more), withdrawn_consent=name)


STARTED = fact("service-activated", "2026-02-01", "training")


def gone(*facts: Fact, history: History = NO_HISTORY) -> list[str]:
    """Where something goes, and what is left and why: one line each."""
    derived = derive((STARTED, *facts), [abroad()], history)
    lines = [_line(strand) for case in derived.cases for strand in case.strands]
    return lines + [f"{name} left to {why}" for case in derived.cases for name, why in case.left]


def _line(strand: Strand) -> str:
    places = [c.place.prefix for c in strand.copies if isinstance(c.place, Prefix)]
    since = f", not what is written from {local(strand.not_from)}" if strand.not_from else ""
    return f"{' '.join(places)}{since}"


STORIES: dict[str, tuple[list[Fact], list[str]]] = {
    "nobody withdrew": ([consent("K-1", "2026-03-01")], []),
    "what the recipient has, and what any consent to the territory is about": (
        [consent("K-1", "2026-03-01"), withdrawal("K-1", "2026-04-01")],
        ["lion/c-1/ shared/c-1/"],
    ),
    "another recipient had none of the first one's": (
        [consent("K-1", "2026-03-01", recipient="Tiger Pte"), withdrawal("K-1", "2026-04-01")],
        ["shared/c-1/"],
    ),
    "another territory is not touched": (
        [consent("K-1", "2026-03-01", to="DE", recipient="Adler"), withdrawal("K-1", "2026-04-01")],
        ["weights/c-1/"],
    ),
    "what another consent covers stays": (
        [
            consent("K-1", "2026-03-01"),
            consent("K-2", "2026-03-02", recipient="Tiger Pte"),
            withdrawal("K-1", "2026-04-01"),
        ],
        ["lion/c-1/"],
    ),
    "the last consent takes the rest": (
        [
            consent("K-1", "2026-03-01"),
            consent("K-2", "2026-03-02", recipient="Tiger Pte"),
            withdrawal("K-1", "2026-04-01"),
            withdrawal("K-2", "2026-05-01"),
        ],
        ["lion/c-1/", "shared/c-1/"],
    ),
    "a consent that was not to begin for years covers nothing": (
        [
            consent("K-1", "2026-03-01"),
            consent("K-2", "2026-03-02", begins="2036-01-01"),
            withdrawal("K-1", "2026-04-01"),
        ],
        ["lion/c-1/ shared/c-1/"],
    ),
    "one consent id for two datasets": (
        [
            consent("K-1", "2026-03-01", dataset="metrics"),
            consent("K-1", "2026-03-01"),
            withdrawal("K-1", "2026-04-01"),
        ],
        ["lion/c-1/ shared/c-1/"],
    ),
    "a consent that ended before the withdrawal covers nothing": (
        [
            consent("K-1", "2026-03-01"),
            consent("K-2", "2026-03-02", until="2026-03-20"),
            withdrawal("K-1", "2026-04-01"),
        ],
        ["lion/c-1/ shared/c-1/"],
    ),
    "a new consent before the point of no return leaves it": (
        [consent("K-1", "2026-03-01"), withdrawal("K-1", "2026-04-01"), consent("K-2", "2026-04-02")],
        ["weights left to consent K-2"],
    ),
    "a withdrawal that is told before its consent": (
        [withdrawal("K-1", "2026-04-01"), consent("K-1", "2026-03-01")],
        ["lion/c-1/ shared/c-1/"],
    ),
}


@pytest.mark.parametrize(("facts", "expected"), STORIES.values(), ids=STORIES.keys())
def test_what_lies_abroad_goes_with_the_last_consent_to_it(facts: list[Fact], expected: list[str]) -> None:
    assert gone(*facts) == expected


def test_nothing_at_home_and_no_key_goes() -> None:
    derived = derive((STARTED, consent("K-1", "2026-03-01"), withdrawal("K-1", "2026-04-01")), [abroad()])
    ((strand,),) = (case.strands for case in derived.cases)
    assert {copy.role for copy in strand.copies} == {CopyRole.REPLICA}
    assert {copy.territory for copy in strand.copies} == {"SG"}
    assert not strand.shreds_key
    assert [str(key) for key in derived.live] == ["training"]


def test_a_new_consent_after_the_point_of_no_return_covers_only_what_comes_then() -> None:
    facts = (consent("K-1", "2026-03-01"), withdrawal("K-1", "2026-04-01"))
    history = passed(derive((STARTED, *facts), [abroad()]), "2026-04-01 01:00", "weights")
    again = consent("K-2", "2026-04-03")
    assert gone(*facts, again, history=history) == ["lion/c-1/ shared/c-1/, not what is written from 2026-04-03 00:00"]


def test_a_withdrawal_of_nothing_known_is_flagged() -> None:
    assert flags([STARTED, withdrawal("K-9", "2026-04-01", id="w")]) == {
        "w": "withdraws the consent K-9, of which we were never told"
    }


def test_the_end_of_the_service_takes_every_replica() -> None:
    (line,) = gone(fact("service-expired", "2026-06-01", "training"))[:1]
    derived = derive((STARTED, fact("service-expired", "2026-06-01", "training")), [abroad()])
    (strand,) = (s for case in derived.cases for s in case.strands if s.dataset == "weights")
    assert [c.store for c in strand.copies if c.role is CopyRole.REPLICA] == ["sg", "sg", "de", "home"]
    assert strand.shreds_key
    assert line


def test_a_part_goes_from_replicas_too_and_rows_take_their_export_whole() -> None:
    weights = abroad().datasets["weights"]
    copies = locate(abroad(), weights, CUSTOMER, part=Part("weights", objects=("a.bin",)))
    assert [c.place for c in copies if c.store == "de"] == [Objects(("weights/c-1/a.bin",))]
    prompts = replace(abroad().datasets["prompts"], replicas=weights.replicas[:1])
    copies = locate(abroad(), prompts, CUSTOMER, part=Part("prompts", table="prompt", keys=((("id", 1),),)))
    assert [c.place for c in copies if c.role is CopyRole.REPLICA] == [Prefix("lion/c-1/")]


def test_it_is_explained_that_only_what_lies_abroad_goes() -> None:
    facts = (STARTED, consent("K-1", "2026-03-01"), withdrawal("K-1", "2026-04-01"))
    derived = derive(facts, [abroad()])
    lines = explain(derived, facts, [abroad()], {}, instant("2026-04-02"), "weights").lines(Language.EN)
    assert "Only what lies in SG under the consent goes; what lies at home, and the keys, stay." in lines


def test_what_an_older_version_declared_goes_under_a_later_one_too() -> None:
    """Policy 2 moves Lion's replica; a withdrawal takes what was brought to either place."""
    moved = policy(
        **{
            'caches: [{store: cache, keys: "weights:{customer}:*"}],': REPLICAS.replace("lion/", "lion2/"),
            "rules:": RULE,
        }
    )
    later = replace(moved, hash="2", effective_at=instant("2026-03-15"))
    facts = (STARTED, consent("K-1", "2026-03-01"), withdrawal("K-1", "2026-04-01"))
    derived = derive(facts, [abroad(), later])
    lines = [_line(strand) for case in derived.cases for strand in case.strands]
    assert lines == ["lion/c-1/ shared/c-1/ lion2/c-1/"]


def test_a_replica_that_is_declared_later_goes_with_a_case_that_is_told_late() -> None:
    before = replace(policy(), effective_at=instant("2026-01-01"))
    later = replace(abroad(), hash="2", effective_at=instant("2026-05-01"))
    derived = derive((STARTED, fact("service-expired", "2026-04-01", "training")), [before, later])
    (strand,) = (s for case in derived.cases for s in case.strands if s.dataset == "weights")
    assert [c.store for c in strand.copies if c.role is CopyRole.REPLICA] == ["sg", "sg", "de", "home"]


def test_a_consent_for_another_recipient_does_not_cover_what_comes_later() -> None:
    facts = (consent("K-1", "2026-03-01", to="DE"), withdrawal("K-1", "2026-04-01"))
    only_lions = policy(
        **{
            'caches: [{store: cache, keys: "weights:{customer}:*"}],': REPLICAS.replace(
                "territory: DE", "territory: DE, recipient: Lion Pte"
            ),
            "rules:": RULE,
        }
    )
    history = passed(derive((STARTED, *facts), [only_lions]), "2026-04-01 01:00", "weights")
    for recipient, since in (("Tiger Pte", None), ("Lion Pte", instant("2026-04-03"))):
        again = consent("K-2", "2026-04-03", to="DE", recipient=recipient)
        ((strand,),) = (case.strands for case in derive((STARTED, *facts, again), [only_lions], history).cases)
        assert strand.not_from == since


def test_a_part_of_a_dataset_with_two_primaries_takes_its_replica_whole() -> None:
    weights = abroad().datasets["weights"]
    two = replace(weights, primary=(*weights.primary, *weights.primary))
    copies = locate(abroad(), two, CUSTOMER, part=Part("weights", objects=("a.bin",)))
    assert [c.place for c in copies if c.store == "de"] == [Prefix("weights/c-1/")]


def test_what_was_left_to_a_consent_that_has_gone_meanwhile_goes_with_the_withdrawal_that_is_told_last() -> None:
    """K-2 is withdrawn and its case passes while K-1 stands; then we hear that K-1 had been withdrawn before that."""
    granted = (consent("K-1", "2026-03-01", recipient="Tiger Pte"), consent("K-2", "2026-03-02"))
    first = withdrawal("K-2", "2026-04-10")
    history = passed(derive((STARTED, *granted, first), [abroad()]), "2026-04-10 01:00", "weights")
    late = withdrawal("K-1", "2026-04-01", told="2026-04-20")
    assert gone(*granted, first, late, history=history) == ["shared/c-1/", "lion/c-1/"]


def test_a_replica_has_one_number_in_every_case() -> None:
    facts = (consent("K-1", "2026-03-01", recipient="Tiger Pte"), withdrawal("K-1", "2026-04-01"))
    derived = derive((STARTED, *facts, fact("service-expired", "2026-06-01", "training")), [abroad()])
    labels = [
        {c.label for c in s.copies if c.store == "sg"}
        for case in derived.cases
        for s in case.strands
        if s.dataset == "weights"
    ]
    assert labels == [{"weights/replica/sg/2"}, {"weights/replica/sg", "weights/replica/sg/2"}]


def test_a_withdrawn_consent_is_not_given_again_by_withdrawing_the_withdrawal() -> None:
    facts = [consent("K-1", "2026-03-01"), withdrawal("K-1", "2026-04-01", id="w")]
    undo = fact("deletion-withdrawn", "2026-04-02", id="u", withdraws="w")
    assert gone(*facts, undo) == ["lion/c-1/ shared/c-1/"]
    assert "only a new consent does" in flags([STARTED, *facts, undo])["u"]
