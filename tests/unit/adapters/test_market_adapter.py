"""`MarketAdapter`: files of any known shape become the records that the heart makes of them."""

from __future__ import annotations

import gzip
import io
import json
import tomllib
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dataspine.adapters.container import documents
from dataspine.adapters.file_adapter import RawFile
from dataspine.adapters.judged_records import judged_documents
from dataspine.adapters.market_adapter import MarketAdapter
from dataspine.clock import FrozenClock, us_from_datetime
from dataspine.errors import PayloadError, RequestError, SourceRefused
from dataspine.normalization.normalizer import Normalizer
from dataspine.pipeline.stages import process_payload
from dataspine.presets import load_presets, overlay
from dataspine.schemas.market_data import MarketData
from dataspine.schemas.payload import Payload
from dataspine.schemas.source import SourceProfile, Symbology

FIXTURES = Path(__file__).parents[3] / "fixtures"
NOW = datetime(2026, 1, 9, 22, tzinfo=UTC)
NOW_US = us_from_datetime(NOW)
EXPECTED = tomllib.loads((FIXTURES / "faults/expected.toml").read_text(encoding="utf-8"))
QUOTE = {"symbol": "AAPL", "price": 267.27, "timestamp": "2026-01-09T15:00:00Z", "volume": 5}
IEX = {
    "symbol": "AAPL",
    "latestPrice": 267.27,
    "latestUpdate": 1767970800000,
    "latestVolume": 5,
    "volume": None,
}
BAR = {"o": 1, "h": 2, "l": 1, "c": 1.5, "v": 5.0, "t": 1767970800000}


def adapter(**options: Any) -> MarketAdapter:
    return MarketAdapter(clock=FrozenClock(NOW_US), **options)


def write(tmp_path: Path, name: str, content: object) -> dict[str, str]:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return {"file_path": str(path)}


def test_its_name_is_on_its_records(tmp_path: Path) -> None:
    assert adapter().get_source_name() == "market_feed"
    (record,) = adapter().ingest(write(tmp_path, "quotes.json", [QUOTE]))
    assert record["source"] == "market_feed"
    assert record.keys() == MarketData.model_fields.keys()


@pytest.mark.parametrize(
    ("name", "content", "interval_s"),
    [
        ("quotes.json", [QUOTE], 0),
        ("quotes.ndjson", json.dumps(QUOTE).encode(), 0),
        ("quotes.jsonl", json.dumps(IEX).encode(), 0),
        ("quote.json", QUOTE, 0),
        ("iex.json", {"AAPL": {"quote": IEX}}, 0),
        ("aggs.json", {"ticker": "AAPL", "results": [BAR]}, 60),
        ("grouped.json", {"results": [{**BAR, "T": "AAPL"}]}, 86400),
        (
            "bars.csv",
            b"symbol,timestamp,open,high,low,close,volume\nAAPL,2026-01-09T15:00:00Z,1,2,1,1.5,5\n",
            60,
        ),
        ("quotes.csv", b"volume,symbol,price,timestamp\n5,AAPL,267.27,2026-01-09T15:00:00Z\n", 0),
        ("quotes.json.gz", gzip.compress(json.dumps([QUOTE]).encode(), mtime=0), 0),
    ],
)
def test_the_shape_is_found(tmp_path: Path, name: str, content: object, interval_s: int) -> None:
    """By the suffix and by the fields of the first records."""
    (record,) = adapter().ingest(write(tmp_path, name, content))
    assert (record["symbol"], record["interval_s"], record["volume"]) == ("AAPL", interval_s, 5)
    assert record["price"] in (Decimal("267.27"), Decimal("1.5"))
    assert record["timestamp"].tzinfo is UTC


def test_the_members_of_a_zip_are_read_together(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("a.json", "b.json"):
            archive.writestr(name, json.dumps([QUOTE, {**QUOTE, "price": -1}]))
    reader = adapter()
    assert len(reader.ingest(write(tmp_path, "quotes.zip", packed.getvalue()))) == 2
    assert [rejection.position for rejection in reader.rejected] == [2, 4]


def test_a_shape_that_fits_two_presets_needs_a_name(tmp_path: Path) -> None:
    """The answer `prev` has the symbol in both places, and the two presets read its time differently."""
    params = write(tmp_path, "prev.json", {"ticker": "AAPL", "results": [{**BAR, "T": "AAPL"}]})
    with pytest.raises(RequestError, match="polygon_aggs, polygon_grouped"):
        adapter().ingest(params)
    assert adapter().ingest({**params, "preset": "polygon_grouped"})[0]["interval_s"] == 86400


@pytest.mark.parametrize("content", [{"results": []}, [{"a": 1}], {"error": "NOT_FOUND"}, b"", b"{"])
def test_a_shape_that_fits_none_is_an_error(tmp_path: Path, content: object) -> None:
    with pytest.raises(RequestError, match=r"none that fits .*iex_quote"):
        adapter().ingest(write(tmp_path, "x.json", content))


@pytest.mark.parametrize("preset", ["nope", "execution_csv"])
def test_an_unknown_preset_is_an_error(tmp_path: Path, preset: str) -> None:
    """A trade's preset is none of the market's."""
    with pytest.raises(RequestError, match=f"iex_quote.*got {preset}"):
        adapter().ingest({**write(tmp_path, "x.json", [QUOTE]), "preset": preset})


@pytest.mark.parametrize("params", [{}, {"file_path": ""}, {"file_path": None}])
def test_a_file_must_be_named(params: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="file_path"):
        adapter().ingest(params)


def test_a_missing_file_is_empty_when_ingested_and_an_error_when_fetched(tmp_path: Path) -> None:
    params = {"file_path": str(tmp_path / "gone.json")}
    reader = adapter()
    assert reader.ingest(params) == []
    assert isinstance(reader.failure, SourceRefused)
    with pytest.raises(SourceRefused):
        reader.fetch_raw(params)


def test_a_damaged_file_is_empty_when_ingested_and_an_error_when_parsed(tmp_path: Path) -> None:
    """What was read before the damage is not given out: the whole payload is refused."""
    params = {
        **write(tmp_path, "cut.json", json.dumps([QUOTE] * 3).encode()[:-20]),
        "preset": "generic_quotes",
    }
    reader = adapter()
    assert reader.ingest(params) == []
    assert isinstance(reader.failure, PayloadError)
    with pytest.raises(PayloadError):
        reader.parse_raw(reader.fetch_raw(params))


@pytest.mark.parametrize("raw", [json.dumps([QUOTE]), json.dumps([IEX]).encode()])
def test_text_and_bytes_are_parsed_too(raw: str | bytes) -> None:
    assert len(adapter().parse_raw(raw)) == 1


def test_a_wider_symbology_can_be_given(tmp_path: Path) -> None:
    params = write(tmp_path, "quotes.json", [{**QUOTE, "symbol": "BRK.B"}])
    assert adapter().ingest(params) == []
    wide = Symbology(charset="ABCDEFGHIJKLMNOPQRSTUVWXYZ.")
    assert adapter(symbology=wide).ingest(params)[0]["symbol"] == "BRK.B"


def test_the_future_is_judged_by_the_receipt(tmp_path: Path) -> None:
    reader = adapter()
    assert (
        reader.ingest(write(tmp_path, "quotes.json", [{**QUOTE, "timestamp": "2026-01-09T22:05:01Z"}])) == []
    )
    assert reader.rejected[0].reasons[0].code == "TIMESTAMP_FUTURE"


def test_a_record_is_the_one_that_the_normalizer_makes(tmp_path: Path) -> None:
    """A profile says more than a mapping does, so only these two fields may differ."""
    (record,) = adapter().ingest(write(tmp_path, "quotes.json", [IEX]))
    other = Normalizer().normalize_market(IEX)
    assert {name for name in record if record[name] != other[name]} == {"volume_kind"}


Refusals = dict[int, set[tuple[str, str, str]]] | str


def heart_refusals(content: bytes, name: str, profile: SourceProfile) -> Refusals:
    """Reasons by position, or the code that refuses the whole payload; repeated keys are left out."""
    payload = Payload("0" * 64, len(content), name, NOW_US)
    try:
        outcome = process_payload(payload, documents(io.BytesIO(content), object_name=name), profile)
    except PayloadError as error:
        return error.code
    listed = {
        row["position"]: json.loads(row["reasons_json"]) for row in outcome.rejected.iter_rows(named=True)
    }
    return {
        position: {(reason["code"], reason["field"], reason["message"]) for reason in reasons}
        for position, reasons in listed.items()
        if reasons[0]["code"] != "CONFLICT"
    }


def adapter_refusals(content: bytes, name: str, profile: SourceProfile) -> Refusals:
    found = documents(io.BytesIO(content), object_name=name)
    try:
        judged = judged_documents(found, profile, payload_sha256="0" * 64, received_at_us=NOW_US)
    except PayloadError as error:
        return error.code
    return {
        rejection.position: {(reason.code, reason.field, reason.message) for reason in rejection.reasons}
        for rejection in judged.rejected
    }


@pytest.mark.parametrize("case", EXPECTED["case"], ids=lambda case: case["file"])
def test_refusals_are_those_of_the_heart(case: dict[str, Any]) -> None:
    """The same records refused, with the same reasons, word for word, in every file of planted faults."""
    profile = SourceProfile.model_validate(
        {**overlay(load_presets()[case["preset"]], case["set"]), "name": "desk"}
    )
    content, name = (FIXTURES / "faults" / case["file"]).read_bytes(), Path(case["file"]).name
    assert adapter_refusals(content, name, profile) == heart_refusals(content, name, profile)


def test_a_raw_file_carries_its_preset() -> None:
    raw = RawFile("x", json.dumps([QUOTE]).encode(), NOW_US, "generic_quotes")
    with pytest.raises(PayloadError):
        adapter().parse_raw(RawFile("x", b"[", NOW_US, "iex_quote"))
    assert adapter().parse_raw(RawFile("x.json", raw.content, NOW_US, raw.preset))[0]["price"] == Decimal(
        "267.27"
    )
