"""The tables are made once, in whole steps, and never by a version that does not know them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataspine.errors import StorageCorrupt, StorageError
from dataspine.store import migrations
from dataspine.store.database import Database
from dataspine.store.migrations import Migration, migrate, newest_version, schema_version
from dataspine.store.sqlite import sqlite
from dataspine.store.workspace import open_for_reading
from tests.builders import NOW_US, make_spine

if TYPE_CHECKING:
    from pathlib import Path


def test_steps_are_numbered_without_a_gap() -> None:
    assert [step.version for step in migrations.migrations()] == list(range(1, newest_version() + 1))


def test_each_step_is_applied_once_and_signed(tmp_path: Path) -> None:
    with Database(tmp_path / "a.db") as database:
        assert schema_version(database) == 0
        assert migrate(database, now_us=NOW_US) == newest_version()
        assert migrate(database, now_us=NOW_US + 1) == 0
        rows = database.rows("SELECT version, length(sha256), applied_at_us FROM schema_migrations")
        assert rows == [(step.version, 64, NOW_US) for step in migrations.migrations()]


def test_a_newer_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    with make_spine(tmp_path).workspace as workspace:
        workspace.database.connection.execute("INSERT INTO schema_migrations VALUES (999, 'later', 'x', 0)")
        path, home = workspace.database.path, workspace.home
    before = path.read_bytes()
    with pytest.raises(
        StorageCorrupt, match=r"written by a newer dataspine, got schema 999.*Use that version"
    ):
        make_spine(tmp_path)
    with pytest.raises(StorageCorrupt, match="newer dataspine"):
        open_for_reading(home)
    assert path.read_bytes() == before


def test_an_older_database_is_brought_up_to_date_by_writers_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with make_spine(tmp_path).workspace as workspace:
        home = workspace.home
    later = Migration(newest_version() + 1, "later", "CREATE TABLE later (x INTEGER) STRICT;")
    steps = (*migrations.migrations(), later)
    monkeypatch.setattr(migrations, "migrations", lambda: steps)
    with pytest.raises(StorageError, match="brought up to date.*Run `dataspine init`"):
        open_for_reading(home)
    with make_spine(tmp_path).workspace as workspace:
        assert workspace.migrated == 1
    open_for_reading(home).close()


def test_a_step_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Migration(
        1, "broken", "CREATE TABLE half (x INTEGER) STRICT; CREATE TABLE half (x INTEGER) STRICT;"
    )
    monkeypatch.setattr(migrations, "migrations", lambda: (broken,))
    with Database(tmp_path / "a.db") as database:
        with pytest.raises(sqlite.OperationalError, match="already exists"):
            migrate(database, now_us=NOW_US)
        assert not database.connection.in_transaction
        assert database.rows("SELECT name FROM sqlite_master") == []
