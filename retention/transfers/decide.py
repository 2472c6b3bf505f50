"""May this data go there now? Every reason at once, and unknown is no. Pure.

A transfer needs all of: a known destination; necessity for a service that the customer ordered; a separate consent in force
for this dataset, purpose, recipient and destination; a legal measure in force that covers it, as strong as the number of
persons calls for. Home to home is allowed. What a foreign court or agency asks for needs an approval first.

Source: clause 6.12; PIPL articles 38, 39, 41, 55; CAC Order 16, articles 3-10 (thresholds: `retention.transfers.law`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from retention.model.transfer import (
    Consent,
    Decision,
    Ground,
    Measure,
    MeasureKind,
    PersonCount,
    Terms,
    TransferRequest,
    Verdict,
)
from retention.transfers.law import Thresholds
from retention.transfers.reasons import Code, ground
from retention.transfers.warnings import day, ends_soon, near_thresholds

NECESSITY, SEPARATE_CONSENT, LEGAL_MEASURE = "necessity", "separate-consent", "legal-measure"
_STRONGEST = (MeasureKind.SECURITY_ASSESSMENT,)
_MIDDLE = (*_STRONGEST, MeasureKind.STANDARD_CONTRACT, MeasureKind.CERTIFICATION)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of the customer and of the year when a decision is made. `now` is aware UTC.

    consents: all of the customer's, whatever their state. counted: who has gone abroad this year, without this request.
    ordered: the services that the customer has now.
    """

    now: datetime
    law: Thresholds
    consents: Sequence[Consent]
    counted: PersonCount
    ordered: frozenset[str]


def decide(request: TransferRequest, terms: Terms, known: Circumstances) -> Decision:
    """The decision as of `known.now`, the same for the same input. It never raises: what is wrong is a reason."""
    if request.destination is not None and request.destination == terms.home and not request.foreign_authority:
        code = Code.WITHIN_HOME if request.source == terms.home else Code.COMES_HOME
        return Decision(Verdict.ALLOW, (ground(code, home=terms.home),), known.now)
    weighing = _Weighing(request, terms, known)
    weighing.weigh()
    return weighing.decision()


def leaves_home(decision: Decision) -> bool:
    """Whether what the decision allows goes abroad; what stays at home or comes back counts nobody."""
    return not {Code.WITHIN_HOME, Code.COMES_HOME} & {ground.code for ground in decision.grounds}


@dataclass(slots=True)
class _Weighing:
    """One request being weighed: what speaks for it, what is not known, what stands in the way."""

    request: TransferRequest
    terms: Terms
    known: Circumstances
    allowing: list[Ground] = field(default_factory=list)
    unknown: list[Ground] = field(default_factory=list)
    denying: list[Ground] = field(default_factory=list)
    warnings: list[Ground] = field(default_factory=list)
    ends: list[datetime] = field(default_factory=list)
    consent: Consent | None = None
    measure: Measure | None = None

    def weigh(self) -> None:
        self._place()
        self._authority()
        if NECESSITY in self.terms.required:
            self._necessity()
        if SEPARATE_CONSENT in self.terms.required:
            self._consent()
        if LEGAL_MEASURE in self.terms.required:
            self._measure()

    def decision(self) -> Decision:
        """Deny where anything stands in the way, ask where something is not known, else allow."""
        against = [*self.denying, *self.unknown]
        verdict = Verdict.DENY if self.denying else Verdict.NEEDS_INFORMATION if self.unknown else Verdict.ALLOW
        return Decision(
            verdict,
            tuple(against or self.allowing),
            self.known.now,
            warnings=tuple(self.warnings),
            consent=self.consent.id if self.consent else None,
            measure=self.measure.name if self.measure else None,
            valid_until=min(self.ends, default=None) if not against else None,
        )

    # ------------------------------------------------------------------------------------------- where, for whom

    def _place(self) -> None:
        if self.request.destination is None:
            self.unknown.append(ground(Code.DESTINATION_UNKNOWN))
        if self.request.source is None:
            self.unknown.append(ground(Code.SOURCE_UNKNOWN))
        if self.request.dataset not in self.terms.datasets:
            self.unknown.append(ground(Code.DATASET_UNKNOWN, dataset=self.request.dataset))
        if not self.request.recipient:
            self.unknown.append(ground(Code.RECIPIENT_MISSING))
        if not self.request.purpose:
            self.unknown.append(ground(Code.PURPOSE_MISSING))

    def _authority(self) -> None:
        if not self.request.foreign_authority:
            return
        if self.request.approval:
            self.allowing.append(ground(Code.AUTHORITY_APPROVED, approval=self.request.approval))
        else:
            self.denying.append(ground(Code.AUTHORITY_NOT_APPROVED))

    def _necessity(self) -> None:
        service = self.request.service
        nature = self.terms.datasets.get(self.request.dataset)
        if service is None:
            self.unknown.append(ground(Code.SERVICE_MISSING))
            return
        if service not in self.known.ordered:
            self.denying.append(ground(Code.SERVICE_NOT_ORDERED, service=service))
        if nature is not None and service not in nature.services:
            self.denying.append(ground(Code.NOT_NEEDED, service=service, dataset=self.request.dataset))
        elif service in self.known.ordered:
            self.allowing.append(ground(Code.NEEDED, service=service, dataset=self.request.dataset))

    # -------------------------------------------------------------------------------------------------- consent

    def _consent(self) -> None:
        """One consent has to fit in every respect and be in force; else everything that is wrong with the nearest is said."""
        mine = [consent for consent in self.known.consents if consent.dataset == self.request.dataset]
        if not mine:
            self.denying.append(ground(Code.NO_CONSENT, dataset=self.request.dataset))
            return
        best = min(mine, key=lambda consent: (len(self._wrong_with(consent)), consent.given_at, consent.id))
        wrong = self._wrong_with(best)
        if wrong:
            self.denying.extend(wrong)
            return
        self.consent = best
        self.allowing.append(ground(Code.CONSENT_STANDS, consent=best.id))
        if best.valid_until is not None:
            self.ends.append(best.valid_until)
            self._warn_of_end(Code.CONSENT_ENDS_SOON, best.valid_until, name=best.id, customer=best.customer)

    def _wrong_with(self, consent: Consent) -> list[Ground]:
        now, said = self.known.now, {"consent": consent.id}
        found = []
        if not consent.is_separate:
            found.append(ground(Code.CONSENT_NOT_SEPARATE, **said))
        if consent.withdrawn_at is not None and consent.withdrawn_at <= now:
            found.append(ground(Code.CONSENT_WITHDRAWN, at=day(consent.withdrawn_at), **said))
        if consent.valid_from > now:
            found.append(ground(Code.CONSENT_NOT_YET, at=day(consent.valid_from), **said))
        if consent.valid_until is not None and consent.valid_until <= now:
            found.append(ground(Code.CONSENT_EXPIRED, at=day(consent.valid_until), **said))
        for code, agreed, asked in (
            (Code.CONSENT_OTHER_PURPOSE, consent.purpose, self.request.purpose),
            (Code.CONSENT_OTHER_RECIPIENT, consent.recipient, self.request.recipient),
            (Code.CONSENT_OTHER_DESTINATION, consent.destination, self.request.destination),
            (Code.CONSENT_OTHER_SERVICE, consent.service, self.request.service),
        ):
            if asked is not None and agreed != asked:
                found.append(ground(code, agreed=agreed, asked=asked, **said))
        return found

    # -------------------------------------------------------------------------------------------------- measure

    def _measure(self) -> None:
        nature = self.terms.datasets.get(self.request.dataset)
        if nature is None:
            return  # said already
        if nature.important is None:
            self.unknown.append(ground(Code.IMPORTANCE_UNKNOWN, dataset=self.request.dataset))
        if not nature.personal and nature.important is False:
            self.allowing.append(ground(Code.NOTHING_PERSONAL, basis=self.known.law.nothing_personal_basis))
            return
        needed = self._needed(personal=nature.personal, important=nature.important, sensitive=nature.sensitive)
        if needed is not None:
            self._covered_by(needed)

    def _needed(
        self, *, personal: bool, important: bool | None, sensitive: bool | None
    ) -> tuple[MeasureKind, ...] | None:
        """The kinds of measure of which one is needed; None where none is, or where that cannot be told."""
        law, ciio = self.known.law, self.terms.is_ciio
        if ciio is None:
            self.unknown.append(ground(Code.CIIO_UNKNOWN))
            if not important:
                return None
        if important or ciio:
            code = Code.ASSESSMENT_FOR_IMPORTANT if important else Code.ASSESSMENT_FOR_CIIO
            self._note_need(code, law.assessment_basis)
            return _STRONGEST
        if not personal:
            return None
        if self.request.persons is None or (sensitive is not False and self.request.sensitive_persons is None):
            self.unknown.append(ground(Code.PERSONS_UNKNOWN))
            return None
        persons = self.known.counted.persons + self.request.persons
        sensitive_ones = self.known.counted.sensitive_persons + (self.request.sensitive_persons or 0)
        self.warnings += near_thresholds(law, PersonCount(persons, sensitive_ones))
        if persons >= law.contract_below or sensitive_ones >= law.contract_sensitive_below:
            self._note_need(Code.ASSESSMENT_FOR_MANY, law.assessment_basis, persons=persons, sensitive=sensitive_ones)
            return _STRONGEST
        if persons < law.exempt_below and sensitive_ones < law.exempt_sensitive_below and ciio is False:
            about = {"persons": str(persons), "below": str(law.exempt_below)}
            self.allowing.append(ground(Code.FEW_PERSONS, basis=law.exempt_basis, **about))
            return None
        self._note_need(Code.CONTRACT_FOR_SOME, law.contract_basis, persons=persons, sensitive=sensitive_ones)
        return _MIDDLE

    def _note_need(self, code: Code, basis: str, **counts: int) -> None:
        self.allowing.append(ground(code, basis=basis, **{name: str(count) for name, count in counts.items()}))

    def _covered_by(self, needed: tuple[MeasureKind, ...]) -> None:
        """One registered measure has to fit in every respect; else everything that is wrong with the nearest is said."""
        kinds = " / ".join(needed)
        if not self.terms.measures:
            self.denying.append(ground(Code.NO_MEASURE, needed=kinds))
            return
        ranked = sorted(self.terms.measures, key=lambda each: (len(self._wrong_measure(each, needed)), each.name))
        wrong = self._wrong_measure(ranked[0], needed)
        if wrong:
            self.denying.extend((ground(Code.NO_MEASURE_FITS, needed=kinds), *wrong))
            return
        self.measure = ranked[0]
        self.allowing.append(ground(Code.MEASURE_STANDS, measure=self.measure.name, number=self.measure.number))
        self.ends.append(self.measure.valid_until)
        self._warn_of_end(Code.MEASURE_ENDS_SOON, self.measure.valid_until, name=self.measure.name)

    def _wrong_measure(self, measure: Measure, needed: Iterable[MeasureKind]) -> list[Ground]:
        return [*self._wrong_kind(measure, needed), *self._wrong_time(measure), *self._wrong_scope(measure)]

    def _wrong_kind(self, measure: Measure, needed: Iterable[MeasureKind]) -> list[Ground]:
        said = {"measure": measure.name}
        found = []
        is_exemption = measure.kind is MeasureKind.EXEMPTION
        nature = self.terms.datasets.get(self.request.dataset)
        is_enough = measure.kind in needed or (is_exemption and nature is not None and not nature.important)
        if not is_enough:
            found.append(ground(Code.MEASURE_TOO_WEAK, kind=str(measure.kind), **said))
        if is_exemption and not measure.ground:
            found.append(ground(Code.EXEMPTION_WITHOUT_GROUND, **said))
        if measure.kind not in self.terms.accepted:
            found.append(ground(Code.MEASURE_NOT_ACCEPTED, kind=str(measure.kind), **said))
        if not measure.number and not is_exemption:
            found.append(ground(Code.MEASURE_WITHOUT_NUMBER, **said))
        if not measure.assessment:
            found.append(ground(Code.NO_IMPACT_ASSESSMENT, **said))
        return found

    def _wrong_time(self, measure: Measure) -> list[Ground]:
        now, said = self.known.now, {"measure": measure.name}
        found = []
        if measure.valid_from > now:
            found.append(ground(Code.MEASURE_NOT_YET, at=day(measure.valid_from), **said))
        if measure.valid_until <= now:
            found.append(ground(Code.MEASURE_EXPIRED, at=day(measure.valid_until), **said))
        if measure.kind is MeasureKind.SECURITY_ASSESSMENT and measure.valid_until > self._assessment_ends(measure):
            years = str(self.known.law.assessment_years)
            found.append(ground(Code.MEASURE_TOO_LONG, basis=self.known.law.validity_basis, years=years, **said))
        return found

    def _wrong_scope(self, measure: Measure) -> list[Ground]:
        return [
            ground(code, asked=asked, measure=measure.name)
            for code, covered, asked in (
                (Code.MEASURE_OTHER_DATASET, measure.datasets, self.request.dataset),
                (Code.MEASURE_OTHER_DESTINATION, measure.destinations, self.request.destination),
                (Code.MEASURE_OTHER_RECIPIENT, measure.recipients, self.request.recipient),
            )
            if asked is not None and asked not in covered
        ]

    def _assessment_ends(self, measure: Measure) -> datetime:
        """The longest that a security assessment can be good for: so many years, to the day."""
        began, years = measure.valid_from.astimezone(self.known.law.zone), self.known.law.assessment_years
        leap_day = (began.month, began.day) == (2, 29)
        end = began.replace(year=began.year + years, day=28 if leap_day else began.day)
        return end + timedelta(days=1)  # dates are written as days: the last one counts whole

    def _warn_of_end(self, code: Code, ends: datetime, **about: str) -> None:
        if ends_soon(self.known.law, self.known.now, ends):
            self.warnings.append(ground(code, at=day(ends), **about))
