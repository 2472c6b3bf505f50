"""The logs: JSON lines without personal data, whoever writes them."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from retention.daemon.logs import log_for_a_daemon, where_it_failed


@pytest.fixture(autouse=True)
def _daemon_logs(plain_logs: None, capsys: pytest.CaptureFixture[str]) -> None:
    log_for_a_daemon("info", as_text=False)


def only_line(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    (line,) = capsys.readouterr().err.splitlines()
    document: dict[str, object] = json.loads(line)
    return document


def test_an_entry_is_a_line_of_json_with_level_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.get_logger().info("策略", count=3)
    entry = only_line(capsys)
    assert (entry["event"], entry["level"], entry["count"]) == ("策略", "info", 3)
    assert str(entry["timestamp"]).endswith("Z")


def test_what_is_below_the_level_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.get_logger().debug("nobody asked")
    assert capsys.readouterr().err == ""


def test_a_strand_is_told_without_the_customer_s_subscription(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.get_logger().warning("step failed", strand="aa83kr0q/models/order-of-ms-li")
    assert only_line(capsys)["strand"] == "aa83kr0q/models"


def test_other_libraries_tell_their_words_and_not_what_they_put_into_them(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("urllib3.connectionpool").warning("Retrying after %r: %s", "timeout", "/bucket/models/c-1042/x")
    entry = only_line(capsys)
    assert (entry["logger"], entry["said"]) == ("urllib3.connectionpool", "Retrying after %r: %s")
    logging.getLogger("other").error(f"could not read {'models/c-1042/x'}")
    assert only_line(capsys)["said"] == "str"


def test_a_failure_is_told_by_its_places_and_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        json.loads('{"customer": c-1042}')
    except ValueError as error:
        places = where_it_failed(error)
    assert places[-1].startswith("decoder.py:")
    assert "c-1042" not in " ".join(places)
