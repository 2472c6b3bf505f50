"""A crypto-shred stays one, whatever copy of the key store somebody kept from before."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from retention.catalog import keys as key_rows
from retention.keys.errors import KeyGone
from retention.keys.keyring import Keyring
from retention.keys.sealed import Binding, ObjectSubject
from retention.keys.sealer import Sealer
from retention.workflows.carry_out_plan import carry_out_plan
from retention.workflows.plan_deletions import plan_deletions
from retention.workflows.roll_keys import roll_keys
from retention.workflows.run_cycle import owned
from retention.workflows.seal import open_sealed

if TYPE_CHECKING:
    from tests.workflow.conftest import Provider

NAME = "models/c-1/a.bin"
FILES = ("catalog.db", "catalog.db-wal", "catalog.db-shm", "catalog.db-journal")


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    folder = tmp_path / "kept"
    folder.mkdir()
    return folder


def _copy(source: Path, target: Path) -> None:
    for name in FILES:
        (target / name).unlink(missing_ok=True)
        if (source / name).exists():
            shutil.copy2(source / name, target / name)


def _wrapped(provider: Provider) -> bytes:
    with provider.deployment.catalog.reading() as session:
        (key,) = key_rows.keys_of(session, "c-1", "models")
    return key.wrapped


def _opened(provider: Provider, sealed: bytes) -> bytes:
    target = io.BytesIO()
    open_sealed(provider.deployment, "c-1", "models", NAME, io.BytesIO(sealed), target)
    return target.getvalue()


def _shredded(provider: Provider) -> None:
    provider.tell("deletion-ordered", "c-1", ground="order", dataset="models")
    provider.run()
    assert provider.case("c-1").shredded_at is not None


def test_an_old_copy_of_the_key_store_put_back_beside_the_live_provider_opens_nothing(
    provider: Provider, kept: Path
) -> None:
    provider.tell("service-activated", "c-1", service="training")
    provider.put_model("c-1", "a.bin", b"secret weights")
    sealed = (provider.objects / NAME).read_bytes()
    assert _opened(provider, sealed) == b"secret weights"
    _copy(provider.root, kept)
    _shredded(provider)
    roll_keys(provider.deployment)
    provider.deployment.catalog.close()
    _copy(kept, provider.root)
    assert _wrapped(provider), "the old copy holds the wrapped key again"
    keyring = Keyring(provider.deployment.key_store, provider.deployment.provider, provider.clock.now, lambda: 0.0)
    with pytest.raises(KeyGone):
        Sealer(keyring).open(Binding("c-1", "models", ObjectSubject(NAME)), io.BytesIO(sealed), io.BytesIO())


def test_before_the_roll_the_old_copy_still_opens_and_so_nothing_is_called_unrecoverable(
    provider: Provider, kept: Path
) -> None:
    provider.tell("service-activated", "c-1", service="training")
    provider.put_model("c-1", "a.bin", b"secret weights")
    sealed = (provider.objects / NAME).read_bytes()
    _copy(provider.root, kept)
    provider.tell("service-expired", "c-1", service="training")
    provider.run()
    provider.pass_time(days=16)
    with owned(provider.deployment) as lease:  # a cycle without the roll at its end
        carry_out_plan(provider.deployment, plan_deletions(provider.deployment, provider.clock.now()), lease)
    assert provider.case("c-1").shredded_at is not None
    assert provider.case("c-1").unrecoverable_at is None
    provider.deployment.catalog.close()
    _copy(kept, provider.root)
    assert _opened(provider, sealed) == b"secret weights"


def test_no_byte_of_the_wrapped_key_is_left_in_the_files_of_the_catalogue(provider: Provider) -> None:
    provider.tell("service-activated", "c-1", service="training")
    provider.put_model("c-1", "a.bin")
    provider.put_model("c-2", "a.bin")
    wrapped = _wrapped(provider)
    assert _found(provider, wrapped), "before the shred it is there"
    _shredded(provider)
    assert _found(provider, wrapped) == []


def _found(provider: Provider, wrapped: bytes) -> list[str]:
    """The files of the catalogue that hold any sixteen bytes in a row of the wrapped key."""
    pieces = [wrapped[at : at + 16] for at in range(len(wrapped) - 15)]
    files = [path for path in provider.root.iterdir() if path.name.startswith("catalog.db")]
    return [path.name for path in files if any(piece in path.read_bytes() for piece in pieces)]
