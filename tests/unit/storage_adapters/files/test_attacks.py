"""Nothing outside a customer's folder is listed, moved or removed, whatever is put in the way."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage_adapters.contract import Batch, ItemKind, ItemResult, Objects, Page, Prefix
from storage_adapters.errors import Refused
from storage_adapters.files import TOMBSTONES, FileStore

PLACE = Prefix("data/c-1/")
CALLS: dict[str, Callable[[FileStore, Prefix | Objects], Iterator[Page] | Iterator[Batch]]] = {
    "survey": lambda store, place: store.survey(place),
    "remains": lambda store, place: store.remains(place),
    "tombstone": lambda store, place: store.tombstone(place),
    "bring_back": lambda store, place: store.bring_back(place),
    "erase": lambda store, place: store.erase(place),
}
EVERY_CALL = pytest.mark.parametrize("call", list(CALLS))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with one file of c-1 and, beside it, a folder that must not be touched."""
    root = tmp_path / "root"
    (root / "data" / "c-1").mkdir(parents=True)
    (root / "data" / "c-1" / "a").write_bytes(b"1")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_bytes(b"precious")
    return root


@pytest.fixture
def outside(tmp_path: Path, root: Path) -> Iterator[Path]:
    """The folder outside the root; as it was, after every test."""
    yield tmp_path / "outside"
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["precious"]
    assert (tmp_path / "outside" / "precious").read_bytes() == b"precious"


@EVERY_CALL
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../outside/", id="it climbs at once"),
        pytest.param("data/../../outside/", id="it climbs later"),
        pytest.param("data/c-1/../../../outside/", id="it climbs out of the customer"),
        pytest.param("data/./c-1/", id="it stays where it is"),
        pytest.param("/etc/", id="it is absolute"),
        pytest.param("data//c-1/", id="it has an empty part"),
        pytest.param("data/c-1\0/", id="it holds NUL"),
        pytest.param("data/\ud800/", id="no file system stores it"),
        pytest.param(f"{TOMBSTONES}/", id="it is the folder of tombstones"),
        pytest.param(f"{TOMBSTONES}/1/data/c-10/", id="it is hidden data of another customer"),
        pytest.param(f"{TOMBSTONES.upper()}/1/", id="it is the folder of tombstones in capitals"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(root: Path, outside: Path, call: str, name: str) -> None:
    store = FileStore("files", root)
    list(store.tombstone(PLACE))
    for place in (Prefix(name), Objects((name.removesuffix("/"),))):
        with pytest.raises(Refused):
            list(CALLS[call](store, place))
    list(store.bring_back(PLACE))
    assert (root / "data" / "c-1" / "a").read_bytes() == b"1"


@pytest.mark.parametrize("name", ["../outside/precious", "/etc/passwd", "data/c-1/../../../outside/precious", "a\0b"])
def test_heads_read_nothing_elsewhere(root: Path, outside: Path, name: str) -> None:
    with pytest.raises(Refused):
        list(FileStore("files", root).heads([name], 100))


def test_a_link_is_an_item_and_is_never_followed(root: Path, outside: Path) -> None:
    folder = root / "data" / "c-1"
    (folder / "passwords").symlink_to("/etc/passwd")
    (folder / "settings").symlink_to("/etc")
    (folder / "neighbour").symlink_to(outside)
    (folder / "broken").symlink_to("nowhere")
    store = FileStore("files", root)
    names = [f"data/c-1/{name}" for name in ("a", "broken", "neighbour", "passwords", "settings")]
    assert [item.name for page in store.survey(PLACE) for item in page] == names
    assert sorted(item.name for page in store.remains(PLACE) for item in page) == names
    assert dict(store.heads(names, 100))["data/c-1/passwords"] == b"/etc/passwd"
    list(store.tombstone(PLACE))
    assert not folder.exists()
    list(store.bring_back(PLACE))
    assert (folder / "neighbour").readlink() == outside
    outcomes = [outcome for batch in store.erase(PLACE) for outcome in batch]
    assert {outcome.result for outcome in outcomes} == {ItemResult.DONE}
    assert not folder.exists()
    assert Path("/etc/passwd").exists()


@EVERY_CALL
def test_a_customers_folder_that_is_a_link_is_refused_and_not_called_empty(
    root: Path, outside: Path, call: str
) -> None:
    (root / "data" / "c-2").symlink_to(outside)
    if call == "bring_back":
        (root / TOMBSTONES / "1" / "data").mkdir(parents=True)
        (root / TOMBSTONES / "1" / "data" / "c-2").symlink_to(outside)
    with pytest.raises(Refused, match="link"):
        list(CALLS[call](FileStore("files", root), Prefix("data/c-2/")))


@EVERY_CALL
def test_a_folder_on_the_way_that_is_a_link_is_refused(root: Path, outside: Path, call: str) -> None:
    (outside.parent / "elsewhere" / "c-2").mkdir(parents=True)
    (root / "linked").symlink_to(outside.parent / "elsewhere")
    (root / TOMBSTONES / "1").mkdir(parents=True)
    (root / TOMBSTONES / "1" / "linked").symlink_to(outside.parent / "elsewhere")
    for place in (Prefix("linked/c-2/"), Objects(("linked/c-2",))):
        with pytest.raises(Refused, match="link"):
            list(CALLS[call](FileStore("files", root), place))
    assert (outside.parent / "elsewhere" / "c-2").exists()


@pytest.mark.parametrize("call", ["tombstone", "erase"])
def test_a_folder_of_tombstones_that_is_a_link_leads_nowhere(root: Path, outside: Path, call: str) -> None:
    (root / TOMBSTONES).symlink_to(outside)
    results = set()
    try:
        results = {o.result for batch in FileStore("files", root).tombstone(PLACE) for o in batch}
    except Refused:
        results = {ItemResult.REFUSED}
    assert results == {ItemResult.REFUSED}
    assert (root / "data" / "c-1" / "a").exists()


@pytest.mark.parametrize("call", ["tombstone", "erase"])
def test_a_folder_swapped_for_a_link_after_the_listing_is_not_followed(root: Path, outside: Path, call: str) -> None:
    deep = root / "data" / "c-1" / "deep"
    deep.mkdir()
    for number in range(1_000):
        (root / "data" / "c-1" / f"n{number}").write_bytes(b"1")
    (deep / "precious").write_bytes(b"the customer's own")
    store = FileStore("files", root)
    batches: Iterator[Batch] = store.erase(PLACE) if call == "erase" else store.tombstone(PLACE)
    next(batches)
    deep.rename(root / "moved")
    deep.symlink_to(outside)
    rest = {outcome.item.name: outcome.result for batch in batches for outcome in batch}
    assert rest["data/c-1/deep/precious"] is ItemResult.REFUSED
    assert (outside / "precious").read_bytes() == b"precious"
    assert "data/c-1/deep" in [item.name for page in store.survey(PLACE) for item in page]


def test_a_folder_swapped_to_and_fro_while_all_is_erased_again_and_again_leads_nowhere(
    root: Path, outside: Path
) -> None:
    deep, aside, link = root / "data" / "c-1" / "deep", root / "aside", root / "link"
    link.symlink_to(outside)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for change in (
                lambda: deep.mkdir(parents=True, exist_ok=True),
                lambda: (deep / "precious").write_bytes(b"bait"),
                lambda: deep.rename(aside),
                lambda: deep.symlink_to(outside),
                lambda: deep.unlink(),
                lambda: (aside / "precious").unlink(),
                lambda: aside.rmdir(),
            ):
                try:
                    change()
                except OSError:
                    continue  # the eraser was there first

    swapper = threading.Thread(target=swap)
    swapper.start()
    store = FileStore("files", root)
    try:
        for turn in range(300):
            try:
                list(store.tombstone(PLACE) if turn % 3 == 0 else store.erase(PLACE))
            except Refused:
                continue  # a link was in the way at this moment
    finally:
        stop.set()
        swapper.join()
    assert (outside / "precious").read_bytes() == b"precious"


def test_special_files_are_removed_and_never_read(root: Path, outside: Path) -> None:
    folder = root / "data" / "c-1"
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(folder, os.O_RDONLY)
        try:
            listener.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)
    store = FileStore("files", root)
    assert dict(store.heads(["data/c-1/pipe", "data/c-1/socket"], 10)) == {
        "data/c-1/pipe": b"",
        "data/c-1/socket": b"",
    }
    assert [len(page) for page in store.survey(PLACE)] == [3]
    list(store.tombstone(PLACE))
    list(store.bring_back(PLACE))
    assert (folder / "pipe").is_fifo()
    assert {outcome.result for batch in store.erase(PLACE) for outcome in batch} == {ItemResult.DONE}
    assert list(store.remains(PLACE)) == []


def test_a_file_with_another_hard_link_is_removed_and_the_outcome_says_that_its_bytes_are_not(
    root: Path, outside: Path
) -> None:
    os.link(root / "data" / "c-1" / "a", root / "kept-by-another-name")
    [[outcome]] = FileStore("files", root).erase(PLACE)
    assert (outcome.result, outcome.reason) == (ItemResult.DONE, "hard-link")
    assert (root / "kept-by-another-name").read_bytes() == b"1"


def test_names_are_any_bytes(root: Path, outside: Path) -> None:
    folder = os.fsencode(root / "data" / "c-1")
    everything = bytes(byte for byte in range(1, 256) if byte != ord("/"))
    Path(os.fsdecode(folder + b"/" + everything[:200])).write_bytes(b"2")
    store = FileStore("files", root)
    names = [item.name for page in store.survey(PLACE) for item in page]
    assert os.fsencode("data/c-1/") + everything[:200] in [os.fsencode(name) for name in names]
    assert sorted(head or b"" for _, head in store.heads(names, 1)) == [b"1", b"2"]
    list(store.tombstone(PLACE))
    hidden = [item for page in store.survey(PLACE) for item in page]
    assert {item.kind for item in hidden} == {ItemKind.TOMBSTONE}
    list(store.bring_back(Objects(tuple(names))))
    assert [item.name for page in store.survey(PLACE) for item in page] == names
    list(store.erase(PLACE))
    assert list(store.remains(PLACE)) == []


def test_a_tree_deeper_than_any_path_is_erased(root: Path, outside: Path) -> None:
    here = os.open(root / "data" / "c-1", os.O_RDONLY)
    for _ in range(300):
        os.mkdir("x" * 20, dir_fd=here)
        deeper = os.open("x" * 20, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(os.open("deepest", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    store = FileStore("files", root)
    assert sum(len(page) for page in store.survey(PLACE)) == 2
    list(store.tombstone(PLACE))
    list(store.bring_back(PLACE))
    assert sum(len(page) for page in store.remains(PLACE)) == 2
    list(store.erase(PLACE))
    assert not (root / "data" / "c-1").exists()
