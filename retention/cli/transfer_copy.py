"""`transfer copy`: bring a customer's data to a replica under a decision."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.opening import opened
from retention.cli.options import Config, Json
from retention.cli.shown import as_json, say, say_json, size, tell

if TYPE_CHECKING:
    from retention.workflows.copy_to_replica import Observe

_Option = typer.Option


def copy(
    decision: Annotated[str, typer.Argument(help="Its id, as `transfer check` gave it.", show_default=False)],
    to: Annotated[
        str, _Option("--to", metavar="STORE", help="The store of the replica that gets it.", show_default=False)
    ],
    config: Config = None,
    *,
    json: Json = False,
) -> None:
    """Copy what a decision is about to the dataset's replica in a store. Stops at once when the decision does not hold."""
    from retention.workflows.copy_to_replica import CopyStopped, copy_to_replica

    with opened(config) as deployment, _progress(is_wanted=sys.stderr.isatty() and not json) as observe:
        try:
            done = copy_to_replica(deployment, decision, to, observe)
        except CopyStopped as stopped:
            if json:
                say_json({"copy": as_json(stopped.copy), "went": list(stopped.went)})
            else:
                for name in stopped.went:
                    say(name)
            raise
    if json:
        say_json({"copy": as_json(done), "went": []})
        return
    say(f"{done.item_count} items of {done.dataset}, {size(done.byte_count)}, are in {done.target} ({done.territory})")
    if not done.item_count:
        tell("warning: nothing was there to copy")


@contextmanager
def _progress(*, is_wanted: bool) -> Iterator[Observe]:
    """Whoever looks on sees how much has arrived."""
    if not is_wanted:
        yield lambda copy: None
        return
    from rich.console import Console

    with Console(stderr=True).status("copying") as shown:
        yield lambda copy: shown.update(f"{copy.item_count} items, {size(copy.byte_count)} have arrived")
