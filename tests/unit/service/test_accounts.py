"""The account for front ends: grouped by payload, balanced as a whole, and honest about what is unknown."""

from __future__ import annotations

import pytest

from dataspine.errors import RequestError
from dataspine.service.accounts import account_for
from tests.builders import ingest_quotes, ingest_trades, quote, trade


def test_runs_stand_with_their_payload(spine, desk):
    ingest_quotes(spine, [quote()], object_name="day")
    ingest_trades(spine, [trade()])
    ingest_quotes(spine, [quote()], object_name="day")
    report = account_for(desk)
    assert [(one.object_name, [run.run_id for run in one.runs]) for one in report.payloads] == [
        ("day", [1, 3]),
        ("trades.csv", [2]),
    ]
    assert report.balanced
    assert not report.is_deep


def test_wrong_counter_of_a_source_unbalances_the_whole(spine, desk):
    ingest_quotes(spine, [quote()])
    spine.workspace.database.rows("UPDATE sources SET rows_stored = 7")
    assert not account_for(desk).balanced
    assert account_for(desk, source="quotes").balanced


def test_changed_row_unbalances_only_the_deep_account(spine, desk):
    ingest_quotes(spine, [quote()])
    spine.workspace.database.rows("UPDATE market_data SET price = '9'")
    assert account_for(desk).balanced
    deep = account_for(desk, deep=True)
    assert not deep.balanced
    assert not deep.is_run_balanced(deep.runs[0])


@pytest.mark.parametrize("only", [{"source": "quote"}, {"run_id": 2}])
def test_unknown_source_or_run_is_refused(spine, desk, only):
    ingest_quotes(spine, [quote()])
    with pytest.raises(RequestError, match="no closed run"):
        account_for(desk, **only)


def test_empty_workspace_is_balanced(desk):
    assert account_for(desk, deep=True).balanced
