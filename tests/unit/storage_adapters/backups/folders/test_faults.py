"""A directory of backups under faults: killed at every step, a full disk, another file system, sets that vanish."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from storage_adapters.backups.contract import SetLayout, Whereabouts
from storage_adapters.backups.folders import FolderBackups
from storage_adapters.contract import ItemResult
from storage_adapters.errors import NotFound, Refused, Unavailable
from tests.services.passage import let_others_pass

NAME = "nightly/2026-11-10/"
FILES = {"db.sql": b"-- old", "photos/one.jpg": b"jpg" * 500}

CHANGES = ("rename", "unlink", "rmdir", "mkdir", "fsync", "write", "chmod", "link")
NIGHTLY = (SetLayout("nightly/"),)


class Killed(BaseException):
    """The process is no more."""


@contextmanager
def killed_at(step: int, *, acts: bool) -> Iterator[None]:
    """From the step-th change of a file system on none works any more; that one itself is done before where `acts`."""
    left = [step]

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **keywords: object) -> object:
            left[0] -= 1
            if left[0] > 0:
                return real(*args, **keywords)
            if left[0] == 0 and acts:
                real(*args, **keywords)
            raise Killed

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGES:
            patch.setattr(os, name, dying(getattr(os, name)))
        yield


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "backups").mkdir()
    put(tmp_path / "backups")
    return tmp_path / "backups"


@pytest.fixture
def elsewhere(another_file_system: Path) -> Path:
    """A folder on another file system than the backups."""
    return another_file_system / "quarantine"


def put(root: Path, name: str = NAME) -> None:
    for path, content in FILES.items():
        (root / name / path).parent.mkdir(parents=True, exist_ok=True)
        (root / name / path).write_bytes(content)


def content_of(store: FolderBackups, name: str = NAME) -> dict[str, bytes]:
    content = {}
    for file in store.files(name):
        with store.open(name, file.path) as stream:
            content[file.path] = stream.read()
    return content


def leftovers(*folders: Path) -> list[str]:
    """Files of our own that stand for something unfinished."""
    names = [name for folder in folders for _, *inner in os.walk(folder) for part in inner for name in part]
    return [name for name in names if name.startswith((".retention-moving", ".retention-rewrite", ".retention-draft"))]


def every_death(
    act: Callable[[FolderBackups], object], store: Callable[[int, bool], FolderBackups]
) -> Iterator[FolderBackups]:
    """The store after each way of dying in `act`, on a fresh set each time; ends when `act` outlives its killer."""
    for step in count(1):
        for acts in (False, True):
            victim = store(step, acts)
            try:
                with killed_at(step, acts=acts):
                    act(victim)
            except Killed:
                yield victim
            else:
                assert step > 2, "nothing was killed"
                return


@pytest.mark.parametrize("is_elsewhere", [False, True], ids=["by a rename", "by a copy to another file system"])
def test_a_set_killed_on_its_way_into_quarantine_is_whole_and_gets_there(
    tmp_path: Path, elsewhere: Path, is_elsewhere: bool
) -> None:
    base = elsewhere if is_elsewhere else tmp_path / "quarantine"

    def fresh(step: int, acts: bool) -> FolderBackups:
        put(tmp_path / f"backups-{step}-{acts}")
        return FolderBackups("nas", tmp_path / f"backups-{step}-{acts}", Path(f"{base}-{step}-{acts}"))

    for number, store in enumerate(every_death(lambda store: store.quarantine(NAME), fresh)):
        if number % 2:  # whoever comes next may look first
            assert content_of(store) == FILES
            found = list(store.sets(NIGHTLY))
            assert [one.name for one in found] == [NAME]
        assert store.quarantine(NAME) is Whereabouts.MOVED
        assert content_of(store) == FILES
        assert store.try_reading(NAME).is_refused
        assert store.find(NAME) == next(store.sets(NIGHTLY))
        assert store.delete(NAME).result is ItemResult.DONE
        quarantine = store._quarantine
        assert quarantine is not None
        assert leftovers(store._root, quarantine) == []
        assert not [leaf for _, _, leaves in os.walk(quarantine) for leaf in leaves]
        subprocess.run(["rm", "-rf", quarantine], check=True)


@pytest.mark.parametrize("moves", [True, False], ids=["of a set in quarantine", "of a fenced set"])
def test_a_rewriting_killed_half_way_leaves_either_set_whole(tmp_path: Path, moves: bool) -> None:
    new = {"db.sql": b"-- new", "photos/one.jpg": FILES["photos/one.jpg"]}

    def fresh(step: int, acts: bool) -> FolderBackups:
        put(tmp_path / f"backups-{step}-{acts}")
        quarantine = tmp_path / f"quarantine-{step}-{acts}" if moves else None
        store = FolderBackups("nas", tmp_path / f"backups-{step}-{acts}", quarantine)
        store.quarantine(NAME)
        return store

    def rewrite(store: FolderBackups) -> None:
        with store.rewrite(NAME) as rewriting:
            rewriting.keep("photos/one.jpg")
            with rewriting.write("db.sql") as stream:
                stream.write(b"-- new")
            rewriting.commit()

    ends = set()
    for number, store in enumerate(every_death(rewrite, fresh)):
        if number % 2:
            assert [one.name for one in store.sets(NIGHTLY)] == [NAME]
        found = store.find(NAME)
        assert found is not None
        content = content_of(store)
        assert content == (new if found.whereabouts is Whereabouts.IN_PLACE else FILES)
        ends.add(found.whereabouts)
        rewrite(store)
        assert content_of(store) == new
        assert leftovers(store._root) == []
        assert not store.try_reading(NAME).is_refused or os.geteuid() == 0
    assert len(ends) == 2, "both ends were met"


def test_a_deletion_killed_half_way_is_finished(tmp_path: Path) -> None:
    def fresh(step: int, acts: bool) -> FolderBackups:
        put(tmp_path / f"backups-{step}-{acts}")
        return FolderBackups("nas", tmp_path / f"backups-{step}-{acts}", None)

    for store in every_death(lambda store: store.delete(NAME), fresh):
        assert store.delete(NAME).result in (ItemResult.DONE, ItemResult.ABSENT)
        assert not (store._root / NAME).exists()
        assert list(store.sets(NIGHTLY)) == []


def test_a_fence_killed_half_way_is_put_up_by_the_next_look(tmp_path: Path) -> None:
    def fresh(step: int, acts: bool) -> FolderBackups:
        put(tmp_path / f"backups-{step}-{acts}")
        return FolderBackups("nas", tmp_path / f"backups-{step}-{acts}", None)

    for store in every_death(lambda store: store.quarantine(NAME), fresh):
        store.find(NAME)
        assert store.quarantine(NAME) is Whereabouts.FENCED
        (store._root / NAME).chmod(0o755)  # somebody opened it again
        found = store.find(NAME)
        assert found is not None
        assert found.whereabouts is Whereabouts.FENCED
        assert (store._root / NAME).stat().st_mode & 0o777 == 0
        assert content_of(store) == FILES


def test_a_full_disk_loses_nothing_and_is_said_to_pass(
    root: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderBackups("nas", root, elsewhere)
    real, written = os.write, [0]

    def full(descriptor: int, data: bytes) -> int:
        written[0] += 1
        if written[0] % 2 == 0:
            raise OSError(errno.ENOSPC, "full")
        return real(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(Unavailable):
            store.quarantine(NAME)
    assert content_of(store) == FILES
    assert leftovers(root, elsewhere) == []
    with pytest.raises(Unavailable), store.rewrite(NAME) as rewriting, rewriting.write("db.sql"):
        raise OSError(errno.ENOSPC, "full")
    assert content_of(store) == FILES
    assert leftovers(root, elsewhere) == []
    assert store.quarantine(NAME) is Whereabouts.MOVED
    assert content_of(store) == FILES


def test_a_set_that_vanishes_between_listing_and_acting_is_absent(root: Path) -> None:
    store = FolderBackups("nas", root, None)
    assert [one.name for one in store.sets(NIGHTLY)] == [NAME]
    subprocess.run(["rm", "-rf", root / NAME], check=True)
    assert store.find(NAME) is None
    assert store.delete(NAME).result is ItemResult.ABSENT
    with pytest.raises(NotFound):
        store.quarantine(NAME)


def test_links_are_never_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    put(outside, "")
    (root / NAME / "link").symlink_to(outside / "db.sql")
    (root / "nightly/linked").symlink_to(outside)
    store = FolderBackups("nas", root, None)
    assert {one.name: one.item_count for one in store.sets(NIGHTLY)} == {NAME: 3, "nightly/linked": 1}
    assert content_of(store) == FILES
    assert store.find("nightly/linked/") is None
    with pytest.raises(Refused), store.open(NAME, "link") as stream:
        stream.read()
    assert store.delete(NAME).result is ItemResult.DONE
    assert store.delete("nightly/linked").result is ItemResult.DONE
    assert (outside / "db.sql").read_bytes() == FILES["db.sql"]


def test_a_quarantine_folder_that_others_may_enter_takes_nothing(root: Path, tmp_path: Path) -> None:
    (tmp_path / "quarantine").mkdir(mode=0o755)
    store = FolderBackups("nas", root, tmp_path / "quarantine")
    with pytest.raises(Refused, match="not closed to others"):
        store.quarantine(NAME)
    (tmp_path / "quarantine").chmod(0o700)
    assert store.quarantine(NAME) is Whereabouts.MOVED
    (tmp_path / "quarantine").chmod(0o755)
    for folder in (tmp_path / "quarantine").rglob("*"):
        folder.chmod(0o755)
    let_others_pass(tmp_path)
    attempt = store.try_reading(NAME)
    assert not attempt.is_refused
    assert "db.sql" not in attempt.how
    assert any("not closed to others" in note for note in store.capabilities().notes)


def test_a_quarantine_that_is_not_mounted_is_no_empty_one(root: Path, tmp_path: Path) -> None:
    store = FolderBackups("nas", root, tmp_path / "quarantine")
    store.quarantine(NAME)
    (tmp_path / "quarantine").rename(tmp_path / "away")
    (tmp_path / "quarantine").mkdir(mode=0o700)
    with pytest.raises(NotFound):
        list(store.sets(NIGHTLY))


def test_the_old_times_are_carried_over(root: Path) -> None:
    os.utime(root / NAME / "db.sql", (1_000_000_000, 1_000_000_000))
    os.utime(root / NAME / "photos/one.jpg", (1_100_000_000, 1_100_000_000))
    store = FolderBackups("nas", root, None)
    before = store.find(NAME)
    with store.rewrite(NAME) as rewriting:
        rewriting.keep("photos/one.jpg")
        with rewriting.write("db.sql") as stream:
            stream.write(b"-- new")
        rewriting.commit()
    after = store.find(NAME)
    assert before is not None
    assert after is not None
    assert (after.begun_at, after.taken_at) == (before.begun_at, before.taken_at)


def test_a_set_written_to_while_it_is_rewritten_is_left_alone(root: Path) -> None:
    store = FolderBackups("nas", root, None)
    with store.rewrite(NAME) as rewriting:
        (root / NAME / "more").write_bytes(b"more")
        with pytest.raises(Unavailable):
            rewriting.commit()
    assert content_of(store) == {**FILES, "more": b"more"}


def test_the_normal_user_is_the_one_who_tries(root: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    let_others_pass(root.parent)
    store = FolderBackups("nas", root, None, normal_user="root")
    store.quarantine(NAME)
    assert not store.try_reading(NAME).is_refused, "root reads whatever its mode"
    with pytest.raises(Refused, match="not known"):
        FolderBackups("nas", root, None, normal_user="no-such-user").try_reading(NAME)


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "written"])
def test_a_fenced_file_that_is_rewritten_has_its_former_mode(root: Path, is_kept: bool) -> None:
    (root / "nightly/a.sql").write_bytes(b"x")
    (root / "nightly/a.sql").chmod(0o644)
    store = FolderBackups("nas", root, None)
    assert store.quarantine("nightly/a.sql") is Whereabouts.FENCED
    with store.rewrite("nightly/a.sql") as rewriting:
        if is_kept:
            rewriting.keep("a.sql")
        else:
            with rewriting.write("a.sql") as stream:
                stream.write(b"y")
        rewriting.commit()
    assert (root / "nightly/a.sql").stat().st_mode & 0o777 == 0o644


AS_AN_OWNER = """
import os, sys
from pathlib import Path
from storage_adapters.backups import forms
from storage_adapters.backups.contract import SetLayout
from storage_adapters.backups.folders import FolderBackups
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
root, moves = Path(sys.argv[1], "backups"), sys.argv[2] == "True"
for path in ("nightly/a/f", "nightly/a/x/g", "nightly/s.sql"):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(b"1")
store = FolderBackups("nas", root, root.parent / "quarantine" if moves else None)
for name in ("nightly/a/", "nightly/s.sql"):
    assert not store.try_reading(name).is_refused
    where = store.quarantine(name)
    attempt = store.try_reading(name)
    assert attempt.is_refused
    print(attempt.how)
    assert {head for _, head in store.heads(name, 4)} == {b"1"}
    assert store.find(name).whereabouts is where
    assert store.try_reading(name).is_refused
    with store.rewrite(name) as rewriting:
        for file in store.files(name):
            rewriting.keep(file.path)
        rewriting.commit()
    assert not store.try_reading(name).is_refused
    assert store.quarantine(name) is where
    assert name in [one.name for one in store.sets([SetLayout("nightly/")])]
    assert store.delete(name).result == "done"
    assert store.find(name) is None
"""


@pytest.mark.parametrize("moves", [True, False], ids=["with a quarantine folder", "with fences"])
def test_an_owner_who_is_not_root_can_do_everything_and_says_what_was_not_tried(tmp_path: Path, moves: bool) -> None:
    let_others_pass(tmp_path)
    own = tmp_path / "own"
    own.mkdir()
    if os.geteuid() == 0:
        os.chown(own, 65534, 65534)
    place = {"PYTHONPATH": str(Path(__file__).parents[5]), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", AS_AN_OWNER, str(own), str(moves)]
    done = subprocess.run(command, capture_output=True, text=True, env=place)
    assert done.returncode == 0, done.stderr
    assert ("owner only (0700), not tried as another user" in done.stdout) is moves


OWN = "own/c-1/2026-11-10/"
OWN_SETS = (SetLayout("nightly/"), SetLayout("own/", 2))


@pytest.mark.parametrize("way", ["deleted", "moved", "moved and then deleted", "copied to another file system"])
def test_no_empty_folder_tells_whose_a_set_was_once_it_is_gone(
    root: Path, tmp_path: Path, elsewhere: Path, way: str
) -> None:
    put(root, OWN)
    quarantine = elsewhere if way.startswith("copied") else tmp_path / "quarantine"
    store = FolderBackups("nas", root, quarantine)
    assert {found.name for found in store.sets(OWN_SETS)} == {NAME, OWN}
    if way != "deleted":
        assert store.quarantine(OWN) is Whereabouts.MOVED
    if way.endswith("deleted"):
        assert store.delete(OWN).result is ItemResult.DONE
        assert not list(tmp_path.rglob("c-1"))
        assert store.find(OWN) is None
    assert sorted(path.name for path in root.iterdir() if path.is_dir()) == ["nightly", "own"]
    assert list((root / "own").iterdir()) == []
    assert store.delete(NAME).result is ItemResult.DONE
    assert (root / "nightly").is_dir(), "sets lie in it: it stays for the next one"


def test_a_folder_above_a_set_stays_while_anything_else_is_in_it(root: Path) -> None:
    put(root, OWN)
    put(root, "own/c-1/2026-11-11/")
    store = FolderBackups("nas", root, None)
    store.delete(OWN)
    assert content_of(store, "own/c-1/2026-11-11/") == FILES
