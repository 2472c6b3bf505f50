"""`transfer check` and the warnings of `status`, as a person uses them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.small_service import Facts, Service
from tests.transfer_policy import CONSENT

TRANSFERS = """
transfers:
  clause: "6.12"
  require: [separate-consent, legal-measure]
  legal-measures: [standard-contract]
  ciio: false
  measures:
    contract:
      {kind: standard-contract, number: "1", datasets: [models], destinations: [SG], recipients: [Lion Pte],
       impact-assessment: PIA-1, from: 2026-01-01, until: 2099-12-31}
"""
CHECK = ("transfer", "check", "c-1", "models", "--to", "SG", "--recipient", "Lion Pte", "--purpose", "support")
SERVICE = ("--service", "training")


NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


def in_days(days: int) -> datetime:
    return NOON + timedelta(days=days)


def consent(name: str, ends: datetime | None = None) -> dict[str, object]:
    """A consent that began two days ago."""
    began = in_days(-2).isoformat()
    until = {"valid-until": ends.isoformat()} if ends else {}
    return {**CONSENT, "consent": name, "given-at": began, "valid-from": began, **until}


@pytest.fixture
def abroad(bare_service: Service, fact: Facts) -> Service:
    """The service under a policy that registers a contract, with a consent of c-1."""
    policy = bare_service.folder / "policies.yaml"
    flags = "personal-information: true\n    sensitive-information: true\n    important-data: false"
    text = policy.read_text(encoding="utf-8").replace("personal-information: true", flags)
    policy.write_text(text + TRANSFERS, encoding="utf-8")
    bare_service.done("run", "--once")
    bare_service.record(fact("consent-granted", "c-1", 1, **consent("K-1")))
    return bare_service


def numbers(service: Service, *options: str) -> tuple[int, int]:
    request = service.done(*CHECK, *SERVICE, *options, "--json").json["request"]
    return request["persons"], request["sensitive_persons"]


def test_persons_are_named_in_files(abroad: Service) -> None:
    Path("all.txt").write_bytes("\ufeff张三\r\nb\n\nc\n".encode())
    Path("sensitive.txt").write_text("张三\nd\n", encoding="utf-8")
    assert numbers(abroad, "--persons-file", "all.txt", "--sensitive-file", "sensitive.txt") == (4, 2)
    assert numbers(abroad, "--sensitive-file", "sensitive.txt") == (2, 2)
    assert numbers(abroad, "--persons-file", "all.txt", "--sensitive", "0") == (3, 0)
    assert "needs-information" in abroad.run(*CHECK, *SERVICE, "--persons-file", "all.txt").out


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        (b"a\n\xff\n", (), "all.txt:2: not UTF-8"),
        ("\n".join(map(str, range(100_001))).encode(), (), "at most 100000"),
        (b"a\n", ("--sensitive", "1"), "sensitive ones are a number"),
    ],
    ids=["no text", "too many", "a number of sensitive ones among them"],
)
def test_a_file_that_does_not_tell_who_is_meant_is_refused(
    abroad: Service, content: bytes, options: tuple[str, ...], says: str
) -> None:
    Path("all.txt").write_bytes(content)
    result = abroad.run(*CHECK, *SERVICE, "--persons-file", "all.txt", *options)
    assert (result.code, says in result.err) == (1, True), result


def test_status_warns_and_exits_as_it_would(abroad: Service, fact: Facts) -> None:
    quiet = abroad.done("status")
    assert quiet.out == "No cases.\n"
    abroad.record(fact("consent-granted", "c-2", 1, **consent("K-2", ends=in_days(30))))
    shown = abroad.done("status")
    assert shown.out == f"No cases.\nwarning: the consent K-2 of c-2 ends on {in_days(30).date()}\n"
    (warning,) = abroad.done("status", "--json").json["warnings"]
    assert warning["code"] == "consent-ends-soon"
    assert warning["about"] == {"name": "K-2", "customer": "c-2", "at": str(in_days(30).date())}
    assert warning["zh"].startswith("客户 c-2 的同意 K-2")
    assert abroad.done("status", "c-1", "--json").json["warnings"] == []
