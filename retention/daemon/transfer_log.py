"""Transfers in the daemon's log: what `retention status` and `transfer audit` say, without the names of customers."""

from __future__ import annotations

import structlog

from retention.workflows.audit_transfers import audit_transfers, is_audited
from retention.workflows.deployment import Deployment
from retention.workflows.transfer_warnings import transfer_warnings

_log = structlog.get_logger(__name__)


def log_transfer_warnings(deployment: Deployment) -> None:
    """Every warning of now is logged: thresholds and measures by name; of consents, which are customers', how many end."""
    warnings = transfer_warnings(deployment)
    for warning in warnings:
        if not warning.names_customer:
            _log.warning("transfers need attention", code=warning.code, says=warning.en, **warning.about)
    ending = sum(warning.names_customer for warning in warnings)
    if ending:
        _log.warning("consents to transfers end soon; `retention status` names them", count=ending)


def log_transfer_findings(deployment: Deployment) -> int:
    """Everything that leaves home or lies abroad undecided is logged; how much there is. Nothing where no region is known."""
    if not is_audited(deployment):
        return 0
    findings = audit_transfers(deployment)
    for finding in findings:
        _log.warning(
            "a transfer is not in order; `retention transfer audit` says more",
            finding=finding.id,
            kind=finding.kind,
            store=finding.store,
            territory=finding.territory,
            customers=finding.customer_count,
        )
    return len(findings)
