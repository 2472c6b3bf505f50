"""The HTTP API, over a real socket: tokens, requests, decisions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from retention.clock import ManualClock, SystemClock
from retention.daemon.api import LARGEST_BODY, Served, make_router, read_tokens
from retention.daemon.health import Health
from retention.daemon.web import served
from retention.errors import InputError
from retention.workflows.adopt_policy import adopt_policy
from retention.workflows.consents import grant_consent, withdraw_consent
from tests.transfer_policy import CONSENT, with_transfers
from tests.workflow.conftest import POLICY, START, Provider, open_provider

TOKEN = "correct horse battery staple"
ASKED: dict[str, Any] = {
    "customer": "c-1",
    "dataset": "models",
    "to": "SG",
    "recipient": "Lion Pte",
    "purpose": "support",
    "service": "training",
    "persons": 1,
    "sensitive-persons": 0,
}


@dataclass
class Api:
    """The API on a port of its own, and the provider behind it."""

    provider: Provider
    port: int
    on_api: Served

    def post(self, path: str, body: object, token: str | None = TOKEN) -> tuple[int, dict[str, Any]]:
        """Post to a path below `/v1/transfers/`, or below `/v1` where it begins with `/`."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = path if path.startswith("/") else f"/transfers/{path}"
        request = Request(f"http://127.0.0.1:{self.port}/v1{path}", data, headers, method="POST")
        try:
            with urlopen(request, timeout=30) as answer:
                assert answer.headers["Cache-Control"] == "no-store"
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    provider = open_provider(tmp_path, ManualClock(START))
    (tmp_path / "policies.yaml").write_text(with_transfers(POLICY), encoding="utf-8")
    adopt_policy(provider.deployment, tmp_path / "policies.yaml")
    provider.tell("service-activated", "c-1", service="training")
    grant_consent(provider.deployment, "c-1", CONSENT)
    (tmp_path / "tokens").write_text(f"# callers\nbilling {hashlib.sha256(TOKEN.encode()).hexdigest()}\n")
    on_api = Served(provider.deployment)
    router = make_router(on_api, read_tokens(tmp_path / "tokens"))
    with served(Health(), SystemClock(), "127.0.0.1", 0, router) as port:
        yield Api(provider, port, on_api)
    provider.deployment.close()


def test_a_decision_is_made_used_and_ended_by_a_withdrawal(api: Api) -> None:
    status, decided = api.post("check", ASKED)
    assert (status, decided["verdict"]) == (200, "allow")
    assert {"code", "basis", "zh", "en"} == set(decided["grounds"][0])
    assert api.post(f"{decided['id']}/use", {})[0] == 200
    withdraw_consent(api.provider.deployment, "c-1", "K-1")
    status, refused = api.post(f"{decided['id']}/use", {})
    assert status == 403
    assert [ground["code"] for ground in refused["decision"]["grounds"]] == ["consent-withdrawn"]


def told(kind: str, name: str, **data: object) -> dict[str, object]:
    event = {"specversion": "1.0", "id": name, "source": "/shop", "type": kind, "subject": "c-1"}
    return {**event, "time": "2026-11-10T01:00:00Z", "data": data}


def test_facts_are_told_once_and_consents_among_them_count(api: Api) -> None:
    facts = [told("consent-withdrawn", "w", consent="K-1"), told("service-activated", "a", service="inference")]
    assert api.post("/facts", facts)[1]["new_count"] == 2
    status, again = api.post("/facts", facts)
    assert (status, again["new_count"], again["repeated_count"]) == (200, 0, 2)
    assert [ground["code"] for ground in api.post("check", ASKED)[1]["grounds"]] == ["consent-withdrawn"]
    assert api.post("/facts", told("service-expired", "e", service="inference"))[1]["opened"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([told("service-expired", "x", service="moon"), told("service-expired", "y", service="sun")], "sun"),
        (b"\xff", "no UTF-8: byte 0"),
        (b"{", "body"),
    ],
    ids=["unknown services, each named", "no text", "no JSON"],
)
def test_wrong_facts_are_named_and_none_is_taken_in(api: Api, body: object, says: str) -> None:
    status, answer = api.post("/facts", body)
    assert status == 400
    assert any(says in problem for problem in answer["problems"]), answer
    assert api.post("/facts", [told("service-activated", "x", service="training")])[1]["new_count"] == 1


def test_facts_need_a_token_too(api: Api) -> None:
    assert api.post("/facts", [], token=None)[0] == 401


def test_a_denial_is_an_answer_with_every_reason(api: Api) -> None:
    status, decided = api.post("check", {"customer": "c-2", "dataset": "models", "to": "nowhere"})
    assert (status, decided["verdict"]) == (200, "deny")
    assert {"destination-unknown", "no-consent", "service-missing"} <= {g["code"] for g in decided["grounds"]}


def test_named_persons_count_once(api: Api) -> None:
    named = {**ASKED, "person-names": ["a", "b"]}
    for _ in range(2):
        decided = api.post("check", named)[1]
        api.post(f"{decided['id']}/use", {})
    said = [ground["en"] for ground in api.post("check", ASKED)[1]["grounds"]]
    assert any(text.startswith("3 persons since 1 January") for text in said), said


def test_a_decision_knows_whom_it_is_about_when_it_is_used(api: Api) -> None:
    decided = api.post("check", {**ASKED, "person-names": ["a", "b"]})[1]
    status, answer = api.post(f"{decided['id']}/use", {"person-names": ["a"]})
    assert (status, answer["problems"]) == (400, ["person-names: Extra inputs are not permitted"])
    assert api.post(f"{decided['id']}/use", b"")[0] == 200


def test_sensitive_persons_are_named_beside_the_others(api: Api) -> None:
    unsaid = {name: value for name, value in ASKED.items() if name not in ("persons", "sensitive-persons")}
    status, decided = api.post("check", {**unsaid, "person-names": ["a", "b"], "sensitive-person-names": ["b", "c"]})
    assert (status, decided["verdict"]) == (200, "deny"), "sensitive information needs a measure, and there is none"
    entry = api.provider.deployment.journal.ledger.entry(decided["entry"])
    assert b'"persons":3' in entry
    status, answer = api.post("check", {**ASKED, "sensitive-person-names": ["b"]})
    assert (status, "name all" in answer["problems"][0]) == (400, True)


@pytest.mark.parametrize(
    "token", [None, "wrong", "", TOKEN + "x"], ids=["none", "a wrong one", "an empty one", "a longer one"]
)
def test_without_a_token_nothing_is_answered(api: Api, token: str | None) -> None:
    assert api.post("check", ASKED, token)[0] == 401
    assert api.post("whatever/use", {}, token)[0] == 401


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "JSON"),
        ({"customer": "c-1"}, "dataset"),
        ({**ASKED, "persons": -1}, "persons"),
        ({**ASKED, "persons": "10"}, "persons"),
        ({**ASKED, "surprise": 1}, "surprise"),
        ({**ASKED, "person-names": ["a"] * 10_001}, "person-names"),
        ({**ASKED, "sensitive-person-names": ["a"] * 10_001}, "sensitive-person-names"),
    ],
    ids=[
        "no JSON",
        "something missing",
        "fewer than nobody",
        "text for a number",
        "something unknown",
        "too many names",
        "too many sensitive ones",
    ],
)
def test_a_wrong_request_is_named_and_decides_nothing(api: Api, body: object, says: str) -> None:
    status, answer = api.post("check", body)
    assert status == 400
    assert says in " ".join(answer["problems"])
    assert "c-1" not in " ".join(answer["problems"])


def test_a_decision_that_is_not_there_is_said(api: Api) -> None:
    assert api.post("nothing/use", {})[0] == 400


def test_a_request_that_is_too_large_is_refused(api: Api) -> None:
    assert api.post("check", b" " * (LARGEST_BODY + 1))[0] == 413


def test_before_the_catalogue_is_open_nothing_is_decided(api: Api) -> None:
    api.on_api.deployment = None
    assert api.post("check", ASKED)[0] == 503


@pytest.mark.parametrize(
    "text",
    ["", "billing", "billing 1234", f"billing {'g' * 64}", "# nobody yet"],
    ids=["empty", "no hash", "a short hash", "no hex", "comments"],
)
def test_a_file_of_tokens_that_is_wrong_is_refused_at_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokens").write_text(text)
    with pytest.raises(InputError, match="tokens:"):
        read_tokens(tmp_path / "tokens")
