"""A receipt is news: what a vendor says again, says back, or is refused whole once more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from dataspine.clock import FrozenClock
from dataspine.schemas.run import RunState
from tests.builders import NOW_US, ingest_bytes, make_spine, quote, quote_profile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataspine.pipeline.spine import Spine


@pytest.fixture
def spine(tmp_path: Path) -> Iterator[Spine]:
    """An empty workspace with a clock that moves."""
    made = make_spine(tmp_path, clock=FrozenClock(NOW_US))
    with made.workspace:
        yield made


def _poll(spine: Spine, price: str, *, name: str = "poll") -> tuple[int, int]:
    """What one receipt changed: rows corrected, rows unchanged."""
    spine.clock.sleep_s(60)
    content = json.dumps([quote(price=price)]).encode()
    counts = ingest_bytes(spine, quote_profile(), content, object_name=name).counts
    return counts.corrected, counts.unchanged


def _price(spine: Spine) -> str:
    row = spine.workspace.database.one("SELECT price FROM market_data")
    assert row is not None
    return str(row[0])


def test_an_object_that_says_the_old_value_again_restates_it(spine: Spine) -> None:
    """One address, three answers A, B, A: the third is news, though its bytes are known."""
    _poll(spine, "1")
    assert _poll(spine, "2") == (1, 0)
    assert _poll(spine, "1") == (1, 0)
    assert _price(spine) == "1"


def test_an_old_file_read_again_undoes_no_later_file(spine: Spine) -> None:
    """Two files, the later one corrects; reading the first again says nothing new."""
    _poll(spine, "1", name="monday.json")
    _poll(spine, "2", name="tuesday.json")
    assert _poll(spine, "1", name="monday.json") == (0, 1)
    assert _price(spine) == "2"


def test_a_payload_refused_again_opens_its_letter_again(spine: Spine) -> None:
    """The breaker holds a payload, an easier limit lets it through, the old limit holds it once more."""
    records = [quote(f"S{number}", price="-1" if number % 2 else "1") for number in range(100)]
    content = json.dumps(records).encode()
    strict = quote_profile(contract={"max_reject_ratio": 0.1})
    states = []
    for profile in (strict, quote_profile(), strict):
        summary = ingest_bytes(spine, profile, content, object_name="half")
        letters = spine.workspace.database.rows("SELECT state FROM dead_letters WHERE scope = 'batch'")
        states.append((summary.state, letters))
    assert states == [
        (RunState.REJECTED, [("open",)]),
        (RunState.SUCCEEDED, [("resolved",)]),
        (RunState.REJECTED, [("open",)]),
    ]


def _as_in_run(spine: Spine) -> list[int | None]:
    """For each published run, the earlier run whose result it confirmed."""
    events = spine.workspace.database.rows(
        "SELECT metadata_json FROM audit_events WHERE event_type = 'run_succeeded' ORDER BY sequence"
    )
    return [json.loads(text).get("as_in_run") for (text,) in events]


def test_what_nothing_touched_is_confirmed_without_judging_it_again(spine: Spine) -> None:
    """Same bytes, profile and code, and no run wrote since: the first run's account comes out again."""
    _poll(spine, "1", name="monday.json")
    assert _poll(spine, "1", name="monday.json") == (0, 1)
    _poll(spine, "2", name="tuesday.json")
    _poll(spine, "1", name="monday.json")
    assert _as_in_run(spine) == [None, 1, None, None]


def test_another_profile_judges_again(spine: Spine) -> None:
    """A looser limit is another profile: nothing of the earlier account holds."""
    content = json.dumps([quote(), quote("BBB", price="-1")]).encode()
    ingest_bytes(spine, quote_profile(), content, object_name="a")
    ingest_bytes(spine, quote_profile(contract={"max_future_s": 600}), content, object_name="a")
    assert _as_in_run(spine) == [None, None]
