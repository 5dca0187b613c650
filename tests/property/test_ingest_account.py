"""Every record is accounted for once, by the counters, by the tables, and by a model of a dozen lines."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataspine.pipeline.ingest import IngestOptions
from dataspine.service.accounts import account_for
from dataspine.store.sqlite import sqlite
from tests.builders import ingest_quotes, make_desk, make_spine, quote, quote_profile
from tests.simulation.stored import stored_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataspine.pipeline.spine import Spine
    from dataspine.schemas.run import RunSummary
    from dataspine.schemas.source import SourceProfile


class Sent(NamedTuple):
    """A record as the vendor sends it; `-1` is refused, a heartbeat is no record."""

    symbol: str
    price: str
    kind: str = "quote"


class Model:
    """What a source should hold, worked out record by record."""

    def __init__(self) -> None:
        self.prices: dict[str, str] = {}
        self.old_prices: Counter[tuple[str, str]] = Counter()

    def ingest(self, records: Sequence[Sent]) -> dict[str, int]:
        """The counters of a payload that is new."""
        tally: Counter[str] = Counter()
        by_symbol: dict[str, list[str]] = {}
        for record in records:
            if record.kind == "heartbeat":
                tally["skipped"] += 1
            elif record.price == "-1":
                tally["rejected"] += 1
            else:
                by_symbol.setdefault(record.symbol, []).append(record.price)
        for symbol, prices in by_symbol.items():
            if len(set(prices)) > 1:
                tally["rejected"] += len(prices)
                continue
            tally["duplicate"] += len(prices) - 1
            tally[self._store(symbol, prices[0])] += 1
        return dict(tally)

    def _store(self, symbol: str, price: str) -> str:
        known = self.prices.get(symbol)
        self.prices[symbol] = price
        if known is None:
            return "inserted"
        if known == price:
            return "unchanged"
        self.old_prices[symbol, known] += 1
        return "corrected"


NAMES = ("inserted", "unchanged", "corrected", "rejected", "duplicate", "skipped")
records = st.builds(
    Sent,
    st.sampled_from(["AAA", "BBB", "CCC", "DDD"]),
    st.sampled_from(["1", "2", "3", "-1"]),
    st.sampled_from(["quote", "quote", "quote", "heartbeat"]),
)
payloads = st.lists(st.lists(records, max_size=9), min_size=1, max_size=4)
_numbers = count(1)


@pytest.fixture(scope="module")
def spine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    """One workspace for all examples; each takes a source of its own."""
    spine = make_spine(tmp_path_factory.mktemp("account"))
    with spine.workspace as workspace:
        # Nobody cuts the power here.
        workspace.database.connection.execute("PRAGMA synchronous = OFF")
        yield spine


def _profile() -> SourceProfile:
    limits = {"max_reject_ratio": 1.0}
    return quote_profile(f"account_{next(_numbers)}", skip_when={"kind": ["heartbeat"]}, contract=limits)


def _ingest(
    spine: Spine, profile: SourceProfile, part: Sequence[Sent], name: str, chunk_records: int
) -> RunSummary:
    sent = [quote(record.symbol, price=record.price, kind=record.kind) for record in part]
    options = IngestOptions(chunk_records=chunk_records)
    return ingest_quotes(spine, sent, profile=profile, object_name=name, options=options)


@given(parts=payloads, chunk=st.integers(1, 12))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_record_is_accounted_for(spine: Spine, parts: list[list[Sent]], chunk: int) -> None:
    profile, model = _profile(), Model()
    for number, part in enumerate(parts):
        expected = model.ingest(part)
        counts = _ingest(spine, profile, part, f"part {number}", chunk).counts
        assert {name: getattr(counts, name) for name in NAMES} == {
            name: expected.get(name, 0) for name in NAMES
        }
        assert counts.rows_read == sum(expected.values()) - expected.get("skipped", 0)
    stored = stored_of(spine.workspace.database, profile.name)
    assert {row[0]: row[3] for row in stored.rows} == model.prices
    assert Counter((row[0], row[3]) for row in stored.revisions) == model.old_prices
    for number, part in reversed(list(enumerate(parts))):
        counts = _ingest(spine, profile, part, f"part {number}", 65_536).counts
        assert (counts.inserted, counts.corrected) == (0, 0)
    assert stored_of(spine.workspace.database, profile.name) == stored
    with pytest.raises(sqlite.IntegrityError, match="CHECK"):
        spine.workspace.database.rows("UPDATE runs SET duplicate = duplicate + 1")


def test_the_accounts_of_all_examples_balance(spine: Spine) -> None:
    """Counters, counted rows and the archived bytes of everything that the property above ingested."""
    _ingest(spine, _profile(), [Sent("AAA", "1"), Sent("BBB", "-1")], "one", 1)
    report = account_for(make_desk(spine), deep=True)
    assert report.balanced, report.differences
    assert len(report.runs) > 0


@pytest.mark.soak
@given(parts=payloads, chunk=st.integers(1, 12))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_record_of_many_is_accounted_for(spine: Spine, parts: list[list[Sent]], chunk: int) -> None:
    test_every_record_is_accounted_for.hypothesis.inner_test(spine, parts, chunk)  # type: ignore[attr-defined]
