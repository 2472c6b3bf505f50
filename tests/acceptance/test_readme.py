"""The README is true: its commands run as they stand, and print what it says they print."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.architecture.source_tree import committed_texts

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
CHINESE = ROOT / "docs" / "README.zh-CN.md"

FENCE = re.compile(r"^```(?P<info>\S*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)? \+08:00"
DIFFERS = [
    (re.compile(rf"((?:as of|keys destroyed|key store:) ){TIME}"), r"\1NOW"),
    (re.compile(r"\be\d{8}t\d{4}-[0-9a-f]{12}\b"), "EPOCH"),
    (re.compile(r"\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}"), "+VERIFIER-KEY"),
    (re.compile(r"\b\d+ entries\b"), "N entries"),
    (re.compile(r"\breport \d{8}-\d{8}/\d{8}T\d{6}Z, ledger entry \d+"), "report NUMBER, ledger entry N"),
]
"""What is another thing each time: the present, random names, keys, and how much was written on the way."""

LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ +(?P<title>.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """Commands of the README (```sh), and what it says they print (the ```text that follows), if anything."""

    commands: str
    output: str | None


def blocks_of(markdown: str) -> list[Block]:
    """Every block of commands, in order. Blocks of other kinds are for reading."""
    fences = [(found["info"], found["text"]) for found in FENCE.finditer(markdown)]
    return [
        Block(text, following[1] if following[0] == "text" else None)
        for (info, text), following in zip(fences, [*fences[1:], ("", "")], strict=True)
        if info == "sh"
    ]


def stable(text: str) -> list[str]:
    """The lines, with what differs each time named instead of shown, and runs of blanks as one: columns grow with content."""
    for pattern, name in DIFFERS:
        text = pattern.sub(name, text)
    return [re.sub(r" {2,}", "  ", line).rstrip() for line in text.strip().splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A fresh folder with the policy in it, as the README asks for."""
    shutil.copy(ROOT / "policies.yaml", tmp_path)
    return tmp_path


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """No settings from outside, and `retention` on the path: the program of this very Python."""
    programs = tmp_path_factory.mktemp("bin")
    launcher = programs / "retention"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m retention "$@"\n', encoding="utf-8")
    launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}


def test_a_newcomer_who_follows_the_readme_in_english_or_in_chinese_sees_what_it_says(
    folder: Path, environment: dict[str, str]
) -> None:
    """Both pages are followed at once, block by block: commands that are the same on both are run once."""
    english, chinese = (blocks_of(page.read_text(encoding="utf-8")) for page in (README, CHINESE))
    assert len(english) > 5
    for blocks in zip(english, chinese, strict=True):
        printed = {
            commands: printed_by(commands, folder, environment)
            for commands in dict.fromkeys(b.commands for b in blocks)
        }
        for block in blocks:
            assert stable(printed[block.commands]) == stable(block.output or ""), block.commands


def printed_by(commands: str, folder: Path, environment: dict[str, str]) -> str:
    """What the commands print, each of which has to do its work."""
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, f"{commands}\n{ran.stdout}"
    return ran.stdout


def test_the_chinese_readme_has_the_same_commands_but_for_the_language() -> None:
    chinese = [block.commands.replace(" --lang zh", "") for block in blocks_of(CHINESE.read_text(encoding="utf-8"))]
    assert chinese == [block.commands for block in blocks_of(README.read_text(encoding="utf-8"))]


def test_every_relative_link_leads_to_a_file_and_a_heading_that_are_there() -> None:
    broken = [
        f"{name}: {found['target']}"
        for name, text in committed_texts()
        if name.endswith(".md")
        for found in LINK.finditer(FENCE.sub("", text))
        if not leads_somewhere(ROOT / name, found["target"])
    ]
    assert broken == []


def leads_somewhere(page: Path, target: str) -> bool:
    """Whether the link on the page leads to a file of the repository and, with `#`, to a heading in it."""
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return True
    name, _, heading = target.partition("#")
    file = (page.parent / name).resolve() if name else page
    if not file.exists() or not file.is_relative_to(ROOT):
        return False
    return not heading or heading in {anchor(each["title"]) for each in HEADING.finditer(file.read_text("utf-8"))}


def anchor(title: str) -> str:
    """The name under which a Markdown page shows the heading: lower case, blanks as hyphens, no other punctuation."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize(
    ("target", "leads"),
    [
        ("docs/words.md", True),
        ("#limits", True),
        ("#no-such-heading", False),
        ("docs/no-such-file.md", False),
        ("../outside-of-the-repository.md", False),
        ("https://example.com/", True),
    ],
)
def test_a_broken_link_is_told_from_a_whole_one(target: str, leads: bool) -> None:
    assert leads_somewhere(README, target) == leads
