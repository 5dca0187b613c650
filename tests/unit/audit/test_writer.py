"""`AuditLogWriter`: whole, chained, private lines through crashes, reopening and company."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import resource
import signal
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from dataspine.audit.journal import Journal, storage_error
from dataspine.audit.lines import OPENING
from dataspine.audit.verify import verify_file
from dataspine.audit.writer import AuditLogWriter
from dataspine.clock import FrozenClock
from dataspine.errors import BusyError, RequestError, StorageCorrupt, StorageError, StorageFull
from dataspine.schemas.audit_event import Actor, Channel

if TYPE_CHECKING:
    from pathlib import Path

NOON_US = 1_767_268_800_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def write(path: Path, count: int) -> None:
    """Log `count` events with one writer."""
    with AuditLogWriter(path, clock=FrozenClock(NOON_US)) as writer:
        for number in range(count):
            writer.log_event("state_change", "pipeline", f"p{number}", "idle", "running", {"n": number})


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def test_event_is_readable_as_logged(path: Path) -> None:
    actor = Actor("ada", Channel.CLI)
    with AuditLogWriter(str(path), clock=FrozenClock(NOON_US), actor=actor) as writer:
        assert writer.log_event("order", "desk", "7", {"limit": 1}, ["x", None], {"why": "drill"}) == 1
        assert writer.log_event("order", "desk", "7") == 2
    first, second = lines_of(path)
    assert (first["event_type"], first["entity_type"], first["entity_id"]) == ("order", "desk", "7")
    assert (first["old_state"], first["new_state"]) == ({"limit": 1}, ["x", None])
    assert (first["metadata"], second["metadata"]) == ({"why": "drill"}, {})
    assert (first["timestamp"], first["at_us"]) == ("2026-01-01T12:00:00Z", NOON_US)
    assert (first["actor"], first["channel"]) == ("ada", "cli")
    assert second["prev_hash"] == first["hash"]
    assert second["old_state"] is None


def test_event_is_in_the_file_before_the_next_statement(path: Path) -> None:
    with AuditLogWriter(path) as writer:
        writer.log_event("a", "b", "c")
        assert verify_file(path).events == 1


def test_reopened_log_continues_its_chain(path: Path) -> None:
    write(path, 3)
    write(path, 2)
    assert [line["sequence"] for line in lines_of(path)] == [1, 2, 3, 4, 5]
    assert verify_file(path).ok


def test_two_writers_share_one_chain(path: Path) -> None:
    with AuditLogWriter(path) as one, AuditLogWriter(path) as other:
        for number in range(6):
            (one if number % 3 else other).log_event("a", "b", str(number))
    assert [line["entity_id"] for line in lines_of(path)] == ["0", "1", "2", "3", "4", "5"]
    assert verify_file(path).ok


def test_crash_at_every_byte_leaves_a_chain_that_goes_on(path: Path) -> None:
    write(path, 3)
    whole = path.read_bytes()
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        write(path, 1)
        report = verify_file(path)
        assert report.ok, (size, report)
        assert report.events == whole[:size].count(b"\n") + 1


def test_cut_of_a_torn_line_is_told(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(path, 2)
    os.truncate(path, path.stat().st_size - 10)
    with caplog.at_level(logging.WARNING):
        write(path, 1)
    assert "torn last line" in caplog.text
    assert str(path) in caplog.text


def test_tail_longer_than_a_block_is_cut(path: Path) -> None:
    write(path, 1)
    with AuditLogWriter(path) as writer:
        writer.log_event("a", "b", "c", metadata={"long": "x" * 200_000})
        writer.log_event("a", "b", "c", metadata={"long": "y" * 200_000})
    os.truncate(path, path.stat().st_size - 1)
    write(path, 1)
    assert (verify_file(path).ok, verify_file(path).events) == (True, 3)


def test_nuls_of_a_power_cut_are_cut(path: Path) -> None:
    path.write_bytes(b"\0" * 4096)
    write(path, 1)
    assert verify_file(path).events == 1


@pytest.mark.parametrize(
    "content", [b"x", b"a,b\n1,2\n", b'{"event": 1}\n', b"SQLite format 3\0", b'["actor"]\n', b"\n"]
)
def test_foreign_file_is_never_touched(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(RequestError, match="not a journal"):
        AuditLogWriter(path)
    assert path.read_bytes() == content


def test_changed_last_line_is_refused_and_kept(path: Path) -> None:
    write(path, 2)
    changed = path.read_bytes().replace(b'"p1"', b'"p9"')
    path.write_bytes(changed)
    with pytest.raises(StorageCorrupt, match="changed or damaged"):
        AuditLogWriter(path)
    assert path.read_bytes() == changed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"p1"', b'"p2"'),
        (b'"p1"', b' "p1"'),
        (b'"sequence":2', b'"sequence":3'),
        (b'"n":1', b'"n":1,"n":1'),
        (b"2026-01-01T12:00:00Z", b"2026-01-01T12:00:01Z"),
        (b"\n", b"\r\n"),
    ],
)
def test_any_change_of_the_file_is_found(path: Path, old: bytes, new: bytes) -> None:
    write(path, 3)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    assert not verify_file(path).ok


def test_lost_line_is_found(path: Path) -> None:
    write(path, 3)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[1] + lines[2])
    assert verify_file(path).first_bad == 1
    path.write_bytes(lines[0] + lines[2])
    assert verify_file(path).first_bad == 2


def test_torn_line_is_a_finding_until_it_is_cut(path: Path) -> None:
    write(path, 2)
    os.truncate(path, path.stat().st_size - 1)
    report = verify_file(path)
    assert (report.ok, report.events, report.first_bad) == (False, 1, 2)
    assert "line 2" in report.what


def test_file_is_private_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        write(path, 1)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_public_file_becomes_private(path: Path) -> None:
    path.touch(mode=0o644)
    write(path, 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_missing_folder_is_made(tmp_path: Path) -> None:
    write(tmp_path / "logs" / "deep" / "audit.jsonl", 1)
    assert verify_file(tmp_path / "logs" / "deep" / "audit.jsonl").ok


def test_hostile_text_stays_inert(path: Path) -> None:
    hostile = "\x1b]0;x\x07\x9b\u202e\n\r\x7f\ud800"
    with AuditLogWriter(path) as writer:
        writer.log_event(hostile, hostile, hostile, hostile, {hostile: hostile}, {hostile: [hostile]})
    assert path.read_bytes()[:-1].decode("ascii").isprintable()
    assert lines_of(path)[0]["entity_id"] == hostile
    assert verify_file(path).ok


def test_value_without_json_form_leaves_the_log_as_it_was(path: Path) -> None:
    with AuditLogWriter(path) as writer:
        with pytest.raises(TypeError, match="object"):
            writer.log_event("a", "b", "c", metadata={"x": object()})
        assert writer.log_event("a", "b", "c") == 1
    assert verify_file(path).ok


def test_closed_writer_refuses(path: Path) -> None:
    writer = AuditLogWriter(path)
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.log_event("a", "b", "c")


def test_pipe_is_refused_without_waiting(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(RequestError, match="regular"):
        AuditLogWriter(path)


def test_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="directory"):
        AuditLogWriter(tmp_path)


def test_half_a_write_leaves_whole_lines_and_the_log_goes_on(path: Path) -> None:
    """A limit on file size stands in for a full disk: the kernel writes what fits and then refuses."""
    write(path, 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, before[1]))
        with pytest.raises(StorageError, match=str(path)):
            write(path, 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.read_bytes().count(b"\n") == 1
    write(path, 1)
    assert verify_file(path).events == 2


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull), (errno.EIO, StorageError)]
)
def test_system_error_is_named(path: Path, number: int, kind: type[StorageError]) -> None:
    error = storage_error(OSError(number, os.strerror(number)), path)
    assert type(error) is kind
    assert str(path) in str(error)


def test_many_writers_at_once_make_one_chain(path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: write(path, 10), range(4)))
    assert (verify_file(path).ok, verify_file(path).events) == (True, 40)


def test_file_held_by_another_process_is_busy(path: Path) -> None:
    write(path, 1)
    clock = FrozenClock(NOON_US)
    with path.open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match=str(path)):
            Journal(path, opening=OPENING, clock=clock)
    assert clock.now_us() == NOON_US + 5_000_000
