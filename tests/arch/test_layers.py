"""Imports go downwards only: the table of floors, and every import held against it."""

from __future__ import annotations

import pytest

from tests.arch.source_tree import (
    PACKAGES,
    Source,
    imports_of,
    is_within,
    listed,
    source_from_text,
    sources_of,
)

FLOORS = {
    "tui": 11,
    "dataspine.cli": 11,
    "dataspine.service": 10,
    "dataspine.simulator": 10,
    "dataspine.engine": 9,
    "dataspine.scheduling": 8,
    "dataspine.reconciliation": 8,
    "dataspine.pipeline": 7,
    "dataspine.audit": 6,
    "dataspine.store": 5,
    "dataspine.adapters": 5,
    "dataspine.normalization": 4,
    "dataspine.validation": 4,
    "dataspine.detection": 4,
    "dataspine.calendars": 3,
    "dataspine.config": 3,
    "dataspine.logging_config": 3,
    "dataspine.presets": 2,
    "dataspine.schemas": 2,
    "dataspine.errors": 1,
    "dataspine.clock": 1,
    "dataspine.inert_text": 1,
}

# The root holds the version: anyone may import it, it imports nothing. `__main__` only starts the commands.
ROOT_MODULE = "dataspine"
MAIN_MODULE = "dataspine.__main__"


def standing_of(name: str) -> str | None:
    """The entry of the table that a dotted name stands under, if any."""
    return next((prefix for prefix in FLOORS if is_within(name, prefix)), None)


def has_floor(module: str) -> bool:
    """Whether a module of ours stands somewhere."""
    return module in (ROOT_MODULE, MAIN_MODULE) or standing_of(module) is not None


def refusal(importer: str, imported: str) -> str | None:
    """Why `importer` may not import `imported`, or None if it may."""
    if imported.startswith("."):
        return "imports are absolute"
    if is_within(imported, "tests"):
        return "tests are not a package to build on"
    target = standing_of(imported)
    if target is None:
        return None
    if importer == ROOT_MODULE:
        return "the root imports nothing"
    if importer == MAIN_MODULE:
        return None if target == "dataspine.cli" else "__main__ only starts the commands"
    return _refusal_between(standing_of(importer), target)


def _refusal_between(standing: str | None, target: str) -> str | None:
    if standing is None or standing == target:
        return None
    if standing == "tui" and target != "dataspine.service":
        return "tui sees dataspine.service only"
    if FLOORS[target] < FLOORS[standing]:
        return None
    return f"floor {FLOORS[standing]} may import lower floors only, this is floor {FLOORS[target]}"


def layer_violations(source: Source) -> list[str]:
    """Every import of a file that goes up, sideways or out of bounds."""
    judged = [(use, refusal(source.module, use.name)) for use in imports_of(source)]
    return [f"{source.path}:{use.line} imports {use.name}: {why}" for use, why in judged if why]


def test_every_module_stands_on_a_floor() -> None:
    homeless = [source.path for source in sources_of(*PACKAGES) if not has_floor(source.module)]
    assert not homeless, "give each a line in FLOORS, or move it:" + listed(homeless)


def test_imports_go_downwards_only() -> None:
    violations = [line for source in sources_of(*PACKAGES) for line in layer_violations(source)]
    assert not violations, listed(violations)


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        ("dataspine.store.runs", "from dataspine.pipeline.stages import process_payload"),
        ("dataspine.store.runs", "import dataspine.audit.writer"),
        ("dataspine.store.runs", "from dataspine import audit"),
        ("dataspine.store.runs", "from dataspine.adapters.base import BaseAdapter"),
        ("dataspine.store.runs", "def f():\n    from dataspine.service import views"),
        ("dataspine.store.runs", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import tui.app"),
        ("dataspine.store.runs", "import importlib\nimportlib.import_module('dataspine.engine.engine')"),
        ("dataspine.store.runs", "from .sqlite import sqlite"),
        ("dataspine.store.runs", "from tests.builders import make_quote"),
        ("dataspine.errors", "from dataspine.clock import SystemClock"),
        ("dataspine.cli.main", "import tui.app"),
        ("tui.app", "from dataspine.clock import SystemClock"),
        ("tui.app", "from dataspine.store.sqlite import sqlite"),
        ("dataspine", "from dataspine.errors import DataspineError"),
        ("dataspine.__main__", "from dataspine.engine import build"),
    ],
)
def test_wrong_import_is_refused(module: str, statement: str) -> None:
    assert len(layer_violations(source_from_text(module, statement))) == 1


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        ("dataspine.store.runs", "from dataspine.store.sqlite import sqlite"),
        ("dataspine.store.runs", "from dataspine.errors import StorageError"),
        ("dataspine.cli.main", "from dataspine import __version__"),
        ("dataspine.cli.main", "from dataspine.store.runs import page"),
        ("tui.app", "from dataspine.service import views\nimport tui.panes"),
        ("dataspine.__main__", "from dataspine.cli.main import entry"),
        ("dataspine.store.runs", "import json\nimport dataspines"),
    ],
)
def test_right_import_is_accepted(module: str, statement: str) -> None:
    assert layer_violations(source_from_text(module, statement)) == []


@pytest.mark.parametrize("module", ["dataspine.reports", "dataspine.storeroom.shelf", "dataspine.errors2"])
def test_module_outside_the_table_is_homeless(module: str) -> None:
    assert not has_floor(module)
