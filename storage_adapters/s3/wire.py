"""Signed requests to one bucket: sent, repeated where that is safe, and answered or refused in the contract's words.

botocore finds the credentials and signs; its HTTP session sends. What it would do besides (models, validation, events)
is left out, because it costs more than all the rest: see `answers`.

Every request of this adapter may be sent twice: it reads, it names what it removes, or it puts the same again. So a
request whose fate is unknown is repeated; only when the tries are used up does the caller hear `OutcomeUnknown`.
"""

from __future__ import annotations

import base64
import hashlib
import random
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote, urlsplit

import botocore.session
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import (
    BotoCoreError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ProxyConnectionError,
)
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies
from urllib3.exceptions import HTTPError

from storage_adapters.errors import OutcomeUnknown, Refused, Unavailable
from storage_adapters.s3.answers import ErrorInside, Unreadable
from storage_adapters.s3.refusals import FALTERED, THROTTLED, code_of, refusal
from storage_adapters.s3.settings import Addressing, S3Settings

ANSWER_LIMIT = 64 * 1024 * 1024
"""The most bytes read of one answer; a page of 1,000 keys of 1,024 bytes each, all encoded, is about 4 MB."""

_CONFIGURED = (("policy", None), ("replication", None))
"""The parts of a bucket's configuration that are put and deleted here. Without such a word it would be the bucket."""
_HOST_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_AT_ONCE = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
"""Do not wait for an acknowledgement between a request's head and its body: that costs 40 ms."""
_random = random.SystemRandom()
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """One request. key "" is the bucket itself; a query value None is a bare word such as `?versions`.

    limit: how many bytes of a good answer are wanted; what comes after is not read. None: all, up to ANSWER_LIMIT.
    """

    method: str
    key: str = ""
    query: tuple[tuple[str, str | None], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)
    limit: int | None = None

    def __post_init__(self) -> None:
        configures = len(self.query) == 1 and self.query[0] in _CONFIGURED
        if not self.key and self.method not in {"GET", "POST"} and not configures:
            raise ValueError("only reading, DeleteObjects and policy and replication rules speak to the bucket itself")

    @property
    def changes(self) -> bool:
        """Whether the request may change something."""
        return self.method not in {"GET", "HEAD"}

    @property
    def what(self) -> str:
        """The request in words for a message: method and subresource, no key."""
        bare = [name for name, value in self.query if value is None]
        return f"{self.method} {'object' if self.key else 'bucket'}{f' ?{bare[0]}' if bare else ''}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer; header names are in lower case."""

    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class _TryAgain(Exception):
    def __init__(self, reason: str, may_have_acted: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_have_acted = may_have_acted


class Wire:
    """The way to one bucket, whose URL is `base_url`, ending with "/". Thread-safe."""

    def __init__(self, store: str, settings: S3Settings) -> None:
        self.store = store
        self.settings = settings
        session = botocore.session.Session()
        try:
            self._credentials = _credentials(session, settings)
            self.base_url = _base_url(session, settings)
            ca_bundle = settings.ca_bundle or session.get_config_variable("ca_bundle") or True
        except BotoCoreError as error:
            raise Refused(store, f"the AWS configuration cannot be read: {type(error).__name__}") from error
        self._session = URLLib3Session(
            verify=ca_bundle,  # type: ignore[arg-type] # stub: bool only
            proxies=get_environ_proxies(self.base_url),
            timeout=(settings.connect_timeout, settings.read_timeout),  # type: ignore[arg-type] # stub: int only
            max_pool_connections=settings.workers + 4,
            socket_options=_AT_ONCE,  # type: ignore[arg-type] # stub: names only
        )

    def ask(self, request: Request, read: Callable[[Answer], T]) -> T:
        """What `read` makes of the answer, after as many tries as the settings allow.

        Raises NotFound for a missing bucket, Declined (a Refused) for every other error that stays, Unavailable when
        the tries are used up and nothing can have happened, OutcomeUnknown when something may have.
        """
        may_have_acted = False
        reason = ""
        for pause in self.pauses():
            time.sleep(pause)
            try:
                return self._once(request, read)
            except _TryAgain as again:
                may_have_acted = may_have_acted or again.may_have_acted
                reason = again.reason
        if request.changes and may_have_acted:
            raise OutcomeUnknown(self.store, f"{request.what}: {reason}, and it may have acted")
        raise Unavailable(self.store, f"{request.what}: {reason} after {self.settings.tries} tries")

    def pauses(self) -> Iterator[float]:
        """The seconds to wait before each try: none, then doubling, capped, with a random half."""
        yield 0.0
        for attempt in range(self.settings.tries - 1):
            pause = min(self.settings.backoff_cap, self.settings.backoff * 2**attempt)
            yield pause / 2 + _random.random() * pause / 2

    def close(self) -> None:
        """Release the connections. A second call does nothing."""
        self._session.close()

    def _once(self, request: Request, read: Callable[[Answer], T]) -> T:
        response = self._send(self._signed(request))
        status = response.status_code
        headers = {name.lower(): value for name, value in response.headers.items()}
        good = 200 <= status < 300
        body = self._body(response, headers, request.limit if good else None)
        if not good:
            raise self._failure(request, code_of(status, body), headers, body)
        try:
            return read(Answer(headers, body))
        except ErrorInside as inside:
            raise self._failure(request, inside.code, headers, body) from inside
        except Unreadable as error:
            raise _TryAgain(f"an unreadable answer ({error})", may_have_acted=True) from error
        except ValueError as error:  # its message may hold data
            raise _TryAgain("an unreadable answer", may_have_acted=True) from error

    def _failure(self, request: Request, code: str, headers: Mapping[str, str], body: bytes) -> Exception:
        if code in THROTTLED:
            return _TryAgain(code, may_have_acted=False)
        if code in FALTERED:
            return _TryAgain(code, may_have_acted=True)
        return refusal(self.store, request.what, code, headers, body)

    def _send(self, signed: AWSRequest) -> AWSResponse:
        try:
            return self._session.send(signed.prepare())
        except (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError) as error:
            raise _TryAgain(type(error).__name__, may_have_acted=False) from error
        except HTTPClientError as error:
            raise _TryAgain(type(error).__name__, may_have_acted=True) from error

    def _body(self, response: AWSResponse, headers: Mapping[str, str], limit: int | None) -> bytes:
        """At most `limit` bytes of the body; raises _TryAgain for one that is cut off or larger than ANSWER_LIMIT."""
        raw = response.raw
        try:
            body: bytes = raw.read(ANSWER_LIMIT + 1 if limit is None else limit)
        except (HTTPError, OSError) as error:
            raise _TryAgain("an answer cut off", may_have_acted=True) from error
        finally:
            raw.close()  # a connection whose answer was read to its end is back in the pool already
        announced = headers.get("content-length", "")
        if limit is None and announced.isdigit() and body and len(body) < int(announced):
            raise _TryAgain("an answer cut off", may_have_acted=True)
        if limit is None and len(body) > ANSWER_LIMIT:
            raise _TryAgain("an answer too long", may_have_acted=True)
        return body

    def _signed(self, request: Request) -> AWSRequest:
        url = self.base_url + quote(request.key, safe="/~")
        if request.query:
            url += "?" + "&".join(_parameter(name, value) for name, value in request.query)
        signed = AWSRequest(request.method, url, dict(request.headers), request.body, stream_output=True)
        if request.body:
            digest = hashlib.md5(request.body, usedforsecurity=False).digest()
            signed.headers["Content-MD5"] = base64.b64encode(digest).decode()
        signed.headers["User-Agent"] = "retention-s3"
        S3SigV4Auth(self._frozen_credentials(), "s3", self.settings.region).add_auth(signed)
        return signed

    def _frozen_credentials(self) -> ReadOnlyCredentials:
        if self._credentials is None:
            raise Refused(self.store, "no credentials were given and none were found")
        try:
            return self._credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise Unavailable(self.store, f"credentials: {type(error).__name__}") from error


def _parameter(name: str, value: str | None) -> str:
    return name if value is None else f"{name}={quote(value, safe='-_.~')}"


def _credentials(session: botocore.session.Session, settings: S3Settings) -> Credentials | None:
    if settings.access_key is not None and settings.secret_key is not None:
        return Credentials(settings.access_key, settings.secret_key, settings.session_token)
    return session.get_credentials()


def _base_url(session: botocore.session.Session, settings: S3Settings) -> str:
    """The bucket's URL, ending with "/"."""
    endpoint = settings.endpoint
    virtual = settings.addressing is Addressing.VIRTUAL
    if endpoint is None:
        # The client is only asked where the region's endpoint is; it signs nothing.
        client = session.create_client("s3", settings.region, aws_access_key_id="-", aws_secret_access_key="-")  # noqa: S106
        endpoint = client.meta.endpoint_url
        client.close()
        virtual = virtual or (
            settings.addressing is Addressing.AUTO and _HOST_BUCKET.fullmatch(settings.bucket) is not None
        )
    if not virtual:
        return f"{endpoint.rstrip('/')}/{quote(settings.bucket, safe='')}/"
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{settings.bucket}.{parts.netloc}{parts.path.rstrip('/')}/"
