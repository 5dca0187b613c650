"""The machine contract: one document on stdout, its keys documented, for every command that has `--json`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.command_line import BAD_ROW, GOOD_ROW, ROOT, dataspine, write_bars

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "reference" / "machine_contract.md"
OPEN_TABLES = frozenset({"metadata", "fields", "skipped", "received", "context", "facts"})
"""Keys whose own keys are data: a vendor's, a profile's, a machine's."""
COMMANDS = (
    ("ingest", "bars"),
    ("run", "--mode", "live", "--once"),
    ("run", "--dry-run"),
    ("init",),
    ("sources", "list"),
    ("sources", "check", "bars"),
    ("audit", "list"),
    ("audit", "verify"),
    ("dlq", "list"),
    ("dlq", "list", "--groups"),
    ("dlq", "show", "1"),
    ("dlq", "retry", "1", "--dry-run"),
    ("records", "digest", "--source", "bars"),
    ("account",),
    ("status",),
    ("doctor",),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("contract") / "home"
    assert dataspine("init", home=home).returncode == 0
    write_bars(home / "drop" / "bars.csv", GOOD_ROW, BAD_ROW)
    assert dataspine("ingest", "bars", home=home).returncode == 1
    return home


def keys_of(value: Any) -> Iterator[str]:
    """Every key of a document that the contract names."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield key
            is_counts = key == "reasons" and isinstance(below, dict)
            if key not in OPEN_TABLES and not is_counts:
                yield from keys_of(below)
    elif isinstance(value, list):
        for item in value:
            yield from keys_of(item)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_document_is_one_and_every_key_is_documented(home: Path, arguments: tuple[str, ...]) -> None:
    finished = dataspine(*arguments, "--json", home=home)
    assert finished.returncode in (0, 1), finished.stderr
    found = json.loads(finished.stdout)
    assert isinstance(found, dict)
    names = set(keys_of(found))
    assert [name for name in names if not re.fullmatch(r"[a-z][a-z0-9_]*", name)] == []
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in sorted(names) if f'"{name}"' not in page] == []


def test_times_are_utc_and_decimals_are_strings(home: Path) -> None:
    found = json.loads(dataspine("records", "show", "--source", "bars", "--json", home=home).stdout)
    (record,) = found["records"]
    assert (record["timestamp"], record["price"]) == ("2026-01-09T14:30:00Z", "187.25")
