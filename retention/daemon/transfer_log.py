"""The warnings of transfers in the daemon's log: what `retention status` says, without the names of customers."""

from __future__ import annotations

import structlog

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
