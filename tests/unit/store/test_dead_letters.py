"""Letters are written once a record, counted as they change, and changed by whoever saw them last."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from dataspine.schemas.dead_letter import DeadLetter, LetterState, NewLetter, Scope
from dataspine.store import dead_letters
from dataspine.store.sqlite import sqlite
from tests.builders import NOW_US, ingest_quotes, make_spine, quote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataspine.store.database import Database

RAW = b'\x00\xff{"raw"}\r\n'


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A store with source 1, payload 1, run 1 and no letter."""
    with (spine := make_spine(tmp_path)).workspace as workspace:
        ingest_quotes(spine, [quote()])
        yield workspace.database


def letter(position: int = 1, code: str = "TYPE", **values: object) -> NewLetter:
    """A letter about to be written."""
    reasons = f'[{{"code":"{code}","field":"price","message":"m"}}]'
    given = {
        "scope": Scope.RECORD,
        "raw": RAW,
        "reasons_json": reasons,
        "fingerprint": f"{code} price",
        **values,
    }
    return NewLetter(position=position, code=code, rule_version="1", **given)


def _insert(database: Database, *letters: NewLetter) -> int:
    with database.transaction() as tx:
        return dead_letters.insert(tx, letters, source_id=1, payload_id=1, run_id=1, now_us=NOW_US)


def _one(database: Database, number: int = 1) -> DeadLetter:
    found = dead_letters.find(database.connection, number)
    assert found is not None
    return found


def _counts(database: Database) -> dict[tuple[str, str], int]:
    rows = database.rows("SELECT code, state, letters FROM dead_letter_counts WHERE letters <> 0")
    return {(code, state): letters for code, state, letters in rows}


def test_a_letter_keeps_every_byte_and_reason(database: Database) -> None:
    assert _insert(database, letter(context={"header": "a,b"})) == 1
    found = _one(database)
    assert (found.raw, found.context, found.state, found.version, found.attempts) == (
        RAW,
        {"header": "a,b"},
        "open",
        1,
        1,
    )
    assert (found.source, found.object_name, found.scope, found.records) == (
        "quotes",
        "quotes.json",
        "record",
        1,
    )
    assert [str(reason) for reason in found.reasons] == ["TYPE: m"]
    assert database.one("SELECT raw_sha256, created_at_us FROM dead_letters") == (
        sha256(RAW).hexdigest(),
        NOW_US,
    )


def test_one_record_has_one_letter(database: Database) -> None:
    assert _insert(database, letter(1), letter(2)) == 2
    _insert(database, letter(2, "OHLC_ORDER", raw=b"other"), letter(3))
    assert [(item.position, item.code, item.raw) for item in dead_letters.page(database.connection)] == [
        (1, "TYPE", RAW),
        (2, "TYPE", RAW),
        (3, "TYPE", RAW),
    ]
    assert _insert(database, letter(0, scope=Scope.BATCH), letter(0, scope=Scope.PAYLOAD)) == 2


def test_counts_follow_every_change(database: Database) -> None:
    _insert(database, letter(1), letter(2), letter(3, "VALUE"))
    assert _counts(database) == {("TYPE", "open"): 2, ("VALUE", "open"): 1}
    with database.transaction() as tx:
        assert dead_letters.change(tx, _one(database), now_us=NOW_US, state=LetterState.DISCARDED)
        assert dead_letters.change(tx, _one(database, 3), now_us=NOW_US, code="TYPE")
    assert _counts(database) == {("TYPE", "discarded"): 1, ("TYPE", "open"): 2}
    assert database.one("SELECT open_letters FROM sources") == (2,)
    with database.transaction() as tx:
        assert dead_letters.resolve_many(tx, [1, 2, 3], run_id=1, now_us=NOW_US) == [2, 3]
    assert _counts(database) == {("TYPE", "discarded"): 1, ("TYPE", "resolved"): 2}
    assert database.one("SELECT open_letters FROM sources") == (0,)


def test_a_change_needs_the_version_that_was_seen(database: Database) -> None:
    _insert(database, letter())
    seen = _one(database)
    with database.transaction() as tx:
        assert dead_letters.change(tx, seen, now_us=NOW_US + 1, note="first")
        assert not dead_letters.change(tx, seen, now_us=NOW_US + 2, note="second")
    after = _one(database)
    assert (after.note, after.version, after.changed_at_us) == ("first", 2, NOW_US + 1)


def test_bytes_never_change(database: Database) -> None:
    _insert(database, letter())
    with pytest.raises(sqlite.IntegrityError, match="never change"), database.transaction() as tx:
        dead_letters.change(tx, _one(database), now_us=NOW_US, raw=b"x")


def test_letters_of_a_run_at_work_may_go(database: Database) -> None:
    _insert(database, letter())
    with database.transaction() as tx:
        tx.execute(
            "INSERT INTO runs (source_id, payload_id, kind, state, config_hash, code_version, started_at_us, owner)"
            " VALUES (1, 1, 'ingest', 'running', 'h', 'v', 0, 'o')"
        )
        dead_letters.insert(tx, [letter(2)], source_id=1, payload_id=1, run_id=2, now_us=NOW_US)
        dead_letters.remove_of_run(tx, 2, 1)
    assert [item.letter_id for item in dead_letters.page(database.connection)] == [1]
    assert _counts(database) == {("TYPE", "open"): 1}
    with pytest.raises(sqlite.IntegrityError, match="never deleted"), database.transaction() as tx:
        dead_letters.remove_of_run(tx, 1, 1)


def test_pages_and_groups(database: Database) -> None:
    _insert(database, *(letter(number, "TYPE" if number % 3 else "VALUE") for number in range(1, 10)))
    connection = database.connection
    assert [item.letter_id for item in dead_letters.page(connection, after=2, limit=3)] == [3, 4, 5]
    filters = {"code": "VALUE", "source": "quotes", "state": "open", "payload_sha256": None}
    assert [item.letter_id for item in dead_letters.page(connection, filters=filters)] == [3, 6, 9]
    assert dead_letters.page(connection, filters={"source": "nobody"}) == []
    assert dead_letters.groups(connection) == [
        ("quotes", "TYPE price", "TYPE", 6, 1, 8),
        ("quotes", "VALUE price", "VALUE", 3, 3, 9),
    ]
    assert dead_letters.groups(connection, state="discarded") == []
    assert dead_letters.find(connection, 99) is None


def test_known_letters_of_a_payload(database: Database) -> None:
    _insert(database, letter(4), letter(0, scope=Scope.BATCH))
    with database.transaction() as tx:
        dead_letters.change(tx, _one(database), now_us=NOW_US, state=LetterState.DISCARDED)
    known = dead_letters.of_payload(database.connection, 1)
    assert {place: (item.letter_id, item.state) for place, item in known.items()} == {
        ("record", 4): (1, "discarded"),
        ("batch", 0): (2, "open"),
    }
    assert dead_letters.of_payload(database.connection, 2) == {}
