"""Every form of a report, written into one folder. Format: `docs/formats/report.md`."""

from __future__ import annotations

import shutil
from pathlib import Path

from retention.errors import InputError
from retention.reports.consistency import check_report
from retention.reports.csv_form import write_csv
from retention.reports.document import Lang, Report
from retention.reports.html_form import write_html
from retention.reports.json_form import write_json
from retention.reports.outline import csv_name
from retention.reports.pdf_form import write_pdf
from retention.reports.xlsx_form import write_xlsx

UNFINISHED = ".unfinished"


def write_forms(report: Report, folder: Path, lang: Lang) -> tuple[Path, ...]:
    """Writes report.pdf, report.xlsx, report.json, report.html and csv/<table>.csv; returns their names, sorted, as they
    are from the folder.

    The folder is made where there is none. All files appear together at the end: until then they are in `.unfinished`,
    which is removed when something goes wrong. InputError when the folder is not empty, so a second call is refused;
    ReportInconsistent when the report contradicts itself; NotTypeset from the typesetter; OSError as the disk says.
    """
    check_report(report)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise InputError(f"{folder}: the folder for a report is not empty")
    unfinished = folder / UNFINISHED
    unfinished.mkdir()
    try:
        _write(report, unfinished, lang)
        for each in sorted(unfinished.iterdir()):
            each.rename(folder / each.name)
        unfinished.rmdir()
    except BaseException:
        shutil.rmtree(unfinished)
        raise
    return tuple(sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file()))


def _write(report: Report, folder: Path, lang: Lang) -> None:
    write_json(report, folder / "report.json")
    write_xlsx(report, folder / "report.xlsx", lang)
    write_html(report, folder / "report.html", lang)
    write_pdf(report, folder / "report.pdf", lang)
    for table in report.tables():
        path = folder / csv_name(table)
        path.parent.mkdir(exist_ok=True)
        write_csv(report, table, path, lang)
