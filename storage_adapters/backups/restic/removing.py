"""Snapshots are removed with their data, and a removal that was cut short stays visible until it is finished.

`restic forget` removes the snapshot and leaves its data; `restic prune` removes data that no snapshot needs. Were we
killed between the two, nothing in the repository would tell that there is something left to remove. So a marker is put
first: a snapshot that holds one word and bears the set's name. While it is there the set is listed, and repeating the
removal prunes again and then forgets the marker.
"""

from __future__ import annotations

from collections.abc import Collection

from storage_adapters.backups.restic.program import LONG, Restic
from storage_adapters.backups.restic.snapshots import MARKER, Snapshot, identity, own_tags, snapshots
from storage_adapters.errors import OutcomeUnknown, StoreError


def remove(store: str, restic: Restic, name: str, keep: Collection[str] = ()) -> bool:
    """No snapshot of the set is in the repository, nor data that only they needed; whether there were any.

    keep: ids of snapshots of the set that stay. Raises OutcomeUnknown where snapshots were forgotten and the rest failed.
    """
    found = _of_set(restic, name, keep)
    if not found:
        return False
    contents = [snapshot for snapshot in found if not snapshot.is_marker]
    if len(contents) == len(found):
        _mark(restic, contents[0])
    if contents:
        restic.run("forget", *(snapshot.id for snapshot in contents), changes=True)
    try:
        _prune(restic)
        left = _of_set(restic, name, keep)
        if any(not snapshot.is_marker for snapshot in left):
            raise OutcomeUnknown(store, "the snapshot is still listed after restic forgot it")
        restic.run("forget", *(snapshot.id for snapshot in left), changes=True)
    except StoreError as error:
        raise OutcomeUnknown(store, f"forgotten, but its data may remain: {error.message}") from error
    return True


def _of_set(restic: Restic, name: str, keep: Collection[str]) -> list[Snapshot]:
    """The set's snapshots, markers of a removal among them."""
    return [snapshot for snapshot in snapshots(restic) if snapshot.name == name and snapshot.id not in keep]


def _mark(restic: Restic, snapshot: Snapshot) -> None:
    restic.run(
        "backup",
        "--stdin",
        f"--stdin-filename={MARKER}",
        *identity(snapshot, (*own_tags(snapshot.name), MARKER)),
        changes=True,
        given=b"removing\n",
    )


def _prune(restic: Restic) -> None:
    """Nothing is left that no snapshot needs. By default restic would leave up to 5 % of it in half-used files."""
    restic.run("prune", "--max-unused=0", changes=True, seconds=LONG)
