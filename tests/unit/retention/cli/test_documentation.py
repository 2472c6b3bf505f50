"""What is written down is what the program does: the fact examples, the commands, their options and their JSON keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.main import get_command

from retention.cli.app import app
from retention.daemon.health import Health
from retention.daemon.metrics import metrics_text
from retention.daemon.web import health_document
from retention.model.fact import FactType
from retention.workflows.measure import Measures
from retention.workflows.read_facts import fact_of
from tests.small_service import Facts, Service

DOCS = Path(__file__).parents[4] / "docs"
NOW = datetime(2027, 1, 1, tzinfo=UTC)

# --------------------------------------------------------------------------------------------------------- facts

FACT_EXAMPLES = [
    json.loads(example)
    for example in re.findall(r"```json\n(.*?)```", (DOCS / "formats/facts.md").read_text(encoding="utf-8"), re.DOTALL)
]


@pytest.mark.parametrize("example", [pytest.param(each, id=f"{each['type']} {each['id']}") for each in FACT_EXAMPLES])
def test_an_example_of_a_fact_is_a_fact(example: dict[str, object]) -> None:
    assert fact_of(example, NOW).type == example["type"]


def test_every_type_of_fact_has_an_example() -> None:
    assert {example["type"] for example in FACT_EXAMPLES} == set(FactType)


# ------------------------------------------------------------------------------------------------------ commands

COMMANDS_PAGE = (DOCS / "commands.md").read_text(encoding="utf-8")
EVERYWHERE = {"--json", "--config", "--help"}


def sections() -> dict[str, str]:
    """Each command's section, by the words that call it."""
    parts = re.split(r"^## `retention ([a-z ]*[a-z]).*`$", COMMANDS_PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def commands() -> Iterator[tuple[str, set[str]]]:
    """Each command that the program has, with its options."""
    waiting = [("", get_command(app))]
    while waiting:
        name, command = waiting.pop()
        below = getattr(command, "commands", None)
        if below is None:
            options = {opt for param in command.params for opt in param.opts if opt.startswith("--")}
            yield name, options | EVERYWHERE
        else:
            waiting += [(f"{name} {word}".strip(), each) for word, each in below.items()]


def test_the_page_has_exactly_the_commands_of_the_program() -> None:
    assert set(sections()) == {name for name, _ in commands()}


@pytest.mark.parametrize(("name", "options"), [pytest.param(*each, id=each[0]) for each in commands()])
def test_the_page_has_exactly_the_options_of_a_command(name: str, options: set[str]) -> None:
    tables = [line for line in sections()[name].splitlines() if line.startswith("| `--")]
    written = {word for line in tables for word in re.findall(r"--[a-z-]+", line.partition(" |")[0])}
    assert written | EVERYWHERE == options


def keys_of(document: object, above: str = "") -> Iterator[str]:
    """The path of every key, such as `cases[].copies[].store`; a place and the values of a sentence go no deeper."""
    match document:
        case dict() if not above.endswith((".place", ".values")):
            for key, value in document.items():
                yield from keys_of(value, f"{above}.{key}" if above else key)
        case list():
            for value in document:
                yield from keys_of(value, f"{above}[]")
        case _:
            yield above


def written_keys(section: str) -> set[str]:
    return set(re.findall(r"`([a-z_]+(?:\[\])?(?:\.[a-z_]+(?:\[\])?)*)`", section))


@pytest.fixture
def service_with_backups(bare_service: Service) -> Service:
    """The service with a series of backups of its plain logs, and a set of it from before every deletion."""
    policy = bare_service.folder / "policies.yaml"
    text = policy.read_text(encoding="utf-8").replace("encrypted: no\n", "encrypted: no\n    backups: [nightly]\n")
    policy.write_text(text + SERIES, encoding="utf-8")
    with (bare_service.folder / "retention.toml").open("a", encoding="utf-8") as settings:
        settings.write(STORES)
    night = bare_service.folder / "backups/nightly/2026-01-02/logs/c-2"
    night.mkdir(parents=True)
    (night / "1.log").write_text("GET /", encoding="utf-8")
    bare_service.done("run", "--once")
    return bare_service


SERIES = """\
backups:
  nightly: {title: 每日备份, store: backups, sets: "nightly/{date}/", holds: [logs], mixed: true, delete-after: 50 years}
"""
STORES = """\
[stores.backups]
kind = "files"
root = "backups"
quarantine = "quarantine"
[stores.restored]
kind = "files"
root = "restored"
[backups]
scratch = "state/scratch"
"""


def test_status_has_exactly_the_keys_that_are_written_down(service_with_backups: Service, fact: Facts) -> None:
    service = service_with_backups
    service.put("models/c-1/a.bin")
    service.record(
        fact("service-activated", "c-1", 100, service="training", subscription="order-1"),
        fact("service-activated", "c-1", 100, service="training", subscription="order-2"),
        fact("service-expired", "c-1", 30, service="training", subscription="order-1"),
        fact("data-deleted", "c-2", 2),
    )
    service.done("run", "--once")
    found = set(keys_of(service.run("status", "--json").json))
    assert found == {key for key in written_keys(sections()["status"]) if key.startswith("cases[].")}


def test_every_json_key_is_written_down(service: Service, fact: Facts) -> None:
    service.put("models/c-1/a.bin")
    Path("facts.json").write_text(json.dumps(fact("data-deleted", "c-1", 2)), encoding="utf-8")
    Path("new.yaml").write_text(
        Path("policies.yaml").read_text(encoding="utf-8").replace("buffer: 15 days", "buffer: 7 days"), encoding="utf-8"
    )
    order = ("--ground", "g", "--authority", "a")
    told = {
        "check": service.done("check", "--json").json,
        "record": service.done("record", "facts.json", "--json").json,
        "hold place": service.done("hold", "place", "c-3", *order, "--name", "h", "--json").json,
        "hold list": service.done("hold", "list", "--json").json,
        "hold release": service.done("hold", "release", "c-3", "h", *order, "--json").json,
        "plan": service.done("plan", "--json").json,
        "run": service.done("run", "--once", "--json").json,
        "approve": service.done("approve", "ab" * 32, "--by", "x", "--json").json,
        "key roll": service.done("key", "roll", "--json").json,
        "key list": service.done("key", "list", "--json").json,
        "verify": service.done("verify", "state/ledger", "--json").json,
    }
    service.record(fact("service-activated", "c-4", 9, service="training"))
    told["diff"] = service.done("diff", "policies.yaml", "new.yaml", "--json").json
    case = service.done("status", "--json").json["cases"][0]["case"]
    told["explain"] = service.done("explain", "c-1", "--json").json
    told["certify"] = service.done("certify", case, "--out", "c.json", "--json").json
    everything = {word for page in sections().values() for key in written_keys(page) for word in key.split(".")}
    for name, document in told.items():
        words = {word for key in keys_of(document) for word in key.split(".")}
        assert {w.removesuffix("[]") for w in words} <= {w.removesuffix("[]") for w in everything}, name


def test_every_json_key_of_the_backup_commands_is_written_down(service_with_backups: Service) -> None:
    service = service_with_backups
    told = {
        "backup scan": service.done("backup", "scan", "--json").json,
        "backup list": service.done("backup", "list", "--json").json,
        "backup drill": service.done("backup", "drill", "--json").json,
        "backup restore": service.done("backup", "restore", "nightly/2026-01-02/", "--into", "restored", "--json").json,
    }
    written = written_keys(sections()["backup scan"]) | written_keys(sections()["backup drill"])
    written |= written_keys(sections()["backup restore"])
    for name, document in told.items():
        found = {key.removesuffix("[]").removesuffix("[]") for key in keys_of(document)}
        assert found <= {key.removesuffix("[]") for key in written}, name


# ------------------------------------------------------------------------------------------------------ the daemon


def test_every_metric_is_written_down_and_every_written_one_is_there() -> None:
    health = Health()
    health.measured(Measures({"buffer": 1}, 0, 0, 0, 0, 0, 0, ledger_is_writable=True))
    text = metrics_text(health.snapshot(), NOW).decode()
    there = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    assert there == set(re.findall(r"`(retention_[a-z_]+)", COMMANDS_PAGE))


def test_the_keys_of_healthz_are_written_down() -> None:
    document, _ = health_document(Health().snapshot(), NOW)
    assert set(document) <= written_keys(COMMANDS_PAGE)
