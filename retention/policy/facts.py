"""Which facts start a deletion, and which take one back, as far as a policy may say so."""

from __future__ import annotations

from collections.abc import Mapping

from retention.model.fact import FactType

ENDINGS = frozenset(
    {
        FactType.SERVICE_EXPIRED,
        FactType.SERVICE_TERMINATED,
        FactType.SERVICE_RELEASED,
        FactType.ARREARS_STARTED,
        FactType.ACCOUNT_CLOSED,
    }
)
INSTRUCTIONS = frozenset({FactType.DATA_DELETED, FactType.DELETION_ORDERED})
STARTING = ENDINGS | INSTRUCTIONS
CANCELS: Mapping[FactType, frozenset[FactType]] = {
    FactType.ARREARS_CLEARED: frozenset({FactType.ARREARS_STARTED}),
    FactType.SERVICE_RENEWED: frozenset(
        {FactType.SERVICE_EXPIRED, FactType.SERVICE_TERMINATED, FactType.ARREARS_STARTED}
    ),
    FactType.SERVICE_ACTIVATED: frozenset(
        {
            FactType.SERVICE_EXPIRED,
            FactType.SERVICE_TERMINATED,
            FactType.SERVICE_RELEASED,
            FactType.ARREARS_STARTED,
            FactType.ACCOUNT_CLOSED,
        }
    ),
    FactType.DELETION_WITHDRAWN: STARTING,
}
"""Which starting facts a fact can take back at all; the same table as `retention.lifecycle.states` (a test compares)."""
