"""The certificate on one page: PDF/A-2b, A4, Chinese and English, typeset from data. For reading; the JSON is the evidence.

The same bytes for the same page: the only date in it is `issued_at`. What does not fit is counted on it, never left out in
silence. Source: ISO 19005-2; NIST SP 800-88 r2, certificate of sanitization.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from retention.reports import certificate_words as words
from retention.reports.cells import printed_entries
from retention.reports.certificate_page import CertificatePage, CopyLine, Sanitized, StrandLine
from retention.reports.document import Text
from retention.reports.glyphs import Glyphs
from retention.reports.json_form import Json
from retention.reports.pdf_form import typeset_with
from retention.reports.wording import sound

CUT = "…"
MOST_COPIES = 60
MOST_STRANDS = 12
"""Lines of which the typesetter takes as many as fit."""

_LONGEST_NAME, _LONGEST_CELL, _LONGEST_NOTE, _LONGEST_CUSTOMER = 48, 36, 150, 200
_LONGEST_HASH, _LONGEST_ORIGIN, _LONGEST_VALUES, _MOST_VALUES = 64, 100, 200, 3


def typeset_certificate(page: CertificatePage) -> bytes:
    """The document's bytes. NotTypeset when typst refuses it, e.g. a font is not installed."""
    glyphs = Glyphs()
    return typeset_with("certificate.typ", _Printed(page, glyphs).data(), glyphs, page.issued_at)


class _Printed:
    """The words of one page, in their order."""

    def __init__(self, page: CertificatePage, glyphs: Glyphs) -> None:
        self.page, self.glyphs = page, glyphs
        self.is_cut = False

    def data(self) -> dict[str, Json]:
        """What `typst/certificate.typ` reads. A text is `[Chinese, English]`, or `[text]` where both are the same."""
        page = self.page
        body: dict[str, Json] = {
            "title": _pair(words.TITLE if page.is_final else words.INTERIM_TITLE),
            "plain_title": f"{words.TITLE.zh} / {words.TITLE.en}: {self._cut(page.case, _LONGEST_NAME)}",
            "author": page.ledger.origin,
            "is_final": page.is_final,
            "status": [_pair(each) for each in self._status()],
            "labels": {name: _pair(text) for name, text in words.LABELS.items()},
            "facts": self._facts(),
            "strands": [self._strand(each) for each in page.strands[:MOST_STRANDS]],
            "strand_count": len(page.strands),
            "copies": [self._copy(each) for each in page.copies[:MOST_COPIES]],
            "copy_count": len(page.copies),
            "exception_count": page.exception_count,
            "more_copies": _pair(words.MORE_COPIES),
            "more_strands": _pair(words.MORE_STRANDS),
            "nist": self._nist(page.sanitized),
            "meaning": [_pair(each) for each in words.MEANING],
            "ledger": self._ledger(),
            "key": page.ledger.key,
            "check": _pair(words.CHECK),
            "check_otherwise": _pair(words.CHECK_OTHERWISE),
            "for_reading": _pair(words.COPY_FOR_READING),
            "replaced_note": _pair(words.REPLACED),
        }
        return {**body, "notes": [_pair(words.CUT)] if self.is_cut else []}

    def _status(self) -> tuple[Text, ...]:
        page = self.page
        if page.is_final:
            return (words.FINAL,)
        why = words.WITH_EXCEPTIONS if page.exception_count else words.WAITING
        return (why, _filled(words.INTERIM_COUNTS, copies=page.exception_count, keys=page.waiting_count))

    def _facts(self) -> Json:
        """The customer first and the policy last, each on a line of its own; the others two to a line."""
        page = self.page
        rule = page.rule if page.rule_title is None else f"{page.rule} {page.rule_title}"
        return [
            ["customer", self._cut(page.customer, _LONGEST_CUSTOMER)],
            ["case", self._cut(page.case, _LONGEST_NAME)],
            ["issued", self._instant(page.issued_at)],
            ["rule", self._cut(rule, _LONGEST_NAME)],
            ["clause", self._cut(page.clause, _LONGEST_NAME)],
            ["started", self._instant(page.started_at)],
            ["zone", page.zone.key],
            ["policy", self._cut(page.policy, _LONGEST_HASH)],
        ]

    def _strand(self, line: StrandLine) -> Json:
        names = [
            line.dataset,
            *([line.title] if line.title else []),
            *([line.subscription] if line.subscription else []),
        ]
        keys = _same(f"{line.key_count:,}") if line.key_count else words.NO_KEYS
        if line.waiting_count:
            gone = _filled(words.NOT_YET, count=line.waiting_count)
        else:
            gone = _same(self._instant(line.unrecoverable_at))
        cells = [_same(self._instant(each)) for each in (line.due_at, line.complete_by)]
        cells += [keys, _same(self._instant(line.shredded_at)), gone]
        return [[" · ".join(self._cut(each, _LONGEST_CELL) for each in names)], *map(_pair, cells)]

    def _copy(self, line: CopyLine) -> Json:
        cells = [
            _same(self._cut(line.asset, 2 * _LONGEST_CELL)),
            self._cut_both(line.kind, 2 * _LONGEST_CELL),
            line.end_state,
            line.method or _same("—"),
            _same(f"{line.item_count:,}"),
            _same(self._instant(line.at)),
            _same(f"#{line.entry}"),
        ]
        notes = [_pair(self._cut_both(each, _LONGEST_NOTE)) for each in line.notes]
        return {"cells": [_pair(each) for each in cells], "is_gone": line.is_gone, "notes": notes}

    def _nist(self, fields: Sanitized) -> Json:
        first, last = self._instant(fields.first_at), self._instant(fields.last_at)
        date = _same(first if first == last else f"{first} – {last}")
        lines = {
            "asset": words.MEDIA,
            "method": self._values(fields.methods),
            "tool": self._values(fields.tools),
            "verification": self._values(fields.verification_methods),
            "verified_between": date,
            "agent": self._values(fields.agents),
        }
        return [[name, _pair(value)] for name, value in lines.items()]

    def _ledger(self) -> Json:
        place = self.page.ledger
        return [
            ["statement", [place.statement], True],
            ["ledger", [self._cut(place.origin, _LONGEST_ORIGIN)], True],
            ["issued_as", _pair(_filled(words.ISSUED_AS, entry=place.entry, size=place.size)), False],
            ["root", [place.root], True],
            ["cited", [printed_entries(place.cited, 12)], False],
        ]

    def _values(self, values: tuple[Text, ...]) -> Text:
        """The first few of the values, and how many more there are."""
        if not values:
            return _same("—")
        shown, rest = values[:_MOST_VALUES], len(values[_MOST_VALUES:])
        text = self._cut_both(Text("；".join(t.zh for t in shown), "; ".join(t.en for t in shown)), _LONGEST_VALUES)
        more = _filled(words.MORE, count=rest) if rest else _same("")
        return Text(text.zh + more.zh, text.en + more.en)

    def _instant(self, at: datetime | None) -> str:
        return "—" if at is None else _local(at, self.page.zone)

    def _cut_both(self, text: Text, longest: int) -> Text:
        return Text(self._cut(text.zh, longest), self._cut(text.en, longest))

    def _cut(self, text: str, longest: int) -> str:
        """At most so many characters, counted as they are printed: what stands for one that no font has is longer."""
        text = self.glyphs.printable(" ".join(sound(text).split()))
        if len(text) <= longest:
            return text
        self.is_cut = True
        return text[: longest - 1].rstrip() + CUT


def _local(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _same(text: str) -> Text:
    return Text(text, text)


def _filled(text: Text, **particulars: object) -> Text:
    return Text(text.zh.format(**particulars), text.en.format(**particulars))


def _pair(text: Text) -> list[str]:
    return [text.zh] if text.zh == text.en else [text.zh, text.en]
