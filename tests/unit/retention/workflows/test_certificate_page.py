"""What the page of a certificate says, made from the statement: nothing better than it is, and the worst first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from retention.evidence.statement import METHODS, CopyClaim, KeyClaim, Statement, exceptions_of, is_final
from retention.model.copy import CopyRole, EndState
from retention.model.policy import Policy
from retention.policy.load import parse_policy
from retention.reports.certificate_page import CertificatePage, LedgerPlace
from retention.reports.document import Text
from retention.workflows.certificate_files import file_names
from retention.workflows.certificate_page import CopyIdentity, page_of
from retention.workflows.certify import VERIFICATION_METHODS
from tests.small_service import POLICY as POLICY_TEXT

POLICY: Policy = parse_policy(POLICY_TEXT, "policies.yaml")
PLACE = LedgerPlace("test.example", "test.example+0+A", "00" * 32, 9, 10, "root", (1, 2))
DAY = "2026-11-{:02}T16:00:00.000000Z"
Json = dict[str, Any]


def claim(end_state: EndState, **more: Any) -> Json:
    """How a copy ended; models in the store objects, unless told."""
    method = METHODS.get(end_state)
    about: Json = {"dataset": "models", "store": "objects", "role": "primary", "partial": False, "number": 1}
    about |= {"end_state": end_state, "at": DAY.format(20), "items": 3, "bytes": 0, "entries": [7], **more}
    if method is not None:
        tool = {"tool": "retention", "tool_version": "0.1.0", "agent": "test.example"}
        how = VERIFICATION_METHODS[end_state]
        about["sanitization"] = {
            "asset": f"{about['store']}/{about['dataset']}",
            "method": method[0],
            "technique": method[1],
        }
        about["sanitization"] |= {**tool, "verification_method": how, "verified_at": about["at"]}
    return about


def key(number: int, gone_at: str | None = DAY.format(22), **more: Any) -> Json:
    about: Json = {"dataset": "models", "key": f"key-{number}", "shredded_at": DAY.format(number), "entry": number}
    about |= {"epochs": [{"epoch": "e"}], **({"unrecoverable_at": gone_at} if gone_at else {}), **more}
    return about


def shown(
    *copies: Json,
    keys: tuple[Json, ...] = (),
    territories: dict[CopyIdentity, str] | None = None,
    policy: Policy = POLICY,
) -> CertificatePage:
    claims = tuple(CopyClaim.model_validate(each) for each in copies)
    destroyed = tuple(KeyClaim.model_validate(each) for each in keys)
    strand = {"dataset": "models", "due_at": DAY.format(10), "complete_by": DAY.format(25), "entry": 1}
    document: Json = {"ledger": "test.example", "issued_at": DAY.format(28), "case": "c", "customer": "acme"}
    document |= {"rule": "end-of-service", "clause": "6.11", "policy": POLICY.hash, "started_at": DAY.format(1)}
    document |= {"opened_entry": 1, "strands": [strand], "copies": claims, "keys": destroyed}
    document |= {"exceptions": exceptions_of(claims), "final": is_final(claims, destroyed)}
    return page_of(Statement.model_validate(document), policy, territories or {}, PLACE)


def test_what_is_not_gone_comes_first_and_the_worst_before_it() -> None:
    states = [EndState.NOT_FOUND, EndState.ERASED_VERIFIED, EndState.QUARANTINED, EndState.FAILED, EndState.HELD]
    page = shown(*[claim(state, store=f"s{number}") for number, state in enumerate(states)])
    assert [each.asset for each in page.copies] == ["s3/models", "s4/models", "s2/models", "s1/models", "s0/models"]
    assert (page.is_final, page.exception_count) == (False, 3)


@pytest.mark.parametrize("state", list(EndState))
def test_every_end_state_has_words_and_only_what_is_sanitized_a_method(state: EndState) -> None:
    (line,) = shown(claim(state, reason="because")).copies
    assert line.end_state.en == state
    assert line.end_state.zh != state
    assert (line.method is not None) == (state in METHODS)
    assert line.is_gone == state.is_gone
    assert Text("because", "because") in line.notes


def test_a_copy_that_remains_says_until_when_in_the_policys_zone_or_that_there_is_no_date() -> None:
    waits, held = shown(claim(EndState.HELD), claim(EndState.KEPT_BY_LAW, until=DAY.format(30))).copies
    assert waits.notes == (Text("无届满日期", "no date by which it ends"),)
    assert held.notes == (Text("至 2026-12-01 00:00", "until 2026-12-01 00:00"),)


def test_the_sets_of_a_backup_are_counted_by_how_they_ended_and_the_worst_says_why() -> None:
    ended = {"end_state": "erased-verified", "reason": "deleted as a whole"}
    waiting = {"end_state": "quarantined", "reason": "mixed", "refusal": "permission denied"}
    sets = [{**ended, "set": f"n/{n}/", "id": f"{n:016x}", "at": DAY.format(20), "entry": n} for n in range(37)]
    sets += [
        {**waiting, "set": f"n/{n}/", "id": f"{n:016x}", "at": DAY.format(20), "entry": n, "until": DAY.format(n - 20)}
        for n in range(40, 43)
    ]
    sets.append({**waiting, "set": "n/43/", "id": f"{43:016x}", "at": DAY.format(20), "entry": 43})
    backup = claim(
        EndState.QUARANTINED, role="backup", backup="nightly", sets=sets, reason="backup sets: …", until=DAY.format(22)
    )
    (line,) = shown(backup).copies
    assert line.kind == Text("备份 @nightly", "backup @nightly")
    assert [note.en for note in line.notes] == [
        "until 2026-11-23 00:00",
        "backup sets, 41: 4 quarantined, 37 erased-verified; the last until 2026-11-23 00:00; without a date: 1; "
        "a read was tried and refused: 4",
        "mixed",
    ]


def test_a_replica_says_where_it_lies_and_whether_that_is_abroad() -> None:
    here = claim(EndState.ERASED_VERIFIED, role="replica", store="second")
    there = claim(EndState.ERASED_VERIFIED, role="replica", store="singapore")
    where: dict[CopyIdentity, str] = {
        ("models", "second", CopyRole.REPLICA, None, None, False, 1): "CN",
        ("models", "singapore", CopyRole.REPLICA, None, None, False, 1): "SG",
    }
    kinds = [line.kind for line in shown(here, there, territories=where).copies]
    assert kinds == [Text("复本，CN", "replica, in CN"), Text("复本，境外 SG", "replica, abroad: SG")]


def test_what_tells_copies_of_one_store_apart_is_shown() -> None:
    part = claim(EndState.ERASED_VERIFIED, subscription="sub-7", partial=True, number=2)
    (line,) = shown(part).copies
    assert line.kind == Text("主副本 /2 · sub-7（部分数据）", "primary /2 · sub-7 (part)")


def test_keys_are_unrecoverable_only_when_the_last_of_them_is() -> None:
    gone = claim(EndState.SHREDDED_VERIFIED)
    (whole,) = shown(gone, keys=(key(11), key(12, DAY.format(23)))).strands
    assert (whole.key_count, whole.waiting_count) == (2, 0)
    assert [at and at.day for at in (whole.shredded_at, whole.unrecoverable_at)] == [12, 23]
    page = shown(gone, keys=(key(11), key(12, None)))
    assert (page.strands[0].waiting_count, page.strands[0].unrecoverable_at) == (1, None)
    assert (page.is_final, page.exception_count, page.waiting_count) == (False, 0, 1)
    (without,) = shown(gone).strands
    assert (without.key_count, without.shredded_at, without.unrecoverable_at) == (0, None, None)


def test_names_have_the_titles_of_the_policy_and_stay_without_one_where_it_has_none() -> None:
    page = shown(claim(EndState.NOT_FOUND))
    assert (page.rule_title, page.strands[0].title, page.zone.key) == ("服务到期", "模型", "Asia/Shanghai")
    page = shown(claim(EndState.NOT_FOUND), policy=replace(POLICY, rules={}, datasets={}))
    assert (page.rule_title, page.strands[0].title, page.strands[0].dataset) == (None, None, "models")


def test_the_fields_of_nist_are_told_once_each_with_how_many_copies_they_are_of() -> None:
    first = claim(EndState.ERASED_VERIFIED, at=DAY.format(18))
    fields = shown(
        first, claim(EndState.ERASED_VERIFIED), claim(EndState.SHREDDED_VERIFIED), claim(EndState.HELD)
    ).sanitized
    assert [each.en for each in fields.methods] == [
        "clear: deletion through the store's interface (2)",
        "purge: cryptographic erase (1)",
    ]
    assert fields.tools == (Text("retention 0.1.0", "retention 0.1.0"),)
    assert fields.verification_methods[0].zh == "删除后另行列举，未发现任何内容（2 份）"
    assert [at and at.day for at in (fields.first_at, fields.last_at)] == [18, 20]
    nothing = shown(claim(EndState.HELD)).sanitized
    assert (nothing.methods, nothing.first_at) == ((), None)


def test_words_of_another_version_are_said_as_they_are() -> None:
    other = claim(EndState.ERASED_VERIFIED)
    other["sanitization"]["verification_method"] = "a look"
    assert shown(other).sanitized.verification_methods == (Text("a look", "a look"),)


@pytest.mark.parametrize(
    ("given", "proof"),
    [("a/acme.json", "a/acme.tlog-proof"), ("acme", "acme.tlog-proof"), ("acme.v1", "acme.v1.tlog-proof")],
)
def test_the_other_files_lie_beside_the_certificate(tmp_path: Any, given: str, proof: str) -> None:
    names = file_names(tmp_path / given)
    assert (names.certificate, names.proof) == (tmp_path / given, tmp_path / proof)
    assert names.page == names.proof.with_suffix(".pdf")
