"""Signals: the first asks, the second ends."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.small_service import Service

WAITS = """
import time
from retention.daemon.stopping import stopping_on_signals
with stopping_on_signals() as stop:
    print("ready", flush=True)
    while not stop.wait(60):
        pass
    print("asked", stop.signal, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_and_the_second_ends_at_once(bare_service: Service, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITS], stdout=subprocess.PIPE, text=True, env=bare_service.environment()
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == f"asked {int(number)}\n"
        process.send_signal(number)
        assert process.wait(20) == 128 + number
