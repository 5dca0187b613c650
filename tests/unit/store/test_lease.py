"""The lease: one engine, a token that rises, and a fence in every transaction."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack

import pytest

from dataspine.engine.heartbeat import Tenure
from dataspine.errors import BusyError, LeaseLost
from dataspine.store import lease
from dataspine.store.lease import EXPIRY_S, HEARTBEAT_S
from tests.unit.engine.engine_builder import make_setup, tenure_of


@pytest.fixture
def setup(tmp_path):
    return make_setup(tmp_path / "home")


def standing(tenure: Tenure):
    return lease.read(tenure.spine.workspace.database.connection)


def test_the_token_rises_with_every_taking(setup):
    tokens = []
    for _ in range(3):
        with tenure_of(setup) as tenure:
            tokens.append(tenure.token)
    assert tokens == [1, 2, 3]


def test_a_living_engine_is_not_replaced_before_its_lease_expires(setup):
    with tenure_of(setup) as first:
        first.beat()
        setup.clock.advance_s(EXPIRY_S - 1)
        with pytest.raises(BusyError, match="another engine runs"):
            Tenure(setup)
        first.beat()
        assert standing(first).token == 1


def test_a_heartbeat_moves_the_expiry(setup):
    with tenure_of(setup) as first:
        setup.clock.advance_s(HEARTBEAT_S)
        first.beat()
        assert standing(first).expires_us == setup.clock.now_us() + EXPIRY_S * 1_000_000


def test_an_engine_that_stood_still_past_its_lease_is_replaced_and_fenced(setup):
    with tenure_of(setup) as first:
        setup.clock.advance_s(EXPIRY_S)
        with tenure_of(setup) as second:
            assert second.token == 2
            with pytest.raises(LeaseLost, match="another engine has taken over"):
                first.beat()
            writer = first.fenced_spine()
            database = writer.workspace.database
            with pytest.raises(LeaseLost), database.transaction() as tx:
                tx.execute("INSERT INTO symbols (symbol) VALUES ('AAPL')")
            assert database.rows("SELECT * FROM symbols") == []
            database.close()
            second.beat()


def test_the_lock_of_the_replaced_one_is_not_needed_by_a_third(setup):
    """The first still holds the old lock file; the second holds a new one at the same place."""
    with tenure_of(setup):
        setup.clock.advance_s(EXPIRY_S)
        with tenure_of(setup):
            assert lease.is_locked(setup.home)
            with pytest.raises(BusyError):
                Tenure(setup)
        assert not lease.is_locked(setup.home)


def test_a_lease_of_a_clock_that_was_set_back_is_no_obstacle_for_long(setup):
    with tenure_of(setup) as first:
        setup.clock.advance_s(-3600)
        assert lease.is_expired(standing(first), now_us=setup.clock.now_us())


def test_nothing_is_written_under_a_lease_that_was_given_back(setup):
    tenure = Tenure(setup)
    other = tenure.fenced_spine()
    tenure.end(last=lambda: None)
    with pytest.raises(LeaseLost), other.workspace.database.transaction():
        raise AssertionError("the fence comes first")
    other.workspace.database.close()


def test_the_source_lock_of_a_replaced_engine_is_taken_over(setup):
    """It stands still inside its slice and holds the lock; its successor need not wait for it."""
    with ExitStack() as still:
        first = still.enter_context(tenure_of(setup))
        still.enter_context(first.spine.workspace.source_lock("bars"))
        setup.clock.advance_s(EXPIRY_S)
        second = still.enter_context(tenure_of(setup))
        began_s = setup.clock.monotonic_s()
        with second.spine.workspace.source_lock("bars"):
            assert setup.clock.monotonic_s() == began_s
            assert (setup.home / "locks" / "bars.lock").read_text() == "2"
            other = second.fenced_spine()
            with pytest.raises(BusyError), other.workspace.source_lock("bars"):
                raise AssertionError("a lock of the lease that stands holds")
            other.workspace.database.close()


def test_a_lock_that_no_engine_holds_is_waited_for(setup):
    with tenure_of(setup) as tenure:
        path = setup.home / "locks" / "bars.lock"
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="is ingesting"), tenure.spine.workspace.source_lock("bars"):
            pass
        os.close(descriptor)
        with tenure.spine.workspace.source_lock("bars"):
            pass
