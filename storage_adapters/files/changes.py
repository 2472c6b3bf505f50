"""What each change does to one file or folder, and how what the system says becomes an outcome."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from storage_adapters.contract import Item, ItemOutcome, ItemResult, Keep
from storage_adapters.files.area import LIVE, Area
from storage_adapters.files.names import Found

_REFUSALS = frozenset({
    errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.ELOOP, errno.EXDEV, errno.EEXIST, errno.ENOTEMPTY,
    errno.EISDIR, errno.ENOSPC, errno.EDQUOT, errno.EMLINK, errno.ETXTBSY, errno.ENOTSUP,
})  # fmt: skip
"""What the system will say again, and after which nothing has happened."""

Result = tuple[ItemResult, str | None]


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to a file (in its open folder) and to a folder (after its files), whose status was read just now.

    Each raises OSError where nothing was done.
    """

    to_file: Callable[[Area, int, Found, os.stat_result], Result]
    to_folder: Callable[[Area, Found, os.stat_result], Result]


def changed_files(area: Area, page: Iterable[Found], change: Change) -> Iterator[ItemOutcome]:
    """What became of each file of the page. Files of one folder, one after another, open it once."""
    for (generation, folder), group in groupby(page, key=lambda one: (one.generation, one.entry.folder)):
        members = list(group)
        with ExitStack() as closed:
            try:
                here = closed.enter_context(area.tree(generation).folder(folder))
            except OSError as error:
                yield from (ItemOutcome(found.item(), *_result_of(error)) for found in members)
            else:
                yield from (_outcome(area, here, found, change) for found in members)


def changed_folders(area: Area, page: Iterable[Found], change: Change) -> Iterator[ItemOutcome]:
    """What became of each folder that was empty when it was listed; the others are no items of their own."""
    for found in page:
        outcome = _folder_outcome(area, found, change)
        if found.entry.is_empty:
            yield outcome


def _outcome(area: Area, here: int, found: Found, change: Change) -> ItemOutcome:
    item = found.item()
    try:
        status = os.stat(found.entry.leaf or "", dir_fd=here, follow_symlinks=False)
        item = found.item(status)
        return ItemOutcome(item, *change.to_file(area, here, found, status))
    except OSError as error:
        return ItemOutcome(item, *_result_of(error))


def _folder_outcome(area: Area, found: Found, change: Change) -> ItemOutcome:
    """One that cannot be removed now is an empty folder to the next survey, or has new entries, which it lists."""
    item = found.item()
    try:
        with area.tree(found.generation).folder(found.entry.folder) as here:
            status = os.fstat(here)
        item = found.item(status)
        return ItemOutcome(item, *change.to_folder(area, found, status))
    except OSError as error:
        return ItemOutcome(item, *_result_of(error))


def _result_of(error: OSError) -> Result:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return ItemResult.ABSENT, None
    return (ItemResult.REFUSED if is_refusal(error) else ItemResult.UNKNOWN), code_of(error)


def is_refusal(error: OSError) -> bool:
    """Whether the system will say so again."""
    return error.errno in _REFUSALS


def code_of(error: OSError) -> str:
    """The name of the system's error, which holds no path."""
    return errno.errorcode.get(error.errno or 0, "an unknown error")


def _hide(area: Area, here: int, found: Found, status: os.stat_result) -> Result:
    area.hide(here, found)
    return ItemResult.DONE, _links(status)


def _show(area: Area, here: int, found: Found, status: os.stat_result) -> Result:
    try:
        area.show(here, found)
    except (FileExistsError, NotADirectoryError):
        return ItemResult.REFUSED, "something new stands"
    return ItemResult.DONE, _links(status)


def _unlink(keep: Keep | None, area: Area, here: int, found: Found, status: os.stat_result) -> Result:
    if _is_kept(keep, found.item(status)):
        return ItemResult.KEPT, None
    os.unlink(found.entry.leaf or "", dir_fd=here)
    area.touched.add((found.generation, found.entry.folder))
    return ItemResult.DONE, _links(status)


def _hide_folder(area: Area, found: Found, status: os.stat_result) -> Result:
    if found.entry.is_empty:
        area.hide_folder(found.entry.folder)
    else:
        area.remove_folder(LIVE, found.entry.folder)  # its likeness was made when its files were hidden
    return ItemResult.DONE, None


def _show_folder(area: Area, found: Found, status: os.stat_result) -> Result:
    if not found.entry.is_empty:
        area.remove_folder(found.generation, found.entry.folder)
        return ItemResult.DONE, None
    try:
        area.show_folder(found.generation, found.entry.folder)
    except NotADirectoryError:
        return ItemResult.REFUSED, "something new stands"
    return ItemResult.DONE, None


def _remove_folder(keep: Keep | None, area: Area, found: Found, status: os.stat_result) -> Result:
    if found.entry.is_empty and _is_kept(keep, found.item(status)):
        return ItemResult.KEPT, None
    area.remove_folder(found.generation, found.entry.folder)
    return ItemResult.DONE, None


def _is_kept(keep: Keep | None, item: Item) -> bool:
    return keep is not None and (item.written_at is None or item.written_at >= keep.written_from)


def _links(status: os.stat_result) -> str | None:
    return "hard-link" if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode) else None


HIDE = Change(_hide, _hide_folder)
SHOW = Change(_show, _show_folder)


def erasing(keep: Keep | None) -> Change:
    """Removal of everything, or of what `keep` does not protect."""
    return Change(partial(_unlink, keep), partial(_remove_folder, keep))
