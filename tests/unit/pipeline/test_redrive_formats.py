"""A letter of any format, tried again alone under a better mapping, is the row that a clean ingest makes of it."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from dataspine.pipeline.redrive import redrive, rehearse
from dataspine.schemas.source import SourceProfile
from dataspine.service.accounts import account_for
from dataspine.service.records import RecordQuery, digest_of
from dataspine.store import dead_letters
from tests.builders import ingest_bytes, make_desk, make_spine
from tests.simulation.stored import stored_of

if TYPE_CHECKING:
    from pathlib import Path

TIME_UTC = {"column": "at", "format": "iso"}
QUOTE = {
    "symbol": {"column": "symbol"},
    "price": {"column": "price"},
    "volume": {"column": "volume"},
    "timestamp": TIME_UTC,
}
HEADER = "symbol,price,volume,at"
LINES = [
    "AAA,1.25,10,2026-01-09T12:00:00Z",
    "BBB,-2.50,20,2026-01-09T12:00:01Z",
    '"CCC","-3.75","30","2026-01-09T12:00:02Z"',
    "DDD,4,40,2026-01-09T12:00:03Z",
    "EEE,-5,50,2026-01-09T12:00:04+01:00",
]
CSV_TEXT = "\n".join([HEADER, *LINES]) + "\n"
OBJECTS = [
    {"symbol": name, "price": price, "volume": 10, "at": f"2026-01-09T12:00:0{number}Z"}
    for number, (name, price) in enumerate([("AAA", 1.25), ("BBB", -2.5), ("CCC", "-3.75"), ("DDD", -4)])
]
NDJSON_TEXT = "".join(json.dumps(item) + "\n" for item in OBJECTS)


class Feed(NamedTuple):
    """Bytes, their name, and the profile under which negative prices are refused."""

    content: bytes
    name: str
    keys: dict[str, Any]


def _zip(members: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def _ticks(*prices: str) -> str:
    return "".join(f"{1000 * number},{price},100,N\n" for number, price in enumerate(prices))


TICKS = {
    "kind": "trade",
    "format": "csv",
    "file_name": "{day}_{symbol}_trades.csv",
    "symbology": {"case": "upper"},
    "csv": {"header": False, "columns": ["ms", "price", "size", "venue"]},
    "fields": {
        "trade_id": {"generate": "ordinal"},
        "client_id": {"const": "TAPE"},
        "symbol": {"file": "symbol"},
        "side": {"const": "BUY"},
        "quantity": {"column": "size"},
        "price": {"column": "price"},
        "timestamp": {"column": "ms", "unit": "ms", "day": "day", "zone": "America/New_York"},
        "venue": {"column": "venue"},
    },
}
KEYED = {**QUOTE, "symbol": {"key": True}}
FEEDS = {
    "csv": Feed(CSV_TEXT.encode(), "a.csv", {"format": "csv", "fields": QUOTE}),
    "csv, other order and CRLF": Feed(
        b'at,"volume",symbol,other,price\r\n2026-01-09T12:00:00Z,1,AAA,x,-1\r\n2026-01-09T12:00:01Z,2,BBB,"y,z",-2\r\n',
        "a.csv",
        {"format": "csv", "fields": QUOTE},
    ),
    "csv without header": Feed(
        "\n".join(LINES).encode(),
        "a.csv",
        {"format": "csv", "csv": {"header": False, "columns": HEADER.split(",")}, "fields": QUOTE},
    ),
    "csv of a broker": Feed(
        "Depot 17;;;\nsymbol;price;volume;at\nAAA;-1.234,50 €;10;2026-01-09T12:00:00Z\nTotal;;;\n".encode(
            "cp1252"
        ),
        "a.csv",
        {
            "format": "csv",
            "encoding": "cp1252",
            "csv": {"delimiter": ";", "header_match": "symbol;", "stop_at": ["Total"]},
            "fields": {
                **QUOTE,
                "price": {"column": "price", "decimal_comma": True, "thousands": ".", "strip": [" €"]},
            },
        },
    ),
    "csv in UTF-16, big end first": Feed(
        b"\xfe\xff" + CSV_TEXT.encode("utf-16-be"),
        "a.csv",
        {"format": "csv", "encoding": "utf-16", "fields": QUOTE},
    ),
    "csv in UTF-16 without mark": Feed(
        CSV_TEXT.encode("utf-16-le"), "a.csv", {"format": "csv", "encoding": "utf-16", "fields": QUOTE}
    ),
    "json array": Feed(json.dumps(OBJECTS, indent=1).encode(), "a.json", {"format": "json", "fields": QUOTE}),
    "json object": Feed(json.dumps(OBJECTS[1]).encode(), "a.json", {"format": "json", "fields": QUOTE}),
    "json with mark": Feed(
        b"\xef\xbb\xbf" + json.dumps(OBJECTS).encode(), "a.json", {"format": "json", "fields": QUOTE}
    ),
    "map of symbols": Feed(
        json.dumps({item["symbol"]: {"quote": item} for item in OBJECTS}).encode(),
        "a.json",
        {"format": "json", "json": {"unwrap": "quote"}, "fields": KEYED},
    ),
    "envelope": Feed(
        json.dumps({"ticker": "AAA", "results": [{**item, "symbol": None} for item in OBJECTS]}).encode(),
        "a.json",
        {"format": "json", "fields": {**QUOTE, "symbol": {"envelope": "ticker"}}},
    ),
    "ndjson": Feed(NDJSON_TEXT.encode(), "a.ndjson", {"format": "ndjson", "fields": QUOTE}),
    "ndjson, gzip": Feed(
        gzip.compress(NDJSON_TEXT.encode()), "a.ndjson.gz", {"format": "ndjson", "fields": QUOTE}
    ),
    "ndjson in UTF-16": Feed(
        NDJSON_TEXT.encode("utf-16"), "a.ndjson", {"format": "ndjson", "encoding": "utf-16", "fields": QUOTE}
    ),
    "zip, values of names, made ids": Feed(
        _zip(
            {
                "20260108_aig_trades.csv": _ticks("1", "-2", "3"),
                "20260107_spy_trades.csv": _ticks("-4", "5", "-6"),
            }
        ),
        "both.zip",
        TICKS,
    ),
}


def _profile(name: str, feed: Feed, *, better: bool) -> SourceProfile:
    keys = {"kind": "market", "contract": {"max_reject_ratio": 1.0}, **feed.keys, "name": name}
    if better:
        keys["fields"] = {**keys["fields"], "price": {**keys["fields"]["price"], "abs": True}}
    return SourceProfile.model_validate(keys)


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS.keys())
@pytest.mark.parametrize("one_by_one", [False, True], ids=["together", "one by one"])
def test_letters_become_the_rows_of_a_clean_ingest(tmp_path: Path, feed: Feed, one_by_one: bool) -> None:
    with (spine := make_spine(tmp_path)).workspace as workspace:
        kind = feed.keys.get("kind", "market")
        ingest_bytes(spine, _profile("clean", feed, better=True), feed.content, object_name=feed.name)
        clean = stored_of(workspace.database, "clean", kind=kind)
        assert clean.letters == []
        ingest_bytes(spine, _profile("late", feed, better=False), feed.content, object_name=feed.name)
        letters = dead_letters.page(workspace.database.connection)
        assert letters
        assert {letter.code for letter in letters} == {"PRICE_VALIDITY"}
        better = _profile("late", feed, better=True)
        for part in [[letter] for letter in letters] if one_by_one else [letters]:
            expected = [(item.letter_id, item.passes, item.key) for item in rehearse(spine, better, part)]
            verdicts = redrive(spine, better, part)
            assert [(item.letter_id, item.passes, item.key) for item in verdicts] == expected
            assert all(verdict.passes for verdict in verdicts)
        late = stored_of(workspace.database, "late", kind=kind)
        assert late.rows == clean.rows
        assert late.revisions == []
        desk = make_desk(spine)
        digests = {digest_of(desk, RecordQuery(source)).digest for source in ("clean", "late")}
        assert len(digests) == 1
        again = ingest_bytes(spine, better, feed.content, object_name=feed.name)
        assert (again.counts.inserted, again.counts.corrected) == (0, 0)
        assert account_for(desk, deep=True).balanced


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS.keys())
def test_raw_bytes_are_a_piece_of_the_payload(tmp_path: Path, feed: Feed) -> None:
    whole = gzip.decompress(feed.content) if feed.name.endswith(".gz") else feed.content
    if feed.name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            whole = b"".join(archive.read(name) for name in archive.namelist())
    with (spine := make_spine(tmp_path)).workspace as workspace:
        ingest_bytes(spine, _profile("late", feed, better=False), feed.content, object_name=feed.name)
        for letter in dead_letters.page(workspace.database.connection):
            assert letter.raw in whole
