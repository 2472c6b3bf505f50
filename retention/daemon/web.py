"""`/healthz`, `/metrics` and the API over HTTP, in a thread of their own.

The two pages answer from memory, whatever the catalogue does.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from retention.clock import Clock
from retention.daemon.health import Health, JobReport, JobResult, Snapshot
from retention.daemon.metrics import metrics_text
from retention.errors import InputError

_STOP_SECONDS = 5.0

_log = structlog.get_logger(__name__)

Document = dict[str, "str | int | bool | list[str] | Document | None"]


def make_app(health: Health, clock: Clock, api: APIRouter | None = None) -> FastAPI:
    """The two pages, and the API where there is one; no others, no documentation pages."""
    app = FastAPI(title="retention", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/healthz")
    def healthz() -> JSONResponse:
        document, status = health_document(health.snapshot(), clock.now())
        return JSONResponse(document, status, headers={"Cache-Control": "no-store"})

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(metrics_text(health.snapshot(), clock.now()), media_type=CONTENT_TYPE_LATEST)

    if api is not None:
        app.include_router(api)
    return app


def health_document(snapshot: Snapshot, now: datetime) -> tuple[Document, int]:
    """What `/healthz` says, and its HTTP status: 200 while it works, stands by or waits for an approval, 503 otherwise."""
    problems = snapshot.problems(now)
    document: Document = {
        "status": _word(snapshot) if not problems else "failing",
        "problems": list(problems),
        "catalogue_reachable": snapshot.is_catalog_reachable,
        "ledger_writable": snapshot.measures.ledger_is_writable if snapshot.measures else None,
        "policy": {"version": snapshot.policy.version, "hash": snapshot.policy.hash} if snapshot.policy else None,
        "policy_file_rejected": snapshot.is_policy_rejected,
        "policy_file_waits_for_approval": snapshot.is_policy_waiting,
        "lease": snapshot.lease,
        "running": snapshot.running,
        "last": {name: _report(report) for name, report in snapshot.reports.items()},
        "next": {name: _utc(due_at) for name, due_at in snapshot.next_runs.items()},
    }
    return document, 503 if problems else 200


def _word(snapshot: Snapshot) -> str:
    results = {report.result for report in snapshot.reports.values()}
    if snapshot.running:
        return "working"
    if JobResult.STANDING_BY in results:
        return "standing-by"
    return "refused" if JobResult.REFUSED in results else "waiting"


def _report(report: JobReport) -> Document:
    return {"result": report.result, "at": _utc(report.at), "troubles": report.trouble_count}


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@contextmanager
def served(health: Health, clock: Clock, host: str, port: int, api: APIRouter | None = None) -> Iterator[int]:
    """The pages are served as long as the block runs; the port (another one than asked for where that was 0).

    Raises InputError where the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(
            f"daemon.listen: {host}:{port}: {reason}; another daemon here needs another address"
        ) from error
    config = uvicorn.Config(
        make_app(health, clock, api),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="http", daemon=True)
    thread.start()
    found = int(listening.getsockname()[1])
    _log.info("listening", host=host, port=found)
    try:
        yield found
    finally:
        server.should_exit = True
        thread.join(_STOP_SECONDS)
        listening.close()
