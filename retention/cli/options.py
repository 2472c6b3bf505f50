"""Options that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

POLICY_FILE = Path("policies.yaml")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The technical side; without it ./retention.toml, or the embedded default under ./var.",
    ),
]
PolicyFile = Annotated[Path, typer.Option("--policy", metavar="FILE", help="The legal side.")]
Customer = Annotated[str | None, typer.Argument(metavar="[CUSTOMER]", help="Only this customer.", show_default=False)]
