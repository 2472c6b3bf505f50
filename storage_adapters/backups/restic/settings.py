"""How one restic repository is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository. Raises ValueError where it has no location, or not exactly one of the two forms of password.

    location: as restic's `-r` takes it: a folder, `s3:…`, `sftp:…`, `rest:…`. It may hold credentials, so it is not shown.
    password, password_file: the password itself, or a file that holds it.
    environ: what the backend needs besides (`AWS_ACCESS_KEY_ID`, …). Nothing of the kind is taken from our own process.
    """

    location: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
    password_file: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.location:
            raise ValueError("a restic repository needs a location")
        if (self.password is None) == (self.password_file is None):
            raise ValueError("a restic repository needs a password or a file that holds it, and not both")

    def variables(self, prefix: str = "RESTIC_") -> dict[str, str]:
        """The environment that tells restic where the repository is and how to open it; `RESTIC_FROM_` for a source."""
        found = {**self.environ, f"{prefix}REPOSITORY": self.location}
        if self.password is not None:
            found[f"{prefix}PASSWORD"] = self.password
        else:
            found[f"{prefix}PASSWORD_FILE"] = str(self.password_file)
        return found
