"""Migrations: numbered SQL files, each applied once and in order, in one transaction each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from dataspine.errors import StorageCorrupt
from dataspine.store.database import Database, named_errors


class Migration(NamedTuple):
    """One step of the schema."""

    version: int
    name: str
    sql: str


@cache
def migrations() -> tuple[Migration, ...]:
    """Every step that this version of the package knows, in order."""
    entries = files("dataspine.store").joinpath("sql").iterdir()
    found = (
        Migration(int(entry.name[:4]), entry.name[5:-4], entry.read_text(encoding="utf-8"))
        for entry in entries
        if entry.name.endswith(".sql")
    )
    return tuple(sorted(found))


def schema_version(database: Database) -> int:
    """Newest step that the database has; 0 for an empty one."""
    table = database.one("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'")
    if table is None:
        return 0
    newest = database.one("SELECT max(version) FROM schema_migrations")
    return int(newest[0] or 0) if newest else 0


def newest_version() -> int:
    """The newest step that this version of the package knows."""
    return migrations()[-1].version


def migrate(database: Database, *, now_us: int) -> int:
    """Bring the database to the newest step; the number of steps applied.

    Raises: StorageCorrupt if it was written by a newer version of the package.
    """
    have = check_version(database)
    todo = [step for step in migrations() if step.version > have]
    for step in todo:
        digest = hashlib.sha256(step.sql.encode()).hexdigest()
        with named_errors(database.path), _whole(database):
            database.connection.executescript(
                f"""BEGIN IMMEDIATE;
                CREATE TABLE IF NOT EXISTS schema_migrations (
                  version       INTEGER PRIMARY KEY,  -- number of the SQL file
                  name          TEXT    NOT NULL,     -- its name
                  sha256        TEXT    NOT NULL,     -- of its text when it was applied
                  applied_at_us INTEGER NOT NULL
                ) STRICT;
                {step.sql}
                INSERT INTO schema_migrations VALUES ({step.version}, '{step.name}', '{digest}', {now_us});
                COMMIT;"""
            )
    return len(todo)


@contextmanager
def _whole(database: Database) -> Iterator[None]:
    """Roll a step back that did not come to its COMMIT."""
    try:
        yield
    finally:
        if database.connection.in_transaction:
            database.connection.execute("ROLLBACK")


def check_version(database: Database) -> int:
    """The database's schema version.

    Raises: StorageCorrupt if this version of the package does not know it.
    """
    have, newest = schema_version(database), newest_version()
    if have > newest:
        raise StorageCorrupt(
            "the database was written by a newer dataspine",
            found=f"schema {have}, this version knows {newest}",
            where=str(database.path),
            cure="Use that version, or restore an older backup beside it",
        )
    return have
