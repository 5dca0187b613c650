"""Every mistake in a configuration is named with key, file, line and cure; secrets stay where they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dataspine.config import Settings, line_of, load_config, profile_from_table, read_settings, resolve_secret
from dataspine.errors import ConfigError
from dataspine.pipeline.spine import profile_text
from tests.builders import ingest_bytes, make_spine

if TYPE_CHECKING:
    from collections.abc import Mapping

BARS = '[sources.bars]\npreset = "generic_bars"\npath = "drop/*.csv"\n'
FIELDS = BARS + "[sources.bars.fields]\n"


def read(
    home: Path, text: str | bytes | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Settings of a workspace with this file, under no variables but these."""
    if text is not None:
        (home / "dataspine.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_settings(home, environment=environment or {})


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert (settings.file, settings.sources, settings.log_level) == (None, {}, "INFO")
    assert settings.data_root == tmp_path.resolve()


def test_a_file_is_read_over_its_presets(tmp_path: Path) -> None:
    settings = read(tmp_path, BARS + "[sources.bars.contract]\nmax_reject_ratio = 0.1\n")
    bars = settings.sources["bars"]
    assert (bars.kind, bars.path, bars.contract.max_reject_ratio) == ("market", "drop/*.csv", 0.1)
    assert bars.contract.max_future_s == 300
    assert settings.file == tmp_path / "dataspine.toml"


def test_one_key_of_a_preset_can_be_replaced(tmp_path: Path) -> None:
    settings = read(tmp_path, FIELDS + 'price = { column = "last" }\n')
    assert settings.sources["bars"].fields["price"].column == "last"
    assert settings.sources["bars"].fields["volume"].column == "volume"


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ('lgo_level = "INFO"\n', "lgo_level is no key that is known here; did you mean log_level?", 1),
        ('home = "/etc"\n', "home is no key that is known here", 1),
        ('file = "/etc/passwd"\n', "file is no key that is known here", 1),
        ('# why\nlog_level = "LOUD"\n', "log_level Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'", 2),
        ("sources = 3\n", "sources must be a table of sources", 1),
        ("sources.bars = 3\n", "sources.bars must be a table", 1),
        ('[sources.Bars-1]\npreset = "generic_bars"\n', "sources.Bars-1.name String should match pattern", 1),
        ('[sources.bars]\npreset = "gneric"\n', "sources.bars.preset must be one of iex_quote,", 2),
        ('[sources.bars]\npreset = ["generic_bars"]\n', "sources.bars.preset must be one of", 2),
        ('[sources.bars]\nformat = "csv"\n', "sources.bars.kind Field required", 1),
        (BARS + 'pth = "x"\n', "sources.bars.pth is no key that is known here; did you mean path?", 4),
        (BARS + "schedule = 3\n", "sources.bars.schedule Input should be a valid string", 4),
        (BARS + 'url = "https://x"\n', "sources.bars.url must not stand beside path", 4),
        (BARS + "contract = 3\n", "sources.bars.contract Input should be a valid dictionary", 4),
        (
            BARS + '[sources.bars.contract]\n\nearliest = "soon"\n',
            "contract.earliest must be a day such as",
            6,
        ),
        (BARS + '[sources.bars.contract]\nearliest = "19900101"\n', "contract.earliest must be a day", 5),
        (
            BARS + "[sources.bars.contract]\nmax_reject_ratio = 1.5\n",
            "ratio Input should be less than or equal to 1",
            5,
        ),
        (BARS + "[sources.bars.contract]\nmax_reject_ratio = 0\n", "ratio Input should be greater than 0", 5),
        (BARS + '[sources.bars.csv]\ndelimiter = ";;"\n', "csv.delimiter String should have at most 1", 5),
        (BARS + "[sources.bars.csv]\ndelimiter = '\"'\n", "csv.delimiter and quote must be two different", 5),
        (BARS + '[sources.bars.csv]\ndelimiter = "\\n"\n', "no letters, digits or line ends", 5),
        (BARS + "[sources.bars.csv]\nheader = false\n", "csv.columns must name the columns", 4),
        (BARS + 'file_name = "{day"\n', "file_name must be like {day}_{symbol}.csv", 4),
        (BARS + 'file_name = "{day}{day}"\n', "each name plain and once", 4),
        (BARS + '[sources.bars.symbology]\ncharset = ""\n', "symbology.charset must be ASCII characters", 5),
        (BARS + '[sources.bars.symbology]\ncharset = "É"\n', "symbology.charset must be ASCII characters", 5),
        (
            FIELDS + 'prise = { column = "p" }\n',
            "fields.prise is no key that is known here; did you mean price?",
            5,
        ),
        (
            FIELDS + 'price = { colum = "p" }\n',
            "fields.price.colum is no key that is known here; did you mean col",
            5,
        ),
        (FIELDS + 'price = { column = "p", const = 3 }\n', "fields.price name exactly one of column,", 5),
        (FIELDS + 'price = { column = "p", scale = -4 }\n', "fields.price.scale must be 0 to 18, got -4", 5),
        (FIELDS + 'price = { column = "p", scale = 400000 }\n', "fields.price.scale must be 0 to 18", 5),
        (
            FIELDS + 'price = { column = "p", thousands = "" }\n',
            "fields.price.thousands must be one character",
            5,
        ),
        (
            FIELDS + 'price = { column = "p", thousands = "1" }\n',
            "fields.price.thousands must be one character",
            5,
        ),
        (
            FIELDS + 'price = { column = "p", thousands = "." }\n',
            "fields.price.thousands must be one character",
            5,
        ),
        (
            FIELDS + 'symbol = { file = "sym" }\n',
            "fields.symbol.file must be a name in file_name, got sym",
            5,
        ),
        (
            FIELDS + 'timestamp = { column = "t", unit = "min" }\n',
            "timestamp.unit Input should be 's', 'ms'",
            5,
        ),
        (
            FIELDS + 'timestamp = { column = "t", format = "iso", unit = "s" }\n',
            "format must not stand beside unit",
            5,
        ),
        (FIELDS + 'timestamp = { column = "t", format = "%Y%m%d" }\n', "format needs zone beside it", 5),
        (
            FIELDS + 'timestamp = { column = "t", format = "%Y", zone = "Mars/X" }\n',
            "zone must be an IANA time zone",
            5,
        ),
        (BARS + "[sources.bars.http]\ntimeout_s = 0\n", "http.timeout_s Input should be greater than 0", 5),
        (
            '[sources.b]\nkind = "market"\nformat = "csv"\n[sources.b.fields]\n',
            "must map price, which MarketData",
            4,
        ),
        ("rules = 3\n", "rules Input should be a valid dictionary", 1),
    ],
)
def test_a_mistake_is_named_with_key_line_and_cure(
    tmp_path: Path, text: str, message: str, line: int
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert f"({tmp_path / 'dataspine.toml'}, line {line})" in str(caught.value)
    assert str(caught.value).endswith("Every key is described in docs/reference/config.md")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "log_level = INFO\n",
            r"the file is not TOML: Invalid value \(at line 1, column 13\).*quotes around text",
        ),
        (BARS + BARS, r"the file is not TOML: .*twice \(at line 4"),
        (b'log_level = "\xff"\n', r"the file must be UTF-8 \(.*dataspine.toml, byte 13\)"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, text)


def test_a_directory_in_the_file_s_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "dataspine.toml").mkdir()
    with pytest.raises(ConfigError, match=r"the file cannot be read \(Is a directory\)"):
        read(tmp_path)


def test_variables_lie_over_env_file_over_the_file(tmp_path: Path) -> None:
    text = (
        'log_level = "DEBUG"\n' + BARS + "[sources.bars.contract]\nmax_future_s = 1\nmax_reject_ratio = 0.1\n"
    )
    (tmp_path / ".env").write_text(
        "# comment\n\nexport DATASPINE_LOG_LEVEL='WARNING'\nDATASPINE_SOURCES__BARS__CONTRACT__MAX_FUTURE_S=2\n"
        'DATASPINE_SOURCES__BARS__PATH="other/*.csv"\nUNRELATED=x\n',
        encoding="ascii",
    )
    settings = read(tmp_path, text, {"DATASPINE_SOURCES__BARS__CONTRACT__MAX_FUTURE_S": "3", "PATH": "/bin"})
    bars = settings.sources["bars"]
    assert (settings.log_level, bars.path) == ("WARNING", "other/*.csv")
    assert (bars.contract.max_future_s, bars.contract.max_reject_ratio) == (3, 0.1)


def test_a_variable_may_make_a_whole_source(tmp_path: Path) -> None:
    variables = {"DATASPINE_SOURCES__BARS__PRESET": "generic_bars", "DATASPINE_DATA_ROOT": "/data"}
    settings = read(tmp_path, environment=variables)
    assert settings.sources["bars"].format == "csv"
    assert settings.data_root == Path("/data")


def test_variables_of_the_commands_are_no_keys(tmp_path: Path) -> None:
    variables = {"DATASPINE_HOME": "x", "DATASPINE_NOW": "y", "DATASPINE_ACTOR": "z"}
    assert read(tmp_path, environment=variables) == read(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DATASPINE_LOG_LEVEL", "LOUD", "log_level Input should be"),
        ("DATASPINE_LOGLEVEL", "INFO", "loglevel is no key that is known here; did you mean log_level?"),
        ("DATASPINE_SOURCES", "x", "sources must be a table of sources"),
        ("DATASPINE_SOURCES__BARS", "x", "sources.bars must be a table"),
        ("DATASPINE_SOURCES__BARS__CONTRACT__MAX_REJECT_RATIO", "2", "should be less than or equal to 1"),
        ("DATASPINE_SOURCES__BARS__PATH__X", "x", "a variable names a table below a plain value"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, BARS, {name: value})
    assert message in str(caught.value)
    assert name in str(caught.value)


def test_a_wrong_line_of_the_env_file_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nnonsense\n", encoding="ascii")
    with pytest.raises(ConfigError, match=r"a line must be NAME=value \(.*\.env, line 2\)"):
        read(tmp_path)


def test_a_library_call_ends_with_the_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dataspine.toml").write_text('lgo_level = "INFO"\n', encoding="ascii")
    with pytest.raises(SystemExit, match="did you mean log_level"):
        load_config(tmp_path)
    monkeypatch.setenv("DATASPINE_HOME", str(tmp_path))
    with pytest.raises(SystemExit, match="dataspine.toml, line 1"):
        load_config()
    monkeypatch.setenv("DATASPINE_HOME", str(tmp_path / "empty"))
    assert load_config().sources == {}


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("a",), 1),
        (("b", "c"), 4),
        (("b", "c", "deeper"), 4),
        (("b", "d", "e"), 6),
        (("b", "unknown"), 3),
        (("unknown",), None),
    ],
)
def test_the_nearest_line_is_found(key: tuple[str, ...], line: int | None) -> None:
    assert line_of('a = 1\n# c = 2\n[b]\n"c" = 3\n[b.d]\n  e = { f = 1 }\n', key) == line


def test_a_secret_of_a_variable(tmp_path: Path) -> None:
    assert resolve_secret("env:KEY", environment={"KEY": "s3cret"}) == "s3cret"
    assert resolve_secret("plain") == "plain"
    for environment in ({}, {"KEY": ""}):
        with pytest.raises(
            ConfigError, match=r"a secret is not set \(environment variable KEY\). export KEY="
        ):
            resolve_secret("env:KEY", environment=environment)


def test_a_secret_of_a_file(tmp_path: Path) -> None:
    (path := tmp_path / "key").write_text(" s3cret\n", encoding="ascii")
    path.chmod(0o600)
    assert resolve_secret(f"file:{path}") == "s3cret"
    for mode in (0o640, 0o604, 0o660):
        path.chmod(mode)
        with pytest.raises(
            ConfigError, match=rf"must be yours alone, got mode {mode:o}.*chmod 600"
        ) as caught:
            resolve_secret(f"file:{path}")
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        (b"\n", "must hold its text, got nothing"),
        (b"s3cret\xff", "bytes that are no UTF-8"),
    ],
)
def test_a_file_without_a_secret_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    with pytest.raises(ConfigError, match=message) as caught:
        resolve_secret(f"file:{path}")
    assert "s3cret" not in str(caught.value)


def test_a_secret_never_stands_in_a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor in anything that is derived from it: the stored profile, the audit log, the letters, the files."""
    monkeypatch.setenv("VENDOR_KEY", "s3cret")
    table = {
        "preset": "generic_bars",
        "url": "https://x/",
        "http": {"headers": {"Authorization": "env:VENDOR_KEY"}},
    }
    profile = profile_from_table("bars", table)
    assert "env:VENDOR_KEY" in profile_text(profile)[0]
    with (spine := make_spine(tmp_path)).workspace as workspace:
        ingest_bytes(spine, profile, b"symbol,timestamp,close,volume\nA,x,1,1\n", object_name="bars.csv")
        names = workspace.database.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
        held = [workspace.database.rows(f"SELECT * FROM {name}") for (name,) in names]
        assert "s3cret" not in repr(held)
        assert "env:VENDOR_KEY" in repr(held)
    assert not any(b"s3cret" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_wrong_secret_is_not_echoed() -> None:
    table = {
        "preset": "generic_bars",
        "url": "https://x/",
        "http": {"headers": {"Authorization": ["s3cret"]}},
    }
    with pytest.raises(ConfigError) as caught:
        profile_from_table("bars", table)
    assert "sources.bars.http.headers.Authorization" in str(caught.value)
    assert "s3cret" not in json.dumps(str(caught.value))
