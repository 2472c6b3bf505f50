"""`consent record`, `consent withdraw`, `consent list`: the register of separate consents to transfers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retention.cli.facts import recorded_json, show_recorded
from retention.cli.instants import read_instant
from retention.cli.opening import opened
from retention.cli.options import Config, Customer, Json
from retention.cli.shown import as_json, at, say, say_json, say_table

_Option = typer.Option
_NAMES_SHOWN = 20


def record(
    customer: Annotated[str, typer.Argument(show_default=False)],
    consent: Annotated[str, _Option("--consent", metavar="ID", help="Its name in the register.", show_default=False)],
    dataset: Annotated[str, _Option("--dataset", metavar="NAME", help="The dataset it is about.", show_default=False)],
    purpose: Annotated[str, _Option("--purpose", help="What the recipient does with it.", show_default=False)],
    service: Annotated[str, _Option("--service", help="The service that needs it.", show_default=False)],
    recipient: Annotated[str, _Option("--recipient", help="Who gets it, by name.", show_default=False)],
    contact: Annotated[str, _Option("--contact", help="How the recipient is reached.", show_default=False)],
    destination: Annotated[
        str, _Option("--destination", metavar="TERRITORY", help="Where to, for example SG.", show_default=False)
    ],
    method: Annotated[str, _Option("--method", help="How it is handed over.", show_default=False)],
    category: Annotated[
        list[str], _Option("--category", help="A category of data in it; several are allowed.", show_default=False)
    ],
    rights: Annotated[
        str, _Option("--rights", help="How individuals exercise their rights with the recipient.", show_default=False)
    ],
    given_at: Annotated[str, _Option("--given-at", metavar="TIME", help="When it was given.", show_default=False)],
    how_given: Annotated[str, _Option("--how-given", help="By which act.", show_default=False)],
    document: Annotated[
        Path,
        _Option("--document", metavar="FILE", help="What was signed; its SHA-256 is recorded.", show_default=False),
    ],
    valid_from: Annotated[
        str | None, _Option("--valid-from", metavar="TIME", help="Its begin; else when given.")
    ] = None,
    valid_until: Annotated[
        str | None, _Option("--valid-until", metavar="TIME", help="Its end, where it has one.")
    ] = None,
    config: Config = None,
    *,
    separate: Annotated[
        bool, _Option("--separate", help="It was given by itself, apart from any other consent (PIPL, 39).")
    ] = False,
    json: Json = False,
) -> None:
    """Record a customer's separate consent to a transfer. Incomplete, bundled or blanket ones are refused."""
    from retention.workflows.consents import grant_consent, hash_of_file
    from retention.workflows.timetable import time_zone_of

    with opened(config) as deployment:
        zone = time_zone_of(deployment)
        data: dict[str, object] = {
            "consent": consent,
            "dataset": dataset,
            "purpose": purpose,
            "service": service,
            "recipient": recipient,
            "contact": contact,
            "destination": destination,
            "method": method,
            "categories": category,
            "rights": rights,
            "given-at": read_instant(given_at, zone, "--given-at").isoformat(),
            "how-given": how_given,
            "separate": separate,
            "document": hash_of_file(document),
            "valid-from": read_instant(valid_from or given_at, zone, "--valid-from").isoformat(),
        }
        if valid_until is not None:
            data["valid-until"] = read_instant(valid_until, zone, "--valid-until").isoformat()
        recorded = grant_consent(deployment, customer, data)
    if json:
        say_json({"consent": consent, **recorded_json(recorded)})
        return
    say(f"consent {consent} is in the register")
    show_recorded(recorded)


def withdraw(
    customer: Annotated[str, typer.Argument(show_default=False)],
    consent: Annotated[str, typer.Argument(help="Its id, as `consent list` shows it.", show_default=False)],
    ground: Annotated[str, _Option("--ground", metavar="TEXT", help="Why; kept on record.")] = "",
    config: Config = None,
    *,
    json: Json = False,
) -> None:
    """Withdraw a consent: nothing goes abroad under it any more, and what lies there is named. The register keeps both."""
    from retention.workflows.consents import what_lies_abroad, withdraw_consent

    with opened(config) as deployment:
        recorded = withdraw_consent(deployment, customer, consent, ground)
        abroad = what_lies_abroad(deployment, recorded.opened)
    if json:
        say_json({"consent": consent, **recorded_json(recorded), "abroad": [as_json(each) for each in abroad]})
        return
    say(f"consent {consent} is withdrawn")
    show_recorded(recorded)
    for each in abroad:
        count = f"could not be listed ({each.problem})" if each.problem else f"{each.item_count} items"
        say(f"{each.dataset} in {each.store} ({each.territory}): {count}; goes with case {each.case}")
        for name in each.names[:_NAMES_SHOWN]:
            say(f"  {name}")
        if each.item_count > _NAMES_SHOWN:
            say(f"  and {each.item_count - _NAMES_SHOWN} more")


def list_(customer: Customer = None, config: Config = None, *, json: Json = False) -> None:
    """List consents: standing, not yet begun, expired and withdrawn."""
    from retention.workflows.consents import list_consents
    from retention.workflows.timetable import time_zone_of

    with opened(config) as deployment:
        found = list_consents(deployment, customer)
        zone = time_zone_of(deployment)
    if json:
        say_json({"consents": [as_json(each) for each in found]})
        return
    if not found:
        say("No consents.")
        return
    rows = [
        (
            each.consent.customer,
            each.consent.id,
            str(each.state),
            each.consent.dataset,
            each.consent.purpose,
            each.consent.recipient,
            each.consent.destination,
            each.consent.service,
            at(each.consent.valid_from, zone),
            at(each.consent.withdrawn_at or each.consent.valid_until, zone),
        )
        for each in found
    ]
    heads = ("customer", "consent", "state", "dataset", "purpose", "recipient", "to", "service", "from", "until")
    say_table(heads, rows)
