"""Presets: each is a whole profile, a source goes over it, and the registry page says what it does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dataspine.presets import load_presets, overlay, preset_descriptions, preset_names
from dataspine.schemas.market_data import MarketData
from dataspine.schemas.source import FieldMap, Kind, SourceProfile
from dataspine.schemas.trade_data import TradeData

ROOT = Path(__file__).parents[2]
REGISTRY = (ROOT / "docs/reference/source_registry.md").read_text(encoding="utf-8")
HOWTO = (ROOT / "docs/howto/write_a_source_profile.md").read_text(encoding="utf-8")
MODELS = {Kind.MARKET: MarketData, Kind.TRADE: TradeData}


def make_profile(preset: str | None = None, **keys: Any) -> SourceProfile:
    """A source's profile: its keys over its preset."""
    base = load_presets()[preset] if preset else {}
    return SourceProfile.model_validate({**overlay(base, keys), "name": "desk"})


def section(name: str) -> str:
    """The registry page's text on one preset."""
    found = re.search(rf"^## `{name}`$(.*?)(?=^## |\Z)", REGISTRY, re.MULTILINE | re.DOTALL)
    assert found, f"docs/reference/source_registry.md has no section on {name}"
    return found[1]


def test_the_presets_are_those_that_sources_name() -> None:
    """A renamed preset would break every workspace that names it."""
    assert preset_names() == (
        "iex_quote",
        "polygon_aggs",
        "polygon_grouped",
        "generic_bars",
        "generic_quotes",
        "execution_csv",
    )


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_a_whole_profile(name: str) -> None:
    """It maps every field that its kind requires, and none that the kind does not know."""
    profile = make_profile(name)
    model = MODELS[profile.kind]
    required = {field for field in model.required() if field != "source"}
    assert required <= profile.fields.keys() <= model.model_fields.keys()


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_keeps_the_strict_symbology(name: str) -> None:
    """A wider symbol rule is a source's decision."""
    assert make_profile(name).symbology.name == "strict"


def test_loaded_presets_are_the_callers_own() -> None:
    """Changing what was loaded changes no later load."""
    load_presets()["generic_bars"]["fields"]["price"]["column"] = "open"
    assert load_presets()["generic_bars"]["fields"]["price"]["column"] == "close"


def test_a_field_mapped_again_replaces_the_presets_mapping() -> None:
    """Polygon's symbol comes from the envelope; a source that takes it from the file's name has one origin."""
    fields = {"symbol": {"file": "symbol"}, "interval_s": {"const": 3600}}
    profile = make_profile("polygon_aggs", file_name="{symbol}.json", fields=fields)
    assert profile.fields["symbol"] == FieldMap(file="symbol")
    assert profile.fields["interval_s"].const == 3600
    assert profile.fields["price"].column == "c"


def test_a_key_without_origin_is_added_to_the_presets_mapping() -> None:
    """End-labelled bars need one number, not the whole mapping again."""
    profile = make_profile("polygon_aggs", fields={"timestamp": {"shift_s": -60}})
    assert profile.fields["timestamp"] == FieldMap(column="t", unit="ms", shift_s=-60)


def test_other_tables_are_merged() -> None:
    """A source that changes where records stand keeps the preset's other JSON settings."""
    merged = overlay(load_presets()["iex_quote"], {"json": {"records": "map"}, "format": "ndjson"})
    assert merged["json"] == {"records": "map", "unwrap": "quote"}
    assert merged["format"] == "ndjson"


def test_the_overlay_leaves_both_sides_alone() -> None:
    """The merged table is a new one."""
    base, table = load_presets()["generic_bars"], {"fields": {"price": {"scale": 4}}}
    overlay(base, table)
    assert base == load_presets()["generic_bars"]
    assert table == {"fields": {"price": {"scale": 4}}}


def test_a_second_origin_is_refused() -> None:
    """A source that maps a field again cannot give it two origins."""
    with pytest.raises(ValidationError, match="exactly one of"):
        make_profile("generic_bars", fields={"price": {"column": "close", "const": "1"}})


@pytest.mark.parametrize("name", preset_names())
def test_the_registry_page_describes_the_preset(name: str) -> None:
    """The page has the preset's own words, and a row for each field with every column it reads."""
    text = section(name)
    assert preset_descriptions()[name] in " ".join(text.split())
    rows = {row[1]: row[2] for row in re.finditer(r"^\| (\w+) \| (.*) \|$", text, re.MULTILINE)}
    profile = make_profile(name)
    assert rows.keys() == profile.fields.keys()
    for field, mapping in profile.fields.items():
        wanted = [*mapping.wire_paths(), mapping.envelope, mapping.const, *mapping.values]
        assert all(f"`{word}`" in rows[field] for word in wanted if word is not None), field


def test_the_registry_page_describes_nothing_else() -> None:
    """A preset that is gone leaves no section behind."""
    assert tuple(re.findall(r"^## `(\w+)`$", REGISTRY, re.MULTILINE)) == preset_names()


def test_the_howtos_profile_is_one_and_short() -> None:
    """What readers copy validates, and takes at most thirty lines."""
    text = re.search(r"```toml\n(.*?)```", HOWTO, re.DOTALL)
    assert text
    assert len(text[1].splitlines()) <= 30
    mine = tomllib.loads(text[1])["sources"]["broker_de"]
    fixture = tomllib.loads((ROOT / "fixtures/dataspine.toml").read_text(encoding="utf-8"))["sources"][
        "broker_de"
    ]
    assert make_profile(**mine).fields == make_profile(**fixture).fields
