"""What the provider should know of transfers before it stands in the way: pushed by `status`, the metrics and the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from retention.catalog import transfers as transfer_rows
from retention.lifecycle.consents import consents_of
from retention.model.fact import Fact
from retention.model.transfer import Consent, Ground
from retention.transfers.law import thresholds_at
from retention.transfers.reasons import Code, said
from retention.transfers.warnings import CODES, consent_warnings, measure_warnings, threshold_warnings
from retention.workflows.decide_transfer import terms_of
from retention.workflows.deployment import Deployment

_OF_A_CUSTOMER = frozenset({str(Code.CONSENT_ENDS_SOON)})


@dataclass(frozen=True, slots=True)
class TransferWarning:
    """One warning: its code, what it is about, and a sentence in each language."""

    code: str
    about: Mapping[str, str]
    zh: str
    en: str

    @property
    def names_customer(self) -> bool:
        """Whether it is about a customer, and so belongs in no log."""
        return self.code in _OF_A_CUSTOMER


def transfer_warnings(deployment: Deployment, customer: str | None = None) -> tuple[TransferWarning, ...]:
    """Everything to warn of now: thresholds that are near or reached, measures and consents that end. Reads only.

    With a customer only what is about them: their consents. Empty where no policy was ever adopted.
    """
    with deployment.catalog.reading() as session:
        if not deployment.shelf.versions(session):
            return ()
        found = () if customer is not None else _of_the_provider(deployment, session)
        consents = _consents(transfer_rows.consent_facts(session, customer))
    now = deployment.clock.now()
    found += consent_warnings(thresholds_at(now), now, consents)
    return tuple(_warning(each) for each in found)


def count_by_code(warnings: Sequence[TransferWarning]) -> dict[str, int]:
    """How many there are of every kind of warning; 0 for those of which there is none."""
    counts = Counter(warning.code for warning in warnings)
    return {str(code): counts[str(code)] for code in CODES}


def _of_the_provider(deployment: Deployment, session: Session) -> tuple[Ground, ...]:
    now = deployment.clock.now()
    law = thresholds_at(now)
    year, began_at = now.astimezone(law.zone).year, law.year_began_at(now)
    measures = terms_of(deployment.shelf.in_force(session, now)).measures
    resting = {
        measure.name: transfer_rows.resting_count(session, measure.name, year, began_at)
        for measure in measures
        if measure.valid_until <= now
    }
    counted = transfer_rows.person_count(session, year)
    return (*threshold_warnings(law, counted), *measure_warnings(law, now, measures, resting))


def _consents(facts: Sequence[Fact]) -> tuple[Consent, ...]:
    """The consents of all customers, each customer's by themselves: ids are told apart within a customer only."""
    by_customer: dict[str, list[Fact]] = {}
    for fact in facts:
        by_customer.setdefault(fact.customer, []).append(fact)
    return tuple(consent for _, told in sorted(by_customer.items()) for consent in consents_of(told))


def _warning(reason: Ground) -> TransferWarning:
    return TransferWarning(reason.code, dict(reason.about), said(reason, "zh"), said(reason, "en"))
