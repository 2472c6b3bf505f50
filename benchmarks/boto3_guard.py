"""What the guard adds to an S3 write: `python benchmarks/boto3_guard.py [ROUNDS]`.

A guarded and an unguarded client of the same settings take turns at PutObject of 1 KiB to moto's server in another
process. The number is the median of the guarded call through that of the unguarded one. Two kinds: home to home, which is
not asked, and abroad with a permit that allows at once.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime

import boto3
from mypy_boto3_s3 import S3Client

from retention.guards.boto3_guard import guard_boto3
from retention.guards.permit import Territories, working_for
from retention.model.transfer import Crossing, Decision, Verdict

ROUNDS = 1_500
BODY = b"x" * 1024
ALLOWED = Decision(Verdict.ALLOW, (), datetime(2026, 1, 1, tzinfo=UTC))
SERVER = (
    "from moto.server import ThreadedMotoServer as S; import sys; s = S(ip_address='127.0.0.1', port=0, verbose=False); "
    "s.start(); print(s.get_host_and_port()[1], flush=True); sys.stdin.read()"
)


def permit(_: Crossing) -> Decision:
    """Always allowed."""
    return ALLOWED


def client_of(endpoint: str) -> S3Client:
    """An unguarded client."""
    return boto3.Session("x", "x", region_name="cn-north-1").client("s3", endpoint_url=endpoint)


def seconds(client: S3Client, key: str) -> float:
    """How long one write takes."""
    start = time.perf_counter()
    client.put_object(Bucket="benchmark", Key=key, Body=BODY)
    return time.perf_counter() - start


def compare(endpoint: str, territory: str, rounds: int) -> float:
    """The ratio of the guarded to the unguarded median."""
    plain, guarded = client_of(endpoint), client_of(endpoint)
    guard_boto3(guarded, permit, Territories("CN", hosts={"127.0.0.1": territory}))
    taken: dict[bool, list[float]] = {False: [], True: []}
    for number in range(rounds + 50):
        turns = (False, True) if number % 2 else (True, False)  # neither is always the first
        for is_guarded in turns:
            one = seconds(guarded if is_guarded else plain, f"k-{number % 20}")
            if number >= 50:  # the first ones open connections
                taken[is_guarded].append(one)
    without, having = (statistics.median(taken[each]) for each in (False, True))
    name = "home" if territory == "CN" else "abroad, allowed"
    print(f"{name:16} unguarded {without * 1e3:.3f} ms, guarded {having * 1e3:.3f} ms, ratio {having / without:.3f}")
    return having / without


def main() -> int:
    """1 where the guard adds 5 % or more."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        endpoint = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        client_of(endpoint).create_bucket(
            Bucket="benchmark", CreateBucketConfiguration={"LocationConstraint": "cn-north-1"}
        )
        with working_for("c-1", "prompts"):
            ratios = [compare(endpoint, territory, rounds) for territory in ("CN", "SG")]
        assert server.stdin is not None
        server.stdin.close()
    return int(max(ratios) >= 1.05)


if __name__ == "__main__":
    sys.exit(main())
