"""The pure modules decide and touch nothing: no clock, chance, file, thread, database or network."""

from __future__ import annotations

import pytest

from tests.arch.source_tree import PACKAGES, Source, is_within, listed, source_from_text, sources_of, uses_of

PURE = (
    "dataspine.schemas",
    "dataspine.normalization",
    "dataspine.validation",
    "dataspine.detection",
    "dataspine.calendars.lookup",
    "dataspine.pipeline.stages",
    "dataspine.reconciliation.diff",
    "dataspine.audit.chain",
    "dataspine.adapters.charset",
    "dataspine.adapters.csv_layout",
    "dataspine.adapters.csv_lines",
    "dataspine.adapters.csv_records",
    "dataspine.adapters.csv_segment",
    "dataspine.adapters.json_columns",
    "dataspine.adapters.json_document",
    "dataspine.adapters.json_exact",
    "dataspine.adapters.json_plan",
    "dataspine.adapters.json_records",
    "dataspine.adapters.json_scan",
)

IMPURE = (
    "asyncio",
    "builtins.open",
    "http",
    "httpx2",
    "importlib.resources",
    "os",
    "pathlib",
    "pysqlite3",
    "random",
    "secrets",
    "shutil",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib.request",
)


def purity_violations(source: Source) -> list[str]:
    """Every impure name that a pure module uses; other modules have none."""
    if not any(is_within(source.module, pure) for pure in PURE):
        return []
    return [
        f"{source.path}:{use.line} uses {use.name}: the module is pure"
        for use in uses_of(source)
        if any(is_within(use.name, name) for name in IMPURE)
    ]


def missing_pure_modules(modules: set[str]) -> list[str]:
    """Entries of the table whose package exists while they do not: renamed, and so no longer held."""
    return [pure for pure in PURE if pure.count(".") > 1 and _is_orphan(pure, modules)]


def _is_orphan(pure: str, modules: set[str]) -> bool:
    package = pure.rpartition(".")[0]
    is_package_there = any(is_within(module, package) for module in modules)
    return is_package_there and not any(is_within(module, pure) for module in modules)


def test_pure_modules_touch_nothing() -> None:
    violations = [line for source in sources_of(*PACKAGES) for line in purity_violations(source)]
    assert not violations, listed(violations)


def test_pure_modules_are_where_the_table_says() -> None:
    assert missing_pure_modules({source.module for source in sources_of(*PACKAGES)}) == []


@pytest.mark.parametrize("name", [name for name in IMPURE if name != "builtins.open"])
def test_impure_import_is_found(name: str) -> None:
    source = source_from_text("dataspine.validation.contracts", f"def f():\n    import {name}")
    assert len(purity_violations(source)) == 1


def test_opened_file_is_found() -> None:
    source = source_from_text("dataspine.audit.chain", "def f(name):\n    return open(name).read()")
    assert len(purity_violations(source)) == 1


def test_same_import_outside_the_pure_modules_passes() -> None:
    assert purity_violations(source_from_text("dataspine.audit.writer", "import os\nimport pathlib")) == []


def test_pure_imports_pass() -> None:
    text = "from datetime import datetime, time\nimport hashlib, json, re\nimport polars as pl"
    assert purity_violations(source_from_text("dataspine.validation.contracts", text)) == []


def test_renamed_pure_module_is_missed() -> None:
    assert missing_pure_modules({"dataspine.pipeline", "dataspine.pipeline.steps"}) == [
        "dataspine.pipeline.stages"
    ]
    assert missing_pure_modules({"dataspine.pipeline.stages", "dataspine.errors"}) == []
