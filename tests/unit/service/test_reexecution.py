"""Archived bytes judged again: silent when all is as recorded, and precise about what is not."""

from __future__ import annotations

import re

import pytest

from dataspine.pipeline.ingest import IngestOptions
from dataspine.pipeline.redrive import redrive
from dataspine.service.reexecution import differences_of
from dataspine.store import dead_letters
from dataspine.store.accounting import count_again
from tests.builders import (
    ingest_bytes,
    ingest_quotes,
    ingest_trades,
    kill_after_first_chunk,
    quote,
    quote_profile,
    trade,
)


def differences(spine):
    database = spine.workspace.database
    return differences_of(database, spine.workspace.home, count_again(database).runs)


def archived(spine, run_id):
    (sha256,) = spine.workspace.database.one(
        "SELECT sha256 FROM payloads JOIN runs USING (payload_id) WHERE run_id = ?", (run_id,)
    )
    return spine.workspace.archive.path_of(sha256)


def test_every_kind_of_run_agrees_with_its_bytes(spine):
    ingest_quotes(spine, [quote("A"), quote("B"), quote("B", price="2"), quote("C"), quote("C")])
    options = IngestOptions(chunk_records=1)
    records = [quote("A", price="5"), quote("D"), quote("E", price="-1"), quote("D"), quote("F")]
    ingest_quotes(spine, records, object_name="chunked", options=options)
    ingest_quotes(spine, [quote("A")], object_name="first again")
    ingest_trades(spine, [trade("1"), trade("2", exec_type="CANCEL", ref_trade_id="1"), trade("3", side="X")])
    ingest_bytes(spine, quote_profile(), b"[1,", object_name="cut")
    ingest_quotes(spine, [quote(f"S{number}", price="-1") for number in range(100)], object_name="refused")
    kill_after_first_chunk(spine, [quote("A", price="6"), quote("G")], object_name="died")
    assert differences(spine) == {}


def test_source_that_refuses_restatements_agrees(spine):
    strict = quote_profile(contract={"conflict": "dead"})
    ingest_quotes(spine, [quote("A"), quote("B")], profile=strict)
    ingest_quotes(spine, [quote("A", price="2"), quote("C")], profile=strict, object_name="second")
    assert differences(spine) == {}


def test_run_is_judged_by_the_profile_it_used(spine):
    ingest_quotes(spine, [quote("a"), quote("B")])
    ingest_quotes(spine, [quote("a"), quote("B")], profile=quote_profile(symbology={"charset": "aB"}))
    assert differences(spine) == {}


def test_redrive_has_nothing_to_compare(spine):
    ingest_quotes(spine, [quote("a"), quote("B")])
    letters = dead_letters.page(spine.workspace.database.connection)
    redrive(spine, quote_profile(symbology={"charset": "a"}), letters)
    assert differences(spine) == {}


@pytest.mark.parametrize(
    ("statement", "run_id", "words"),
    [
        ("UPDATE market_data SET price = '9' WHERE run_id = 1", 1, "1 stored rows differ.*first record 2"),
        ("UPDATE market_data SET vwap = '' WHERE run_id = 1", 1, "1 stored rows differ"),
        (
            "UPDATE market_data SET timestamp_us = timestamp_us + 1 WHERE run_id = 2",
            2,
            "1 stored rows differ",
        ),
        ("UPDATE market_data SET position = 7 WHERE run_id = 2", 2, "1 stored rows differ.*first record 7"),
        ("UPDATE market_revisions SET volume = 1", 1, "1 stored rows differ.*first record 1"),
        ("UPDATE trade_data SET side = 'SELL'", 3, "1 stored rows differ"),
        (
            "UPDATE runs SET digest = 'x' WHERE run_id = 1",
            1,
            "digest is [0-9a-f]{64} by the bytes.*recorded x",
        ),
        (
            "UPDATE runs SET rejected = 0, duplicate = 1 WHERE run_id = 3",
            3,
            "rejected is 1 by the bytes, the run recorded 0",
        ),
    ],
)
def test_changed_cell_names_run_and_record(spine, statement, run_id, words):
    ingest_quotes(spine, [quote("A"), quote("B")])
    ingest_quotes(spine, [quote("A", price="2")], object_name="second")
    ingest_trades(spine, [trade("1"), trade("2", side="X")])
    spine.workspace.database.rows(statement)
    found = differences(spine)
    assert list(found) == [run_id]
    assert re.search(words, "; ".join(found[run_id]))


def test_changed_payload_is_told(spine):
    ingest_quotes(spine, [quote("A"), quote("B")])
    path = archived(spine, 1)
    path.write_bytes(path.read_bytes().replace(b"187.25", b"187.26", 1))
    (words,) = differences(spine).values()
    assert any("digest" in line for line in words)
    assert any("first record 1" in line for line in words)


def test_missing_payload_is_told(spine):
    ingest_quotes(spine, [quote()])
    archived(spine, 1).unlink()
    (words,) = differences(spine).values()
    assert "missing" in words[0]


def test_run_of_other_code_says_so(spine):
    ingest_quotes(spine, [quote()])
    spine.workspace.database.rows("UPDATE runs SET code_version = 'old', digest = 'x'")
    (words,) = differences(spine).values()
    assert words[-1].startswith("the run was made by old, this is ")


def test_payload_that_should_have_been_published_is_told(spine):
    ingest_bytes(spine, quote_profile(), b"[1,", object_name="cut")
    path = archived(spine, 1)
    path.write_bytes(b"[]")
    (words,) = differences(spine).values()
    assert "refused" in words[0]
