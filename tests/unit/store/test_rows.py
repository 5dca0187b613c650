"""Rows against the store: every key has one fate, a run leaves nothing when it is taken back."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataspine.store import rows
from dataspine.store.rows import MARKET, TRADE, Family, Receipt
from tests.builders import NOW_US, ingest_quotes, make_spine, quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataspine.store.database import Database
    from dataspine.store.sqlite import Connection

_TYPES = {"symbol_id": pl.Int64, "timestamp_us": pl.Int64, "interval_s": pl.Int64, "trade_count": pl.Int64}
Key = tuple[Any, ...]
_sources = count(1_000)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """An empty store whose foreign keys are not looked at: rows alone are tried here."""
    with make_spine(tmp_path_factory.mktemp("rows")).workspace as workspace:
        workspace.database.connection.execute("PRAGMA foreign_keys = OFF")
        workspace.database.connection.execute("PRAGMA synchronous = OFF")
        yield workspace.database


def market(keys: Sequence[Key], **values: Any) -> pl.DataFrame:
    """Bars of these (symbol, time, interval); values stand on each of them."""
    default = {
        "price": "1",
        "volume": 5,
        "open": None,
        "high": "2",
        "low": None,
        "vwap": None,
        "trade_count": None,
    }
    return _frame(MARKET, keys, {**default, "volume_kind": "interval", **values})


def trades(keys: Sequence[Key], **values: Any) -> pl.DataFrame:
    """Trades of these (client, id)."""
    default = {"symbol_id": 1, "timestamp_us": 2, "side": "BUY", "quantity": "1", "price": "1", "venue": "X"}
    return _frame(TRADE, keys, {**default, "exec_type": "NEW", "ref_trade_id": None, **values})


def _frame(family: Family, keys: Sequence[Key], values: dict[str, Any]) -> pl.DataFrame:
    records = [dict(zip(family.keys, key, strict=True)) | values for key in keys]
    names = (*family.keys, *family.values)
    schema = {name: _TYPES.get(name, pl.Int64 if name == "volume" else pl.String) for name in names}
    frame = pl.DataFrame(records, schema=schema)
    return frame.with_columns(position=pl.int_range(1, frame.height + 1, dtype=pl.Int64))


def _write(
    tx: Connection, frame: pl.DataFrame, family: Family, source_id: int, run_id: int
) -> dict[str, list[Key] | int]:
    """Compare and write a chunk as a run does; the keys of each fate."""
    place = {"source_id": source_id, "run_id": run_id}
    found = rows.compare(tx, frame, family, **place)
    assert rows.insert(tx, found.new, family, **place) == found.new.height
    assert rows.correct(tx, found.corrected, family, **place) == found.corrected.height
    fates = {name: getattr(found, name) for name in ("new", "corrected", "repeated", "conflicting")}
    keys = {name: sorted(part.select(family.keys).rows()) for name, part in fates.items()}
    return {**keys, "unchanged": found.unchanged}


def _fates(**keys: Any) -> dict[str, Any]:
    return {"new": [], "corrected": [], "repeated": [], "conflicting": [], "unchanged": 0} | keys


@pytest.mark.parametrize(
    ("family", "make", "keys"),
    [
        (MARKET, market, [(1, 10, 0), (1, 10, 60), (1, -5, 0), (2, 10, 0)]),
        (TRADE, trades, [("A", "1"), ("A", "10"), ("A", "2"), ("Ä", "1")]),
    ],
    ids=["market", "trade"],
)
def test_each_key_has_one_fate(database: Database, family: Family, make: Any, keys: list[Key]) -> None:
    source = next(_sources)
    with database.transaction() as tx:
        assert _write(tx, make(keys), family, source, 1) == _fates(new=sorted(keys))
        assert _write(tx, make(keys), family, source, 1) == _fates(repeated=sorted(keys))
        assert _write(tx, make(keys, price="9"), family, source, 1) == _fates(conflicting=sorted(keys))
        assert _write(tx, make(keys), family, source, 2) == _fates(unchanged=len(keys))
        assert _write(tx, make(keys[:2], price="3"), family, source, 2) == _fates(corrected=sorted(keys[:2]))
        assert _write(tx, make(keys), family, source, 3) == _fates(corrected=sorted(keys[:2]), unchanged=2)
        assert _write(tx, make(keys), family, next(_sources), 3) == _fates(new=sorted(keys)), "another source"


@pytest.mark.parametrize("name", MARKET.values)
def test_any_value_of_a_bar_makes_a_correction(database: Database, name: str) -> None:
    source, other = next(_sources), 7 if name in ("volume", "trade_count") else "other"
    with database.transaction() as tx:
        _write(tx, market([(1, 1, 0), (1, 2, 0)]), MARKET, source, 1)
        changed = _write(tx, market([(1, 1, 0)], **{name: other}), MARKET, source, 2)
        assert changed == _fates(corrected=[(1, 1, 0)])
        back = _write(tx, market([(1, 1, 0)]), MARKET, source, 3)
        assert back == _fates(corrected=[(1, 1, 0)])
    versions = database.rows(
        f"SELECT {name} FROM market_revisions WHERE source_id = ? ORDER BY run_id", (source,)
    )
    default = market([(1, 1, 0)])[name][0]
    assert versions == [(default,), (other,)]


@pytest.mark.parametrize("name", TRADE.values)
def test_any_value_of_a_trade_makes_a_correction(database: Database, name: str) -> None:
    source, other = next(_sources), 7 if name in ("symbol_id", "timestamp_us") else "other"
    with database.transaction() as tx:
        _write(tx, trades([("C", "1")]), TRADE, source, 1)
        changed = _write(tx, trades([("C", "1")], **{name: other}), TRADE, source, 2)
    assert changed == _fates(corrected=[("C", "1")])


def test_values_do_not_run_into_each_other(database: Database) -> None:
    """`1` and `23` are not `12` and `3`."""
    source = next(_sources)
    with database.transaction() as tx:
        _write(tx, market([(1, 1, 0)], open="1", high="23"), MARKET, source, 1)
        found = _write(tx, market([(1, 1, 0)], open="12", high="3"), MARKET, source, 2)
    assert found == _fates(corrected=[(1, 1, 0)])


def test_a_decimal_volume_is_the_same_volume(database: Database) -> None:
    source = next(_sources)
    with database.transaction() as tx:
        _write(tx, market([(1, 1, 0)], volume=5), MARKET, source, 1)
        decimal = market([(1, 1, 0)]).with_columns(volume=pl.lit("5"))
        assert _write(tx, decimal, MARKET, source, 2) == _fates(unchanged=1)


def test_nulls_come_back_as_nulls(database: Database) -> None:
    source = next(_sources)
    frame = pl.concat(
        [
            market([(1, 1, 0)], trade_count=0, open="0"),
            market([(1, 2, 0)], trade_count=None, open=None).with_columns(position=pl.lit(2, pl.Int64)),
        ]
    )
    with database.transaction() as tx:
        _write(tx, frame, MARKET, source, 1)
    stored = database.rows("SELECT trade_count, open, vwap FROM market_data WHERE source_id = ?", (source,))
    assert stored == [(0, "0", None), (None, None, None)]


def test_a_thin_payload_is_compared_with_a_thick_store(database: Database) -> None:
    """Two keys far apart, with thousands of others between them."""
    source, many = next(_sources), [(1, number, 0) for number in range(9_000)]
    thin = [(1, 0, 0), (1, 8_999, 0), (1, 9_000, 0)]
    with database.transaction() as tx:
        _write(tx, market(many), MARKET, source, 1)
        assert _write(tx, market(thin), MARKET, source, 2) == _fates(new=thin[2:], unchanged=2)
        assert _write(tx, market(thin, price="2"), MARKET, source, 3) == _fates(corrected=thin)


def test_nothing_is_compared_and_written_as_nothing(database: Database) -> None:
    with database.transaction() as tx:
        assert _write(tx, market([]), MARKET, next(_sources), 1) == _fates()


def test_a_run_taken_back_leaves_nothing(database: Database) -> None:
    # Numbers that no other test here has given to a run.
    source = next(_sources)
    with database.transaction() as tx:
        _write(tx, market([(1, 1, 0), (1, 2, 0)]), MARKET, source, 101)
        _write(tx, market([(1, 2, 0)], price="2"), MARKET, source, 102)
        before = _versions(database, source)
        _write(tx, market([(1, 1, 0), (1, 3, 0)], price="3"), MARKET, source, 103)
        _write(tx, market([(1, 2, 0)], price="3"), MARKET, source, 103)
        rows.roll_back(tx, MARKET, source_id=source, run_id=103)
    assert _versions(database, source) == before


def _versions(database: Database, source_id: int) -> list[list[tuple[Any, ...]]]:
    names = ", ".join(MARKET.columns)
    tables = ("market_data", "market_revisions")
    return [
        database.rows(f"SELECT {names} FROM {table} WHERE source_id = ? ORDER BY {names}", (source_id,))
        for table in tables
    ]


def test_receipts_are_ordered_by_time_then_number() -> None:
    receipts = [Receipt(2, 1), Receipt(1, 9), Receipt(1, 2)]
    assert sorted(receipts) == [Receipt(1, 2), Receipt(1, 9), Receipt(2, 1)]


def test_rows_received_since_are_found(tmp_path_factory: pytest.TempPathFactory) -> None:
    with (spine := make_spine(tmp_path_factory.mktemp("since"))).workspace as workspace:
        ingest_quotes(spine, [quote("AAA")], object_name="one")
        ingest_quotes(spine, [quote("BBB")], object_name="two")
        asked = market([(number, 1_767_963_600_000_000, 0) for number in (1, 2, 3)])
        with workspace.database.transaction() as tx:
            for receipt, expected in [
                (Receipt(NOW_US, 1), [1, 2]),
                (Receipt(NOW_US, 2), [2]),
                (Receipt(NOW_US, 3), []),
                (Receipt(NOW_US + 1, 0), []),
                (Receipt(NOW_US - 1, 9), [1, 2]),
            ]:
                found = rows.received_since(tx, asked, MARKET, 1, receipt)
                assert found["symbol_id"].to_list() == expected


chunks = st.lists(
    st.dictionaries(
        st.tuples(st.integers(1, 3), st.integers(0, 6), st.sampled_from([0, 60])),
        st.sampled_from("12"),
        max_size=8,
    ),
    max_size=6,
)


@given(runs=st.lists(chunks, max_size=3))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_fates_agree_with_a_model(database: Database, runs: list[list[dict[Key, str]]]) -> None:
    """A dict of (price, run) by key says what must become of each row of each chunk of each run."""
    source, model = next(_sources), {}
    with database.transaction() as tx:
        for run_id, parts in enumerate(runs, start=1):
            for part in parts:
                expected = _modelled(model, part, run_id)
                prices = pl.Series(list(part.values()), dtype=pl.String)
                frame = market(list(part)).with_columns(price=prices)
                assert _write(tx, frame, MARKET, source, run_id) == expected
        stored = tx.execute(
            "SELECT symbol_id, timestamp_us, interval_s, price, run_id FROM market_data WHERE source_id = ?",
            (source,),
        ).fetchall()
    assert {tuple(row[:3]): tuple(row[3:]) for row in stored} == model


def _modelled(model: dict[Key, tuple[str, int]], part: dict[Key, str], run_id: int) -> dict[str, Any]:
    """Fates of a chunk, and the model with what it writes."""
    fates = _fates()
    for key, price in sorted(part.items()):
        known = model.get(key)
        if known is None:
            fates["new"].append(key)
        elif known[1] == run_id:
            fates["repeated" if known[0] == price else "conflicting"].append(key)
            continue
        elif known[0] == price:
            fates["unchanged"] += 1
            continue
        else:
            fates["corrected"].append(key)
        model[key] = (price, run_id)
    return fates
