"""Killed -9 at any moment of a deletion, the service goes on when it is started again, and comes to the same end."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).with_name("killed_runs.py")
_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Try:
    """One run: where it was killed, and how all of it ended after the service was started again."""

    number: int
    killed: str
    end: dict[str, object]


def tries(story: str, of_what: str, every: int = 1) -> list[Try]:
    """The run that nobody killed, then one for each moment (or commit) at which another was killed."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        command = [sys.executable, str(_SCRIPT), story, of_what, folder, "1", str(every)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=_SCRIPT.parents[2])
    assert done.returncode == 0, done.stderr[-4000:]
    return [Try(**json.loads(line)) for line in done.stdout.splitlines()]


def differences(story: list[Try], *but: str) -> dict[str, dict[str, object]]:
    """What ended otherwise than in the run that nobody killed, by where it was killed."""
    same = story[0].end
    found = {
        f"{one.number}. {one.killed}": {
            what: value for what, value in one.end.items() if what not in but and value != same[what]
        }
        for one in story[1:]
    }
    return {where: what for where, what in found.items() if what}


def test_a_deletion_killed_at_any_moment_ends_as_if_nothing_had_happened() -> None:
    story = tries("expired", "moments")
    end = story[0].end
    assert end["state"] == "certified"
    assert end["certificate"] == "final"
    assert end["files"] == []
    assert end["ledger"] == []
    assert (end["shreds"], end["batched"]) == (1, 6)
    assert end["opens"] == [f"models/c-10/{name}.bin" for name in "abc"]
    steps = {one.killed.split(": ")[1].split()[0] for one in story[1:]}
    assert steps == {"restrict", "clear-caches", "tombstone", "shred", "erase", "verify", "certify"}
    assert differences(story, "counts", "batched") == {}
    for one in story:
        check_counts(one, least=3)


def check_counts(one: Try, least: int) -> None:
    """Each copy had three items. A folder that an interrupted run has emptied is an item of its own to the next one."""
    for _, role, seen, gone in one.end["counts"]:  # type: ignore[attr-defined]
        assert role == "backup" or (least <= seen <= 4 and least <= gone <= 4), one
    assert 2 * least <= int(str(one.end["batched"])) <= 7, one


@pytest.mark.parametrize("story", ["paid", "brought-back"], ids=["payment after the kill", "killed while coming back"])
def test_data_that_comes_back_is_all_there_wherever_the_service_was_killed(story: str) -> None:
    told = tries(story, "moments")
    for one in told:
        there = [name for name in one.end["files"] if not name.startswith("cache/")]  # type: ignore[attr-defined]
        assert there == [f"objects/{dataset}/c-1/{name}.bin" for dataset in ("models", "notes") for name in "abc"]
    assert told[0].end["keys"] == {"c-1": "live", "c-10": "live", "c-2": "live"}
    assert len(told[0].end["opens"]) == 9  # type: ignore[arg-type]
    assert differences(told, "files") == {}


def test_an_undo_window_that_was_interrupted_begins_at_the_same_moment_and_ends_the_same() -> None:
    assert differences(tries("deleted", "moments", every=3), "counts", "batched") == {}


@pytest.mark.soak
@pytest.mark.parametrize("story", ["expired", "deleted", "paid", "brought-back"])
def test_killed_before_any_commit_the_end_differs_only_in_what_could_not_be_counted(story: str) -> None:
    """Between an act and its commit the store has changed and nobody has said so yet: counts may fall short, never exceed."""
    told = tries(story, "commits")
    uncertain = {"expired": ["counts", "batched"], "deleted": ["counts", "batched"], "paid": ["files"]}
    assert differences(told, *uncertain.get(story, [])) == {}
    for one in told if story in ("expired", "deleted") else []:
        check_counts(one, least=0)
