"""Presets: the profiles that are built in, and a source's own keys over them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from importlib.resources import files
from typing import Any

_DESCRIPTION = "description"


def preset_names() -> tuple[str, ...]:
    """Names that a source may give as `preset`, in the order of the registry."""
    return tuple(_preset_tables())


def load_presets() -> dict[str, dict[str, Any]]:
    """Every preset's part of a profile by name; the caller's own copy."""
    return {
        name: {key: deepcopy(value) for key, value in table.items() if key != _DESCRIPTION}
        for name, table in _preset_tables().items()
    }


def preset_descriptions() -> dict[str, str]:
    """What each preset reads, in one paragraph."""
    return {name: table[_DESCRIPTION].strip() for name, table in _preset_tables().items()}


def overlay(base: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """A source's keys over a preset's: tables are merged, but a field's mapping is replaced whole.

    A field has exactly one origin, so half of a preset's mapping under half of a source's would be neither. Only what
    is no origin, e.g. `fields.volume.scale` alone, is added to the preset's mapping.
    """
    merged = {**base}
    for key, value in table.items():
        known = base.get(key)
        if key == "fields" and isinstance(known, Mapping) and isinstance(value, Mapping):
            merged[key] = {**known, **{field: _field(known.get(field), new) for field, new in value.items()}}
        elif isinstance(known, Mapping) and isinstance(value, Mapping):
            merged[key] = {**known, **value}
        else:
            merged[key] = value
    return merged


_ORIGINS = frozenset({"column", "join", "const", "file", "envelope", "key", "generate"})


def _field(known: Any, new: Any) -> Any:
    """A field's mapping: the source's own when it names an origin, else the preset's with its additions."""
    if not isinstance(known, Mapping) or not isinstance(new, Mapping) or _ORIGINS & new.keys():
        return new
    return {**known, **new}


@cache
def _preset_tables() -> dict[str, dict[str, Any]]:
    text = files("dataspine").joinpath("presets.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
