"""What stands on a title page, in the order in which it stands there, for every form that has one. Pure."""

from __future__ import annotations

from datetime import date

from retention.reports.cells import local
from retention.reports.document import Report, Text
from retention.reports.wording import Word

Fact = tuple[Text, Text]
"""A label and what it is."""

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def long_day(day: date) -> Text:
    """2026年4月3日, 3 April 2026."""
    return Text(f"{day.year}年{day.month}月{day.day}日", f"{day.day} {_MONTHS[day.month - 1]} {day.year}")


def period(report: Report) -> Text:
    """The period with its zone."""
    first, last, zone = long_day(report.first_day), long_day(report.last_day), report.zone.key
    return Text(
        Word.PERIOD_DAYS.text.zh.format(first=first.zh, last=last.zh, zone=zone),
        Word.PERIOD_DAYS.text.en.format(first=first.en, last=last.en, zone=zone),
    )


def short_period(report: Report) -> str:
    """The period in digits, for a running head."""
    return f"{report.first_day.isoformat()} – {report.last_day.isoformat()}"


def title_facts(report: Report) -> tuple[tuple[Fact, ...], tuple[Fact, ...]]:
    """Two groups: what the report is, and what it is anchored in."""
    return about(report), integrity(report)


def about(report: Report) -> tuple[Fact, ...]:
    """Number, period, issuer, date, policy, and whether customers are named."""
    identified = Word.NOT_IDENTIFIED.text if report.identified is None else _same(report.identified)
    return (
        (Word.NUMBER.text, _same(report.number)),
        (Word.PERIOD.text, period(report)),
        (Word.ISSUER.text, _same(report.issuer)),
        (Word.DATE_OF_ISSUE.text, long_day(local(report.made_at, report).date())),
        (Word.POLICY.text, _same(report.policy_title)),
        (Word.POLICY_VERSION.text, _same(report.policy_version)),
        (Word.IDENTIFIED.text, identified),
    )


def integrity(report: Report) -> tuple[Fact, ...]:
    """The ledger at both ends of the period, and the key that checks it."""
    ledger = report.integrity
    return (
        (Word.ORIGIN.text, _same(ledger.origin)),
        (Word.FIRST_TREE.text, _same(f"{ledger.first_size:,} · {ledger.first_root}")),
        (Word.LAST_TREE.text, _same(f"{ledger.last_size:,} · {ledger.last_root}")),
        (Word.KEY.text, _same(ledger.key)),
    )


def _same(text: str) -> Text:
    return Text(text, text)
