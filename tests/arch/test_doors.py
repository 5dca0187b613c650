"""Each dangerous thing has one door: which files may touch SQLite, time, the network, and the environment."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.arch.source_tree import PACKAGES, Source, is_within, listed, source_from_text, sources_of, uses_of


class Door(NamedTuple):
    """Names that only some modules may use."""

    what: str
    names: tuple[str, ...]
    keepers: tuple[str, ...]
    """Modules or packages that may use them."""


DOORS = (
    Door("SQLite", ("sqlite3", "pysqlite3", "sqlite_utils"), ("dataspine.store",)),
    # A second SQLite library in the process drops the first one's file locks, so these have no keeper.
    Door("foreign SQLite", ("aiosqlite", "sqlalchemy", "apsw", "duckdb", "adbc_driver_sqlite"), ()),
    Door("APScheduler", ("apscheduler",), ("dataspine.scheduling.scheduler",)),
    Door(
        "time",
        (
            "time",
            "datetime.datetime.now",
            "datetime.datetime.utcnow",
            "datetime.datetime.today",
            "datetime.date.today",
        ),
        ("dataspine.clock",),
    ),
    # urllib.parse takes addresses apart and sends nothing; it is free.
    Door(
        "network",
        (
            "httpx2",
            "httpx",
            "requests",
            "socket",
            "ssl",
            "http.client",
            "urllib.request",
            "urllib3",
            "asyncio.open_connection",
        ),
        ("dataspine.adapters.transport", "dataspine.adapters.http", "dataspine.adapters.http_guard"),
    ),
    Door("Textual", ("textual",), ("tui",)),
    Door(
        "environment",
        ("os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv"),
        ("dataspine.config", "dataspine.engine.build"),
    ),
)


def door_violations(source: Source) -> list[str]:
    """Every use of a kept name by a module that does not keep its door."""
    return [
        f"{source.path}:{use.line} uses {use.name}: {door.what} belongs to {door.keepers or 'nobody'}"
        for door in DOORS
        if not any(is_within(source.module, keeper) for keeper in door.keepers)
        for use in uses_of(source)
        if any(is_within(use.name, name) for name in door.names)
    ]


def test_doors_are_kept() -> None:
    violations = [line for source in sources_of(*PACKAGES) for line in door_violations(source)]
    assert not violations, listed(violations)


@pytest.mark.parametrize(
    "statement",
    [
        "import sqlite3",
        "from sqlite3 import Connection",
        "def f():\n    import pysqlite3.dbapi2",
        "import sqlite_utils as tables",
        "import aiosqlite",
        "from apscheduler.triggers.base import BaseTrigger",
        "import time",
        "from time import monotonic",
        "from datetime import UTC, datetime\nat = datetime.now(UTC)",
        "from datetime import datetime as instant\nat = instant.utcnow()",
        "import datetime as d\nday = d.date.today()",
        "import httpx2",
        "from urllib.request import urlopen",
        "import urllib.parse\nurllib.request.urlopen('x')",
        "import socket",
        "import asyncio\nasync def f():\n    await asyncio.open_connection('x', 1)",
        "from textual.app import App",
        "import os\nhome = os.environ['HOME']",
        "from os import environ",
        "import os as system\nhome = system.getenv('HOME')",
        "__import__('sqlite3')",
    ],
)
def test_side_door_is_found(statement: str) -> None:
    assert door_violations(source_from_text("dataspine.pipeline.ingest", statement))


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        ("dataspine.store.sqlite", "import pysqlite3"),
        ("dataspine.scheduling.scheduler", "import apscheduler"),
        ("dataspine.clock", "import time\ntime.monotonic()"),
        ("dataspine.adapters.transport", "import httpx2"),
        ("tui.app", "from textual.app import App"),
        ("dataspine.config", "import os\nos.environ"),
        ("dataspine.pipeline.ingest", "from datetime import datetime, time\nnoon = time(12)"),
        ("dataspine.pipeline.ingest", "from urllib.parse import urlsplit"),
        ("dataspine.pipeline.ingest", "import os\nos.fsync(3)"),
        ("dataspine.pipeline.ingest", "from dataspine.store.sqlite import sqlite\nsqlite.connect"),
        ("dataspine.pipeline.ingest", "clock.now()\nself.time = 3"),
    ],
)
def test_keeper_and_harmless_name_pass(module: str, statement: str) -> None:
    assert door_violations(source_from_text(module, statement)) == []


def test_each_kept_name_is_found_by_import() -> None:
    for door in DOORS:
        for name in door.names:
            statement = f"import {name}" if "." not in name else f"import {name.split('.')[0]}\n{name}"
            assert door_violations(source_from_text("dataspine.audit.writer", statement)), name
