"""`key list`, `key roll`, `seal`, `open`: keys by customer, and streams under them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from retention.cli.files import reading, writing
from retention.cli.opening import opened
from retention.cli.options import Config, Customer, Json
from retention.cli.shown import Document, as_json, at, say, say_json, say_table, tell
from retention.errors import NotInOrder

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from retention.model.key import WrappedKey


def list_(customer: Customer = None, config: Config = None, *, json: Json = False) -> None:
    """List keys by customer, the epochs, and the verifier key that anyone checks evidence with."""
    from retention.workflows.list_keys import list_keys
    from retention.workflows.timetable import time_zone_of

    with opened(config) as deployment:
        found = list_keys(deployment, customer)
        zone = time_zone_of(deployment)
    if json:
        told = [as_json(epoch) for epoch in found.epochs]
        say_json(
            {
                "verifier_key": found.verifier_key,
                "epochs": told,
                "keys": [_key_json(key) for key in found.customer_keys],
            }
        )
        return
    say(f"verifier key of the ledger: {found.verifier_key}\n")
    epochs = [(e.name, str(e.state), at(e.created_at, zone), at(e.destroyed_at, zone)) for e in found.epochs]
    say_table(("epoch", "state", "created", "destroyed"), epochs)
    say("")
    rows = [_row(key, zone) for key in found.customer_keys]
    say_table(("customer", "dataset", "item", "key", "state", "epoch", "created"), rows)


def _key_json(key: WrappedKey) -> Document:
    """Everything about the key but the key."""
    return {
        "customer": key.scope.customer,
        "dataset": key.scope.dataset,
        "item": key.scope.item,
        "key": key.key_id,
        "state": str(key.state),
        "epoch": key.epoch,
        "created_at": as_json(key.created_at),
    }


def _row(key: WrappedKey, zone: ZoneInfo) -> tuple[str, ...]:
    scope = (key.scope.customer, key.scope.dataset, key.scope.item or "all")
    return (*scope, key.key_id, str(key.state), key.epoch, at(key.created_at, zone))


def roll(config: Config = None, *, json: Json = False) -> None:
    """Begin a new epoch and destroy the old ones: no old copy of the key store opens anything any more.

    Exits with 4 where an old epoch could not be destroyed yet.
    """
    from retention.workflows.roll_keys import roll_keys

    with opened(config) as deployment:
        rolled = roll_keys(deployment)
    if json:
        say_json(as_json(rolled))
    else:
        say(f"epoch {rolled.epoch} is current; {rolled.rewrapped_count} keys are wrapped under it")
        for epoch in rolled.destroyed:
            say(f"epoch {epoch} is destroyed")
        say(f"{rolled.unrecoverable_count} shredded keys became unrecoverable")
    for obstacle in rolled.obstacles:
        tell(obstacle)
    if rolled.obstacles:
        raise typer.Exit(NotInOrder.exit_code)


Whose = Annotated[str, typer.Option("--customer", metavar="NAME", show_default=False)]
Dataset = Annotated[str, typer.Option("--dataset", metavar="NAME", show_default=False)]
Name = Annotated[
    str, typer.Option("--name", metavar="OBJECT", help="The object's full name in its store.", show_default=False)
]
SourceFile = Annotated[str, typer.Argument(metavar="[SOURCE]", help="A file, or - for standard input.")]
TargetFile = Annotated[str, typer.Argument(metavar="[TARGET]", help="A file, or - for standard output.")]
InJson = Annotated[bool, typer.Option("--json", help="Say on standard error, in JSON, how many bytes were written.")]


def seal(
    customer: Whose,
    dataset: Dataset,
    name: Name,
    source: SourceFile = "-",
    target: TargetFile = "-",
    config: Config = None,
    *,
    json: InJson = False,
) -> None:
    """Encrypt a stream under the customer's key, for this one object of theirs."""
    from retention.workflows.seal import seal as seal_stream

    with opened(config) as deployment:
        _pass(source, target, lambda read, write: seal_stream(deployment, customer, dataset, name, read, write), json)


def open_(
    customer: Whose,
    dataset: Dataset,
    name: Name,
    source: SourceFile = "-",
    target: TargetFile = "-",
    config: Config = None,
    *,
    json: InJson = False,
) -> None:
    """Decrypt a stream that was sealed for this one object of the customer's.

    A TARGET file is there only when all of it is authentic; what went to standard output before a failure is void.
    """
    from retention.workflows.seal import open_sealed

    with opened(config) as deployment:
        _pass(source, target, lambda read, write: open_sealed(deployment, customer, dataset, name, read, write), json)


def _pass(source: str, target: str, work: Callable[[BinaryIO, BinaryIO], int], json: bool) -> None:
    with reading(source) as read, writing(target) as write:
        count = work(read, write)
    if json:
        tell(f'{{"bytes": {count}}}')
