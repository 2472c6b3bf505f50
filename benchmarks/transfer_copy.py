"""What `transfer copy` costs beside a plain copy that is as durable: 1,000 small files and one large, folder to folder.

`python benchmarks/transfer_copy.py`; it prints the ratio. The difference is the decision that is asked at every batch, the
entries before and after it, and the content that is hashed and read back.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from retention.clock import ManualClock
from retention.model.transfer import TransferRequest
from retention.workflows.adopt_policy import adopt_policy
from retention.workflows.consents import grant_consent
from retention.workflows.copy_to_replica import copy_to_replica
from retention.workflows.decide_transfer import check_transfer
from tests.transfer_policy import CONSENT, with_replica
from tests.workflow.conftest import POLICY, START, Provider, open_provider

SMALL, SMALL_SIZE, LARGE_SIZE = 1_000, 8 << 10, 256 << 20
REQUEST = TransferRequest("c-1", "models", "CN", "SG", "Lion Pte", "support", "training", 1, 0)


def main() -> int:
    """0 where everything arrived."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        root = Path(folder)
        provider = _provider(root)
        source = provider.objects / "models" / "c-1"
        source.mkdir(parents=True)
        for number in range(SMALL):
            (source / f"{number:04}.bin").write_bytes(os.urandom(SMALL_SIZE))
        (source / "large.bin").write_bytes(os.urandom(1 << 20) * (LARGE_SIZE >> 20))
        began = time.perf_counter()
        shutil.copytree(source, root / "plain", copy_function=_durable)
        plain = time.perf_counter() - began
        decision = check_transfer(provider.deployment, REQUEST).id
        began = time.perf_counter()
        copy = copy_to_replica(provider.deployment, decision, "sg")
        took = time.perf_counter() - began
        provider.deployment.close()
    print(f"a plain copy: {plain:.2f} s; transfer copy: {took:.2f} s, {took / plain:.1f} times that")
    return int(copy.item_count != SMALL + 1)


def _provider(root: Path) -> Provider:
    provider = open_provider(root / "service", ManualClock(START))
    (root / "policies.yaml").write_text(with_replica(POLICY), encoding="utf-8")
    adopt_policy(provider.deployment, root / "policies.yaml")
    provider.tell("service-activated", "c-1", service="training")
    grant_consent(provider.deployment, "c-1", CONSENT)
    return provider


def _durable(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    handle = os.open(target, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


if __name__ == "__main__":
    sys.exit(main())
