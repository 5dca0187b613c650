"""Exports, evidence and mirrors: canonical lines that verify away from the database."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from dataspine.audit import export
from dataspine.audit.chain import GENESIS
from dataspine.audit.export import export_events, export_evidence, mirror
from dataspine.audit.verify import verify_file
from dataspine.audit.writer import AuditLogWriter
from dataspine.errors import RequestError, StorageCorrupt
from dataspine.store import audit_events

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of 4, so that every test crosses their edges."""
    monkeypatch.setattr(export, "_PAGE_EVENTS", 4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "copy.jsonl"


def exported(log, first: int | None = None, last: int | None = None) -> bytes:
    out = io.BytesIO()
    events = export_events(log.connection, out, first=first, last=last)
    assert out.getvalue().count(b"\n") == events
    return out.getvalue()


def evidence(log, path: Path, first: int = 1, last: int | None = None) -> None:
    with path.open("wb") as out:
        export_evidence(log.connection, out, first=first, last=last, exported_at_us=0)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (None, None, range(1, 11)),
        (3, None, range(3, 11)),
        (None, 8, range(1, 9)),
        (4, 4, range(4, 5)),
        (5, 8, range(5, 9)),
        (11, None, range(0)),
    ],
)
def test_range(log, first: int | None, last: int | None, expected: range) -> None:
    log.record(10)
    lines = exported(log, first, last).splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == list(expected)


def test_export_verifies_away_from_the_database(log, path: Path) -> None:
    log.record(10)
    path.write_bytes(exported(log))
    assert (verify_file(path).ok, verify_file(path).head) == (True, log.head())


def test_part_verifies_from_the_event_before_it(log, path: Path) -> None:
    log.record(10)
    path.write_bytes(exported(log, 5))
    start = audit_events.head_at(log.connection, 4)
    assert verify_file(path, start=start).ok
    assert verify_file(path).first_bad == 1


@pytest.mark.parametrize("metadata", ["\x1b[31m", '{"n": 0}', "", '{"a":"\x9b"}', '"\n"', "[NaN]"])
def test_tampered_metadata_is_exported_inert_and_found(log, path: Path, metadata: str) -> None:
    log.record(3)
    log.tamper("UPDATE audit_events SET metadata_json = ? WHERE sequence = 2", metadata)
    content = exported(log)
    assert content.replace(b"\n", b"").decode("ascii").isprintable()
    path.write_bytes(content)
    assert verify_file(path).first_bad == 2


@pytest.mark.parametrize("at_us", [2**62, -(2**62)])
def test_instant_out_of_the_calendar_is_exported(log, at_us: int) -> None:
    log.record(1)
    log.tamper("UPDATE audit_events SET at_us = ?", at_us)
    assert json.loads(exported(log))["timestamp"] is None


def test_evidence_says_what_it_holds(log, path: Path) -> None:
    log.record(10)
    evidence(log, path, 3, 8)
    manifest, *events = [json.loads(line) for line in path.read_text().splitlines()]
    assert manifest["manifest"] == {
        "events": 6,
        "exported_at": "1970-01-01T00:00:00Z",
        "first": 3,
        "format": "dataspine-audit-1",
        "head_hash": events[-1]["hash"],
        "last": 8,
        "start_hash": events[0]["prev_hash"],
    }
    assert (verify_file(path).ok, verify_file(path).events) == (True, 6)


def test_whole_evidence_starts_at_the_genesis(log, path: Path) -> None:
    log.record(5)
    evidence(log, path)
    assert json.loads(path.read_text().splitlines()[0])["manifest"]["start_hash"] == GENESIS.hash
    assert verify_file(path).head == log.head()


def test_evidence_without_its_last_or_first_line_is_found(log, path: Path) -> None:
    log.record(5)
    evidence(log, path, 2)
    manifest, *events = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([manifest, *events[:-1]]))
    assert verify_file(path).first_bad == 5
    path.write_bytes(b"".join([manifest, *events[1:]]))
    assert verify_file(path).first_bad == 2


@pytest.mark.parametrize(("first", "last"), [(0, None), (12, None), (1, 11), (7, 6), (-3, 4)])
def test_evidence_of_nothing_is_refused(log, path: Path, first: int, last: int | None) -> None:
    log.record(10)
    with pytest.raises(RequestError, match="no such events"):
        evidence(log, path, first, last)


def test_mirror_appends_what_is_missing(log, path: Path) -> None:
    log.record(6)
    assert mirror(log.connection, path) == 6
    assert mirror(log.connection, path) == 0
    log.record(5)
    assert mirror(log.connection, path) == 5
    assert path.read_bytes() == exported(log)


def test_mirror_of_one_run_starts_after_the_events_before_it(log, path: Path) -> None:
    log.record(3)
    before = log.head()
    log.record(4)
    assert mirror(log.connection, path, after=before.sequence) == 4
    assert verify_file(path, start=before).ok
    log.record(2)
    assert mirror(log.connection, path, after=8) == 2
    assert verify_file(path, start=before).events == 6


def test_mirror_torn_at_every_byte_is_repaired_from_the_table(log, path: Path) -> None:
    log.record(3)
    mirror(log.connection, path)
    whole = path.read_bytes()
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        mirror(log.connection, path)
        assert path.read_bytes() == whole, size


def test_mirror_refuses_a_log_of_another_chain(log, path: Path) -> None:
    with AuditLogWriter(path) as writer:
        writer.log_event("a", "b", "c")
    log.record(3)
    before = path.read_bytes()
    with pytest.raises(RequestError, match="another audit log"):
        mirror(log.connection, path)
    assert path.read_bytes() == before


def test_mirror_sees_a_rolled_back_table(log, path: Path) -> None:
    log.record(5)
    mirror(log.connection, path)
    log.tamper("DELETE FROM audit_events WHERE sequence > 3")
    with pytest.raises(RequestError, match="rewritten"):
        mirror(log.connection, path)


def test_mirror_with_a_changed_last_line_is_kept(log, path: Path) -> None:
    log.record(2)
    mirror(log.connection, path)
    path.write_bytes(path.read_bytes().replace(b'"running"', b'"stopped"'))
    with pytest.raises(StorageCorrupt):
        mirror(log.connection, path)
