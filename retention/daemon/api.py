"""The HTTP API for platform services in other languages: tell facts, decide on a transfer, and use a decision.

A caller shows a token as `Authorization: Bearer …` (RFC 6750). The file of tokens has a name and a SHA-256 in hex a line, so
it opens nothing by itself; names are for logs. Answers are JSON; nothing is cached by anybody.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import structlog
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retention.errors import InputError, RetentionError
from retention.model.transfer import Decision, TransferRequest
from retention.workflows.decide_transfer import TransferDenied, check_transfer, home_of, territory_of, use_decision
from retention.workflows.deployment import Deployment
from retention.workflows.failures import explain_failure
from retention.workflows.said_reasons import sentences_of, warnings_of
from retention.workflows.take_in_facts import take_in_facts

LARGEST_BODY = 1 << 20
"""Bytes of one request."""
_MOST_PERSONS = 10_000
_HASH_LENGTH = 64
_HTTP_OF = {1: 400, 3: 403, 4: 503}

_Form = TypeVar("_Form", bound=BaseModel)
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Served:
    """What the API works on: the deployment, as soon as it is open. Until then every answer is 503."""

    deployment: Deployment | None = None


def read_tokens(path: Path) -> dict[str, str]:
    """The name of each token by its hash. Raises InputError naming every line that is wrong, and for a file without any."""
    tokens: dict[str, str] = {}
    problems = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split()
        if not words or line.lstrip().startswith("#"):
            continue
        if len(words) != 2 or len(words[1]) != _HASH_LENGTH or set(words[1].lower()) - set("0123456789abcdef"):
            problems.append(f"{path.name}:{number}: write a name and the SHA-256 of the token, 64 hex digits")
        else:
            tokens[words[1].lower()] = words[0]
    if problems or not tokens:
        raise InputError(problems or f"{path.name}: holds no token; write a name and the SHA-256 of one a line")
    return tokens


class _Asked(BaseModel):
    """A request for a decision. `to` and `from` are stores, regions or territories; without `from` it lies at home."""

    model_config = ConfigDict(extra="forbid", strict=True)

    customer: Annotated[str, Field(min_length=1, max_length=200)]
    dataset: Annotated[str, Field(min_length=1, max_length=200)]
    to: Annotated[str, Field(min_length=1, max_length=200)]
    origin: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(default=None, alias="from")
    recipient: Annotated[str, Field(max_length=2_000)] | None = None
    purpose: Annotated[str, Field(max_length=2_000)] | None = None
    service: Annotated[str, Field(max_length=200)] | None = None
    persons: Annotated[int, Field(ge=0)] | None = None
    sensitive_persons: Annotated[int, Field(ge=0)] | None = Field(default=None, alias="sensitive-persons")
    person_names: Annotated[list[str], Field(max_length=_MOST_PERSONS)] | None = Field(
        default=None, alias="person-names"
    )
    sensitive_person_names: Annotated[list[str], Field(max_length=_MOST_PERSONS)] | None = Field(
        default=None, alias="sensitive-person-names"
    )
    foreign_authority: bool = Field(default=False, alias="foreign-authority")
    approval: Annotated[str, Field(max_length=2_000)] | None = None


class _Used(BaseModel):
    """Nothing is said when a decision is used: it knows whom it is about."""

    model_config = ConfigDict(extra="forbid", strict=True)


def make_router(served: Served, tokens: Mapping[str, str]) -> APIRouter:
    """`POST /v1/facts`, `/v1/transfers/check` and `/v1/transfers/{id}/use`, for who shows one of the tokens."""
    router = APIRouter(prefix="/v1")

    async def answered(request: Request, work: Callable[[Deployment, bytes], JSONResponse]) -> JSONResponse:
        name = _caller(request, tokens)
        if name is None:
            return _problem(401, ["show a token: Authorization: Bearer …"], {"WWW-Authenticate": "Bearer"})
        if served.deployment is None:
            return _problem(503, ["the catalogue is not open yet"])
        body = await _body(request)
        if body is None:
            return _problem(413, [f"a request has at most {LARGEST_BODY} bytes"])
        try:
            return await run_in_threadpool(work, served.deployment, body)
        except Exception as error:  # noqa: BLE001 - whatever it is becomes a status and a message
            known = explain_failure(error)
            if known is None:
                _log.exception("API failed", caller=name)
                return _problem(500, ["a mistake in this program; its log says more"])
            return _problem(_HTTP_OF.get(known.exit_code, 400), _lines(known), decision=_denied(error))

    @router.post("/facts")
    async def facts(request: Request) -> JSONResponse:
        return await answered(request, _facts)

    @router.post("/transfers/check")
    async def check(request: Request) -> JSONResponse:
        return await answered(request, _check)

    @router.post("/transfers/{decision}/use")
    async def use(request: Request, decision: str) -> JSONResponse:
        return await answered(request, lambda deployment, body: _use(deployment, decision, body))

    return router


def _facts(deployment: Deployment, body: bytes) -> JSONResponse:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"the body is no UTF-8: byte {error.start}") from None
    recorded = take_in_facts(deployment, text, "body", keep_good=False).recorded
    return _said(
        {
            "new_count": recorded.new_count,
            "repeated_count": recorded.repeated_count,
            "opened": list(recorded.opened),
            "brought_back": list(recorded.brought_back),
            "warnings": list(recorded.warnings),
        }
    )


def _check(deployment: Deployment, body: bytes) -> JSONResponse:
    asked = _read(_Asked, body)
    request = TransferRequest(
        customer=asked.customer,
        dataset=asked.dataset,
        source=home_of(deployment) if asked.origin is None else territory_of(deployment, asked.origin),
        destination=territory_of(deployment, asked.to),
        recipient=asked.recipient,
        purpose=asked.purpose,
        service=asked.service,
        persons=asked.persons,
        sensitive_persons=asked.sensitive_persons,
        foreign_authority=asked.foreign_authority,
        approval=asked.approval,
    )
    decided = check_transfer(deployment, request, asked.person_names, asked.sensitive_person_names)
    return _said({"id": decided.id, "entry": decided.entry, **_shown(decided.decision)})


def _use(deployment: Deployment, decision: str, body: bytes) -> JSONResponse:
    _read(_Used, body or b"{}")
    return _said({"id": decision, **_shown(use_decision(deployment, decision))})


def _read(form: type[_Form], body: bytes) -> _Form:
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        raise InputError([".".join(str(part) for part in each["loc"]) + f": {each['msg']}" for each in found]) from None


def _shown(decision: Decision) -> dict[str, object]:
    grounds = zip(decision.grounds, sentences_of(decision, "zh"), sentences_of(decision, "en"), strict=True)
    return {
        "verdict": str(decision.verdict),
        "grounds": [{"code": ground.code, "basis": ground.basis, "zh": zh, "en": en} for ground, zh, en in grounds],
        "warnings": list(warnings_of(decision, "en")),
        "valid_until": decision.valid_until.isoformat() if decision.valid_until else None,
    }


def _denied(error: Exception) -> dict[str, object] | None:
    return _shown(error.decision) if isinstance(error, TransferDenied) else None


def _caller(request: Request, tokens: Mapping[str, str]) -> str | None:
    """The name of the token that is shown; compared in constant time."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    digest = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
    found = None
    for known, name in tokens.items():
        if hmac.compare_digest(known, digest):
            found = name
    return found if scheme.lower() == "bearer" else None


async def _body(request: Request) -> bytes | None:
    """The request's body; None where it is too large."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            return None
    return body


def _lines(error: RetentionError) -> list[str]:
    return list(error.problems) if isinstance(error, InputError) else [str(error)]


def _said(document: Mapping[str, object]) -> JSONResponse:
    return JSONResponse(dict(document), headers={"Cache-Control": "no-store"})


def _problem(
    status: int,
    problems: list[str],
    headers: Mapping[str, str] | None = None,
    decision: Mapping[str, object] | None = None,
) -> JSONResponse:
    document: dict[str, object] = {"problems": problems, **({"decision": decision} if decision else {})}
    return JSONResponse(document, status, headers={"Cache-Control": "no-store", **(headers or {})})
