"""What is committed can be built by anyone, anywhere, and a stranger guesses the file from the noun."""

from __future__ import annotations

import re
from pathlib import PurePath

import pytest

from tests.architecture.source_tree import committed_texts, modules

REGISTRY_HOST = re.compile(
    r"\b(?:pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|yarnpkg\.com|docker\.io|ghcr\.io|quay\.io|gcr\.io|crates\.io"
    r"|proxy\.golang\.org|rubygems\.org|anaconda\.org|unpkg\.com|jsdelivr\.net|mirrors?\.[a-z-]+\.(?:com|cn|org|edu))\b",
    re.IGNORECASE,
)
DEVELOPER_PATH = re.compile(
    r"(?<![\w.$}-])/(?:root|work|home/[\w.-]+|Users/[\w.-]+)/|\b[A-Z]:\\+Users\\", re.IGNORECASE
)
LOCKS_WITH_HOSTS = {"uv.lock", "pylock.toml", "poetry.lock", "Pipfile.lock"}

HOMES_OF_EVERYTHING = {"util", "utils", "helper", "helpers", "common", "base", "manager", "service", "misc"}


def test_no_committed_file_names_the_host_of_a_registry() -> None:
    found = [(name, hit.group()) for name, text in committed_texts() for hit in REGISTRY_HOST.finditer(text)]
    assert found == []


def test_no_lock_that_records_registry_hosts_is_committed() -> None:
    assert [name for name, _ in committed_texts() if PurePath(name).name in LOCKS_WITH_HOSTS] == []


def test_no_committed_file_has_a_path_of_a_developers_machine() -> None:
    found = [(name, hit.group()) for name, text in committed_texts() for hit in DEVELOPER_PATH.finditer(text)]
    assert found == []


def test_every_file_is_named_by_a_noun_of_the_product() -> None:
    named = {module.name: set(PurePath(module.name).with_suffix("").parts) for module in modules()}
    assert [name for name, parts in named.items() if parts & HOMES_OF_EVERYTHING] == []


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("index-url = https:/{}/pypi{}org/simple", True),
        ("FROM docker{}io/library/python", True),
        ("from https:/{}/mirrors{}example{}com/", True),
        ("https://c2sp{}org/tlog-tiles", False),
    ],
)
def test_a_registry_host_is_told_from_other_hosts(text: str, is_found: bool) -> None:
    assert bool(REGISTRY_HOST.search(text.replace("/{}/", "//").replace("{}", "."))) == is_found


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("open('{}home/ada/retention/x')", True),
        ("{}Users/ada/x", True),
        ("cd {}root/x", True),
        ("GET {}api/home/x", False),
        ("/var/lib/retention{}work/x", False),
    ],
)
def test_a_developers_path_is_told_from_other_paths(text: str, is_found: bool) -> None:
    assert bool(DEVELOPER_PATH.search(text.replace("{}", "/"))) == is_found
