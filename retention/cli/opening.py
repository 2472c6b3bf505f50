"""Opening the service for one command, and closing it whatever happens."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from retention.cli.shown import tell
from retention.errors import InputError

if TYPE_CHECKING:  # what it costs is paid by the commands that open something
    from retention.settings import Settings
    from retention.workflows.deployment import Deployment


def settings_of(config: Path | None) -> Settings:
    """The settings in `config`, in ./retention.toml, or the embedded default. InputError names everything wrong in them."""
    from retention.settings import load_settings

    settings = load_settings(config, os.environ)
    for warning in settings.warnings:
        tell(f"warning: {warning}")
    return settings


def has_catalog(settings: Settings) -> bool:
    """Whether the catalogue was made before, as far as that can be told without making it: a SQLite file is there or not."""
    scheme, _, path = settings.catalog.url.get_secret_value().partition(":///")
    return scheme != "sqlite" or Path(path.partition("?")[0]).is_file()


@contextmanager
def opened(config: Path | None, *, may_begin: bool = False) -> Iterator[Deployment]:
    """The service, open for the length of the block.

    Only `may_begin` makes a catalogue, a ledger and keys where there are none: anybody else started in the wrong folder
    would be told that all is well with an empty service. Raises InputError there, and what opening raises.
    """
    settings = settings_of(config)
    if not may_begin and not has_catalog(settings):
        where = settings.catalog.url.get_secret_value().partition(":///")[2]
        raise InputError(
            f"there is no catalogue at {where}; go to the service's folder or name its --config, "
            "or begin one with `retention run --once`"
        )
    from retention.daemon.logs import log_for_a_command
    from retention.wiring import open_deployment

    log_for_a_command()
    deployment = open_deployment(settings)
    try:
        yield deployment
    finally:
        deployment.close()
