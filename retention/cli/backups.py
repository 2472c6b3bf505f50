"""`backup scan`, `list`, `restore` and `drill`: what sets there are, and how one comes back without the deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from retention.cli.opening import opened
from retention.cli.options import Config, Json
from retention.cli.shown import Document, at, say, say_json, say_table, size, tell
from retention.errors import NotInOrder

if TYPE_CHECKING:
    from retention.workflows.backup_sets import ListedSet
    from retention.workflows.restore_backup import Restored

SetName = Annotated[
    str,
    typer.Argument(
        metavar="SET", help="As `backup list` shows it; STORE:SET where it is not clear.", show_default=False
    ),
]


def scan(config: Config = None, *, json: Json = False) -> None:
    """Look through every backup store: its sets, what they hold, what locks them. Exits with 4 when one does not answer."""
    from retention.workflows.backup_sets import listed_sets
    from retention.workflows.scan_backups import scan_backups
    from retention.workflows.timetable import time_zone_of

    with opened(config) as deployment:
        scanned = scan_backups(deployment)
        sets = listed_sets(deployment)
        zone = time_zone_of(deployment)
    if json:
        troubles: list[Document] = [{"store": store, "why": why} for store, why in scanned.troubles]
        document: dict[str, Document] = {"sets": [_set_json(each) for each in sets], "missed": scanned.missed_count}
        say_json({**document, "troubles": troubles})
    else:
        _show_sets(sets, zone)
        if scanned.missed_count:
            say(f"{scanned.missed_count} sets that were known are not there any more")
    for store, why in scanned.troubles:
        tell(f"store {store} could not be looked through: {why}")
    if scanned.troubles:
        raise typer.Exit(NotInOrder.exit_code)


def list_(config: Config = None, *, json: Json = False) -> None:
    """List the backup sets as the last scan found them."""
    from retention.workflows.backup_sets import listed_sets
    from retention.workflows.timetable import time_zone_of

    with opened(config) as deployment:
        sets = listed_sets(deployment)
        zone = time_zone_of(deployment)
    if json:
        say_json({"sets": [_set_json(each) for each in sets]})
        return
    _show_sets(sets, zone)


def restore(
    name: SetName,
    into: Annotated[
        list[str],
        typer.Option(
            "--into",
            metavar="PLACE",
            help="An empty store of retention.toml that nothing serves; give it twice for files and a database.",
            show_default=False,
        ),
    ],
    config: Config = None,
    *,
    json: Json = False,
) -> None:
    """Restore a backup set without anybody who was deleted or is restricted since; or nothing at all."""
    from retention.workflows.restore_backup import restore_backup

    with opened(config) as deployment:
        restored = restore_backup(deployment, name, into)
    if json:
        say_json(_restored_json(restored))
        return
    say(f"{restored.set} is restored into {', '.join(restored.places)} and given out")
    _show_restored(restored)


def drill(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[SET]", help="Without one, the newest set of every series of the policy.", show_default=False
        ),
    ] = None,
    config: Config = None,
    *,
    json: Json = False,
) -> None:
    """Rehearse a restore on a scratch place: how long it takes, and that nobody deleted comes back. Exits with 4 if not."""
    from retention.workflows.drill_backup import drill_backup

    with opened(config) as deployment:
        drilled = drill_backup(deployment, name)
    if json:
        troubles: list[Document] = [{"set": shown, "why": why} for shown, why in drilled.troubles]
        say_json({"drilled": [_restored_json(each) for each in drilled.restored], "troubles": troubles})
    else:
        for restored in drilled.restored:
            say(f"{restored.set} came back on a scratch place in {restored.seconds:.1f} s, and was thrown away")
            _show_restored(restored)
    for shown, why in drilled.troubles:
        tell(f"{shown}: {why}")
    if not drilled.restored and not drilled.troubles:
        tell("no series of the policy has a backup set, so no restore could be shown")
    if drilled.troubles or not drilled.restored:
        raise typer.Exit(NotInOrder.exit_code)


def _show_restored(restored: Restored) -> None:
    say(f"  the ledger was replayed to entry {restored.ledger_size}: {restored.replayed} deletions and restrictions")
    say(f"  {restored.removed} items of theirs were in the set; a look behind it finds nothing of them")
    if restored.unknown:
        say(f"  {restored.unknown} files fit no dataset and were not given out")
    for form, count in sorted(restored.left_out.items()):
        say(f"  {count} files of the form {form} were left out: no place takes them")


def _restored_json(restored: Restored) -> Document:
    return {
        "store": restored.store,
        "set": restored.set,
        "places": list(restored.places),
        "released": restored.released,
        "replayed": restored.replayed,
        "removed": restored.removed,
        "unknown": restored.unknown,
        "left_out": dict(restored.left_out),
        "ledger_size": restored.ledger_size,
        "seconds": round(restored.seconds, 3),
    }


def _set_json(listed: ListedSet) -> Document:
    found = listed.known.set
    return {
        "store": listed.known.store,
        "set": listed.known.shown,
        "series": list(listed.known.plans),
        "holds": list(listed.holds),
        "mixed": listed.is_mixed,
        "begun_at": found.begun_at.isoformat() if found.begun_at else None,
        "taken_at": found.taken_at.isoformat() if found.taken_at else None,
        "files": found.item_count,
        "bytes": found.size,
        "forms": sorted(found.forms),
        "locks": [{"kind": lock.kind, "until": lock.until.isoformat() if lock.until else None} for lock in found.locks],
        "whereabouts": str(found.whereabouts),
        "waiting_cases": listed.waiting_count,
    }


def _show_sets(sets: Sequence[ListedSet], zone: ZoneInfo) -> None:
    if not sets:
        say("No backup sets.")
        return
    rows = [
        (
            listed.known.store,
            listed.known.shown,
            at(listed.known.set.taken_at, zone),
            ", ".join(listed.holds) or "UNKNOWN: counts as everybody",
            "many" if listed.is_mixed else "one",
            size(listed.known.set.size),
            _locks(listed, zone),
            str(listed.known.set.whereabouts),
            str(listed.waiting_count or "-"),
        )
        for listed in sets
    ]
    heads = ("store", "set", "taken", "holds", "customers", "size", "locked", "quarantine", "cases waiting")
    say_table(heads, rows)


def _locks(listed: ListedSet, zone: ZoneInfo) -> str:
    return ", ".join(f"{lock.kind} until {at(lock.until, zone)}" for lock in listed.known.set.locks) or "-"
