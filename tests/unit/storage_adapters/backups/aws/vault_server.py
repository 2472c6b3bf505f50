"""A server that speaks as much of AWS Backup as a store of recovery points asks, one entry a page.

moto knows vaults and no recovery points. Paths and fields are those of the API reference.
Source: AWS Backup API reference (2018-11-15).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class Vault:
    """What the server holds. `refusals`: an error code for each `METHOD first-segment` that it refuses."""

    name: str
    points: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    holds: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    stays: bool = False
    endpoint: str = ""

    def answer(self, method: str, path: str, token: str) -> tuple[int, dict[str, Any]]:
        """The status and body for one request."""
        segments = [unquote(segment) for segment in path.strip("/").split("/")]
        if refusal := self.refusals.get(f"{method} {segments[0]}"):
            return refusal[0], {"Code": refusal[1], "Message": "no"}
        match segments:
            case ["backup-vaults", self.name]:
                return 200, {"BackupVaultName": self.name, **self.settings}
            case ["backup-vaults", self.name, "recovery-points"]:
                return 200, page(list(self.points.values()), "RecoveryPoints", token)
            case ["backup-vaults", self.name, "recovery-points", point] if point in self.points:
                if method == "DELETE" and not self.stays:
                    del self.points[point]
                return 200, self.points.get(point, {})
            case ["legal-holds"]:
                return 200, page(list(self.holds.values()), "LegalHolds", token)
            case ["legal-holds", hold, "recovery-points"]:
                return 200, page(
                    [{"RecoveryPointArn": arn} for arn in self.holds[hold]["_points"]], "RecoveryPoints", token
                )
            case _:
                return 400, {"Code": "ResourceNotFoundException", "Message": "none"}


def page(entries: list[dict[str, Any]], key: str, token: str) -> dict[str, Any]:
    """One entry, and the token for the next."""
    at = int(token or 0)
    more = {"NextToken": str(at + 1)} if at + 1 < len(entries) else {}
    return {key: entries[at : at + 1], **more}


@contextmanager
def vault_server(vault: Vault) -> Iterator[None]:
    """Serve the vault; its endpoint is set."""

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            token = parse_qs(parts.query).get("nextToken", [""])[0]
            status, body = vault.answer(self.command, parts.path, token)
            content = json.dumps(body).encode()
            self.send_response(status)
            if status >= 400:
                self.send_header("x-amzn-ErrorType", body["Code"])
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_DELETE = handle_any  # noqa: N815 # http.server asks for these names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the name is http.server's
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    vault.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
