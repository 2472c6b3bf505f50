"""Which set a file or object of a store belongs to, by its name alone."""

from __future__ import annotations

from collections.abc import Sequence

from storage_adapters.backups.contract import SetLayout

HIDDEN = ".retention-"
"""How the names of our own files and folders begin; a backup store never shows them."""


class Naming:
    """The sets of one store. Two sets never share a file: the name of one is never a prefix of another's content."""

    def __init__(self, layouts: Sequence[SetLayout], claimed: Sequence[str] = ()) -> None:
        self._layouts = sorted(layouts, key=lambda layout: len(layout.root), reverse=True)
        self._claimed = tuple(claimed)
        self._apart = (*(layout.root for layout in layouts), *self._claimed)

    def set_of(self, path: str) -> str | None:
        """The name of the set that holds `path`; None where somebody else claims it, or it is our own.

        A set that would enclose another layout's root or a claimed prefix is cut into smaller ones, because a set is
        deleted by its name.
        """
        if path.startswith(self._claimed) if self._claimed else False:
            return None
        if any(part.startswith(HIDDEN) for part in path.split("/")):
            return None
        layout = next((one for one in self._layouts if path.startswith(one.root)), None)
        root, depth = ("", 1) if layout is None else (layout.root, layout.depth)
        segments = path.split("/")
        cut = root.count("/") + depth
        while cut < len(segments):
            name = "/".join(segments[:cut]) + "/"
            if not any(apart.startswith(name) for apart in self._apart):
                return name
            cut += 1
        return None if path.endswith("/") else path  # a placeholder of a folder above sets is none itself
