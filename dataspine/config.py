"""Settings: `dataspine.toml`, then `.env`, then the environment; a wrong one is named with key, line and cure.

Secrets are never settings: a profile holds references (`env:NAME`, `file:PATH`) that `resolve_secret` looks up.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from string import Formatter
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, Field, ValidationError

from dataspine.errors import ConfigError
from dataspine.presets import load_presets, overlay
from dataspine.schemas.models import MODELS
from dataspine.schemas.source import FieldMap, SourceProfile
from dataspine.schemas.source import Settings as Table

CONFIG_NAME = "dataspine.toml"
ENV_PREFIX = "DATASPINE_"
Contradiction = tuple[tuple[str, ...], str, object]
"""Key, problem, found."""
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
_OWN_VARIABLES = frozenset({"DATASPINE_HOME", "DATASPINE_NOW", "DATASPINE_ACTOR"})
"""Variables that the commands read themselves; they override no key."""
_GIVEN = frozenset({"home", "file"})
"""Fields of the settings that are no keys of the file."""
MAX_SCALE = 18


@dataclass(frozen=True, slots=True)
class Place:
    """Where a configuration's keys come from: a file's text, and variables over it."""

    path: Path | None = None
    text: str = ""
    variables: Mapping[tuple[str, ...], str] = field(default_factory=dict)

    def of(self, key: tuple[str, ...]) -> str | None:
        """The variable that set a key, else the file and line."""
        for end in range(len(key), 0, -1):
            if key[:end] in self.variables:
                return f"environment variable {self.variables[key[:end]]}"
        line = line_of(self.text, key)
        parts = (str(self.path) if self.path else "", f"line {line}" if line else "")
        return ", ".join(part for part in parts if part) or None


class Settings(Table):
    """A workspace's configuration, whole."""

    home: Path
    file: Path | None = None
    """The file it came from; None where there is none and the defaults hold."""
    data_root: Path
    """Folder that sources' paths are relative to: `data_root` in the file, by default the workspace."""
    log_level: LogLevel = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    sources: dict[str, SourceProfile] = Field(default_factory=dict)
    """One table a source."""
    rules: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Parameters of detection rules, by rule."""


def load_config(home: str | Path | None = None) -> Settings:
    """The settings of a workspace, by default of `DATASPINE_HOME` or the current directory.

    Raises: SystemExit that says file, key, line and cure when anything is wrong; no file at all is no error.
    """
    try:
        return read_settings(Path(home or os.environ.get("DATASPINE_HOME") or "."))
    except ConfigError as error:
        raise SystemExit(str(error)) from error


def read_settings(home: Path, *, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of a workspace.

    Raises: ConfigError with file, key, line and cure.
    """
    path = home / CONFIG_NAME
    text = _text_of(path)
    table = _parsed(text, path)
    place = Place(path, text, _apply_environment(table, _environment(home, environment)))
    sources = table.pop("sources", {})
    if not isinstance(sources, dict):
        raise _wrong(place, ("sources",), "must be a table of sources")
    for name in sorted(_GIVEN & table.keys()):
        raise _wrong(place, (name,), _unknown(name, set(Settings.model_fields) - _GIVEN))
    profiles = {name: profile_from_table(name, part, place=place) for name, part in sources.items()}
    root = (home / str(table.pop("data_root", "."))).resolve()
    given = {"home": home, "data_root": root, "file": path if text else None, "sources": profiles, **table}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        raise _named(error, Settings, (), place) from error


def profile_from_table(name: str, table: Any, *, place: Place | None = None) -> SourceProfile:
    """The whole profile of a source: its own keys over its preset.

    Raises: ConfigError with file, key, line and cure.
    """
    where, place = ("sources", name), place or Place()
    if not isinstance(table, dict):
        raise _wrong(place, where, "must be a table")
    presets = load_presets()
    preset = table.get("preset", "")
    if not isinstance(preset, str) or (preset and preset not in presets):
        raise _wrong(place, (*where, "preset"), "must be one of " + ", ".join(presets), found=preset)
    merged = {**overlay(presets.get(preset, {}), table), "name": name}
    try:
        profile = SourceProfile.model_validate(merged)
    except ValidationError as error:
        raise _named(error, SourceProfile, where, place) from error
    for key, problem, found in _contradictions(profile):
        raise _wrong(place, (*where, *key), problem, found=found)
    return profile


def resolve_secret(reference: str, *, environment: Mapping[str, str] | None = None) -> str:
    """The secret that `env:NAME` or `file:PATH` refers to; any other text is itself.

    Raises: ConfigError if the variable is not set, or the file is missing or readable by others.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = (os.environ if environment is None else environment).get(name)
        if not value:
            raise ConfigError(
                "a secret is not set", where=f"environment variable {name}", cure=f"export {name}=…"
            )
        return value
    if kind == "file":
        return _secret_file(Path(name).expanduser())
    return reference


def _secret_file(path: Path) -> str:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        secret = path.read_bytes().decode("utf-8", "replace").strip()
    except OSError as error:
        raise ConfigError(
            "a secret's file cannot be read", where=str(path), cure="Make it, mode 0600"
        ) from error
    if mode & 0o077:
        raise ConfigError(
            "a secret's file must be yours alone",
            found=f"mode {mode:o}",
            where=str(path),
            cure=f"chmod 600 {path}",
        )
    if not secret or "\ufffd" in secret:
        found = "bytes that are no UTF-8" if secret else "nothing"
        raise ConfigError("a secret's file must hold its text", found=found, where=str(path))
    return secret


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise ConfigError("the file must be UTF-8", where=f"{path}, byte {error.start}") from error
    except OSError as error:
        raise ConfigError(f"the file cannot be read ({error.strerror})", where=str(path)) from error


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        cure = "TOML needs quotes around text and one key a line"
        raise ConfigError(f"the file is not TOML: {error}", where=str(path), cure=cure) from error


def _environment(home: Path, given: Mapping[str, str] | None) -> dict[str, str]:
    """Variables of `.env` under those of the environment, ours only."""
    merged: dict[str, str] = {}
    env_file = home / ".env"
    for number, line in enumerate(_text_of(env_file).splitlines(), start=1):
        entry = line.strip().removeprefix("export ")
        if not entry or entry.startswith("#"):
            continue
        name, equals, value = entry.partition("=")
        if not equals:
            raise ConfigError("a line must be NAME=value", where=f"{env_file}, line {number}")
        merged[name.strip()] = value.strip().strip("\"'")
    merged.update(os.environ if given is None else given)
    return {name: value for name, value in merged.items() if name.startswith(ENV_PREFIX)}


def _apply_environment(table: dict[str, Any], variables: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Lay `DATASPINE_SOURCES__IEX_QUOTES__PATH=…` over the file: two underscores go one table down.

    Which variable set which key.
    """
    applied = {}
    for name, value in variables.items():
        if name in _OWN_VARIABLES:
            continue
        *parents, key = name.removeprefix(ENV_PREFIX).lower().split("__")
        target = table
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise ConfigError("a variable names a table below a plain value", where=name)
        target[key] = value
        applied[*parents, key] = name
    return applied


def _contradictions(profile: SourceProfile) -> list[Contradiction]:
    """What is wrong with a profile whose keys are all well formed."""
    return [*_unmapped(profile), *_misplaced(profile), *_misread(profile), *_misnamed(profile)]


def _unmapped(profile: SourceProfile) -> Iterator[Contradiction]:
    model = MODELS[profile.kind]
    known, required = set(model.model_fields) - {"source"}, set(model.required()) - {"source"}
    for name in profile.fields:
        if name not in known:
            yield ("fields", name), _unknown(name, known), None
    for name in sorted(required - profile.fields.keys()):
        yield ("fields",), f"must map {name}, which {model.__name__} requires", None


def _misplaced(profile: SourceProfile) -> Iterator[Contradiction]:
    if profile.path and profile.url:
        yield ("url",), "must not stand beside path", None
    if not profile.symbology.charset or not profile.symbology.charset.isascii():
        yield ("symbology", "charset"), "must be ASCII characters, one at least", None
    if not _is_day(profile.contract.earliest):
        yield ("contract", "earliest"), "must be a day such as 1990-01-01", profile.contract.earliest
    if not _is_template(profile.file_name or ""):
        yield ("file_name",), "must be like {day}_{symbol}.csv, each name plain and once", profile.file_name
    if profile.format == "csv" and not profile.csv.header and not profile.csv.columns:
        yield ("csv", "columns"), "must name the columns of a file without header", None
    if "position" in profile.wire_paths():
        yield ("fields",), "must not read a column named position, which counts the records", None


def _misread(profile: SourceProfile) -> Iterator[Contradiction]:
    """Mappings that no text could be read by."""
    marks = profile.csv.delimiter + profile.csv.quote
    if len(set(marks)) < len(marks) or any(
        mark.isalnum() or mark in "\r\n" or not mark.isascii() for mark in marks
    ):
        problem = "and quote must be two different ASCII characters, no letters, digits or line ends"
        yield ("csv", "delimiter"), problem, repr(marks)
    for name, mapping in profile.fields.items():
        if not 0 <= mapping.scale <= MAX_SCALE:
            yield ("fields", name, "scale"), f"must be 0 to {MAX_SCALE}", mapping.scale
        mark = mapping.thousands
        if mark is not None and (len(mark) != 1 or mark.isalnum() or mark in "+-" or mark == _point(mapping)):
            yield (
                ("fields", name, "thousands"),
                "must be one character that numbers do not use otherwise",
                repr(mark),
            )
        if mapping.unit and mapping.format:
            yield ("fields", name, "format"), "must not stand beside unit", mapping.format
        if mapping.zone is None and not _has_offset(mapping.format or "iso"):
            yield ("fields", name, "format"), "needs zone beside it, for it has no offset", mapping.format


def _point(mapping: FieldMap) -> str:
    return "," if mapping.decimal_comma else "."


def _has_offset(time_format: str) -> bool:
    """Whether a text of this format tells its offset from UTC, or may."""
    return time_format == "iso" or re.search(r"%[#:]*[zs+]", time_format) is not None


def _is_day(text: str) -> bool:
    try:
        return len(text) == len("1990-01-01") and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _is_template(text: str) -> bool:
    try:
        parts = [part for part in Formatter().parse(text) if part[1] is not None]
    except ValueError:
        return False
    names = [str(name) for _, name, _, _ in parts]
    plain = all(
        str(name).isidentifier() and not spec and not conversion for _, name, spec, conversion in parts
    )
    return plain and len(set(names)) == len(names)


def _misnamed(profile: SourceProfile) -> Iterator[Contradiction]:
    template_names = set(re.findall(r"{(\w+)}", profile.file_name or ""))
    for name, mapping in profile.fields.items():
        for key, value in (("file", mapping.file), ("day", mapping.day)):
            names = set(re.findall(r"{(\w+)}", value or "")) or {value}
            if value is not None and not names <= template_names:
                yield ("fields", name, key), "must be a name in file_name", value
        if mapping.zone is not None and not _is_zone(mapping.zone):
            yield ("fields", name, "zone"), "must be an IANA time zone such as Europe/London", mapping.zone
        if mapping.day is not None and (mapping.zone is None or mapping.unit is None):
            yield ("fields", name, "day"), "needs unit and zone beside it", None


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _named(
    error: ValidationError, model: type[BaseModel], where: tuple[str, ...], place: Place
) -> ConfigError:
    """The first error of pydantic as one of ours."""
    first = error.errors(include_url=False, include_input=False)[0]
    key = tuple(str(part) for part in first["loc"] if not str(part).startswith(("function-", "tuple[")))
    problem = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        problem = _unknown(key[-1], _keys_at(model, key[:-1]))
    return _wrong(place, (*where, *key), problem)


def _keys_at(model: type[BaseModel], key: tuple[str, ...]) -> set[str]:
    """Keys that the table at `key` may have."""
    current: Any = model
    for part in key:
        fields = getattr(current, "model_fields", {})
        known = {field.alias or name: field.annotation for name, field in fields.items()}
        current = known.get(part, current)
        arguments = getattr(current, "__args__", ())
        current = next((item for item in arguments if hasattr(item, "model_fields")), current)
    return {field.alias or name for name, field in getattr(current, "model_fields", {}).items()}


def _unknown(key: str, known: set[str]) -> str:
    close = difflib.get_close_matches(key, sorted(known), n=1)
    return "is no key that is known here" + (f"; did you mean {close[0]}?" if close else "")


def _wrong(place: Place, key: tuple[str, ...], problem: str, *, found: object = None) -> ConfigError:
    return ConfigError(
        f"{'.'.join(key)} {problem}",
        found=found,
        where=place.of(key),
        cure="Every key is described in docs/reference/config.md",
    )


def line_of(text: str, key: tuple[str, ...]) -> int | None:
    """Line of a TOML text on which a key, or the nearest table or key above it, stands."""
    table: tuple[str, ...] = ()
    best, depth = None, 0
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.strip()
        header = re.match(r"^\[+\s*([^\]]+?)\s*\]+", entry)
        if header:
            table = tuple(part.strip().strip("\"'") for part in header[1].split("."))
            here = table
        elif "=" in entry and not entry.startswith("#"):
            here = (*table, *(part.strip().strip("\"'") for part in entry.partition("=")[0].split(".")))
        else:
            continue
        if here == key[: len(here)] and len(here) > depth:
            best, depth = number, len(here)
    return best
