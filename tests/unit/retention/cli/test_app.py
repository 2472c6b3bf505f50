"""The command itself: its commands, its exit codes, and what a failure looks like."""

from __future__ import annotations

import re

import pytest

from retention.cli.app import show_failure
from retention.errors import InputError, NotInOrder, RefusedByRule
from storage_adapters.errors import Unavailable
from tests.small_service import Service

COMMANDS = (
    "check",
    "plan",
    "diff",
    "approve",
    "run",
    "record",
    "status",
    "explain",
    "hold",
    "key",
    "seal",
    "open",
    "certify",
    "verify",
)
SLOW_TO_IMPORT = ("sqlalchemy", "boto3", "pydantic", "rich", "apscheduler", "fastapi", "alembic", "cryptography")


def test_help_names_every_command(bare_service: Service) -> None:
    said = bare_service.done("--help").out
    assert [name for name in COMMANDS if not re.search(rf"^  {name} ", said, re.MULTILINE)] == []


def test_help_comes_without_importing_what_is_slow(bare_service: Service) -> None:
    told = bare_service.process("--help", PYTHONPROFILEIMPORTTIME="1")
    imported = {line.rpartition("|")[2].strip() for line in told.stderr.decode().splitlines()}
    assert told.returncode == 0
    assert imported & set(SLOW_TO_IMPORT) == set()


def test_the_version_is_the_package_s(bare_service: Service) -> None:
    assert re.fullmatch(r"retention \d+\.\d+\.\d+\n", bare_service.done("--version").out)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("nothing",), id="a command that there is none"),
        pytest.param(("status", "--colour"), id="an option that there is none"),
        pytest.param(("approve", "x"), id="a missing option"),
        pytest.param(("hold",), id="half a command"),
        pytest.param((), id="no command"),
    ],
)
def test_wrong_usage_exits_with_2(bare_service: Service, arguments: tuple[str, ...]) -> None:
    assert bare_service.run(*arguments).code == 2


@pytest.mark.parametrize(
    "command", [("status",), ("plan",), ("key", "list"), ("hold", "list"), ("record", "facts.jsonl")]
)
def test_in_the_wrong_folder_nothing_is_begun(bare_service: Service, command: tuple[str, ...]) -> None:
    (bare_service.folder / "facts.jsonl").write_text("{}", encoding="utf-8")
    result = bare_service.run(*command)
    assert result.code == 1
    assert "there is no catalogue at state/catalog.db" in result.err
    assert not (bare_service.folder / "state").exists()


def test_wrong_settings_are_named_line_by_line(bare_service: Service) -> None:
    (bare_service.folder / "retention.toml").write_text("[catalog]\nur = 1\n[keyz]\n", encoding="utf-8")
    result = bare_service.run("status")
    assert result.code == 1
    assert [line.partition(": ")[0] for line in result.err.splitlines()] == ["retention.toml:2:1", "retention.toml:3:1"]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        pytest.param(InputError(["a", "b"]), 1, "a\nb\n", id="wrong input is 1, a line for each problem"),
        pytest.param(RefusedByRule("held"), 3, "held\n", id="a refusal is 3"),
        pytest.param(NotInOrder("overdue"), 4, "overdue\n", id="something overdue is 4"),
        pytest.param(
            Unavailable("objects", "no answer"), 4, "store objects: no answer\n", id="a store without an answer is 4"
        ),
        pytest.param(FileNotFoundError(2, "No such file", "x"), 1, "x: No such file\n", id="a missing file is 1"),
        pytest.param(
            ZeroDivisionError("c-1042"),
            70,
            "retention: a mistake in this program: ZeroDivisionError; RETENTION_DEBUG=1 shows where\n",
            id="a mistake of ours is 70, without what it was about",
        ),
    ],
)
def test_a_failure_becomes_lines_and_an_exit_code(
    error: Exception, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show_failure(error) == code
    assert capsys.readouterr().err == said


def test_the_traceback_is_there_for_who_asks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETENTION_DEBUG", "1")
    show_failure(InputError("wrong"))
    assert capsys.readouterr().err.startswith("retention.errors.InputError: wrong")


def test_a_broken_catalogue_is_said_in_a_line(service: Service) -> None:
    (service.folder / "state" / "catalog.db").write_bytes(b"no database at all, but long enough to be looked at" * 100)
    result = service.run("status")
    assert result.code == 1
    assert len(result.err.splitlines()) == 1
