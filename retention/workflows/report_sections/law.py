"""Which article of law each part of the report answers: data with its certainty, `law.yaml`, which counsel corrects."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML

from retention.reports.document import CellKind, Column, Section, Text
from retention.workflows.report_sections.sources import table_of

_NOTE = Text(
    "本表是数据而非法律意见，由法律顾问更正。可靠程度：A 已阅原文；B 数个二手来源一致；C 所知而未复核，提交监管前须确认。",
    "This is data that counsel corrects, and no legal advice. Sure: A the text was read; B several secondary sources agree; "
    "C known and not re-read, to be confirmed before a regulator gets it.",
)


class _Form(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, alias_generator=lambda name: name.replace("_", "-")
    )


class Words(_Form):
    """The same in Chinese and English."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Article(_Form):
    """One article: what it asks for, the tables that answer it, and how sure its reading is. in_force: from when on."""

    law: Words
    article: str = Field(min_length=1)
    asks: Words
    shown_in: list[str] = Field(min_length=1)
    sure: Literal["A", "B", "C"]
    in_force: date | None = None


class _Law(_Form):
    articles: list[Article] = Field(min_length=1)


@cache
def articles() -> tuple[Article, ...]:
    """Every article of the file. Raises ValidationError of pydantic where it is wrong."""
    text = files(__package__ or "").joinpath("law.yaml").read_text(encoding="utf-8")
    return tuple(_Law.model_validate(YAML(typ="safe", pure=True).load(text)).articles)


def law(last_day: date, tables: Iterable[str]) -> Section:
    """The articles that were in force on the last day of the period. tables: those that the report has."""
    columns = (
        Column("law", Text("法律", "Law"), weight=2),
        Column("article", Text("条", "Article"), weight=1),
        Column("asks", Text("要求", "What it asks for"), weight=9),
        Column("shown_in", Text("见表", "Tables"), weight=2),
        Column("in_force", Text("施行", "In force from"), CellKind.DAY, is_summary=False),
        Column("sure", Text("可靠程度", "Sure"), weight=1),
    )
    known = frozenset(tables)
    rows = (
        (
            Text(each.law.zh, each.law.en),
            each.article,
            Text(each.asks.zh, each.asks.en),
            ", ".join(name for name in each.shown_in if name in known),
            each.in_force,
            each.sure,
        )
        for each in articles()
        if each.in_force is None or each.in_force <= last_day
    )
    return Section(
        Text("法律依据", "The law"),
        (_NOTE, table_of("law", Text("条文与本报告各表", "Articles and tables"), columns, rows)),
    )
