"""A second S3 server of the tests: small, exact where moto is not, and faulty on demand.

It keeps one versioned bucket as AWS documents it: keys percent-encoded in listings, versions and markers of a key in
one order, any character in a key, connections kept open. Every call can be made to go wrong, before or after it acted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote_plus, unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape


@dataclass
class Reply:
    """An answer; `None` instead of it closes the connection without one."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Call:
    method: str
    key: str
    query: dict[str, str]
    body: bytes
    headers: dict[str, str]

    @property
    def is_delete(self) -> bool:
        return "delete" in self.query or (self.method == "DELETE" and self.key != "")

    def keys(self) -> list[str]:
        """The keys in a DeleteObjects request."""
        return self._texts("Key")

    def versions(self) -> list[str]:
        """The versions in a DeleteObjects request."""
        return self._texts("VersionId")

    def _texts(self, tag: str) -> list[str]:
        return [element.text or "" for element in ElementTree.fromstring(self.body).iter() if _tag(element) == tag]


@dataclass
class Version:
    id: str
    marker: bool
    body: bytes
    written: datetime
    lock: dict[str, str] = field(default_factory=dict)


Fault = Callable[[Call, Callable[[], Reply]], Reply | None]


class ExactS3:
    """One versioned bucket as AWS documents it: keys percent-encoded in listings, versions and markers in one order.

    `fault(call, act)` may answer in the bucket's stead, before or after `act()`. `calls` is all that was asked.
    """

    def __init__(self) -> None:
        self.keys: dict[str, list[Version]] = {}
        self.calls: list[Call] = []
        self.connections = 0
        self.page = 1000
        self.locks = False
        self.fault: Fault | None = None
        self.now = datetime(2026, 11, 1, tzinfo=UTC)
        self._guard = threading.RLock()
        self._ids = 0

    def times(self, count: int, fault: Fault, when: Callable[[Call], bool] = lambda call: call.is_delete) -> None:
        """Let the first `count` calls that `when` picks go wrong as `fault` says."""
        left = [count]

        def faulty(call: Call, act: Callable[[], Reply]) -> Reply | None:
            if not when(call) or left[0] == 0:
                return act()
            left[0] -= 1
            return fault(call, act)

        self.fault = faulty

    def put(self, key: str, body: bytes = b"x", *, marker: bool = False) -> Version:
        with self._guard:
            self._ids += 1
            self.now += timedelta(seconds=1)
            version = Version(f"v{self._ids:06}", marker, body, self.now)
            self.keys.setdefault(key, []).insert(0, version)
            return version

    def list_everything(self) -> Reply:
        """A listing of versions that ignores its prefix."""
        return self._list({"prefix": ""})

    def empty_versions(self) -> Reply:
        """A listing of versions that omits everything."""
        return xml("ListVersionsResult", "<IsTruncated>false</IsTruncated>")

    def visible(self) -> dict[str, bytes]:
        return {key: versions[0].body for key, versions in self.keys.items() if versions and not versions[0].marker}

    def left(self) -> list[str]:
        return sorted(key for key, versions in self.keys.items() if versions)

    def answer(self, call: Call) -> Reply | None:
        self.calls.append(call)
        if self.fault is not None:
            return self.fault(call, lambda: self.act(call))
        return self.act(call)

    def act(self, call: Call) -> Reply:
        with self._guard:
            if call.key:
                return self._object(call)
            return self._bucket(call)

    def _bucket(self, call: Call) -> Reply:
        query = call.query
        if "versioning" in query:
            return xml("VersioningConfiguration", "<Status>Enabled</Status>")
        if "object-lock" in query and self.locks:
            return xml("ObjectLockConfiguration", "<ObjectLockEnabled>Enabled</ObjectLockEnabled>")
        if "uploads" in query:
            return xml("ListMultipartUploadsResult", "<IsTruncated>false</IsTruncated>")
        if "versions" in query:
            return self._list(query)
        if "list-type" in query:
            found = [key for key in sorted(self.visible()) if key.startswith(query["prefix"])]
            contents = "".join(f"<Contents><Key>{quote_plus(key)}</Key><Size>1</Size></Contents>" for key in found)
            return xml(
                "ListBucketResult",
                f"<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>{contents}",
            )
        if "delete" in query:
            return self._delete_many(call)
        return error(404, "NoSuchConfigurationNotFound")

    def _list(self, query: dict[str, str]) -> Reply:
        rows = [
            (key, version, version is versions[0])
            for key, versions in sorted(self.keys.items())
            if key.startswith(query["prefix"])
            for version in versions
        ]
        marker, version_marker = query.get("key-marker"), query.get("version-id-marker")
        if marker is not None:
            seen = [at for at, row in enumerate(rows) if (row[0], row[1].id) == (marker, version_marker)]
            start = seen[0] + 1 if seen else len([row for row in rows if row[0] <= marker])
            rows = rows[start:]
        page, more = rows[: self.page], len(rows) > self.page
        parts = ["<EncodingType>url</EncodingType>", f"<IsTruncated>{str(more).lower()}</IsTruncated>"]
        if more:
            parts.append(f"<NextKeyMarker>{quote_plus(page[-1][0])}</NextKeyMarker>")
            parts.append(f"<NextVersionIdMarker>{page[-1][1].id}</NextVersionIdMarker>")
        for key, version, latest in page:
            tag = "DeleteMarker" if version.marker else "Version"
            parts.append(
                f"<{tag}><Key>{quote_plus(key)}</Key><VersionId>{version.id}</VersionId>"
                f"<IsLatest>{str(latest).lower()}</IsLatest>"
                f"<LastModified>{version.written:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
                f"<Size>{len(version.body)}</Size></{tag}>"
            )
        return xml("ListVersionsResult", "".join(parts))

    def _delete_many(self, call: Call) -> Reply:
        parts = []
        for element in ElementTree.fromstring(call.body):
            texts = {_tag(child): child.text or "" for child in element}
            key, version = texts["Key"], texts.get("VersionId")
            code, marker = self._delete(key, version)
            shown = f"<Key>{escape(key)}</Key>" + (f"<VersionId>{version}</VersionId>" if version else "")
            if code:
                parts.append(f"<Error>{shown}<Code>{code}</Code></Error>")
            else:
                made = f"<DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>{marker}</DeleteMarkerVersionId>"
                parts.append(f"<Deleted>{shown}{made if marker else ''}</Deleted>")
        return xml("DeleteResult", "".join(parts))

    def _delete(self, key: str, version_id: str | None) -> tuple[str | None, str | None]:
        if version_id is None:
            return None, self.put(key, b"", marker=True).id
        for version in self.keys.get(key, []):
            if version.id == version_id:
                if version.lock:
                    return "AccessDenied", None
                self.keys[key].remove(version)
        return None, None

    def _object(self, call: Call) -> Reply:
        version_id = call.query.get("versionId")
        if call.method == "PUT":
            return Reply(headers={"x-amz-version-id": self.put(call.key, call.body).id})
        if call.method == "DELETE":
            code, marker = self._delete(call.key, version_id)
            return error(403, code) if code else Reply(204, headers={"x-amz-delete-marker": "true"} if marker else {})
        versions = self.keys.get(call.key, [])
        found = [version for version in versions if version_id in {None, version.id}][:1]
        if not found:
            return error(404, "NoSuchVersion" if version_id else "NoSuchKey")
        if found[0].marker:
            return error(405, "MethodNotAllowed")
        return Reply(body=b"" if call.method == "HEAD" else found[0].body, headers=found[0].lock)


def silent_after_acting(call: Call, act: Callable[[], Reply]) -> Reply | None:
    """A fault: do it, then keep the client waiting for an answer that never comes."""
    act()
    time.sleep(0.6)
    return None


def xml(root: str, inside: str) -> Reply:
    return Reply(body=f'<{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inside}</{root}>'.encode())


def error(status: int, code: str, **headers: str) -> Reply:
    return Reply(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(), headers)


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _handler(s3: ExactS3) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet for head and body
        disable_nagle_algorithm = True

        def setup(self) -> None:
            s3.connections += 1
            super().setup()

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (ConnectionError, ValueError):  # the client has given up
                self.close_connection = True

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            bucket, _, key = unquote(path).removeprefix("/").partition("/")
            size = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            words = dict(parse_qsl(query, keep_blank_values=True))
            call = Call(self.command, key, words, self.rfile.read(size), headers)
            reply = s3.answer(call) if bucket == "bucket" else error(404, "NoSuchBucket")
            if reply is None:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815 - names of the standard library

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - name of the standard library
            """Say nothing."""

    return Handler


@contextmanager
def exact_s3() -> Iterator[tuple[ExactS3, str]]:
    """A running server and its endpoint URL; the bucket is called `bucket`."""
    s3 = ExactS3()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(s3))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield s3, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
