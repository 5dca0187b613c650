"""Doctor: everything that can be wrong with a workspace, each with its cure; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from dataspine import __version__
from dataspine.clock import iso_from_us
from dataspine.errors import ConfigError, StorageCorrupt
from dataspine.service.finding import Finding, named
from dataspine.service.workspace_files import check_archive, check_free_space, check_modes
from dataspine.store import inspection, sqlite, status
from dataspine.store.workspace import DATABASE_NAME

if TYPE_CHECKING:
    from dataspine.service.desk import Desk
    from dataspine.store.database import Database

__all__ = ["CheckUp", "Finding", "check_up"]

CLOCK_TOLERANCE_US = 60_000_000
"""An event may be this far ahead of the clock that reads it."""


@dataclass(frozen=True, slots=True)
class CheckUp:
    """What was looked at, and what was found."""

    findings: tuple[Finding, ...]
    facts: dict[str, str]
    """Versions and places, for whoever reads the report elsewhere."""
    is_deep: bool

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def is_corrupt(self) -> bool:
        """Whether stored bytes are damaged or gone."""
        return any(finding.is_corruption for finding in self.findings)


def check_up(desk: Desk, *, deep: bool = False) -> CheckUp:
    """Look at everything; `deep` also reads every byte that is stored and judges every payload again."""
    findings = [*_check_machine(), *_check_config(desk)]
    if not (desk.home / DATABASE_NAME).exists():
        cure = "Run `dataspine init`, or name the workspace with --home"
        findings.append(Finding("DATABASE_MISSING", f"there is no database in {desk.home}", cure))
    else:
        findings += [*check_modes(desk.home), *check_free_space(desk.home), *_check_database(desk, deep=deep)]
    return CheckUp(tuple(findings), _facts(desk), deep)


def _check_machine() -> Iterator[Finding]:
    if not sqlite.has_safe_wal():
        yield Finding(
            "SQLITE_WAL_RACE",
            f"SQLite {sqlite.version} can damage a database that two processes write at one instant",
            "Install pysqlite3, or a Python with SQLite 3.51.3 or newer; until then let only one process write",
        )
    if _package_version("tzdata") is None:
        yield Finding(
            "TZDATA_MISSING",
            "the time zone package tzdata is not installed, so zones depend on this machine",
            "Install Dataspine with all it depends on",
        )


def _check_config(desk: Desk) -> Iterator[Finding]:
    try:
        settings = desk.settings
    except ConfigError as error:
        yield Finding("CONFIG", str(error), error.cure or "Correct the file")
        return
    if settings.file is None:
        yield Finding(
            "CONFIG_MISSING",
            f"there is no dataspine.toml in {desk.home}",
            "Run `dataspine init` or write one",
        )


def _check_database(desk: Desk, *, deep: bool) -> Iterator[Finding]:
    """Every check that reads the database; a damaged one ends the list."""
    try:
        with desk.reading() as database:
            problems = inspection.integrity_problems(database, deep=deep)
            if problems:
                yield _damaged(desk, "; ".join(problems))
                return
            yield from _check_runs(desk, database)
            yield from _check_counters(database)
            yield from _check_audit(desk, database)
            yield from check_archive(desk.home, inspection.known_payloads(database), deep=deep)
        if deep:
            yield from _check_bytes(desk)
    except StorageCorrupt as error:
        yield _damaged(desk, str(error))


def _damaged(desk: Desk, what: str) -> Finding:
    return Finding(
        "DATABASE_DAMAGED",
        what,
        f"Write nothing more; copy {desk.home} away, then restore a backup beside it",
        is_corruption=True,
    )


def _check_runs(desk: Desk, database: Database) -> Iterator[Finding]:
    for run in inspection.running_runs(database):
        if not status.is_source_busy(desk.home, run.source):
            yield Finding(
                "RUN_LOST",
                f"run {run.run_id} of {run.source} has not ended and its process ({run.owner}) is gone",
                f"Run `dataspine ingest {run.source}`: it takes the run back and starts again",
            )
    for run in inspection.unrepeated_interruptions(database):
        yield Finding(
            "RUN_INTERRUPTED",
            f"run {run.run_id} of {run.source} was interrupted and {run.object_name} not ingested since",
            f"Run `dataspine ingest {run.source}`",
        )


def _check_counters(database: Database) -> Iterator[Finding]:
    wrong = [f"run {run_id}" for run_id in inspection.unbalanced_runs(database)]
    if wrong:
        yield Finding(
            "RUN_ACCOUNT",
            f"what was read is not what became of it: {named(wrong)}",
            "See `dataspine account --deep`; somebody changed the table from outside",
            is_corruption=True,
        )
    for words in inspection.wrong_source_counters(database):
        yield Finding(
            "SOURCE_COUNTERS", words, "See `dataspine account`; somebody changed a table from outside"
        )


def _check_audit(desk: Desk, database: Database) -> Iterator[Finding]:
    from dataspine.audit.anchors import FILE_NAME, read_anchors
    from dataspine.audit.verify import verify_log

    path = desk.home / FILE_NAME
    try:
        anchors = read_anchors(path)
    except StorageCorrupt as error:
        yield Finding("AUDIT_ANCHORS", str(error), error.cure or "Compare the file with a copy")
        anchors = []
    report = verify_log(database.connection, anchors)
    if not report.ok:
        where = f"from event {report.first_bad}: " if report.first_bad is not None else ""
        yield Finding(
            "AUDIT_CHAIN",
            f"the audit log is not what it was, {where}{report.what}",
            "Keep the workspace as it is and compare it with a backup; see `dataspine audit verify`",
        )
    elif report.events and not report.anchors_checked:
        yield Finding(
            "AUDIT_UNANCHORED",
            f"no anchor outside the database covers its {report.events} audit events",
            f"If {path} was deleted, restore it; else the next command that writes makes one",
        )
    newest_us = inspection.newest_event_us(database)
    if newest_us is not None and newest_us > desk.clock.now_us() + CLOCK_TOLERANCE_US:
        yield Finding(
            "CLOCK_BEHIND",
            f"the newest audit event was written at {iso_from_us(newest_us)}, the clock says"
            f" {iso_from_us(desk.clock.now_us())}",
            "Set the machine's clock; new payloads would be judged by a time that is past",
        )


def _check_bytes(desk: Desk) -> Iterator[Finding]:
    """Every payload judged again, every counter counted again."""
    from dataspine.pipeline.spine import code_version
    from dataspine.service.accounts import account_for

    report = account_for(desk, deep=True)
    for run in report.runs:
        words = list(report.differences.get(run.run_id, ()))
        if not run.balanced:
            words.insert(0, f"recorded {run.recorded}, the tables hold {run.counted}")
        if words:
            yield Finding(
                "RUN_DIGEST",
                f"run {run.run_id} of {run.source}: {'; '.join(words)}",
                "Keep the workspace as it is and compare it with a backup; see `dataspine account --deep`",
                # Other code may well judge otherwise.
                is_corruption=run.code_version == code_version(),
            )


def _facts(desk: Desk) -> dict[str, str]:
    return {
        "dataspine": __version__,
        "sqlite": sqlite.version,
        "sqlite_module": sqlite.sqlite.__name__,
        "tzdata": _package_version("tzdata") or "missing",
        "home": str(desk.home.resolve()),
        "config": str(desk.home / "dataspine.toml"),
        "clock": iso_from_us(desk.clock.now_us()),
    }


def _package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
