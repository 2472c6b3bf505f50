"""One client of a Redis server or cluster, and what its errors mean to a caller."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.cluster import RedisCluster
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ClusterDownError,
    ConnectionError,  # noqa: A004 - the client's own, which is no OSError
    RedisClusterException,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004 - likewise
    TryAgainError,
)
from redis.retry import Retry

from storage_adapters.errors import NotFound, OutcomeUnknown, Refused, StoreError, Unavailable

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
RETRIES = 2
CLUSTER_SCHEMES = {"redis+cluster": "redis", "rediss+cluster": "rediss"}


class Connection:
    """The keys of one server, or of all primaries of one cluster. Thread-safe."""

    def __init__(self, client: Redis | RedisCluster) -> None:
        self._client = client

    @classmethod
    def to(cls, url: str) -> Connection:
        """A connection to the server at `url`, or to the cluster that it says it belongs to.

        `redis+cluster://` and `rediss+cluster://` name a cluster by any of its nodes. Raises RedisError.
        """
        scheme, _, rest = url.partition("://")
        if scheme in CLUSTER_SCHEMES:
            return cls(_cluster(f"{CLUSTER_SCHEMES[scheme]}://{rest}"))
        single: Redis = Redis.from_url(
            url,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            retry=Retry(ExponentialBackoff(cap=1, base=0.1), RETRIES),
        )
        try:
            # a node that is taken for a single server would show a part of the keys as if it were all of them
            is_cluster = single.info("cluster").get("cluster_enabled") == 1
        except BaseException:
            single.close()
            raise
        if not is_cluster:
            return cls(single)
        single.close()
        return cls(_cluster(url))

    @property
    def is_cluster(self) -> bool:
        """Whether the keys are spread over several primaries."""
        return isinstance(self._client, RedisCluster)

    def primaries(self) -> list[Redis]:
        """A client of each server that holds keys of its own; just the one where there is no cluster."""
        client = self._client
        if isinstance(client, RedisCluster):
            nodes = client.get_primaries()  # type: ignore[no-untyped-call]  # the client leaves it untyped
            return [client.get_redis_connection(node) for node in nodes]
        return [client]

    def scan(self, glob: bytes, count: int, *, backwards: bool = False) -> Iterator[bytes]:
        """Every key that was there from start to end and matches, on every primary; some perhaps more than once."""
        servers = self.primaries()
        for server in reversed(servers) if backwards else servers:
            cursor = 0
            while True:
                cursor, keys = server.scan(cursor, match=glob, count=count)
                yield from (key if isinstance(key, bytes) else key.encode() for key in keys)
                if cursor == 0:
                    break

    def unlink(self, keys: Sequence[bytes]) -> list[object]:
        """Per key 1 where it was removed, 0 where it was gone, or the error that the server gave for it."""
        with self._client.pipeline(transaction=False) as batch:
            for key in keys:
                batch.unlink(key)
            return list(batch.execute(raise_on_error=False))

    def close(self) -> None:
        """No socket is left open."""
        self._client.close()


def _cluster(url: str) -> RedisCluster:
    return RedisCluster.from_url(
        url,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=Retry(ExponentialBackoff(cap=1, base=0.1), RETRIES),
    )


# ------------------------------------------------------------------------------------------------------ errors


@contextmanager
def translated(store: str, *, acts: bool = False) -> Iterator[None]:
    """The client's errors leave as the store's own. Where the step `acts`, a lost answer is an unknown outcome."""
    try:
        yield
    except (RedisError, RedisClusterException, OSError) as error:
        raise _translated(store, error, acts) from error


def code_of(error: object) -> str:
    """A word for the error: the client's for it, or the server's code; nothing of the message, which may hold a key."""
    word = str(error).partition(" ")[0]
    is_code = type(error) is ResponseError and word.isascii() and word.isalpha() and word.isupper()
    return word if is_code else type(error).__name__


def _translated(store: str, error: Exception, acts: bool) -> StoreError:
    match error:
        case AuthenticationError() | AuthorizationError():
            return Refused(store, "the server does not let us in")
        case ResponseError() if "DB index is out of range" in str(error):
            return NotFound(store, "the server has no database of this number")
        case ClusterDownError() | TryAgainError():
            return Unavailable(store, f"the cluster says {code_of(error)}")
        case ResponseError():
            return Refused(store, f"the server says {code_of(error)}")
        case ConnectionError() | TimeoutError() | OSError() if acts:
            return OutcomeUnknown(store, f"the answer was lost: {type(error).__name__}")
    return Unavailable(store, f"the server could not be reached: {type(error).__name__}")
