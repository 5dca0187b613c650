"""The reference pages name what the code has, and the library page runs."""

from __future__ import annotations

import ast
import importlib
import logging
import re
from itertools import pairwise
from pathlib import Path

import pytest

from dataspine.schemas.codes import Code
from dataspine.schemas.market_data import MarketData
from dataspine.schemas.trade_data import TradeData
from dataspine.validation import invariants

ROOT = Path(__file__).parents[2]
UNITS = {"GiB": 1024**3, "MiB": 1024**2, "KiB": 1024}
LIMITED_PACKAGES = ("schemas", "adapters", "normalization")
LIBRARY = ROOT / "docs/howto/use_as_a_library.md"


def page(name: str) -> str:
    return (ROOT / "docs/reference" / name).read_text(encoding="utf-8")


def rows(text: str) -> dict[str, list[str]]:
    """Cells of each table row by its first one, which is in code quotes."""
    found = re.findall(r"^\| `([^`]+)` \| (.*) \|$", text, re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split(" | ")] for name, rest in found}


def section(text: str, title: str) -> str:
    """The text under one heading, up to the next."""
    found = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title}"
    return found[1]


def member_docs() -> dict[str, str]:
    """The text under each member of `Code`."""
    tree = ast.parse((ROOT / "dataspine/schemas/codes.py").read_text(encoding="utf-8"))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Code")
    pairs = pairwise(body)
    return {node.targets[0].id: after.value.value for node, after in pairs if isinstance(node, ast.Assign)}


def limit_constants() -> dict[str, int | float]:
    """Every public constant of the reading packages that is called a maximum, and the sizes of chunk and block."""
    found = {}
    for path in sorted(
        path for package in LIMITED_PACKAGES for path in (ROOT / "dataspine" / package).glob("*.py")
    ):
        names = re.findall(r"^([A-Z][A-Z0-9_]*) = ", path.read_text(encoding="utf-8"), re.MULTILINE)
        wanted = [
            name for name in names if "MAX" in name.split("_") or name in ("CHUNK_RECORDS", "BLOCK_BYTES")
        ]
        module = importlib.import_module(f"dataspine.{path.parent.name}.{path.stem}") if wanted else None
        found |= {name: getattr(module, name) for name in wanted}
    return found


def number(shown: str) -> int:
    """What a table cell says, with its unit."""
    digits, _, unit = shown.replace(",", "").partition(" ")
    return int(digits) * UNITS.get(unit, 1)


def test_every_code_stands_in_the_contracts_with_its_meaning() -> None:
    """Scripts rely on the codes; the page is their list, in the enumeration's order."""
    shown = rows(section(page("contracts.md"), "Codes"))
    docs = member_docs()
    assert list(shown) == [code.value for code in Code]
    assert {name: cells[0] for name, cells in shown.items()} == {code.value: docs[code.name] for code in Code}


@pytest.mark.parametrize("model", [MarketData, TradeData])
def test_every_field_stands_in_the_schemas_with_its_default(model) -> None:
    shown = rows(section(page("canonical_schemas.md"), model.__name__))
    defaults = {
        name: "required" if field.is_required() else "none" if field.default is None else f"`{field.default}`"
        for name, field in model.model_fields.items()
    }
    assert {name: cells[1] for name, cells in shown.items()} == defaults
    assert list(shown) == list(defaults)


def test_every_limit_stands_in_the_limits_with_its_value() -> None:
    shown = {name: number(cells[0]) for name, cells in rows(page("limits.md")).items()}
    assert shown == limit_constants()


def test_every_invariant_stands_on_its_page() -> None:
    public = {name for name in vars(invariants) if name.startswith("check_")} | {"unknown_symbols"}
    assert set(rows(page("invariants.md"))) == public


def test_codes_named_in_the_pages_exist() -> None:
    """A letter's code on a page is one that a letter can have."""
    named = set(re.findall(r"letter `([A-Z_]+)`", page("limits.md")))
    named |= set(re.findall(r"`([A-Z_]+)` letter", page("invariants.md")))
    assert named
    assert named <= {code.value for code in Code}


def code_blocks() -> list[str]:
    return re.findall(
        r"^```python\n(.*?)^```$", LIBRARY.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.mark.parametrize("block", code_blocks(), ids=lambda block: block.split("import ")[-1].splitlines()[0])
def test_the_library_page_runs(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block stands alone, as a reader would paste it."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("dataspine.logging_config._forms", [])
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    exec(compile(block, str(LIBRARY), "exec"), {})  # noqa: S102 - our own page
