"""What an operator has to know about this cache, read from the cache itself."""

from __future__ import annotations

from collections.abc import Iterator

from redis import Redis
from redis.exceptions import ResponseError

from storage_adapters.redis.connection import Connection

ALWAYS = (
    "Keys have no time of writing: what has to be kept by its age is kept whole.",
    "Only keys of the configured database are looked at, whatever else the server holds.",
)


def notes_of(connection: Connection) -> tuple[str, ...]:
    """One sentence each, none twice. Raises RedisError where a server does not answer."""
    notes = list(ALWAYS)
    if connection.is_cluster:
        notes.append("Keys of a slot that is moved between servers during a look may be missed by it.")
    for server in connection.primaries():
        notes += [note for note in _of(server) if note not in notes]
    return tuple(notes)


def _of(server: Redis) -> Iterator[str]:
    if server.info("persistence").get("aof_enabled") == 1:
        yield "The append-only file holds removed keys until it is rewritten (BGREWRITEAOF)."
    snapshots = _writes_snapshots(server)
    if snapshots is None:
        yield "Whether snapshots (RDB) are written could not be read; older ones would hold removed keys."
    elif snapshots:
        yield "Snapshots (RDB) hold removed keys until the next one replaces them, and copies of them longer."
    replication = server.info("replication")
    if replication.get("role") != "master":
        yield "This server is a replica: nothing can be removed here."
    if replication.get("connected_slaves"):
        yield "Replicas follow a moment later and keep their own files."


def _writes_snapshots(server: Redis) -> bool | None:
    """Whether snapshots are written by themselves; None where the server does not say (many providers forbid it)."""
    try:
        return bool(server.config_get("save").get("save"))
    except ResponseError:
        return None
