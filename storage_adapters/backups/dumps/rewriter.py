"""The rewriting of dumps and archives under the contract of `DumpRewriter`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from storage_adapters.backups.contract import Form, Removed
from storage_adapters.backups.dumps.anonymise import Rewritten, count_rows, rewrite_dump
from storage_adapters.contract import Place


class Rewriter:
    """Rewrites what `rewrite_dump` can: plain and custom dumps of PostgreSQL, and tar archives."""

    def rewrite(
        self,
        form: Form,
        source: Callable[[], AbstractContextManager[BinaryIO]],
        target: BinaryIO,
        removals: Sequence[Place],
        scratch: Path,
    ) -> Removed:
        """As the contract says; see `rewrite_dump`."""
        return _removed(rewrite_dump(form, source, target, removals, scratch))

    def count(
        self,
        form: Form,
        source: Callable[[], AbstractContextManager[BinaryIO]],
        removals: Sequence[Place],
        scratch: Path,
    ) -> Removed:
        """As the contract says; see `count_rows`."""
        return _removed(count_rows(form, source, removals, scratch))


def _removed(rewritten: Rewritten) -> Removed:
    return Removed(rewritten.removed_count, rewritten.unlisted)
