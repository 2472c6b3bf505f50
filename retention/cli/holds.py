"""`hold place`, `hold release`, `hold list`: orders that stop deletion."""

from __future__ import annotations

from typing import Annotated

import typer

from retention.cli.facts import recorded_json, show_recorded
from retention.cli.instants import read_instant
from retention.cli.opening import opened
from retention.cli.options import Config, Customer, Json
from retention.cli.shown import as_json, at, say, say_json, say_table

Ground = Annotated[str, typer.Option("--ground", metavar="TEXT", help="Why; kept on record.", show_default=False)]
Authority = Annotated[
    str, typer.Option("--authority", metavar="NAME", help="Who ordered or agreed it.", show_default=False)
]


def place(
    customer: Annotated[str, typer.Argument(show_default=False)],
    ground: Ground,
    authority: Authority,
    dataset: Annotated[str | None, typer.Option(metavar="NAME", help="Only this dataset.")] = None,
    review_at: Annotated[str | None, typer.Option(metavar="TIME", help="When somebody has to look again.")] = None,
    name: Annotated[str | None, typer.Option(metavar="HOLD", help="Its name; without one it gets a new one.")] = None,
    config: Config = None,
    *,
    json: Json = False,
) -> None:
    """Place a hold: nothing of what it covers is deleted until it is released."""
    from retention.workflows.holds import HoldOrder, new_hold_name, place_hold
    from retention.workflows.timetable import time_zone_of

    with opened(config) as deployment:
        review = read_instant(review_at, time_zone_of(deployment), "--review-at") if review_at else None
        order = HoldOrder(customer, name or new_hold_name(), ground, authority, dataset, review)
        recorded = place_hold(deployment, order)
    if json:
        say_json({"hold": order.name, **recorded_json(recorded)})
        return
    say(f"hold {order.name} stands")
    show_recorded(recorded)


def release(
    customer: Annotated[str, typer.Argument(show_default=False)],
    hold: Annotated[str, typer.Argument(help="Its name, as `hold list` shows it.", show_default=False)],
    ground: Ground,
    authority: Authority,
    config: Config = None,
    *,
    json: Json = False,
) -> None:
    """Release a hold: what it stopped goes on by itself."""
    from retention.workflows.holds import HoldOrder, release_hold

    with opened(config) as deployment:
        recorded = release_hold(deployment, HoldOrder(customer, hold, ground, authority))
    if json:
        say_json({"hold": hold, **recorded_json(recorded)})
        return
    say(f"hold {hold} is released")
    show_recorded(recorded)


def list_(customer: Customer = None, config: Config = None, *, json: Json = False) -> None:
    """List holds, standing and released."""
    from retention.workflows.holds import list_holds
    from retention.workflows.timetable import time_zone_of

    with opened(config) as deployment:
        found = list_holds(deployment, customer)
        zone = time_zone_of(deployment)
    if json:
        say_json({"holds": [as_json(hold) for hold in found]})
        return
    if not found:
        say("No holds.")
        return
    rows = [
        (
            hold.customer,
            hold.id,
            hold.dataset or "all",
            "stands" if hold.stands else f"released {at(hold.released_at, zone)}",
            at(hold.placed_at, zone),
            at(hold.review_at, zone),
            hold.authority,
            hold.ground,
        )
        for hold in found
    ]
    say_table(("customer", "hold", "dataset", "state", "placed", "review", "authority", "ground"), rows)
