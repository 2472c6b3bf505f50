"""Structured logs on standard error: JSON lines for machines, text on a terminal. No personal data.

Strand ids end with the customer's subscription: it is cut off. Of other libraries' messages only the wording is taken,
never what they put into it: a client may quote an object's name.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def log_for_a_command() -> None:
    """Warnings and errors of this process go to standard error as text, for the person who typed the command."""
    _configure("warning", structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()))


def log_for_a_daemon(level: str, *, as_text: bool) -> None:
    """From now on everything at `level` or above is logged: JSON lines, or text where asked or on a terminal."""
    text = as_text or sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if text
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    _configure(level, renderer)


def where_it_failed(error: BaseException) -> list[str]:
    """The calls that led to the error, innermost last, as `file:line function`: places and no values."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]


def _configure(level: str, renderer: structlog.typing.Processor) -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_subscription,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=_to_standard_error,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.setLevel(max(_LEVELS[level], logging.WARNING))
    if not any(isinstance(handler, _Foreign) for handler in root.handlers):
        root.addHandler(_Foreign())


def _to_standard_error(*_names: object) -> structlog.PrintLogger:
    return structlog.PrintLogger(sys.stderr)  # asked anew for each entry: whoever redirects it later means it


def _without_subscription(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    strand = event.get("strand")
    if isinstance(strand, str):
        event["strand"] = "/".join(strand.split("/")[:2])
    return event


class _Foreign(logging.Handler):
    """Passes on what other libraries log: who, how bad, and the message without its arguments."""

    def emit(self, record: logging.LogRecord) -> None:
        said = record.msg if isinstance(record.msg, str) and record.args else type(record.msg).__name__
        structlog.get_logger().log(record.levelno, "another library says", logger=record.name, said=said)
