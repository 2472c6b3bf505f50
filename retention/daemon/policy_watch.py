"""The policy file, watched: adopted at the start and whenever its content changes. A wrong one changes nothing."""

from __future__ import annotations

from pathlib import Path

import structlog

from retention.daemon.health import Health
from retention.errors import InputError
from retention.workflows.adopt_policy import AdoptionResult, adopt_policy
from retention.workflows.deployment import Deployment
from retention.workflows.timetable import has_policy

_ASK_AGAIN_SECONDS = 30.0

_log = structlog.get_logger(__name__)

_Fingerprint = tuple[int, int, int] | None


class PolicyWatch:
    """Adopts the file. What became of it is told to `health` and the log, loudly where it is wrong."""

    def __init__(self, deployment: Deployment, file: Path, health: Health) -> None:
        self._deployment = deployment
        self._file = file
        self._health = health
        self._seen: _Fingerprint = None
        self._ask_again_at: float | None = None

    def adopt_at_start(self) -> None:
        """Some version is in force on return. Raises InputError where the file is wrong and no version was adopted before."""
        self._seen = _fingerprint(self._file)
        try:
            self._adopt(0.0)
        except InputError as wrong:
            if not has_policy(self._deployment):
                raise
            self._reject(wrong)

    def look(self, ticks: float) -> None:
        """Adopt the file if it changed since the last look, or if its approvals may have come. `ticks`: monotonic seconds."""
        fingerprint = _fingerprint(self._file)
        asks_again = self._ask_again_at is not None and ticks >= self._ask_again_at
        if fingerprint == self._seen and not asks_again:
            return
        try:
            self._adopt(ticks)
        except InputError as wrong:
            self._reject(wrong)
        self._seen = fingerprint  # only now: where the catalogue failed us, the next look tries again

    def _adopt(self, ticks: float) -> None:
        adoption = adopt_policy(self._deployment, self._file)
        version, policy_hash = adoption.policy.version, adoption.policy.hash
        waits = adoption.result is AdoptionResult.WAITS
        if waits and self._ask_again_at is None:
            needed = {"approvals": adoption.approvals, "needed": adoption.needed}
            _log.warning("policy waits for approval", version=version, policy_hash=policy_hash, **needed)
        elif not waits:
            _log.info(f"policy {adoption.result}", version=version, policy_hash=policy_hash)
        self._ask_again_at = ticks + _ASK_AGAIN_SECONDS if waits else None
        self._health.policy_file_is(waiting=waits)

    def _reject(self, wrong: InputError) -> None:
        self._ask_again_at = None
        self._health.policy_file_is(rejected=True)
        _log.error("policy rejected; the version in force stays", problems=list(wrong.problems))


def _fingerprint(file: Path) -> _Fingerprint:
    """What tells that the file was written or replaced; None where there is none."""
    try:
        status = file.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)
