"""The examples of the format pages are true."""

from __future__ import annotations

import re
from pathlib import Path

from retention.policy.load import parse_policy
from retention.settings import load_settings

FORMATS = Path(__file__).parents[4] / "docs" / "formats"


def example(page: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_whole_policy_of_the_page_is_valid_and_has_the_printed_hash() -> None:
    page = (FORMATS / "policy.md").read_text(encoding="utf-8")
    assert f"`{parse_policy(example(page, 'yaml'), 'policy.md').hash}`" in page


def test_the_settings_of_the_page_are_valid(tmp_path: Path) -> None:
    path = tmp_path / "retention.toml"
    path.write_text(example((FORMATS / "settings.md").read_text(encoding="utf-8"), "toml"), encoding="utf-8")
    path.chmod(0o600)
    assert load_settings(path, {}).store_kinds == {
        "objects": "s3",
        "app-database": "sql",
        "cache": "redis",
        "backups": "files",
    }
