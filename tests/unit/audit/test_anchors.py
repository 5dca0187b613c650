"""When an anchor is due, and the file that holds them."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from dataspine.audit.anchors import ANCHOR_INTERVAL_US, Anchor, append_anchor, needs_anchor, read_anchors
from dataspine.errors import RequestError, StorageCorrupt
from dataspine.schemas.audit_event import ChainHead

if TYPE_CHECKING:
    from pathlib import Path

HASH = "ab" * 32
LAST = Anchor(5_000, HASH, 10**15)
HOUR_US = 3_600 * 1_000_000


@pytest.mark.parametrize(
    ("last", "head_sequence", "passed_us", "expected"),
    [
        (None, 0, 0, False),
        (None, 1, 0, True),
        (LAST, 5_000, 2 * HOUR_US, False),
        (LAST, 4_000, 2 * HOUR_US, False),
        (LAST, 5_999, 0, False),
        (LAST, 6_000, 0, True),
        (LAST, 5_001, HOUR_US - 1, False),
        (LAST, 5_001, HOUR_US, True),
        (LAST, 5_001, -1, True),
    ],
)
def test_anchor_is_due(last: Anchor | None, head_sequence: int, passed_us: int, expected: bool) -> None:
    assert ANCHOR_INTERVAL_US == HOUR_US
    assert needs_anchor(last, head_sequence, LAST.at_us + passed_us) is expected


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit-anchors.jsonl"


def test_anchors_are_read_as_written(path: Path) -> None:
    append_anchor(path, ChainHead(1, HASH), at_us=1_767_268_800_000_000)
    append_anchor(path, ChainHead(9, HASH), at_us=1_767_268_800_000_001)
    assert read_anchors(path) == [
        Anchor(1, HASH, 1_767_268_800_000_000),
        Anchor(9, HASH, 1_767_268_800_000_001),
    ]
    assert path.read_text().splitlines()[0] == f'{{"at":"2026-01-01T12:00:00Z","hash":"{HASH}","sequence":1}}'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_file_is_no_anchors(path: Path) -> None:
    assert read_anchors(path) == []


def test_torn_last_line_is_left_out_and_then_replaced(path: Path) -> None:
    append_anchor(path, ChainHead(1, HASH), at_us=0)
    append_anchor(path, ChainHead(2, HASH), at_us=0)
    whole = path.read_bytes()
    first_len = whole.index(b"\n") + 1
    for size in range(first_len, len(whole)):
        path.write_bytes(whole[:size])
        assert read_anchors(path) == [Anchor(1, HASH, 0)]
        append_anchor(path, ChainHead(3, HASH), at_us=0)
        assert read_anchors(path) == [Anchor(1, HASH, 0), Anchor(3, HASH, 0)]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense",
        b"[]",
        b'{"at":"2026-01-01T12:00:00Z","sequence":1}',
        b'{"at":"2026-01-01T12:00:00","hash":"%s","sequence":1}' % HASH.encode(),
        b'{"at":"2026-01-01T12:00:00Z","hash":"%s","sequence":0}' % HASH.encode(),
        b'{"at":"2026-01-01T12:00:00Z","hash":"%s","sequence":"1"}' % HASH.encode(),
        b'{"at":"2026-01-01T12:00:00Z","hash":"xyz","sequence":1}',
        b"\xff",
    ],
)
def test_damaged_line_is_named(path: Path, line: bytes) -> None:
    append_anchor(path, ChainHead(1, HASH), at_us=0)
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(StorageCorrupt, match="line 2"):
        read_anchors(path)


def test_foreign_file_is_never_touched(path: Path) -> None:
    path.write_bytes(b"my notes, no line feed")
    with pytest.raises(RequestError, match="not a journal"):
        append_anchor(path, ChainHead(1, HASH), at_us=0)
    assert path.read_bytes() == b"my notes, no line feed"
