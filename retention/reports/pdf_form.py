"""The printed report: PDF/A-2b, typeset by typst from data, never from text put into its source.

The same bytes for the same report: the only date in it is `made_at`. Source: ISO 19005-2; GB/T 9704-2012 (margins).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path

import typst

from retention.errors import RetentionError
from retention.reports.document import Lang, Report
from retention.reports.glyphs import FAMILIES, Glyphs, font_folders
from retention.reports.json_form import Json
from retention.reports.print_data import print_data, replaced_characters


class NotTypeset(RetentionError):
    """The typesetter refused the document; the message is its own."""


def write_pdf(report: Report, path: Path, lang: Lang) -> None:
    """The document. NotTypeset when typst refuses it, e.g. a font is not installed."""
    path.write_bytes(typeset(report, lang))


def typeset(report: Report, lang: Lang) -> bytes:
    """The document's bytes."""
    glyphs = Glyphs()
    return typeset_with("report.typ", print_data(report, lang, glyphs.printable), glyphs, report.made_at)


def typeset_with(template: str, words: Mapping[str, Json], glyphs: Glyphs, made_at: datetime) -> bytes:
    """What the template, a file of `typst/`, makes of the words; `made_at`, aware, is the document's date. NotTypeset."""
    data = _printable(words, glyphs)
    data["replaced"] = replaced_characters(glyphs.replaced)
    data["european"] = "".join(sorted(glyphs.european))
    sources = Path(str(files("retention.reports"))) / "typst"
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=font_folders())
    try:
        return typst.compile(
            sources / template,
            root=sources,
            font_paths=fonts,
            sys_inputs={"report": json.dumps(data), "families": json.dumps(FAMILIES)},
            pdf_standards="a-2b",
            timestamp=int(made_at.timestamp()),
            format="pdf",
        )
    except typst.TypstError as error:
        raise NotTypeset(str(error)) from error


def _printable(data: Mapping[str, Json], glyphs: Glyphs) -> dict[str, Json]:
    """The data with every text of it, however deep, made of characters that the fonts have."""
    return {key: _printable_value(value, glyphs) for key, value in data.items()}


def _printable_value(value: Json, glyphs: Glyphs) -> Json:
    match value:
        case str():
            return glyphs.printable(value)
        case Mapping():
            return _printable(value, glyphs)
        case Sequence():
            return [_printable_value(each, glyphs) for each in value]
        case _:
            return value
