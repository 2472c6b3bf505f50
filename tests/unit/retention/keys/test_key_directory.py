"""The directory of secret files: private or refused, whole or not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding

from retention.clock import ManualClock
from retention.keys.errors import EpochGone, ProviderRefused
from retention.keys.file_provider import FileKeyProvider
from retention.keys.key_directory import KeyDirectory
from retention.keys.provider import Destruction, DestructionResult

NOW = datetime(2026, 11, 8, 9, 30, tzinfo=UTC)


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o7777)


# --------------------------------------------------------------------------------------------------------- permissions


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_directory_and_files_are_the_owners_alone_whatever_the_umask(
    directory: Path, clock: ManualClock, umask: int
) -> None:
    directory.parent.mkdir()
    before = os.umask(umask)
    try:
        if umask == 0o777:
            directory.mkdir()
            directory.chmod(0o700)
        provider = FileKeyProvider.create(directory, clock.now)
        provider.create_epoch("e-1")
        provider.create_ledger_keys()
        provider.create_epoch("e-2")
        provider.destroy_epoch("e-2")
    finally:
        os.umask(before)
    assert mode(directory) == "0o700"
    secret = [path for path in directory.iterdir() if path.name != "LOCK"]
    assert {mode(path) for path in secret} == {"0o600"}
    assert sorted(path.name for path in secret) == [
        "FORMAT",
        "e-1.epoch",
        "e-2.destroyed",
        "ledger-commitment.key",
        "ledger-signing.key",
    ]


def open_directory(directory: Path) -> None:
    directory.chmod(0o750)


def directory_is_a_link(directory: Path) -> None:
    directory.rename(directory.with_name("elsewhere"))
    directory.symlink_to(directory.with_name("elsewhere"))


def directory_is_a_file(directory: Path) -> None:
    directory_is_gone(directory)
    directory.write_bytes(b"")


def directory_is_gone(directory: Path) -> None:
    directory.rename(directory.with_name("elsewhere"))


def directory_is_an_empty_mount_point(directory: Path) -> None:
    directory_is_gone(directory)
    directory.mkdir(mode=0o700)


@pytest.mark.parametrize(
    "change",
    [
        open_directory,
        directory_is_a_link,
        directory_is_a_file,
        directory_is_gone,
        directory_is_an_empty_mount_point,
    ],
)
def test_a_directory_that_is_not_as_it_was_made_is_refused_by_old_and_new_providers(
    directory: Path, provider: FileKeyProvider, clock: ManualClock, change: Callable[[Path], None]
) -> None:
    provider.create_epoch("e-1")
    change(directory)
    with pytest.raises(ProviderRefused):
        provider.wrap("e-1", [bytes(64)])
    with pytest.raises(ProviderRefused):
        provider.destroy_epoch("e-1")
    with pytest.raises(ProviderRefused):
        FileKeyProvider(directory, clock.now)


def file_is_open_to_others(path: Path) -> None:
    path.chmod(0o640)


def file_is_too_short(path: Path) -> None:
    path.write_bytes(bytes(31))


def file_is_too_long(path: Path) -> None:
    path.write_bytes(bytes(33))


def file_is_a_link(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


def file_is_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


def file_is_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize(
    "change",
    [
        file_is_open_to_others,
        file_is_too_short,
        file_is_too_long,
        file_is_a_link,
        file_is_a_directory,
        file_is_a_pipe,
    ],
)
def test_a_key_file_that_is_not_as_it_was_made_is_refused_and_not_made_anew(
    directory: Path, provider: FileKeyProvider, change: Callable[[Path], None]
) -> None:
    provider.create_epoch("e-1")
    provider.create_ledger_keys()
    change(directory / "e-1.epoch")
    change(directory / "ledger-signing.key")
    with pytest.raises(ProviderRefused):
        provider.wrap("e-1", [bytes(64)])
    with pytest.raises(ProviderRefused):
        provider.create_epoch("e-1")
    with pytest.raises(ProviderRefused):
        provider.sign(b"message")
    with pytest.raises(ProviderRefused):
        provider.create_ledger_keys()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_belongs_to_another_user_is_refused(directory: Path, provider: FileKeyProvider) -> None:
    provider.create_epoch("e-1")
    os.chown(directory / "e-1.epoch", 12_345, -1)
    with pytest.raises(ProviderRefused, match="another user"):
        provider.wrap("e-1", [bytes(64)])
    os.chown(directory, 12_345, -1)
    with pytest.raises(ProviderRefused, match="another user"):
        provider.epochs()


def test_a_directory_with_somebody_elses_files_is_not_taken(directory: Path, clock: ManualClock) -> None:
    directory.mkdir(parents=True, mode=0o700)
    (directory / "thesis.txt").write_text("mine")
    with pytest.raises(ProviderRefused, match="neither empty nor a key directory"):
        FileKeyProvider.create(directory, clock.now)
    assert (directory / "thesis.txt").read_text() == "mine"


def test_creating_the_directory_again_keeps_its_keys(
    directory: Path, provider: FileKeyProvider, clock: ManualClock
) -> None:
    provider.create_epoch("e-1")
    wrapped = provider.wrap("e-1", [bytes(64)])
    assert FileKeyProvider.create(directory, clock.now).unwrap("e-1", wrapped) == [bytes(64)]


# -------------------------------------------------------------------------------------------------------------- epochs


def test_wrapped_keys_are_aes_kwp_under_the_32_bytes_in_the_file(directory: Path, provider: FileKeyProvider) -> None:
    provider.create_epoch("e-1")
    (wrapped,) = provider.wrap("e-1", [b"x" * 64])
    assert len(wrapped) == 72
    assert aes_key_unwrap_with_padding((directory / "e-1.epoch").read_bytes(), wrapped) == b"x" * 64


def test_a_destroyed_key_is_in_no_file_of_the_directory(directory: Path, provider: FileKeyProvider) -> None:
    provider.create_epoch("e-1")
    secret = (directory / "e-1.epoch").read_bytes()
    provider.destroy_epoch("e-1")
    assert all(secret not in path.read_bytes() for path in directory.iterdir())


def test_the_bytes_of_a_destroyed_key_are_overwritten_where_they_lay(
    directory: Path, provider: FileKeyProvider
) -> None:
    provider.create_epoch("e-1")
    secret = (directory / "e-1.epoch").read_bytes()
    (directory.parent / "another-name").hardlink_to(directory / "e-1.epoch")
    provider.destroy_epoch("e-1")
    assert (directory.parent / "another-name").read_bytes() != secret
    assert (directory.parent / "another-name").stat().st_size == 32


def test_a_destruction_repeated_later_answers_the_first_time(provider: FileKeyProvider, clock: ManualClock) -> None:
    provider.create_epoch("e-1")
    provider.destroy_epoch("e-1")
    clock.at = datetime(2026, 12, 1, tzinfo=UTC)
    assert provider.destroy_epoch("e-1") == Destruction("e-1", DestructionResult.DESTROYED, NOW)


def test_a_key_file_brought_back_from_a_copy_opens_nothing_and_is_destroyed_again(
    directory: Path, provider: FileKeyProvider, clock: ManualClock
) -> None:
    provider.create_epoch("e-1")
    secret, wrapped = (directory / "e-1.epoch").read_bytes(), provider.wrap("e-1", [bytes(64)])
    provider.destroy_epoch("e-1")
    (directory / "e-1.epoch").write_bytes(secret)
    (directory / "e-1.epoch").chmod(0o600)
    with pytest.raises(EpochGone):
        provider.unwrap("e-1", wrapped)
    assert provider.epochs() == ("e-1",)
    clock.at = datetime(2026, 12, 1, tzinfo=UTC)
    assert provider.destroy_epoch("e-1").effective_at == clock.at
    assert provider.epochs() == ()


def test_a_damaged_record_of_a_destruction_is_refused(directory: Path, provider: FileKeyProvider) -> None:
    provider.create_epoch("e-1")
    provider.destroy_epoch("e-1")
    for damage in (b"", b"yesterday", b"2026-11-08T09:30:00", b"\xff"):
        (directory / "e-1.destroyed").write_bytes(damage)
        with pytest.raises(ProviderRefused, match="holds no time"):
            provider.destroy_epoch("e-1")


# ------------------------------------------------------------------------------------------------------ killed anywhere

DISK_CALLS = ("fsync", "rename", "unlink", "open")


class Killed(BaseException):
    """The process ended here."""


def killed_at(monkeypatch: pytest.MonkeyPatch, number: int, *, after_acting: bool) -> Callable[[], bool]:
    """From now on the `number`th call to the disk kills, before or after it acted; tells whether it came to that."""
    calls = 0

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **keywords: object) -> object:
            nonlocal calls
            calls += 1
            is_the_one = calls == number
            if is_the_one and not after_acting:
                raise Killed
            try:
                return real(*arguments, **keywords)
            finally:
                if is_the_one:
                    raise Killed

        return call

    for name in DISK_CALLS:
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    return lambda: calls >= number


def run_until_killed(action: Callable[[], object], number: int, *, after_acting: bool) -> bool:
    """Whether the action was killed at that call."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        was_reached = killed_at(monkeypatch, number, after_acting=after_acting)
        try:
            action()
        except Killed:
            return True
        assert not was_reached()
        return False


@pytest.mark.parametrize("after_acting", [False, True], ids=["killed before it acted", "killed after it acted"])
def test_creating_an_epoch_killed_anywhere_is_finished_by_creating_it_again(
    tmp_path: Path, clock: ManualClock, after_acting: bool
) -> None:
    number = 0
    killed = True
    while killed:
        number += 1
        provider = FileKeyProvider.create(tmp_path / str(number), clock.now)
        killed = run_until_killed(partial(provider.create_epoch, "e-1"), number, after_acting=after_acting)
        provider.create_epoch("e-1")
        wrapped = provider.wrap("e-1", [bytes(64)])
        provider.create_epoch("e-1")
        assert provider.unwrap("e-1", wrapped) == [bytes(64)]
        assert sorted(path.name for path in (tmp_path / str(number)).iterdir())[-1] == "e-1.epoch"
    assert number > 5


@pytest.mark.parametrize("after_acting", [False, True], ids=["killed before it acted", "killed after it acted"])
def test_destroying_an_epoch_killed_anywhere_is_finished_by_destroying_it_again(
    tmp_path: Path, clock: ManualClock, after_acting: bool
) -> None:
    number = 0
    killed = True
    while killed:
        number += 1
        clock.at = NOW
        provider = FileKeyProvider.create(tmp_path / str(number), clock.now)
        provider.create_epoch("e-1")
        provider.create_epoch("e-2")
        wrapped = provider.wrap("e-1", [bytes(64)])
        killed = run_until_killed(partial(provider.destroy_epoch, "e-1"), number, after_acting=after_acting)
        still_opens = opens(provider, wrapped)
        clock.at = datetime(2026, 11, 9, tzinfo=UTC)
        destruction = provider.destroy_epoch("e-1")
        assert destruction.result is DestructionResult.DESTROYED
        assert destruction.effective_at in ({clock.at} if still_opens else {clock.at, NOW})
        assert not opens(provider, wrapped)
        assert provider.destroy_epoch("e-1") == destruction
        assert provider.epochs() == ("e-2",)
        names = {path.name for path in (tmp_path / str(number)).iterdir()}
        assert names == {"FORMAT", "LOCK", "e-1.destroyed", "e-2.epoch"}
    assert number > 8


def opens(provider: FileKeyProvider, wrapped: list[bytes]) -> bool:
    """Whether the epoch is there; where it is, it opens: there is no epoch half destroyed that one could wrap under."""
    try:
        assert provider.unwrap("e-1", wrapped) == [bytes(64)]
    except EpochGone:
        return False
    return True


def test_the_lock_of_the_directory_is_held_by_one_at_a_time(directory: Path, provider: FileKeyProvider) -> None:
    """Another process, because locks of one process could be shared."""
    read_end, write_end = os.pipe()
    with KeyDirectory(directory).changing():
        child = os.fork()
        if child == 0:
            provider.create_epoch("e-1")
            os.write(write_end, b"made")
            os._exit(0)
        assert provider.epochs() == ()
        os.set_blocking(read_end, False)
        with pytest.raises(BlockingIOError):
            os.read(read_end, 4)
    os.waitpid(child, 0)
    assert os.read(read_end, 4) == b"made"
    assert provider.epochs() == ("e-1",)
    os.close(read_end)
    os.close(write_end)
