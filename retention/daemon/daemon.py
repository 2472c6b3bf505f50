"""The daemon: it adopts the policy, keeps its timetable, and stops between two steps when it is asked to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import structlog

from retention.clock import Reading, SystemClock
from retention.daemon.api import Served, make_router, read_tokens
from retention.daemon.health import Health, JobName, JobReport, JobResult
from retention.daemon.logs import log_for_a_daemon, where_it_failed
from retention.daemon.policy_watch import PolicyWatch
from retention.daemon.stopping import Stop, stopping_on_signals
from retention.daemon.timer import Timer
from retention.daemon.transfer_log import log_transfer_findings, log_transfer_warnings
from retention.daemon.web import served
from retention.errors import RefusedByRule
from retention.settings import Settings
from retention.settings.sections import LogFormat, ReportsSettings
from retention.wiring import open_deployment
from retention.workflows.carry_out_plan import RunHooks
from retention.workflows.compile_report import begin_of_this_month, is_report_missing, report_of_last_month
from retention.workflows.deployment import Deployment
from retention.workflows.drill_backup import drill_backup
from retention.workflows.failures import explain_failure, is_passing
from retention.workflows.find_drift import find_drift
from retention.workflows.measure import measure
from retention.workflows.replay_ledger import catch_up
from retention.workflows.run_cycle import NotTheOwner, run_cycle
from retention.workflows.scan_backups import scan_backups
from retention.workflows.strand_run import LeaseLost, Moment, Stopped
from retention.workflows.timetable import Timetable, policy_in_force
from retention.workflows.verify_again import verify_again

_LOOK_SECONDS = 2.0
_MEASURE_SECONDS = 15.0
_MEASURE_SHARE = 20
"""Measuring reads every case: it takes at most one part in so many of the time."""
_TRY_AGAIN = timedelta(minutes=1)
_CLOCK_WAS_SET = timedelta(seconds=30)

_log = structlog.get_logger(__name__)


def run_daemon(settings: Settings, policy_file: Path) -> int:
    """Works until SIGTERM or SIGINT, then 0. It waits for a catalogue that cannot be reached, at the start and later.

    Raises InputError where the address is taken or no policy is in force and the file is none, and what else keeps the
    service from being opened.
    """
    log_for_a_daemon(settings.daemon.log_level, as_text=settings.daemon.log_format is LogFormat.TEXT)
    health, clock = Health(), SystemClock()
    host, port = settings.daemon.listen
    on_api = Served()
    tokens = settings.daemon.api_tokens
    api = None if tokens is None else make_router(on_api, read_tokens(tokens))
    with stopping_on_signals() as stop, served(health, clock, host, port, api):
        deployment = _opened(settings, stop, health)
        if deployment is not None:
            try:
                if _caught_up(deployment, stop):
                    on_api.deployment = deployment
                    Daemon(deployment, policy_file, stop, health, settings.reports).run()
            finally:
                on_api.deployment = None
                deployment.close()
    _log.info("stopped")
    return 0


def _opened(settings: Settings, stop: Stop, health: Health) -> Deployment | None:
    """The service, as soon as its catalogue can be reached; None where a stop came first."""
    while not stop.is_set():
        try:
            return open_deployment(settings)
        except Exception as error:
            if not is_passing(error):
                raise
            _log.error("cannot be opened yet", error=type(error).__name__)
            health.looked(SystemClock().now(), is_reachable=False)
            stop.wait(_LOOK_SECONDS)
    return None


def _caught_up(deployment: Deployment, stop: Stop) -> bool:
    """Whether the catalogue is up to date with its ledger; False where a stop came first. Waits for another that does it."""
    while not stop.is_set():
        try:
            catch_up(deployment)
        except NotTheOwner:
            _log.info("standing by: another process has the lease, and the catalogue is behind the ledger")
        except Exception as error:
            if not is_passing(error):
                raise
            _log.error("cannot be replayed yet", error=type(error).__name__)
        else:
            return True
        stop.wait(_LOOK_SECONDS)
    return False


class Daemon:
    """One process's daemon: a worker for the jobs, and this thread that looks after the policy and itself."""

    def __init__(
        self, deployment: Deployment, policy_file: Path, stop: Stop, health: Health, reports: ReportsSettings
    ) -> None:
        self._deployment = deployment
        self._reports = reports
        self._stop = stop
        self._health = health
        self._policy = PolicyWatch(deployment, policy_file, health)
        works = {
            JobName.DELETIONS: self._delete,
            JobName.VERIFICATION: self._verify,
            JobName.BACKUPS: self._scan,
            JobName.DRILLS: self._drill,
            JobName.REPORT: self._report,
        }
        self._timer = Timer(works, deployment.wall)
        self._timetable: Timetable | None = None
        self._measure_at = 0.0
        self._before: Reading = deployment.wall.reading()

    def run(self) -> None:
        """Work until asked to stop; the step under way is finished on return."""
        self._policy.adopt_at_start()
        in_force = policy_in_force(self._deployment)
        self._health.policy_is(in_force)
        self._timetable = in_force.timetable
        self._health.looked(self._deployment.wall.now(), is_reachable=True)  # it has just read the policy from there
        self._timer.start(in_force.timetable)
        self._make_up_for_a_report()
        _log.info("started", policy=in_force.version, policy_hash=in_force.hash)
        try:
            while not self._stop.is_set():
                self._look()
                self._stop.wait(_LOOK_SECONDS)
            _log.info("stopping", signal=self._stop.signal)
        finally:
            self._timer.stop()

    # -------------------------------------------------------------------------------------------------- looking

    def _look(self) -> None:
        """Notice what changed around us: the policy file, the version in force, the clock, the numbers."""
        wall = self._deployment.wall
        try:
            self._policy.look(wall.reading().ticks)
            in_force = policy_in_force(self._deployment)
            self._health.policy_is(in_force)
            if in_force.timetable != self._timetable or self._clock_was_set():
                self._timetable = in_force.timetable
                self._timer.keep(in_force.timetable)
                _log.info("timetable", policy=in_force.version)
            self._health.due_next(self._timer.next_runs())
            self._measure()
            self._health.looked(wall.now(), is_reachable=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, the daemon looks again; its health tells it
            self._health.looked(wall.now(), is_reachable=not is_passing(error))
            _log.error("cannot look", error=type(error).__name__, where=where_it_failed(error))

    def _clock_was_set(self) -> bool:
        """Whether somebody set the machine's clock since the last look: then planned times mean nothing any more."""
        before, now = self._before, self._deployment.wall.reading()
        self._before = now
        jumped = (now.at - before.at) - timedelta(seconds=now.ticks - before.ticks)
        if abs(jumped) > _CLOCK_WAS_SET:
            _log.warning("the clock was set", seconds=int(jumped.total_seconds()))
        return abs(jumped) > _CLOCK_WAS_SET

    def _measure(self) -> None:
        began = self._deployment.wall.reading().ticks
        if began < self._measure_at:
            return
        self._health.measured(measure(self._deployment))
        took = self._deployment.wall.reading().ticks - began
        self._measure_at = began + max(_MEASURE_SECONDS, _MEASURE_SHARE * took)

    # -------------------------------------------------------------------------------------------------- working

    def _delete(self) -> None:
        self._job(JobName.DELETIONS, self._cycle)

    def _cycle(self, hooks: RunHooks) -> int:
        """A cycle, after the catalogue has caught up: somebody may have put an old copy in its place under us."""
        catch_up(self._deployment)
        return len(run_cycle(self._deployment, hooks).report.troubles)

    def _verify(self) -> None:
        self._job(JobName.VERIFICATION, self._look_again)

    def _look_again(self, hooks: RunHooks) -> int:
        """Verified data is looked at again; forgotten tables and transfers out of order are named; how many troubles."""
        troubles = len(verify_again(self._deployment, hooks).troubles)
        for drift in find_drift(self._deployment):
            troubles += 1
            _log.warning(
                "the policy does not cover every table", store=drift.store, tables=drift.tables, why=drift.problem
            )
        log_transfer_warnings(self._deployment)
        return troubles + log_transfer_findings(self._deployment)

    def _scan(self) -> None:
        self._job(JobName.BACKUPS, lambda _: self._named_troubles(scan_backups(self._deployment).troubles))

    def _drill(self) -> None:
        self._job(JobName.DRILLS, lambda _: self._named_troubles(drill_backup(self._deployment).troubles))

    def _report(self) -> None:
        self._job(JobName.REPORT, lambda _: self._report_last_month())

    def _report_last_month(self) -> int:
        """The report of the month before is there; one that was made before is kept."""
        issued = report_of_last_month(self._deployment, self._reports.directory, self._reports.issuer)
        if issued is not None:
            _log.info("report issued", report=issued.folder.name, entry=issued.entry, overdue=issued.overdue_count)
        return 0

    def _make_up_for_a_report(self) -> None:
        """A report that fell due this month while nobody was here is made now."""
        was_due = self._timer.was_due(JobName.REPORT, begin_of_this_month(self._deployment))
        if was_due and is_report_missing(self._deployment, self._reports.directory):
            self._timer.run_within(JobName.REPORT, timedelta(0))

    def _named_troubles(self, troubles: Sequence[tuple[str, str]]) -> int:
        """Each trouble is logged; how many there are."""
        for what, why in troubles:
            _log.warning("backups are not in order", what=what, why=why)
        return len(troubles)

    def _job(self, name: JobName, work: Callable[[RunHooks], int]) -> None:
        """Do the work and tell how it ended. What another process or a failure took from us is tried again soon."""
        if self._stop.is_set():
            return
        wall = self._deployment.wall
        self._health.began(name, wall.now())
        result, troubles = JobResult.FAILED, 0
        try:
            troubles = work(RunHooks(self._observe, self._stop.is_set))
            result = JobResult.DONE
            _log.log(30 if troubles else 20, "run ended", job=name, troubles=troubles)
        except Stopped:
            result = JobResult.STOPPED
        except (NotTheOwner, LeaseLost):
            result = JobResult.STANDING_BY
            _log.info("standing by: another process has the lease", job=name)
            self._timer.run_within(name, self._deployment.lease_term)
        except RefusedByRule as refusal:
            result = JobResult.REFUSED
            _log.error("run refused before its first change", job=name, reason=str(refusal))
        except Exception as error:  # noqa: BLE001 - whatever it is, the next run goes on from what is durable
            known = explain_failure(error)
            _log.error("run failed", job=name, error=type(known or error).__name__, where=where_it_failed(error))
            self._timer.run_within(name, _TRY_AGAIN)
        finally:
            self._health.ended(name, JobReport(result, wall.now(), troubles))
            self._measure_at = 0.0

    def _observe(self, moment: Moment) -> None:
        self._health.moved(self._deployment.wall.now(), moment.step if moment.phase == "outcome" else None)
