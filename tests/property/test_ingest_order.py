"""Cut, shuffled or chunked in any way, the same records give the same content."""

from __future__ import annotations

import json
import random
from itertools import count
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from dataspine.pipeline.canonical import canonical_lines
from dataspine.pipeline.ingest import IngestOptions
from dataspine.pipeline.stages import process_chunks, process_payload
from dataspine.schemas.payload import Document, Payload
from dataspine.service.records import RecordQuery, digest_of
from tests.builders import (
    NOW_US,
    TRADE_COLUMNS,
    ingest_bytes,
    make_desk,
    make_spine,
    trade,
    trade_profile,
)
from tests.simulation.ingest_process import day_profile
from tests.simulation.market_day import market_day
from tests.simulation.stored import finished_runs, stored_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataspine.pipeline.spine import Spine
    from dataspine.schemas.source import SourceProfile

DAY = market_day(11, records=60)
LONG_DAY = market_day(12, records=70_000)
POWERS = [2**exponent for exponent in range(17)]
_numbers = count(1)


@pytest.fixture(scope="module")
def spine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    """One workspace for all cases; each takes a source of its own."""
    spine = make_spine(tmp_path_factory.mktemp("order"))
    with spine.workspace as workspace:
        # Nobody cuts the power here.
        workspace.database.connection.execute("PRAGMA synchronous = OFF")
        yield spine


def _ingested(spine: Spine, payloads: Sequence[bytes], *, chunk_records: int = 65_536) -> SourceProfile:
    """A fresh source that has taken in these payloads, one after the other."""
    profile = day_profile(f"order_{next(_numbers)}")
    options = IngestOptions(chunk_records=chunk_records)
    for number, content in enumerate(payloads):
        ingest_bytes(spine, profile, content, object_name=f"part {number}", options=options)
    return profile


def _state(spine: Spine, profile: SourceProfile) -> tuple[Any, ...]:
    database = spine.workspace.database
    return stored_of(database, profile.name), finished_runs(database, profile.name)


def _digest(spine: Spine, profile: SourceProfile) -> str:
    return digest_of(make_desk(spine), RecordQuery(profile.name)).digest


@pytest.mark.parametrize("chunk_records", POWERS)
def test_every_chunk_size_gives_one_state(spine: Spine, chunk_records: int) -> None:
    """Far and near repeats, contradictions, corrections, known and bad records; twice, so that all is known."""
    days = [DAY.before, DAY.day, DAY.day]
    whole = _ingested(spine, days)
    cut = _ingested(spine, days, chunk_records=chunk_records)
    assert _state(spine, cut) == _state(spine, whole)


@pytest.mark.soak
@pytest.mark.parametrize("chunk_records", [512, 1_024, 4_096, 16_384, 32_768])
def test_every_chunk_size_gives_one_state_of_a_long_day(spine: Spine, chunk_records: int) -> None:
    days = [LONG_DAY.before, LONG_DAY.day, LONG_DAY.day]
    whole = _ingested(spine, days, chunk_records=131_072)
    cut = _ingested(spine, days, chunk_records=chunk_records)
    assert _state(spine, cut) == _state(spine, whole)


@pytest.mark.parametrize("block_bytes", POWERS)
def test_every_block_size_gives_one_outcome(block_bytes: int) -> None:
    """The bytes may come from the archive in any pieces."""
    profile, payload = day_profile(), Payload("0" * 64, len(DAY.day), "day.ndjson", NOW_US)
    blocks = [DAY.day[start : start + block_bytes] for start in range(0, len(DAY.day), block_bytes)]
    whole = process_payload(payload, [Document("day.ndjson", [DAY.day])], profile)
    cut = process_payload(payload, [Document("day.ndjson", blocks)], profile)
    assert canonical_lines(cut.accepted, profile.kind) == canonical_lines(whole.accepted, profile.kind)
    assert cut.accepted.equals(whole.accepted)
    assert cut.rejected.equals(whole.rejected)
    assert (cut.records, cut.duplicate) == (whole.records, whole.duplicate)
    chunks = list(process_chunks(payload, [Document("day.ndjson", blocks)], profile, chunk_records=16))
    raw = [chunk.raw(chunk.rejected["position"].to_list()) for chunk in chunks]
    lines = DAY.day.splitlines()
    places = pl.concat([chunk.rejected for chunk in chunks])["position"].to_list()
    assert [record for part in raw for record in part] == [lines[place - 1] for place in places]


@pytest.mark.parametrize("seed", range(3))
def test_order_and_parts_never_change_the_content(spine: Spine, seed: int) -> None:
    """Records without contradictions among them, shuffled and cut into files of any size."""
    source = random.Random(seed)
    lines = market_day(13, records=300, has_far_conflicts=False).before.splitlines(keepends=True)
    whole = _ingested(spine, [b"".join(lines)])
    source.shuffle(lines)
    cuts = sorted(source.sample(range(len(lines)), 3))
    parts = [b"".join(lines[start:end]) for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
    shuffled = _ingested(spine, parts, chunk_records=source.choice([1, 7, 64]))
    assert _digest(spine, shuffled) == _digest(spine, whole)
    backwards = _ingested(spine, parts[::-1])
    assert _digest(spine, backwards) == _digest(spine, whole)


def test_order_never_changes_the_content_of_trades(spine: Spine) -> None:
    source = random.Random(5)
    records = [trade(f"T{number}", f"C{number % 3}", quantity=str(number + 1)) for number in range(60)]
    header = ",".join(TRADE_COLUMNS)
    digests = set()
    for number in range(3):
        profile = trade_profile(f"trades_{number}")
        lines = [",".join(record[name] for name in TRADE_COLUMNS) for record in records]
        ingest_bytes(spine, profile, "\n".join([header, *lines]).encode(), object_name="trades.csv")
        digests.add(_digest(spine, profile))
        source.shuffle(records)
    assert len(digests) == 1


def test_the_digest_tells_contents_apart(spine: Spine) -> None:
    one = {"symbol": "A", "timestamp": NOW_US // 1_000_000, "price": "1", "volume": 1}
    digests = {
        _digest(spine, _ingested(spine, [json.dumps({**one, **other}).encode()]))
        for other in (
            {},
            {"price": "1.5"},
            {"volume": 2},
            {"symbol": "B"},
            {"timestamp": NOW_US // 1_000_000 - 1},
        )
    }
    assert len(digests) == 5
    same = _digest(spine, _ingested(spine, [json.dumps({**one, "price": "1.50"}).encode()]))
    assert same in digests
