"""The fixed words of a report, and how a text is said in the language that was asked for. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from retention.reports.document import Lang, Text


@dataclass(frozen=True, slots=True)
class Said:
    """A text as it is read: `main`, and `beside` it the English of a bilingual report, smaller; None where there is none."""

    main: str
    beside: str | None = None


class Word(Enum):
    """What every report says around its contents."""

    ATTENTION = Text("需关注", "needs attention")
    BYTES = Text("字节", "bytes")
    CELL_CUT = Text("……（全文见 CSV）", " … (full text in the CSV)")
    CHART = Text("图", "Chart")
    CHART_REST = Text(
        "图中为前 {shown} 项，共 {all} 项；全部数字见表 {table}。", "The first {shown} of {all}; all in table {table}."
    )
    CHART_SOURCE = Text("数字见表 {table}。", "Figures: table {table}.")
    CONTENTS = Text("目录", "Contents")
    CONTINUED = Text("（续）", " (continued)")
    DATE_OF_ISSUE = Text("签发日期", "Date of issue")
    FIGURE = Text("项目", "Figure")
    FIRST_TREE = Text("期初（条目数，根散列）", "At the start (entries, root hash)")
    IDENTIFIED = Text("客户身份", "Identity of customers")
    INTEGRITY = Text("完整性", "Integrity")
    INTEGRITY_NOTE = Text(
        "账本只增不改。持有上列验证公钥者，可不依赖出具方，离线核对本报告所引条目是否在账本之中、账本前后是否一致。",
        "The ledger only grows. Whoever holds the verifier key can check offline, without the issuer, that the entries cited "
        "here are in it and that it was never rewritten.",
    )
    ISSUER = Text("出具方", "Issuer")
    KEY = Text("验证公钥", "Verifier key")
    LAST_TREE = Text("期末（条目数，根散列）", "At the end (entries, root hash)")
    NO = Text("否", "no")
    NO_ROWS = Text("本期没有记录。", "Nothing in this period.")
    NOT_IDENTIFIED = Text("本报告不出现客户的名称。", "No customer stands in this report by name.")
    NOTE = Text("说明", "Note")
    NUMBER = Text("报告编号", "Report number")
    ORIGIN = Text("账本", "Ledger")
    PAGE = Text("第 {page} 页，共 {pages} 页", "Page {page} of {pages}")
    PERIOD = Text("报告期", "Period")
    PERIOD_DAYS = Text("{first}至{last}（{zone}）", "{first} to {last} ({zone})")
    POLICY = Text("策略", "Policy")
    POLICY_VERSION = Text("策略版本", "Policy version")
    RARE = Text("关于字符的说明", "A note on characters")
    RARE_NOTE = Text(
        "下列字符不在排版字体之中，或不可见；本文以其 Unicode 编码表示。CSV、XLSX、JSON 与 HTML 文件保留原字符。",
        "These characters are not in the printed fonts, or cannot be seen; they are shown by their Unicode number. The CSV, "
        "XLSX, JSON and HTML files have the characters themselves.",
    )
    READING = Text(
        "时间均为 {zone} 时间。各表只列主要各列；方括号内为表的代号，全部行、列见文件夹 csv 中以其命名的文件，以及工作簿 "
        "report.xlsx 中以其命名的工作表。",
        "Times are those of {zone}. Tables show their main columns; each has a name in square brackets, under which the file "
        "in the folder csv and the sheet of report.xlsx have all rows and columns.",
    )
    ROWS = Text("行数", "Rows")
    ROWS_MORE = Text(
        "以上为前 {shown} 行，另有 {more} 行；全部 {all} 行、{columns} 列见 {file} 与工作簿 report.xlsx 的“{sheet}”工作表。",
        "The first {shown} rows; {more} more. All {all}, with all {columns} columns, are in {file} and in sheet “{sheet}” of "
        "report.xlsx.",
    )
    SHEET = Text("工作表", "Sheet")
    SUMMARY = Text("数据摘要", "Summary of figures")
    TABLE = Text("表", "Table")
    TITLE = Text("标题", "Title")
    TITLE_PAGE = Text("首页", "Title page")
    VALUE = Text("数值", "Value")
    YES = Text("是", "yes")

    def __init__(self, text: Text) -> None:
        self.text = text

    def filled(self, **particulars: object) -> Text:
        """The words with their placeholders filled, in both languages."""
        return Text(self.text.zh.format(**particulars), self.text.en.format(**particulars))


def say(text: Text, lang: Lang) -> Said:
    """The text in this language; in both, Chinese first. Where both are the same words, they are said once."""
    match lang:
        case Lang.ZH:
            return Said(text.zh)
        case Lang.EN:
            return Said(text.en)
        case Lang.BOTH:
            return Said(text.zh) if text.zh == text.en else Said(text.zh, text.en)


def on_one_line(text: Text, lang: Lang) -> str:
    """The text for a place that has no smaller type: both languages are parted by ` / `."""
    said = say(text, lang)
    return said.main if said.beside is None else f"{said.main} / {said.beside}"


_NOT_CHARACTERS = re.compile("[\ud800-\udfff\ufffe\uffff]")


def sound(text: str) -> str:
    """The text with U+FFFD for what is no character: lone surrogates, U+FFFE, U+FFFF. No file can hold those."""
    return _NOT_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", text)
