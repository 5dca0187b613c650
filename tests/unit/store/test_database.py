"""One recipe opens the database, transactions are whole, and SQLite's errors come with a cure."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from dataspine.errors import BusyError, StorageCorrupt, StorageError
from dataspine.store.database import Database
from dataspine.store.sqlite import has_safe_wal, sqlite
from tests.simulation.small_disk import read_only

if TYPE_CHECKING:
    from pathlib import Path


def _table(path: Path) -> Database:
    database = Database(path)
    database.connection.execute("CREATE TABLE t (x INTEGER CHECK (x > 0)) STRICT")
    return database


def test_a_writer_is_durable_and_strict(tmp_path: Path) -> None:
    with Database(tmp_path / "a.db") as database:
        found = {
            name: database.one(f"PRAGMA {name}")
            for name in (
                "journal_mode",
                "synchronous",
                "foreign_keys",
                "trusted_schema",
                "mmap_size",
                "busy_timeout",
            )
        }
    assert found == {
        "journal_mode": ("wal",),
        "synchronous": (2,),
        "foreign_keys": (1,),
        "trusted_schema": (0,),
        "mmap_size": (0,),
        "busy_timeout": (5_000,),
    }


def test_the_files_are_private(tmp_path: Path) -> None:
    with _table(tmp_path / "a.db"):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"a.db": 0o600, "a.db-wal": 0o600, "a.db-shm": 0o600}


def test_a_transaction_is_whole(tmp_path: Path) -> None:
    with _table(tmp_path / "a.db") as database:
        with database.transaction() as tx:
            tx.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(KeyboardInterrupt), database.transaction() as tx:
            tx.execute("INSERT INTO t VALUES (2)")
            raise KeyboardInterrupt
        with pytest.raises(sqlite.IntegrityError), database.transaction() as tx:
            tx.execute("INSERT INTO t VALUES (3)")
            tx.execute("INSERT INTO t VALUES (-1)")
        assert database.rows("SELECT x FROM t") == [(1,)]
        assert not database.connection.in_transaction


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    _table(tmp_path / "a.db").close()
    with Database(tmp_path / "a.db", read_only=True) as reader:
        with pytest.raises(StorageError, match="the database is read-only"), reader.transaction() as tx:
            tx.execute("INSERT INTO t VALUES (1)")
        assert reader.rows("SELECT x FROM t") == []


def test_a_reader_does_not_make_a_database(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no database"):
        Database(tmp_path / "a.db", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_sees_the_last_commit_while_a_writer_is_at_work(tmp_path: Path) -> None:
    with _table(tmp_path / "a.db") as writer, Database(tmp_path / "a.db", read_only=True) as reader:
        with writer.transaction() as tx:
            tx.execute("INSERT INTO t VALUES (1)")
            assert reader.rows("SELECT x FROM t") == []
        assert reader.rows("SELECT x FROM t") == [(1,)]


def test_a_second_writer_is_told_to_try_again(tmp_path: Path) -> None:
    with _table(tmp_path / "a.db") as one, Database(tmp_path / "a.db") as other, one.transaction():
        other.connection.execute("PRAGMA busy_timeout = 20")
        with (
            pytest.raises(BusyError, match="another process is writing.*Try again") as caught,
            other.transaction(),
        ):
            pytest.fail("two write at once")
        assert caught.value.exit_code == 3
        assert caught.value.transient


def test_a_directory_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.db").mkdir()
    with pytest.raises(StorageError, match="cannot be opened"):
        Database(tmp_path / "a.db")


def test_a_page_that_rots_is_named(tmp_path: Path) -> None:
    with _table(tmp_path / "a.db") as database, database.transaction() as tx:
        tx.executemany("INSERT INTO t VALUES (?)", [(number,) for number in range(1, 20_000)])
    whole = bytearray((tmp_path / "a.db").read_bytes())
    whole[8 * 4_096 : 9 * 4_096] = b"\xff" * 4_096
    (tmp_path / "a.db").write_bytes(whole)
    with (
        Database(tmp_path / "a.db") as database,
        pytest.raises(StorageCorrupt, match="malformed.*restore a backup beside it"),
    ):
        database.rows("SELECT sum(x) FROM t")


def test_a_name_with_marks_of_a_uri_is_a_name(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=rwc#%41.db"
    _table(path).close()
    with Database(path, read_only=True) as reader:
        assert reader.rows("SELECT x FROM t") == []
    assert [entry.name for entry in tmp_path.iterdir() if entry.suffix == ".db"] == [path.name]


def test_a_database_on_a_disk_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (home := tmp_path / "home").mkdir()
    _table(home / "a.db").close()
    with read_only(home), pytest.raises(StorageError, match="read-only|cannot be opened"):
        Database(home / "a.db")


@pytest.mark.parametrize(
    ("release", "is_safe"),
    [
        ("3.7.0", False),
        ("3.40.1", False),
        ("3.44.5", False),
        ("3.44.6", True),
        ("3.45.0", False),
        ("3.50.6", False),
        ("3.50.7", True),
        ("3.51.2", False),
        ("3.51.3", True),
        ("3.53.0", True),
        ("4.0.0", True),
    ],
)
def test_releases_with_the_race_are_known(release: str, is_safe: bool) -> None:
    assert has_safe_wal(release) is is_safe
