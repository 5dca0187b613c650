"""A workspace over a folder of fixtures: its configuration, and what an ingest of all its sources left behind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dataspine.errors import RequestError
from dataspine.service.init import CONFIG_NAME, write_config
from dataspine.store.database import named_errors
from dataspine.store.filesystem import make_private_directory

if TYPE_CHECKING:
    from dataspine.schemas.audit_event import ChainHead
    from dataspine.schemas.dead_letter import DeadLetter
    from dataspine.service.desk import Desk
    from dataspine.service.ingest import IngestReport

MADE_BY = "# Made by `dataspine run --fixtures`, and made anew by it; settings of your own belong in another workspace."
WORST_KINDS = 5


@dataclass(frozen=True, slots=True)
class LetterKind:
    """Open dead letters that are wrong in the same way, and one of them."""

    letters: int
    example: DeadLetter


@dataclass(frozen=True, slots=True)
class DemoRun:
    """What a run over the fixtures did and left."""

    report: IngestReport
    worst: tuple[LetterKind, ...]
    """Kinds with most open letters, most first."""
    open_letters: int
    head: ChainHead
    database: Path


def configure(home: Path, fixtures: Path) -> None:
    """Write the workspace's configuration: the fixtures' sources, their paths relative to the fixtures.

    Raises: RequestError if the fixtures have none, or the workspace has one of its own; StorageError.
    """
    template = fixtures / CONFIG_NAME
    try:
        text = template.read_text(encoding="utf-8")
    except OSError as error:
        raise RequestError(
            "the fixtures have no configuration",
            found=error.strerror,
            where=str(template),
            cure="Name their folder",
        ) from error
    config = home / CONFIG_NAME
    root = json.dumps(str(fixtures.resolve()), ensure_ascii=False)
    with named_errors(home):
        make_private_directory(home)
        if config.exists() and not config.read_text(encoding="utf-8").startswith(MADE_BY):
            raise RequestError(
                "the workspace has a configuration of its own",
                where=str(config),
                cure="Name another workspace with --home",
            )
        write_config(config, f"{MADE_BY}\ndata_root = {root}\n\n{text}")


def demo_run(desk: Desk, report: IngestReport) -> DemoRun:
    """What an ingest of every source left behind."""
    from dataspine.audit import GENESIS
    from dataspine.store import audit_events, dead_letters

    with desk.reading() as database:
        connection = database.connection
        kinds = dead_letters.groups(connection)
        found = [(int(kind[3]), dead_letters.find(connection, int(kind[4]))) for kind in kinds[:WORST_KINDS]]
        return DemoRun(
            report=report,
            worst=tuple(LetterKind(letters, example) for letters, example in found if example),
            open_letters=sum(int(kind[3]) for kind in kinds),
            head=audit_events.last(connection) or GENESIS,
            database=database.path,
        )
