"""Tables that the policy forgot."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from retention.demo.platform import open_platform
from retention.demo.story import STARTED_AT
from retention.workflows.find_drift import Drift, find_drift


def test_a_table_with_a_customer_column_and_no_rule_is_reported(tmp_path: Path) -> None:
    platform = open_platform(tmp_path / "demo", STARTED_AT)
    assert find_drift(platform.deployment) == ()
    with closing(sqlite3.connect(tmp_path / "demo" / "app.db")) as database, database:
        database.execute("CREATE TABLE feedback (id INTEGER PRIMARY KEY, tenant_id TEXT, text TEXT)")
        database.execute("CREATE TABLE colour (id INTEGER PRIMARY KEY, name TEXT)")
    assert find_drift(platform.deployment) == (Drift("app-database", ("feedback",)),)
    platform.deployment.close()
