"""A chunk's contracts and a lone record's give the same verdict, to the word, on generated records."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataspine.clock import us_from_datetime
from dataspine.normalization.coerce import Origin
from dataspine.pipeline.stages import judge_chunk
from dataspine.presets import load_presets, overlay
from dataspine.schemas.payload import RawChunk
from dataspine.schemas.source import Kind, SourceProfile
from dataspine.validation.contracts import ContractValidator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOW = datetime(2026, 1, 9, 22, tzinfo=UTC)
Texts = dict[str, str | None]
Found = set[tuple[str, str, str]]

DIGITS = st.from_regex(r"-?[0-9]{1,24}(\.[0-9]{1,22})?([eE][+-]?[0-9]{1,7})?", fullmatch=True)
NUMBERS = st.sampled_from(
    [
        *("1", "0", "-0", "-0.0", "0.00", "0.10", "-1.5", "007", "1e3", "1E-3", "1e+05", "-1e-3", "0e999999"),
        *("1e400", "-1e999999", "1e-999999", "1e5000000", "9" * 20, "9" * 21, "9" * 5000, "-" + "9" * 5000),
        *(
            "0." + "1" * 18,
            "0." + "1" * 19,
            "0." + "0" * 5000,
            "0" * 500 + "1",
            "12345678901234567890." + "1" * 18,
        ),
        *(
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "-9223372036854775809",
            "1e19",
        ),
        *(
            "１５０",
            "٣",
            "1_000",
            "1,000",
            "NaN",
            "nan",
            "Infinity",
            "-inf",
            "0x10",
            "+1",
            ".5",
            "5.",
            "--1",
            "e5",
        ),
        *("1e", "-", " 1", "1 ", "1\n", "1\x00", "null", "true", "$1", "{}", "{field}", "1" + "\u0661"),
    ]
)
SYMBOLS = st.sampled_from(
    [
        *(
            "AAPL",
            "A",
            "ABCDEFGHIJ",
            "ABCDEFGHIJK",
            "aapl",
            "AAPL\n",
            " AAPL",
            "\u0410APL",
            "ＡＡＰＬ",
            "0700",
            "NULL",
        ),
        *(
            "BRK.B",
            "X:BTCUSD",
            "A\u200bB",
            "é",
            "ß",
            "A" * 5000,
            "\x00",
            "[/]",
            "\U0001f600",
            "{}",
            "{message}",
            "i\u0307",
        ),
    ]
)
TIMES = st.sampled_from(
    [
        *(
            "2026-01-09T21:59:00Z",
            "2026-01-09T22:05:00Z",
            "2026-01-09T22:05:00.000001Z",
            "2026-01-09T22:05:01Z",
        ),
        *("2026-01-09 21:59:00Z", "2026-01-09T21:59:00", "2026-01-09", "2026-01-09Z", "2026-01-09+05:30"),
        *(
            "2026-01-09T21:59Z",
            "2026-01-09T21:59",
            "2026-01-09T21:59:00.123456789Z",
            "2026-01-09T21:59:00.1Z",
        ),
        *(
            "2026-01-09T21:59:00-0500",
            "2026-01-09T21:59:00+0530",
            "2026-02-29T00:00:00Z",
            "2024-02-29T00:00:00Z",
        ),
        *(
            "2026-13-01T00:00:00Z",
            "2026-01-32T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+23:59",
        ),
        *("9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999999999Z", "1990-01-01T00:00:00Z", "1e9"),
        *(
            "1989-12-31T23:59:59.999999Z",
            "1990-01-01T00:00:00+00:01",
            "1704067200000",
            "20260109",
            "2026-W02-5",
        ),
        *("2026-01-09T24:00:00Z", "2026-01-09T23:59:60Z", "2026-01-09t21:59:00z", "2026-01-09T21:59:00Z\n"),
        *(
            "２026-01-09T21:59:00Z",
            "2026-01-09T21:59:00 Z",
            "2026-01-09T21:59:00+24:00",
            "2026-01-09T21:59:00+05",
        ),
        *(
            "2026-01-09T21:59:00,5Z",
            "2026-1-9T21:59:00Z",
            "2026-04-31T00:00:00Z",
            "2026-01-09T21:59.5Z",
            "{}",
        ),
    ]
)
INSTANTS = st.datetimes(timezones=st.just(UTC), max_value=datetime(9999, 12, 31)).map(  # noqa: DTZ001 - hypothesis wants it naive
    lambda instant: instant.isoformat()
)
IDENTIFIERS = st.sampled_from(
    [
        "T1",
        "a b",
        " a",
        "a ",
        "\t",
        "x" * 64,
        "x" * 65,
        "é",
        "a\n",
        "a\nb",
        "=1+1",
        "\x7f",
        "~",
        "A\u202eB",
        "{}",
    ]
)
WORDS = st.sampled_from(
    ["BUY", "SELL", "Buy", "1", "2", "buy", "BUY ", "BUY\n", "SHORT", "NEW", "CANCEL", "interval", "x"]
)
ANY_TEXT = st.text(max_size=12)

GOOD: dict[str, str] = {
    "symbol": "AAPL",
    "price": "100",
    "volume": "5",
    "open": "100",
    "high": "101",
    "low": "99",
    "vwap": "100.5",
    "trade_count": "3",
    "interval_s": "60",
    "volume_kind": "interval",
    "timestamp": "2026-01-09T21:59:00Z",
    "trade_id": "T1",
    "client_id": "C1",
    "side": "BUY",
    "quantity": "3",
    "venue": "XNYS",
    "exec_type": "NEW",
    "ref_trade_id": "T0",
}
HOSTILE = {
    **dict.fromkeys(
        ("price", "volume", "open", "high", "low", "vwap", "trade_count", "interval_s", "quantity"),
        NUMBERS | DIGITS,
    ),
    **dict.fromkeys(("trade_id", "client_id", "venue", "ref_trade_id"), IDENTIFIERS),
    **dict.fromkeys(("side", "exec_type", "volume_kind"), WORDS),
    "symbol": SYMBOLS,
    "timestamp": TIMES | INSTANTS,
}
MARKET_FIELDS = (
    "symbol",
    "price",
    "volume",
    "open",
    "high",
    "low",
    "vwap",
    "trade_count",
    "interval_s",
    "volume_kind",
)


def profile(preset: str, **table: object) -> SourceProfile:
    return SourceProfile.model_validate({**overlay(load_presets()[preset], table), "name": "desk"})


EVERY_FIELD = {name: {"column": name} for name in MARKET_FIELDS}
PROFILES = {
    "quotes": profile("generic_quotes"),
    "bars": profile("generic_bars"),
    "every field": profile("generic_bars", fields=EVERY_FIELD),
    "decimal volume": profile("generic_bars", fields=EVERY_FIELD, volume="decimal"),
    "executions": profile("execution_csv"),
    "wide symbology": profile(
        "generic_quotes",
        symbology={
            "name": "wide",
            "charset": "ABCDEFGHIJKLMNOPQRSTUVWXYZ:.-]^\\",
            "max_len": 12,
            "case": "upper",
            "prefixes": {"X:": "crypto", "A": "stock"},
            "mapping": {"BRK.B": "BRKB", "é": "E"},
        },
    ),
    "mapped symbols": profile("generic_quotes", symbology={"mapping": {"aapl": "AAPL"}, "unmapped": "dead"}),
    "narrow limits": profile("generic_quotes", contract={"max_future_s": 0, "earliest": "2026-01-09"}),
}


@st.composite
def records(draw: st.DrawFn, names: Sequence[str]) -> Texts:
    """A record that is right, or wrong in some fields, or nothing but noise."""
    wrong = draw(st.sets(st.sampled_from(names), max_size=draw(st.sampled_from([0, 1, 1, 2, len(names)]))))
    noise = st.none() | st.just("") | ANY_TEXT
    return {name: draw(HOSTILE[name] | noise) if name in wrong else GOOD[name] for name in names}


def mapped_names(source: SourceProfile) -> list[str]:
    return [name for name, mapping in source.fields.items() if mapping.wire_paths()]


def column_verdicts(batch: Sequence[Texts], source: SourceProfile) -> list[Found]:
    """What the heart says of each record."""
    paths = {name: source.fields[name].wire_paths()[0] for name in mapped_names(source)}
    columns = {path: [record[name] for record in batch] for name, path in paths.items()}
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)).with_row_index(
        "position", offset=1
    )
    chunk = RawChunk(frame.cast({"position": pl.Int64}), (), frozenset(), lambda _positions: [])
    outcome = judge_chunk(chunk, source, origin=Origin(), received_at_us=us_from_datetime(NOW))
    found: list[Found] = [set() for _ in batch]
    for row in outcome.rejected.iter_rows(named=True):
        reasons = json.loads(row["reasons_json"])
        found[row["position"] - 1] = {
            (reason["code"], reason["field"], reason["message"]) for reason in reasons
        }
    assert outcome.accepted.height == sum(not reasons for reasons in found)
    return found


def validator(source: SourceProfile) -> ContractValidator:
    return ContractValidator(source.contract, source.symbology, source.volume, NOW)


def record_verdict(record: Texts, source: SourceProfile) -> Found:
    """What the model says of the same texts, once the profile's words are ours."""
    words = {name: source.fields[name].values.get(text or "", text) for name, text in record.items()}
    constants = {name: mapping.const for name, mapping in source.fields.items() if mapping.const is not None}
    found = validator(source).violations(source.kind, {"source": "desk", **constants, **words})
    return {(str(violation.code), violation.field, violation.message) for violation in found}


def assert_verdicts_agree(batch: Sequence[Texts], source: SourceProfile) -> None:
    assert column_verdicts(batch, source) == [record_verdict(record, source) for record in batch]


@pytest.mark.parametrize("name", PROFILES)
@given(data=st.data())
@settings(max_examples=25)
def test_verdicts_agree(name: str, data: st.DataObject) -> None:
    """Records of one chunk share columns, so that a neighbour must not change a verdict either."""
    source = PROFILES[name]
    assert_verdicts_agree(data.draw(st.lists(records(mapped_names(source)), min_size=1, max_size=6)), source)


@pytest.mark.parametrize("name", PROFILES)
def test_every_single_hostile_value_is_judged_alike(name: str) -> None:
    """Each sampled value once, alone in its field, between two good records."""
    source = PROFILES[name]
    names = mapped_names(source)
    good = {field: GOOD[field] for field in names}
    samples: Mapping[str, Sequence[str]] = {
        "timestamp": TIMES.elements,
        "symbol": SYMBOLS.elements,
        **dict.fromkeys(("side", "exec_type", "volume_kind"), WORDS.elements),
        **dict.fromkeys(("trade_id", "client_id", "venue", "ref_trade_id"), IDENTIFIERS.elements),
    }
    for field in names:
        wrong = [{**good, field: text} for text in [None, "", *samples.get(field, NUMBERS.elements)]]
        assert_verdicts_agree([good, *wrong, good], source)
        # A column that is all of one form takes a shorter way.
        for record in wrong if field == "timestamp" and name == "quotes" else ():
            assert_verdicts_agree([record], source)


@given(data=st.data())
@settings(max_examples=80)
@example(data=None)
def test_ohlc_order_is_judged_alike(data: st.DataObject | None) -> None:
    """Few distinct prices, so that ties, disorder and holes are frequent."""
    price = st.sampled_from(
        ["1", "1.0", "2", "1e0", "0.5", "-1", "0", "x", None, "1.000000000000000001", "9" * 20]
    )
    names = ("open", "high", "low", "price")
    drawn = {name: data.draw(price) for name in names} if data else dict.fromkeys(names, "9" * 21)
    source = PROFILES["every field"]
    record = {**{name: GOOD[name] for name in mapped_names(source)}, **drawn}
    assert_verdicts_agree([record], source)


@pytest.mark.parametrize("field", ["symbol", "price", "timestamp"])
@pytest.mark.parametrize("text", ["\ud800", "A\udfff", "1\ud800"])
def test_a_lone_surrogate_is_a_violation_not_a_crash(field: str, text: str) -> None:
    """No column can hold one (the readers refuse it as ENCODING), but a Python record can."""
    record = {
        **{name: GOOD[name] for name in ("symbol", "price", "timestamp", "volume")},
        "source": "desk",
        field: text,
    }
    found = validator(PROFILES["quotes"]).violations(Kind.MARKET, record)
    assert [violation.field for violation in found] == [field]


def test_the_edge_of_the_future_is_the_same_instant() -> None:
    """Exactly `max_future_s` past the receipt is right, one microsecond more is not."""
    source = PROFILES["quotes"]
    edge = NOW + timedelta(seconds=source.contract.max_future_s)
    good = {name: GOOD[name] for name in mapped_names(source)}
    batch = [{**good, "timestamp": (edge + timedelta(microseconds=late)).isoformat()} for late in (0, 1)]
    assert_verdicts_agree(batch, source)
    assert [bool(found) for found in column_verdicts(batch, source)] == [False, True]
