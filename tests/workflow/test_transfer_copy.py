"""`transfer copy`: only under a decision that holds, only to a declared replica; stopped, resumed, and deleted again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from retention.clock import ManualClock
from retention.daemon.transfer_log import log_transfer_findings
from retention.errors import InputError, RefusedByRule
from retention.evidence.entries import Entry, EntryType, decode_entry
from retention.model.transfer import TransferRequest, Verdict
from retention.model.transfer_copy import CopyState, TransferCopy
from retention.reports.document import Lang
from retention.workflows.adopt_policy import adopt_policy
from retention.workflows.compile_report import ReportOrder, compile_report
from retention.workflows.consents import grant_consent, withdraw_consent
from retention.workflows.copy_to_replica import BATCH_PIECES, CopyStopped, copy_to_replica
from retention.workflows.decide_transfer import check_transfer
from retention.workflows.replay_ledger import catch_up
from retention.workflows.verify_again import verify_again
from retention.workflows.verify_evidence import verify_evidence
from tests.transfer_policy import CONSENT, with_replica
from tests.workflow.conftest import POLICY, START, Provider, open_provider
from tests.workflow.old_catalogue import differing, dumped, put_back

REQUEST = TransferRequest("c-1", "models", "CN", "SG", "Lion Pte", "support", "training", 3, 0)


@pytest.fixture
def abroad(tmp_path: Path) -> Iterator[Provider]:
    """A provider whose customer c-1 consented to SG and has three models; so has c-10, who did not consent."""
    opened = open_provider(tmp_path, ManualClock(START))
    policy = tmp_path / "policies.yaml"
    policy.write_text(with_replica(POLICY), encoding="utf-8")
    adopt_policy(opened.deployment, policy)
    for customer in ("c-1", "c-10"):
        opened.tell("service-activated", customer, service="training")
        for number in range(3):
            opened.put_model(customer, f"deep/{number}.bin", b"weights %d" % number)
    grant_consent(opened.deployment, "c-1", CONSENT)
    yield opened
    opened.deployment.close()


def allowed(provider: Provider, request: TransferRequest = REQUEST) -> str:
    decided = check_transfer(provider.deployment, request)
    assert decided.decision.verdict is Verdict.ALLOW, decided.decision
    return decided.id


def at_replica(provider: Provider) -> list[str]:
    base = provider.root / "sg"
    return sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.is_file())


def entries(provider: Provider, kind: EntryType) -> list[Entry]:
    return [entry for entry in map(decode_entry, provider.deployment.journal.ledger.entries()) if entry.type is kind]


def test_the_customers_objects_arrive_as_they_lie_and_nobody_elses(abroad: Provider) -> None:
    done = copy_to_replica(abroad.deployment, allowed(abroad), "sg")
    names = [f"models/c-1/deep/{number}.bin" for number in range(3)]
    assert at_replica(abroad) == names
    assert (done.state, done.item_count, done.territory) == (CopyState.DONE, 3, "SG")
    assert all((abroad.root / "sg" / name).read_bytes() == (abroad.objects / name).read_bytes() for name in names)
    assert done.byte_count == sum((abroad.objects / name).stat().st_size for name in names)


def test_the_ledger_tells_what_may_go_before_it_goes_and_what_arrived(abroad: Provider) -> None:
    done = copy_to_replica(abroad.deployment, allowed(abroad), "sg")
    (intent,), (arrived, ended) = (
        entries(abroad, EntryType.TRANSFER_COPYING),
        entries(abroad, EntryType.TRANSFER_COPIED),
    )
    assert intent.body["root"] == arrived.body["root"]
    assert (arrived.body["items"], arrived.body["bytes"], ended.body["state"]) == (3, done.byte_count, "done")
    assert len(entries(abroad, EntryType.TRANSFER_USED)) == 1
    raw = b"".join(abroad.deployment.journal.ledger.entries())
    assert b"c-1" not in raw
    assert b"deep" not in raw


def test_a_denied_decision_moves_nothing(abroad: Provider) -> None:
    denied = check_transfer(abroad.deployment, replace(REQUEST, purpose="resale"))
    with pytest.raises(CopyStopped, match="consent-other-purpose"):
        copy_to_replica(abroad.deployment, denied.id, "sg")
    assert at_replica(abroad) == []


def withdraw_after(provider: Provider, batches: int) -> Callable[[TransferCopy], None]:
    seen: list[TransferCopy] = []

    def observe(copy: TransferCopy) -> None:
        seen.append(copy)
        if len(seen) == batches:
            withdraw_consent(provider.deployment, "c-1", "K-1")
            provider.pass_time(seconds=1)

    return observe


def many(provider: Provider, count: int) -> None:
    folder = provider.objects / "models" / "c-1" / "many"
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:04}.bin").write_bytes(b"x")


def test_a_withdrawal_stops_it_and_names_what_already_went(abroad: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retention.workflows.copy_to_replica.ASK_EVERY_SECONDS", 0)
    many(abroad, BATCH_PIECES + 50)
    decision = allowed(abroad)
    with pytest.raises(CopyStopped) as stopped:
        copy_to_replica(abroad.deployment, decision, "sg", withdraw_after(abroad, 1))
    copy = stopped.value.copy
    assert (copy.state, copy.item_count, copy.reason) == (CopyState.STOPPED, BATCH_PIECES, "consent-withdrawn")
    assert sorted(stopped.value.went) == at_replica(abroad)
    assert len(at_replica(abroad)) == BATCH_PIECES
    assert entries(abroad, EntryType.TRANSFER_COPIED)[-1].body["reason"] == "consent-withdrawn"
    with pytest.raises(CopyStopped):
        copy_to_replica(abroad.deployment, decision, "sg")
    assert len(at_replica(abroad)) == BATCH_PIECES


def test_what_a_withdrawal_left_abroad_goes_and_what_lies_at_home_stays(abroad: Provider) -> None:
    copy_to_replica(abroad.deployment, allowed(abroad), "sg")
    withdraw_consent(abroad.deployment, "c-1", "K-1")
    before = abroad.visible("models/c-1")
    abroad.run()
    assert at_replica(abroad) == []
    assert abroad.visible("models/c-1") == before
    case = abroad.case("c-1")
    assert (case.rule, case.state) == ("withdrawal", "certified")
    assert [(line.role, line.store, str(line.end_state)) for line in case.copies] == [
        ("replica", "sg", "erased-verified")
    ]
    abroad.put_model("c-1", "deep/new.bin")  # the key and the place at home are as they were


def test_the_end_of_the_service_takes_the_replica_with_it(abroad: Provider) -> None:
    copy_to_replica(abroad.deployment, allowed(abroad), "sg")
    abroad.tell("service-expired", "c-1", service="training")
    abroad.pass_time(days=17)
    abroad.run()
    assert at_replica(abroad) == []
    ends = {
        (line.role, line.store): str(line.end_state) for line in abroad.case("c-1").copies if line.dataset == "models"
    }
    assert ends["replica", "sg"] == ends["primary", "objects"] == "erased-verified"


def test_data_that_waits_for_its_deletion_is_copied_nowhere(abroad: Provider) -> None:
    decision = allowed(abroad)
    abroad.tell("data-deleted", "c-1", dataset="models", objects=["deep/0.bin"])
    with pytest.raises(CopyStopped, match="waits for its deletion"):
        copy_to_replica(abroad.deployment, decision, "sg")
    assert at_replica(abroad) == []


def test_a_new_consent_counts_once_the_old_copy_is_verified_gone(abroad: Provider) -> None:
    copy_to_replica(abroad.deployment, allowed(abroad), "sg")
    withdraw_consent(abroad.deployment, "c-1", "K-1")
    abroad.run()
    given = abroad.clock.now().isoformat()
    grant_consent(abroad.deployment, "c-1", {**CONSENT, "consent": "K-2", "given-at": given, "valid-from": given})
    copy_to_replica(abroad.deployment, allowed(abroad), "sg")
    abroad.pass_time(days=1)
    abroad.run()
    assert len(at_replica(abroad)) == 3


def test_an_interrupted_copy_goes_on_where_it_was(abroad: Provider) -> None:
    many(abroad, BATCH_PIECES + 50)
    decision = allowed(abroad)

    class PulledPlug(BaseException):
        pass

    def pull(copy: TransferCopy) -> None:
        raise PulledPlug

    with pytest.raises(PulledPlug):
        copy_to_replica(abroad.deployment, decision, "sg", pull)
    first = set(at_replica(abroad))
    for name in first:
        (abroad.root / "sg" / name).unlink()
    done = copy_to_replica(abroad.deployment, decision, "sg")
    assert not first & set(at_replica(abroad))
    assert done.item_count == BATCH_PIECES + 53
    assert len(entries(abroad, EntryType.TRANSFER_USED)) == 1


def test_two_processes_do_not_copy_the_same(abroad: Provider) -> None:
    decision = allowed(abroad)

    def second(copy: TransferCopy) -> None:
        with pytest.raises(RefusedByRule, match="another process"):
            copy_to_replica(abroad.deployment, decision, "sg")

    assert copy_to_replica(abroad.deployment, decision, "sg", second).item_count == 3


WRONG: dict[str, tuple[TransferRequest, str, type[Exception], str]] = {
    "a store where the policy has no replica": (
        REQUEST,
        "objects",
        RefusedByRule,
        "declares no replica of models in objects",
    ),
    "a decision for another territory": (
        replace(REQUEST, destination="CN"),
        "sg",
        RefusedByRule,
        "declares no replica of models in sg for CN",
    ),
    "a decision about data that lies elsewhere": (replace(REQUEST, source="HK"), "sg", RefusedByRule, "data.*: HK"),
    "a store that is none": (REQUEST, "moon", RefusedByRule, "declares no replica of models in moon"),
}


@pytest.mark.parametrize(("request_", "target", "kind", "says"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_fit_is_refused_with_what_to_do(
    abroad: Provider, request_: TransferRequest, target: str, kind: type[Exception], says: str
) -> None:
    decision = check_transfer(abroad.deployment, request_).id
    with pytest.raises(kind, match=says):
        copy_to_replica(abroad.deployment, decision, target)
    assert at_replica(abroad) == []


def test_an_unknown_decision_is_said(abroad: Provider) -> None:
    with pytest.raises(InputError, match="transfer check"):
        copy_to_replica(abroad.deployment, "0" * 16, "sg")


def test_a_withdrawal_at_work_does_not_stop_writing_at_home(abroad: Provider) -> None:
    copy_to_replica(abroad.deployment, allowed(abroad), "sg")
    abroad.tell("hold-placed", "c-1", hold="H", ground="g", authority="a")
    withdraw_consent(abroad.deployment, "c-1", "K-1")
    abroad.run()
    assert len(at_replica(abroad)) == 3
    abroad.put_model("c-1", "deep/4.bin")
    assert str(abroad.case("c-1").copies[0].end_state) == "held"
    abroad.tell("hold-released", "c-1", hold="H", ground="g", authority="a")
    abroad.run()
    assert at_replica(abroad) == []


def test_a_catalogue_from_before_the_copy_hears_of_it_and_of_the_withdrawal(abroad: Provider) -> None:
    old = dumped(abroad.deployment.catalog)
    copy_to_replica(abroad.deployment, allowed(abroad), "sg")
    withdraw_consent(abroad.deployment, "c-1", "K-1")
    abroad.run()
    lived = dumped(abroad.deployment.catalog)
    put_back(abroad.deployment.catalog, old)
    abroad.deployment.close()
    restored = open_provider(abroad.root, abroad.clock)
    catch_up(restored.deployment)
    assert differing(lived, dumped(restored.deployment.catalog)) == {}
    restored.deployment.close()


def test_a_report_tells_what_went_under_which_consent_and_what_was_denied(abroad: Provider, tmp_path: Path) -> None:
    check_transfer(abroad.deployment, replace(REQUEST, customer="c-10"))
    decision = allowed(abroad)
    done = copy_to_replica(abroad.deployment, decision, "sg")
    abroad.pass_time(minutes=1)
    order = ReportOrder(START.date(), START.date(), Lang.EN)
    report = compile_report(abroad.deployment, order, tmp_path / "report")
    document = json.loads((report.folder / "report.json").read_text(encoding="utf-8"))
    rows = {table["name"]: table["rows"] for table in document["tables"]}
    (moved,) = rows["moved"]
    told = {name: moved[name] for name in ("store", "territory", "items", "bytes", "decision")}
    assert told == {"store": "sg", "territory": "SG", "items": 3, "bytes": done.byte_count, "decision": decision}
    assert moved["customer"] == abroad.deployment.journal.customer("c-1")[:12]
    assert moved["consent"] == rows["consents"][0]["consent"]
    verdicts = {row["decision"]: row["verdict"]["en"] for row in rows["decisions"]}
    assert sorted(verdicts.values()) == ["allow", "deny"]
    assert verdicts[decision] == "allow"
    assert not verify_evidence([report.folder], str(abroad.deployment.journal.ledger.key)).findings


def test_the_nightly_log_tells_what_lies_abroad_undecided_and_names_nobody(abroad: Provider) -> None:
    copy_to_replica(abroad.deployment, allowed(abroad), "sg")
    with capture_logs() as quiet:
        assert log_transfer_findings(abroad.deployment) == 0
    stray = abroad.root / "sg" / "models" / "c-10" / "stray.bin"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"nobody decided this")
    with capture_logs() as logged:
        assert log_transfer_findings(abroad.deployment) == 1
    assert quiet == []
    (line,) = logged
    assert (line["kind"], line["store"], line["territory"], line["customers"]) == ("lies-abroad", "sg", "SG", 1)
    assert "c-10" not in str(line)


def test_what_a_late_writer_leaves_abroad_reopens_the_case_and_goes_again(abroad: Provider) -> None:
    copy_to_replica(abroad.deployment, allowed(abroad), "sg")
    withdraw_consent(abroad.deployment, "c-1", "K-1")
    abroad.run()
    late = abroad.root / "sg" / "models" / "c-1" / "late.bin"
    late.parent.mkdir(parents=True, exist_ok=True)
    late.write_bytes(b"a late writer's")
    assert len(verify_again(abroad.deployment).reopened) == 1
    abroad.run()
    assert at_replica(abroad) == []
    assert abroad.case("c-1").state == "certified"
