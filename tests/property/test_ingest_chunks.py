"""The size of the chunks never shows: same rows, letters, counters and digest as in one piece."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dataspine.pipeline.ingest import IngestOptions
from tests.builders import (
    ingest_quotes,
    make_spine,
    quote,
    quote_profile,
)
from tests.simulation.stored import finished_runs, stored_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataspine.pipeline.spine import Spine

A, B, BAD = "1", "2", "-1"
"""Two prices that contradict each other, and one that is refused."""
NO_BREAKER = {"max_reject_ratio": 1.0}

symbols = st.sampled_from(["AAA", "BBB", "CCC"])
prices = st.sampled_from([A, B, B, BAD])
payloads = st.lists(st.tuples(symbols, prices), max_size=10)
_numbers = count(1)


@pytest.fixture(scope="module")
def spine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    """One workspace for all examples; each takes sources of its own."""
    spine = make_spine(tmp_path_factory.mktemp("chunks"))
    with spine.workspace as workspace:
        # Nobody cuts the power here.
        workspace.database.connection.execute("PRAGMA synchronous = OFF")
        yield spine


def _outcome(
    spine: Spine,
    before: Sequence[tuple[str, str]],
    after: Sequence[tuple[str, str]],
    chunk: int,
    **contract: Any,
) -> tuple[Any, ...]:
    """What a fresh source holds after `before`, `after` in chunks of this size, and `after` again."""
    profile = quote_profile(f"chunks_{next(_numbers)}", contract={**NO_BREAKER, **contract})
    options = IngestOptions(chunk_records=chunk)
    first = [quote(symbol, price=price) for symbol, price in before]
    second = [quote(symbol, price=price) for symbol, price in after]
    ingest_quotes(spine, first, profile=profile, object_name="before")
    ingest_quotes(spine, second, profile=profile, object_name="after", options=options)
    once = stored_of(spine.workspace.database, profile.name)
    ingest_quotes(spine, second, profile=profile, object_name="after", options=options)
    runs = finished_runs(spine.workspace.database, profile.name)
    return once, stored_of(spine.workspace.database, profile.name), runs


@given(
    before=payloads, after=payloads, chunk=st.integers(1, 9), conflict=st.sampled_from(["correct", "dead"])
)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(before=[], after=[("AAA", A), ("BBB", A), ("AAA", A)], chunk=1, conflict="correct")
@example(before=[], after=[("AAA", A), ("BBB", A), ("AAA", B)], chunk=1, conflict="correct")
@example(before=[], after=[("AAA", A), ("AAA", B), ("AAA", A)], chunk=2, conflict="correct")
@example(before=[], after=[("AAA", A), ("BBB", A), ("AAA", A), ("AAA", B)], chunk=2, conflict="correct")
@example(before=[("AAA", A)], after=[("AAA", A), ("AAA", A)], chunk=1, conflict="correct")
@example(before=[("AAA", A)], after=[("AAA", A), ("AAA", B)], chunk=1, conflict="correct")
@example(before=[("AAA", A)], after=[("AAA", B), ("AAA", A)], chunk=1, conflict="correct")
@example(before=[("AAA", A)], after=[("AAA", B), ("AAA", B)], chunk=1, conflict="dead")
@example(before=[("AAA", A)], after=[("AAA", B), ("AAA", A)], chunk=1, conflict="dead")
def test_chunks_never_show(
    spine: Spine, before: list[tuple[str, str]], after: list[tuple[str, str]], chunk: int, conflict: str
) -> None:
    whole = _outcome(spine, before, after, 65_536, conflict=conflict)
    assert _outcome(spine, before, after, chunk, conflict=conflict) == whole


@pytest.mark.soak
@given(
    before=payloads, after=payloads, chunk=st.integers(1, 9), conflict=st.sampled_from(["correct", "dead"])
)
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_chunks_never_show_in_many_payloads(
    spine: Spine, before: list[tuple[str, str]], after: list[tuple[str, str]], chunk: int, conflict: str
) -> None:
    whole = _outcome(spine, before, after, 65_536, conflict=conflict)
    assert _outcome(spine, before, after, chunk, conflict=conflict) == whole


@pytest.mark.parametrize("chunk", [1, 65_536])
@pytest.mark.parametrize(("price", "expected"), [(A, (1, 0, 1)), (B, (0, 2, 0))], ids=["alike", "at odds"])
def test_two_names_of_one_symbol_are_one_key(
    spine: Spine, chunk: int, price: str, expected: tuple[int, ...]
) -> None:
    profile = quote_profile(f"chunks_{next(_numbers)}", symbology={"case": "upper"}, contract=NO_BREAKER)
    records = [quote("aaa", price=A), quote("AAA", price=price)]
    counts = ingest_quotes(spine, records, profile=profile, options=IngestOptions(chunk_records=chunk)).counts
    assert (counts.inserted, counts.rejected, counts.duplicate) == expected
