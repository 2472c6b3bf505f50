"""What facts do to each other: which start a deletion, which take one back, which move its dates.

The policy file is checked against these tables, and the lifecycle is made of them.
"""

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
"""Facts that end subscriptions; their data goes when the last subscription that needs it has ended."""

INSTRUCTIONS = frozenset({FactType.DATA_DELETED, FactType.DELETION_ORDERED})
"""Facts that say themselves what has to go, whatever subscriptions there are (clauses 6.10 and 6.2(4))."""

WITHDRAWALS = frozenset({FactType.CONSENT_WITHDRAWN})
"""Facts after which something may not lie any more where it was brought under a consent (clause 6.12; PIPL art. 47)."""

STARTING = ENDINGS | INSTRUCTIONS | WITHDRAWALS
"""Facts that open a case."""

MOVES_DATES = frozenset({FactType.AGREEMENT_MADE, FactType.HOLD_PLACED, FactType.HOLD_RELEASED})
"""Facts that start and end nothing: they say until when something waits."""

CONSENTS = frozenset({FactType.CONSENT_GRANTED, FactType.CONSENT_WITHDRAWN})
"""Facts about transfers. They end no subscription; a withdrawal opens a case for what lies abroad under it."""

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
    FactType.DELETION_WITHDRAWN: ENDINGS | INSTRUCTIONS,
}
"""Which endings a fact can undo at all. The rule's `cancelled-by` decides whether it does; ordering again inside a buffer
and withdrawing the instruction itself always do."""

ALWAYS_CANCEL = frozenset({FactType.SERVICE_ACTIVATED, FactType.DELETION_WITHDRAWN})
"""Facts that take back what they can, whatever the rule says."""
