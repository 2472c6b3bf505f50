"""A policy as the one text that means it: what is stored, hashed, and read again for as long as its cases live.

Comments, the order of keys and of names, and the spelling of periods ("P15D") leave no trace in it.
The holiday calendar is named, not included: a year that is added to it later counts for stored policies too.

Source: RFC 8785 (JSON Canonicalization Scheme); FIPS 180-4 (SHA-256).
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from zoneinfo import ZoneInfo

import rfc8785

from retention.errors import InputError
from retention.model.policy import BackupPlan, Dataset, KeepAtLeast, Location, Policy, Replica, Rule, Service, TableRule
from retention.model.transfer import Measure

FORMAT = "retention-policy/1"
"""The first key of every stored text, so that a later form can tell it from its own."""

Json = str | int | bool | None | list["Json"] | dict[str, "Json"]


def canonical_document(policy: Policy) -> str:
    """The canonical text of `policy`. Equal policies give equal text; `policy_from_canonical` reads it back."""
    document: dict[str, Json] = {
        "format": FORMAT,
        "policy": _head(policy),
        "services": {name: _service(service) for name, service in policy.services.items()},
        "datasets": {name: _dataset(dataset) for name, dataset in policy.datasets.items()},
        "rules": {name: _rule(rule) for name, rule in policy.rules.items()},
        "backups": {name: _backup(backup) for name, backup in policy.backups.items()},
        "transfers": _transfers(policy),
        "limits": {
            "customers-per-run": policy.limits.customers_per_run,
            "share-of-customers": f"{policy.limits.share_of_customers * 100:g} %",
            "clock-jump": str(policy.limits.clock_jump),
        },
        "approval": {"policy-change": policy.approval.policy_change, "over-limit": policy.approval.over_limit},
        "notices": [
            {"before-buffer-ends": str(notice.before_buffer_ends), "to": notice.to} for notice in policy.notices
        ],
        "schedule": {
            "deletions": policy.schedule.deletions,
            "backups": policy.schedule.backups,
            "verification": policy.schedule.verification,
            "report": policy.schedule.report,
            "drills": policy.schedule.drills,
        },
    }
    return rfc8785.dumps(_without_nothing(document)).decode("utf-8")


def hash_of(text: str) -> str:
    """The SHA-256 of a canonical text, in hex: what names a policy version everywhere."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def canonical_fields(text: str) -> dict[str, Json]:
    """The document in a canonical text, without its format. Raises InputError where the text is of no known format."""
    fields = json.loads(text)
    if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
        raise InputError(
            f"the stored policy is not of the format {FORMAT}; it was stored by a newer version of this program"
        )
    return fields


def _without_nothing(document: dict[str, Json]) -> dict[str, Json]:
    """Keys without a value say nothing and are left out, so that a key added to the form later changes no old text."""
    return {
        key: _without_nothing(value) if isinstance(value, dict) else value
        for key, value in document.items()
        if value is not None
    }


def _head(policy: Policy) -> Json:
    return {
        "title": policy.title,
        "version": policy.version,
        "effective": policy.effective_at.astimezone(policy.time_zone).date().isoformat(),
        "time-zone": policy.time_zone.key,
        "holidays": policy.calendar.name if policy.calendar else None,
        "last-day-off": "moves" if policy.last_day_off_moves else "stays",
        "home": policy.home,
    }


def _service(service: Service) -> Json:
    by_fact: dict[str, Json] = {str(fact): str(period) for fact, period in service.buffers.items()}
    return {"title": service.title, "buffer": {"default": str(service.buffer), **by_fact}}


def _dataset(dataset: Dataset) -> Json:
    return {
        "title": dataset.title,
        "services": _words(dataset.services),
        "personal-information": dataset.personal_information,
        "sensitive-information": dataset.sensitive_information,
        "important-data": dataset.important_data,
        "in": [_location(location) for location in dataset.primary],
        "encrypted": str(dataset.encrypted),
        "caches": [_location(location) for location in dataset.caches],
        "replicas": [_replica(replica) for replica in dataset.replicas] or None,
        "backups": _words(dataset.backups),
        "keep-at-least": _keep(dataset.keep_at_least),
    }


def _keep(keep: KeepAtLeast | None) -> Json:
    return None if keep is None else {"period": str(keep.period), "from": str(keep.starts), "basis": keep.basis}


def _location(location: Location) -> Json:
    tables: Json = {table.name: _table(table) for table in location.tables} or None
    return _without_nothing(
        {"store": location.store, "prefix": location.prefix, "keys": location.keys, "tables": tables}
    )


def _replica(replica: Replica) -> Json:
    location = _location(replica.location)
    assert isinstance(location, dict)
    return _without_nothing({**location, "territory": replica.territory, "recipient": replica.recipient})


def _table(table: TableRule) -> Json:
    return {"customer": table.customer, "through": table.through, "sealed": _words(table.sealed)}


def _rule(rule: Rule) -> Json:
    return {
        "title": rule.title,
        "clause": rule.clause,
        "when": _words(rule.when),
        "cancelled-by": _words(rule.cancelled_by),
        "buffer": "service" if rule.buffer is None else str(rule.buffer),
        "tombstone": str(rule.tombstone),
        "complete-within": str(rule.complete_within),
        "datasets": _words(rule.datasets) or None,
    }


def _backup(backup: BackupPlan) -> Json:
    return {
        "title": backup.title,
        "store": backup.store,
        "sets": backup.sets,
        "holds": _words(backup.holds),
        "mixed": backup.mixed,
        "delete-after": str(backup.delete_after),
        "objects": backup.objects or None,
        "anonymise": backup.anonymise or None,
    }


def _transfers(policy: Policy) -> Json:
    if policy.transfers is None:
        return None
    rules = policy.transfers
    return {
        "clause": rules.clause,
        "regions": dict(rules.regions),
        "require": _words(rules.require),
        "legal-measures": _words(rules.legal_measures),
        "ciio": rules.is_ciio,
        "measures": {measure.name: _measure(measure, policy.time_zone) for measure in rules.measures} or None,
    }


def _measure(measure: Measure, zone: ZoneInfo) -> Json:
    return {
        "kind": str(measure.kind),
        "number": measure.number or None,
        "datasets": _words(tuple(sorted(measure.datasets))),
        "destinations": _words(tuple(sorted(measure.destinations))),
        "recipients": _words(tuple(sorted(measure.recipients))),
        "impact-assessment": measure.assessment,
        "from": measure.valid_from.astimezone(zone).date().isoformat(),
        "until": (measure.valid_until.astimezone(zone).date() - timedelta(days=1)).isoformat(),
        "ground": measure.ground or None,
    }


def _words(words: tuple[str, ...]) -> list[Json]:
    return [str(word) for word in words]
