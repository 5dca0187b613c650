"""A source's circuit and the gate before its vendor."""

from __future__ import annotations

import pytest

from dataspine.engine.circuit import left_alone, note_attempt, note_end
from dataspine.engine.rate import RateGate
from dataspine.engine.worker import Bench, Interrupted
from dataspine.errors import SourceUnavailable
from dataspine.schemas.job import Lane
from dataspine.store import rate, source_health
from tests.unit.engine.engine_builder import bars_profile, make_setup, tenure_of

RETRY = {"degraded_after": 1, "failed_after": 2, "circuit_s": 100}
RATE = {"per_minute": 60, "burst": 5, "vendor": "both"}


def note(tenure, setup, error):
    with tenure.spine.workspace.database.transaction() as tx:
        note_end(tenure.spine, setup.profiles["bars"], error, tx)


def test_a_failed_source_is_left_alone_until_one_attempt_is_let_through(tmp_path):
    setup = make_setup(tmp_path / "home", bars_profile(url="http://127.0.0.1:9/", retry=RETRY))
    with tenure_of(setup) as tenure:
        connection = tenure.spine.workspace.database.connection
        error = SourceUnavailable("down")
        note(tenure, setup, error)
        assert left_alone(connection, setup) == {}
        note(tenure, setup, error)
        until_us = setup.clock.now_us() + 100_000_000
        assert left_alone(connection, setup) == {"bars": until_us}
        setup.clock.advance_s(100)
        assert left_alone(connection, setup) == {}
        with tenure.spine.workspace.database.transaction() as tx:
            note_attempt(tx, setup, "bars")
        assert left_alone(connection, setup) == {"bars": setup.clock.now_us() + 100_000_000}
        note(tenure, setup, None)
        assert left_alone(connection, setup) == {}
        assert source_health.find(connection, "bars").state == "ok"


def test_two_sources_of_a_vendor_share_its_bucket_and_live_goes_first(tmp_path):
    setup = make_setup(tmp_path / "home", bars_profile("bars", rate=RATE), bars_profile("quotes", rate=RATE))
    with tenure_of(setup) as tenure:
        waits: list[float] = []

        def wait(seconds: float) -> None:
            waits.append(seconds)
            setup.clock.advance_s(seconds)

        backfill = RateGate(tenure.spine, setup.profiles["bars"], lane=Lane.BACKFILL, wait_s=wait)
        live = RateGate(tenure.spine, setup.profiles["quotes"], lane=Lane.LIVE, wait_s=wait)
        for _ in range(3):
            backfill()
        assert waits == []
        for _ in range(2):
            live()
        assert waits == []
        tokens, _ = rate.read(tenure.spine.workspace.database.connection, "both")
        assert tokens == pytest.approx(0)
        live()
        assert waits == [pytest.approx(1.0)]
        backfill()
        assert sum(waits[1:]) == pytest.approx(3.0), "two are kept back for those that go first"


def test_a_wait_ends_when_the_engine_is_to_stop(tmp_path):
    setup = make_setup(tmp_path / "home")
    bench = Bench(setup)
    bench.draining.set()
    with pytest.raises(Interrupted):
        bench.wait_s(1)
