"""A second way to look at a place, which shares no listing with the first: the system library's own walk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import NoReturn

from storage_adapters.contract import Objects, Prefix
from storage_adapters.files.area import LIVE, Area, FilePlace
from storage_adapters.files.names import Found, found_of, parts_of
from storage_adapters.files.tree import Entry, Parts, Tree


def second_look(area: Area, place: FilePlace) -> Iterator[Found]:
    """Every file, link and empty folder at the place, live and hidden. Raises OSError as `Area.found` does."""
    for generation in (LIVE, *area.generations()):
        tree = area.tree(generation)
        match place:
            case Prefix(prefix):
                entries = _walked(tree, parts_of(prefix))
            case Objects(names):
                entries = (entry for name in dict.fromkeys(names) for entry in _listed(tree, name))
        yield from (Found(generation, entry) for entry in entries)


def _walked(tree: Tree, top: Parts) -> Iterator[Entry]:
    """By `os.fwalk`, which lists links to folders among the folders and enters none of them."""
    try:
        with tree.folder(top) as start:
            for path, folders, files, here in os.fwalk(".", dir_fd=start, onerror=_raise):
                folder = (*top, *path.split("/")[1:])
                links = [name for name in folders if _is_link(here, name)]
                if not folders and not files:
                    yield Entry(folder, None, is_empty=True)
                yield from (Entry(folder, name) for name in (*files, *links))
    except (FileNotFoundError, NotADirectoryError):
        return  # not there


def _listed(tree: Tree, name: str) -> Iterator[Entry]:
    """By the listing of the folder in which the object would lie."""
    parts_of(name)
    wanted = found_of(name).entry
    folder, leaf = (wanted.folder, wanted.leaf) if wanted.leaf else (wanted.folder[:-1], wanted.folder[-1])
    try:
        with tree.folder(folder) as here, os.scandir(here) as entries:
            is_folder = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
        if wanted.leaf is None and is_folder.get(leaf or ""):
            with tree.folder(wanted.folder) as here, os.scandir(here) as entries:
                if next(entries, None) is None:
                    yield wanted
    except (FileNotFoundError, NotADirectoryError):
        return  # not there
    if wanted.leaf is not None and is_folder.get(wanted.leaf) is False:
        yield wanted


def _is_link(here: int, name: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _raise(error: OSError) -> NoReturn:
    raise error
