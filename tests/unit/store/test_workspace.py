"""A workspace is opened by its owner, once made stays made, and is locked source by source."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from dataspine.clock import FrozenClock, SystemClock
from dataspine.errors import BusyError, StorageCorrupt, StorageError
from dataspine.store.workspace import DATABASE_NAME, Workspace, open_for_reading
from tests.builders import NOW_US, ingest_quotes, make_spine, quote
from tests.simulation.ingest_process import NEVER
from tests.simulation.processes import ended, has_open, release, started, wait_until
from tests.simulation.small_disk import read_only

if TYPE_CHECKING:
    from pathlib import Path

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
HEADER_LEN, PAGE_LEN = 100, 4_096


def _filled(tmp_path: Path) -> Path:
    """A workspace with a record, closed."""
    with (spine := make_spine(tmp_path)).workspace as workspace:
        ingest_quotes(spine, [quote()])
        return workspace.home


def _open(home: Path) -> None:
    with Workspace(home, FrozenClock(NOW_US)):
        pass


def test_all_that_is_made_is_private_whatever_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        with (spine := make_spine(tmp_path)).workspace as workspace:
            ingest_quotes(spine, [quote()])
            modes = {path: stat.S_IMODE(path.stat().st_mode) for path in workspace.home.rglob("*")}
            modes[workspace.home] = stat.S_IMODE(workspace.home.stat().st_mode)
    finally:
        os.umask(umask)
    assert {oct(mode) for path, mode in modes.items() if path.is_dir()} == {"0o700"}
    assert {oct(mode) for path, mode in modes.items() if path.is_file()} == {"0o600"}


@needs_root
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    home = _filled(tmp_path)
    os.chown(home, 12_345, -1)
    with pytest.raises(StorageError, match="must be yours.*got owner 12345.*chown it to yourself"):
        _open(home)


def test_a_directory_that_everybody_can_write_is_refused(tmp_path: Path) -> None:
    home = _filled(tmp_path)
    home.chmod(0o777)
    with pytest.raises(StorageError, match=r"not writable by everybody.*mode 777.*chmod 700"):
        _open(home)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda whole: b"garbage!" * 1_000, "file is not a database"),
        (lambda whole: b"\0" * PAGE_LEN + whole[PAGE_LEN:], "file is not a database"),
        (lambda whole: whole[: len(whole) // 2], "malformed"),
        (lambda whole: whole[:PAGE_LEN], "malformed"),
        (lambda whole: whole[:HEADER_LEN], "the database is cut off, got 100 bytes"),
        (lambda whole: b"x", "the database is cut off, got 1 bytes"),
        (lambda whole: b"", "the database is gone"),
    ],
    ids=["garbage", "no header", "half", "one page", "header alone", "one byte", "empty"],
)
def test_a_damaged_database_is_named_and_left_alone(tmp_path: Path, damage: object, message: str) -> None:
    home = _filled(tmp_path)
    path = home / DATABASE_NAME
    left = damage(path.read_bytes())
    path.write_bytes(left)
    for _ in range(2):
        with pytest.raises(StorageCorrupt, match=message) as caught:
            _open(home)
        assert caught.value.cure
        assert str(path) in str(caught.value)
        assert path.read_bytes() == left
    with pytest.raises(StorageError):
        open_for_reading(home)
    assert path.read_bytes() == left


def test_a_deleted_database_is_not_begun_anew(tmp_path: Path) -> None:
    home = _filled(tmp_path)
    (home / DATABASE_NAME).unlink()
    with pytest.raises(StorageCorrupt, match="the database is gone.*restore a backup"):
        _open(home)
    assert not (home / DATABASE_NAME).exists()


def test_a_crash_before_the_tables_is_made_good(tmp_path: Path) -> None:
    """An empty file is all that stands when a process dies between making the file and filling it."""
    home = tmp_path / "workspace"
    home.mkdir(mode=0o700)
    (home / DATABASE_NAME).touch(mode=0o600)
    with pytest.raises(StorageError, match="has not been made.*Run `dataspine init`"):
        open_for_reading(home)
    _open(home)
    open_for_reading(home).close()


def test_reading_where_nothing_is_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no database.*Run `dataspine init`"):
        open_for_reading(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_workspace_is_named(tmp_path: Path) -> None:
    """Permission bits do not bind root, a read-only mount does."""
    home = _filled(tmp_path)
    with read_only(home), pytest.raises(StorageError, match="cannot be written.*Make it writable") as caught:
        _open(home)
    assert caught.value.exit_code == 5
    _open(home)


def test_a_lock_that_is_not_freed_is_named_after_half_a_minute(tmp_path: Path) -> None:
    with (
        make_spine(tmp_path).workspace as one,
        make_spine(tmp_path).workspace as other,
        one.source_lock("day"),
    ):
        before_s = other.clock.monotonic_s()
        with (
            pytest.raises(BusyError, match="another process is ingesting this source.*day"),
            other.source_lock("day"),
        ):
            pytest.fail("two hold one lock")
        assert 30 <= other.clock.monotonic_s() - before_s < 31
        with other.source_lock("night"):
            pass
    with make_spine(tmp_path).workspace as other, other.source_lock("day"):
        pass


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    home = tmp_path / "workspace"
    with make_spine(tmp_path).workspace as workspace:
        with workspace.source_lock("day"):
            (file := tmp_path / "day.ndjson").write_bytes(b"{}\n")
            child = started("ingest", home, file, "day", NEVER)
            release(child)
            wait_until(lambda: has_open(child, home / "locks" / "day.lock"))
        child.kill()
        ended(child)
        before_s = SystemClock().monotonic_s()
        with workspace.source_lock("day"):
            assert SystemClock().monotonic_s() - before_s < 5
