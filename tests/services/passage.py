"""Temporary folders that other users can reach: pytest closes its own to everybody else."""

from __future__ import annotations

from pathlib import Path


def let_others_pass(folder: Path) -> None:
    """Anybody may go through the folder and those above it to what they have a right to; nobody may list them."""
    for each in (folder, *folder.parents):
        if each.stat().st_mode & 0o001:
            return
        each.chmod(0o711)
