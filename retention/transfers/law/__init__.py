"""The thresholds of the law, as data with dates: `CN.yaml` beside this file. Counsel corrects the data, not the code."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from importlib.resources import files
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML

from retention.errors import InputError


class _Form(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, alias_generator=lambda name: name.replace("_", "-")
    )


Sure = Literal["A", "B", "C"]


class _Basis(_Form):
    basis: str
    sure: Sure


class _FewPersons(_Basis):
    below: int = Field(gt=0)
    sensitive_below: int = Field(gt=0)
    not_for_ciio: bool


class _Exempt(_Form):
    no_personal_or_important_data: _Basis
    few_persons: _FewPersons


class _Contract(_Basis):
    persons_below: int = Field(gt=0)
    sensitive_below: int = Field(gt=0)


class _Assessment(_Basis):
    years_valid: int = Field(gt=0)
    validity_basis: str


class _Warn(_Form):
    share_of_threshold: float = Field(gt=0, le=1)
    days_before_expiry: int = Field(ge=0)


class _Version(_Form):
    effective: date
    sure: Sure
    year_begins_in: str
    exempt: _Exempt
    contract_or_certification: _Contract
    assessment: _Assessment
    warn: _Warn


class _Law(_Form):
    title: str
    order: str
    versions: list[_Version] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """One version of the law, in force from `effective_at` (aware UTC). Counts are distinct persons in a year of `zone`.

    Below `exempt_below` (and of sensitive ones below `exempt_sensitive_below`, and no CIIO) no measure is needed; below
    `contract_below` and `contract_sensitive_below` a standard contract or a certification does; else a security assessment,
    which is good for `assessment_years`. The `…_basis` are the articles. warn_share: from which share of a threshold on to
    warn; warn_days: how many days before a measure ends.
    """

    effective_at: datetime
    zone: ZoneInfo
    exempt_below: int
    exempt_sensitive_below: int
    exempts_ciio: bool
    exempt_basis: str
    nothing_personal_basis: str
    contract_below: int
    contract_sensitive_below: int
    contract_basis: str
    assessment_basis: str
    assessment_years: int
    validity_basis: str
    warn_share: float
    warn_days: int

    def year_began_at(self, now: datetime) -> datetime:
        """The first instant of the year that persons are counted in (aware UTC)."""
        year = now.astimezone(self.zone).year
        return datetime(year, 1, 1, tzinfo=self.zone).astimezone(UTC)


def thresholds_at(now: datetime) -> Thresholds:
    """The version of the law in force at `now` (aware). Raises InputError where none is."""
    effective = [version for version in _versions() if version.effective_at <= now]
    if not effective:
        raise InputError("no version of the rules on transfers is in force at that time")
    return effective[-1]


@cache
def _versions() -> tuple[Thresholds, ...]:
    text = files(__name__).joinpath("CN.yaml").read_text(encoding="utf-8")
    law = _Law.model_validate(YAML(typ="safe", pure=True).load(text))
    return tuple(sorted((_thresholds(version) for version in law.versions), key=lambda each: each.effective_at))


def _thresholds(version: _Version) -> Thresholds:
    zone = ZoneInfo(version.year_begins_in)
    few, contract = version.exempt.few_persons, version.contract_or_certification
    return Thresholds(
        effective_at=datetime.combine(version.effective, time.min, zone).astimezone(UTC),
        zone=zone,
        exempt_below=few.below,
        exempt_sensitive_below=few.sensitive_below,
        exempts_ciio=not few.not_for_ciio,
        exempt_basis=few.basis,
        nothing_personal_basis=version.exempt.no_personal_or_important_data.basis,
        contract_below=contract.persons_below,
        contract_sensitive_below=contract.sensitive_below,
        contract_basis=contract.basis,
        assessment_basis=version.assessment.basis,
        assessment_years=version.assessment.years_valid,
        validity_basis=version.assessment.validity_basis,
        warn_share=version.warn.share_of_threshold,
        warn_days=version.warn.days_before_expiry,
    )
