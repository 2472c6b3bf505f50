"""Secrets as files: systemd's `LoadCredential=`, or a Kubernetes Secret that is mounted as a folder.

Source: systemd.exec(5), Credentials: `$CREDENTIALS_DIRECTORY` names the folder, and each file in it is one credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from retention.errors import InputError

FOLDER = "CREDENTIALS_DIRECTORY"
_MOST_BYTES = 1 << 16


def with_credentials(environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    """`environ`, and for every file of the credentials folder whose name begins with `prefix` a variable of that name.

    A variable that is set stands over the file. Line ends around the content are dropped. Raises InputError, without a
    secret in it, where the folder or a file cannot be read.
    """
    folder = environ.get(FOLDER)
    if folder is None:
        return dict(environ)
    try:
        paths = sorted(path for path in Path(folder).iterdir() if path.name.startswith(prefix))
        return {**{path.name: _content(path) for path in paths}, **environ}
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "a file is not UTF-8"
        raise InputError(f"{FOLDER}: {folder} cannot be read: {why}; check its files and their permissions") from None


def _content(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES).decode("utf-8").strip("\r\n")
