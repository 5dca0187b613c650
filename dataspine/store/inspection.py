"""Questions that `doctor` asks of the database: is it sound, do its counters add up, what was left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dataspine.store.database import Database

PROBLEMS_SHOWN = 20


class OpenRun(NamedTuple):
    """A run that has not ended well."""

    run_id: int
    source: str
    owner: str
    object_name: str


class KnownPayload(NamedTuple):
    """What the table says of an archived file."""

    sha256: str
    size_bytes: int


def integrity_problems(database: Database, *, deep: bool) -> list[str]:
    """What SQLite finds wrong with the file, at most 20 lines; `deep` also compares indexes and foreign keys."""
    check = "integrity_check" if deep else "quick_check"
    lines = [str(row[0]) for row in database.rows(f"PRAGMA {check}({PROBLEMS_SHOWN})")]
    problems = [line for line in lines if line != "ok"]
    if deep:
        orphans = database.rows("PRAGMA foreign_key_check")[:PROBLEMS_SHOWN]
        problems += [f"row {row[1]} of {row[0]} refers to a missing row of {row[2]}" for row in orphans]
    return problems


def unbalanced_runs(database: Database) -> list[int]:
    """Closed runs whose own counters do not add up, which the table's CHECK would have refused."""
    found = database.rows(
        "SELECT run_id FROM runs WHERE state IN ('succeeded', 'rejected')"
        " AND rows_read <> inserted + unchanged + corrected + rejected + duplicate ORDER BY run_id"
    )
    return [int(row[0]) for row in found]


def wrong_source_counters(database: Database) -> list[str]:
    """Sources whose kept counters are not what their runs and letters add up to, in words."""
    found = database.rows(
        "SELECT name, rows_stored, open_letters,"
        " (SELECT ifnull(sum(inserted), 0) FROM runs r WHERE r.source_id = s.source_id),"
        " (SELECT count(*) FROM dead_letters l WHERE l.source_id = s.source_id AND l.state = 'open')"
        " FROM sources s ORDER BY name"
    )
    return [
        f"{name} keeps {rows} rows and {letters} open letters, its runs inserted {inserted} and {counted} are open"
        for name, rows, letters, inserted, counted in found
        if (rows, letters) != (inserted, counted)
    ]


def running_runs(database: Database) -> list[OpenRun]:
    """Runs that are not closed."""
    return _runs(database, "r.state = 'running'")


def unrepeated_interruptions(database: Database) -> list[OpenRun]:
    """Interrupted runs whose payload was not ingested since."""
    return _runs(
        database,
        "r.state = 'interrupted' AND NOT EXISTS (SELECT 1 FROM runs later WHERE later.payload_id = r.payload_id"
        " AND later.run_id > r.run_id)",
    )


def newest_event_us(database: Database) -> int | None:
    """When the newest audit event was written, by the clock of its writer."""
    found = database.one("SELECT at_us FROM audit_events ORDER BY sequence DESC LIMIT 1")
    return None if found is None else int(found[0])


def known_payloads(database: Database) -> list[KnownPayload]:
    """Every archived file that the table knows, once, by hash."""
    found = database.rows("SELECT sha256, max(size_bytes) FROM payloads GROUP BY sha256 ORDER BY sha256")
    return [KnownPayload(*row) for row in found]


def _runs(database: Database, condition: str) -> list[OpenRun]:
    found = database.rows(
        "SELECT r.run_id, s.name, r.owner, p.object_name FROM runs r JOIN sources s USING (source_id)"
        f" JOIN payloads p USING (payload_id) WHERE {condition} ORDER BY r.run_id"
    )
    return [OpenRun(*row) for row in found]
