"""The files that the rules of this folder are about."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("retention", "storage_adapters")

MADE_BY_TOOLS = {".git", ".venv", "__pycache__", "var", "dist"}


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file, `name` relative to the root."""

    name: str
    text: str

    @property
    def tree(self) -> ast.Module:
        """The syntax tree, parsed anew."""
        return ast.parse(self.text)


def modules(*packages: str) -> list[Module]:
    """Every Python file of the packages (default: all that is delivered), sorted by name."""
    paths = (path for package in packages or PACKAGES for path in (ROOT / package).rglob("*.py"))
    paths = (path for path in paths if path.parent.name != "versions")  # migrations: written by a tool, then frozen
    return [Module(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in sorted(paths)]


def committed_texts() -> Iterator[tuple[str, str]]:
    """Name and text of every committed file that is text; where there is no git, of every file but the tools' own."""
    for path in _committed_paths():
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # not text


def _committed_paths() -> list[Path]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError):
        files = (path for path in ROOT.rglob("*") if path.is_file())
        return [path for path in files if not MADE_BY_TOOLS.intersection(path.relative_to(ROOT).parts)]
    return [path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()]
