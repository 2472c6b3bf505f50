"""A list of entries of any length in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile
from types import TracebackType

from storage_adapters.contract import PAGE_SIZE, ItemKind
from storage_adapters.s3.entries import Entry

_IN_MEMORY = 16 * 1024 * 1024
_KINDS = {kind.value: kind for kind in ItemKind}


class Spool:
    """Entries in the order in which they were added. Beyond 16 MiB they lie in an unnamed file that goes with it.

    Not thread-safe. Close it, or use it in a `with` statement.
    """

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by `close`
        self._page: list[Entry] = []
        self.count = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return self.count

    def add(self, entry: Entry) -> None:
        """Append an entry."""
        self._page.append(entry)
        self.count += 1
        if len(self._page) == PAGE_SIZE:
            self._write()

    def extend(self, entries: Iterable[Entry]) -> None:
        """Append entries."""
        for entry in entries:
            self.add(entry)

    def pages(self, size: int = PAGE_SIZE) -> Iterator[list[Entry]]:
        """All entries in pages of `size` (the last one shorter), from the first; nothing may be added meanwhile."""
        self._write()
        self._file.seek(0)
        page: list[Entry] = []
        for line in self._file:
            page += [Entry(_KINDS[kind], *rest) for kind, *rest in json.loads(line)]
            while len(page) >= size:
                yield page[:size]
                page = page[size:]
        if page:
            yield page

    def close(self) -> None:
        """Drop everything. A second call does nothing."""
        self._file.close()

    def _write(self) -> None:
        if self._page:
            self._file.write(json.dumps(self._page).encode() + b"\n")
            self._page = []
