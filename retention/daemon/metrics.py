"""The daemon's snapshot in Prometheus's text format, made anew at every scrape. Names are listed in `docs/commands.md`.

Source: OpenMetrics 1.0, naming: base units, `_total` for counters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from retention.daemon.health import JobName, JobResult, Snapshot
from retention.model.plan import StepKind


def metrics_text(snapshot: Snapshot, now: datetime) -> bytes:
    """The snapshot as a scrape expects it, UTF-8. What is not known yet is left out."""
    registry = CollectorRegistry()
    registry.register(_Of(lambda: _metrics(snapshot, now)))
    return generate_latest(registry)


class _Of(Collector):
    def __init__(self, metrics: Callable[[], Iterator[Metric]]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return self._metrics()


def _metrics(snapshot: Snapshot, now: datetime) -> Iterator[Metric]:
    yield _gauge("healthy", "1 while nothing keeps the daemon from its work", not snapshot.problems(now))
    yield _gauge("catalogue_reachable", "1 while the catalogue answers", snapshot.is_catalog_reachable)
    yield _gauge(
        "policy_rejected", "1 while the policy file is wrong; another version is in force", snapshot.is_policy_rejected
    )
    yield _gauge(
        "policy_waiting_for_approval", "1 while the policy file waits for approvals", snapshot.is_policy_waiting
    )
    yield from _jobs(snapshot)
    yield from _numbers(snapshot)


def _jobs(snapshot: Snapshot) -> Iterator[Metric]:
    done = GaugeMetricFamily(
        "retention_last_done_timestamp_seconds", "When a job was last done to its end", labels=["job"]
    )
    troubles = GaugeMetricFamily(
        "retention_last_run_troubles", "Deletions that could not go on in the job's last run", labels=["job"]
    )
    runs = CounterMetricFamily("retention_runs", "Runs of a job by how they ended", labels=["job", "result"])
    steps = CounterMetricFamily("retention_steps", "Steps done by this process", labels=["step"])
    running = GaugeMetricFamily("retention_running", "1 while the job runs here", labels=["job"])
    for name in JobName:
        running.add_metric([name], float(snapshot.running is name))
        if name in snapshot.done_at:
            done.add_metric([name], snapshot.done_at[name].timestamp())
        if name in snapshot.reports:
            troubles.add_metric([name], snapshot.reports[name].trouble_count)
        for result in JobResult:
            runs.add_metric([name, result], snapshot.results.get((name, result), 0))
    for step in StepKind:
        steps.add_metric([step], snapshot.steps.get(step, 0))
    yield from (done, troubles, runs, steps, running)


def _numbers(snapshot: Snapshot) -> Iterator[Metric]:
    measures = snapshot.measures
    if measures is None:
        return
    cases = GaugeMetricFamily(
        "retention_cases", "Cases by the state of their least advanced deletion", labels=["state"]
    )
    for state, count in sorted(measures.cases_by_state.items()):
        cases.add_metric([state], count)
    yield cases
    yield _gauge("overdue_cases", "Cases that should have been gone by now", measures.overdue_count)
    yield _gauge("failed_copies", "Copies in which something was found that should be gone", measures.failed_copy_count)
    yield _gauge(
        "unsupported_copies",
        "Copies that can neither be deleted now nor kept from readers",
        measures.unsupported_copy_count,
    )
    yield _gauge("quarantined_copies", "Backups in quarantine until they can go", measures.quarantined_copy_count)
    yield _gauge(
        "keys_waiting_for_epoch",
        "Destroyed keys that an old copy of the key store still opens",
        measures.keys_waiting_count,
    )
    warnings = GaugeMetricFamily(
        "retention_transfer_warnings", "Thresholds and ends that stand in the way of transfers soon", labels=["code"]
    )
    for code, count in measures.transfer_warnings.items():
        warnings.add_metric([code], count)
    yield warnings
    yield _gauge("ledger_entries", "Entries of the evidence ledger", measures.ledger_size)
    yield _gauge("ledger_writable", "1 while the ledger can be written", measures.ledger_is_writable)


def _gauge(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(f"retention_{name}", says, value=float(value))
