"""The database's reference page has every column, each with a meaning."""

from __future__ import annotations

import re

from docs.database_page import SHARED, TABLES, column_meanings, database_page


def test_page_has_every_column_of_every_table(spine):
    page = database_page()
    for (table,) in spine.workspace.database.rows(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ):
        section = page.split(f"\n## {table}\n")[1].split("\n## ")[0]
        documented = re.findall(r"^\| `(\w+)` \| (\w+) \| (yes|no) \| \S", section, flags=re.MULTILINE)
        columns = spine.workspace.database.rows(f"PRAGMA table_info({table})")
        assert [(name, kind) for name, kind, _ in documented] == [(row[1], row[2]) for row in columns]
        # SQLite says 0 for the NOT NULL of an INTEGER PRIMARY KEY, which never is null.
        assert [null for *_, null in documented] == ["no" if row[3] or row[5] else "yes" for row in columns]


def test_page_has_every_view(spine):
    views = spine.workspace.database.rows("SELECT name FROM sqlite_master WHERE type = 'view'")
    page = database_page()
    assert [name for (name,) in views if f"- `{name}`" not in page] == []


def test_no_meaning_is_left_over():
    """A shared meaning that no table needs was renamed away in the SQL."""
    page = database_page()
    unused = [name for name in SHARED if f"`{name.rpartition('.')[2]}`" not in page]
    assert unused == []
    assert all(f"\n## {table}\n" in page for table in TABLES)


def test_comment_is_taken_from_its_own_line():
    columns = ("a INTEGER NOT NULL,  -- first", "b TEXT,", "c TEXT NOT NULL CHECK (c IN ('x-y')) -- last")
    assert column_meanings("CREATE TABLE t (\n  " + "\n  ".join(columns) + "\n)") == {
        "a": ("INTEGER", False, "first"),
        "b": ("TEXT", True, ""),
        "c": ("TEXT", False, "last"),
    }
