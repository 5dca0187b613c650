"""`key=value` over a preset, and the configuration that `init` writes."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from dataspine.config import Settings, read_settings
from dataspine.errors import RequestError
from dataspine.service.ingest import table_from_overrides
from dataspine.service.init import config_template


@pytest.mark.parametrize(
    ("override", "table"),
    [
        ("encoding=cp1252", {"encoding": "cp1252"}),
        ('encoding="cp1252"', {"encoding": "cp1252"}),
        ("csv.delimiter=;", {"csv": {"delimiter": ";"}}),
        ("csv.delimiter==", {"csv": {"delimiter": "="}}),
        ("csv.header=false", {"csv": {"header": False}}),
        ("contract.max_future_s=60", {"contract": {"max_future_s": 60}}),
        ("contract.earliest=1990-01-01", {"contract": {"earliest": "1990-01-01"}}),
        ('csv.columns=["a", "b"]', {"csv": {"columns": ["a", "b"]}}),
        (
            'fields.side={ column = "s", values = { B = "BUY" } }',
            {"fields": {"side": {"column": "s", "values": {"B": "BUY"}}}},
        ),
        ('fields.side.values."1 x"=BUY', {"fields": {"side": {"values": {"1 x": "BUY"}}}}),
        ("preset=", {"preset": ""}),
    ],
)
def test_override_is_toml_or_else_text(override: str, table: dict[str, object]) -> None:
    assert table_from_overrides([override]) == table


def test_overrides_are_merged_and_the_last_one_holds() -> None:
    merged = table_from_overrides(["csv.delimiter=;", "csv.quote='", "csv.delimiter=|"])
    assert merged == {"csv": {"delimiter": "|", "quote": "'"}}


@pytest.mark.parametrize("override", ["csv", "=x", "a b=1", "", "a..b=1"])
def test_what_is_no_override_is_refused(override: str) -> None:
    with pytest.raises(RequestError, match="--set needs KEY=VALUE"):
        table_from_overrides([override])


def test_template_is_a_working_configuration(tmp_path: Path) -> None:
    (tmp_path / "dataspine.toml").write_text(config_template(), encoding="utf-8")
    settings = read_settings(tmp_path, environment={})
    assert settings.data_root == tmp_path.resolve()
    assert [profile.preset for profile in settings.sources.values()] == [
        "generic_bars",
        "generic_quotes",
        "execution_csv",
    ]
    assert all(profile.path and profile.schedule for profile in settings.sources.values())


def test_every_key_of_the_template_has_a_comment() -> None:
    lines = config_template().splitlines()
    keys = [number for number, line in enumerate(lines) if "=" in line and not line.startswith("#")]
    assert len(keys) > 10
    assert [lines[number] for number in keys if not lines[number - 1].startswith("#")] == []


def test_template_says_the_defaults_that_hold_anyway(tmp_path: Path) -> None:
    table = tomllib.loads(config_template())
    settings = Settings(home=tmp_path, data_root=tmp_path)
    assert table["log_level"] == settings.log_level
    (tmp_path / "dataspine.toml").write_text('[sources.bars]\npreset = "generic_bars"\npath = "x"\n')
    bare = read_settings(tmp_path, environment={}).sources["bars"].contract
    assert table["sources"]["bars"]["contract"] == bare.model_dump()


def test_template_names_every_setting() -> None:
    table = tomllib.loads(config_template())
    assert set(table) == set(Settings.model_fields) - {"home", "file"}
