"""A catalogue that was restored from an old copy, as an operator meets it at the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.small_service import Facts, Service


def restored(service: Service, fact: Facts) -> None:
    """The catalogue is from before a deletion that the ledger tells of."""
    service.put("models/acme/a", "models/other/a")
    service.record(fact("service-activated", "acme", 9, service="training"))
    copy = shutil.copy("state/catalog.db", "copy.db")
    service.record(fact("data-deleted", "acme", 1))
    service.done("run", "--once")
    assert service.objects() == ["models/other/a"]
    for left in Path("state").glob("catalog.db*"):
        left.unlink()
    shutil.copy(copy, "state/catalog.db")


def test_every_command_refuses_an_old_catalogue_and_says_what_helps(service: Service, fact: Facts) -> None:
    restored(service, fact)
    for command in (
        ("status",),
        ("plan",),
        ("key", "roll"),
        ("hold", "list"),
        ("explain", "acme"),
        ("record", "facts.jsonl"),
    ):
        result = service.run(*command)
        assert result.code == 4, (command, result)
        assert "the catalogue is behind the ledger" in result.err, command
        assert "retention run --once" in result.err, command
    service.done("verify", "state/ledger")
    service.done("check")


def test_one_run_replays_what_happened_says_so_and_does_nothing_twice(service: Service, fact: Facts) -> None:
    restored(service, fact)
    first = service.done("run", "--once")
    assert "the catalogue was behind the ledger; entries" in first.err
    assert "1 facts, 1 new cases, 0 shredded keys" in first.err
    assert "keys made since the copy was taken are not in it" in first.err
    (case,) = service.done("status", "--json").json["cases"]
    assert case["customer"] == "acme"
    assert case["state"] == "certified"
    second = service.done("run", "--once")
    assert "behind" not in second.err
    service.done("verify", "state/ledger")
