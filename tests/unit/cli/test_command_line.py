"""From words to values: global options, plain values, the desk, the tree and its reference page."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from dataspine.cli.crash import command_words, home_from_arguments
from dataspine.cli.desk import clock_from_text, default_home, instant_us
from dataspine.cli.main import global_options_first
from dataspine.cli.plain_values import PlainValue
from dataspine.cli.reference import commands_page
from dataspine.cli.run import Mode
from dataspine.cli.tree import NOUNS, noun_command
from dataspine.clock import HeldClock, SystemClock
from dataspine.errors import RequestError

DOCS = Path(__file__).resolve().parents[3] / "docs" / "reference"


@pytest.mark.parametrize(
    ("given", "ordered"),
    [
        ([], []),
        (["ingest", "--home", "x", "--all"], ["--home", "x", "ingest", "--all"]),
        (["ingest", "--home=x", "a", "--now=y"], ["--home=x", "--now=y", "ingest", "a"]),
        (["--actor", "z", "init"], ["--actor", "z", "init"]),
        (["ingest", "--", "--home", "x"], ["ingest", "--", "--home", "x"]),
        (["init", "--home"], ["--home", "init"]),
        (["init", "--homer", "x"], ["init", "--homer", "x"]),
    ],
)
def test_global_options_come_first(given: list[str], ordered: list[str]) -> None:
    assert global_options_first(given) == ordered


def read(
    kind: type, value: Any, *, many: bool = False, low: float | None = None, high: float | None = None
) -> Any:
    param = SimpleNamespace(multiple=many, nargs=1, get_error_hint=lambda: "'--it'")
    return PlainValue(kind, low, high).coerce(value, param=param, ctx=None)


@pytest.mark.parametrize(
    ("kind", "word", "value"),
    [
        (int, "7", 7),
        (int, 7, 7),
        (str, "7", "7"),
        (Path, "a/b", Path("a/b")),
        (bool, "Yes", True),
        (bool, "0", False),
        (Mode, "live", Mode.LIVE),
        (int, None, None),
    ],
)
def test_word_becomes_a_value(kind: type, word: Any, value: Any) -> None:
    assert read(kind, word) == value


def test_many_words_become_a_list() -> None:
    assert read(int, ("1", "2"), many=True) == [1, 2]
    assert read(int, None, many=True) == ()


@pytest.mark.parametrize(
    ("kind", "word", "said"),
    [
        (int, "x", "whole number"),
        (int, "1.5", "whole number"),
        (Mode, "x", "live, backfill"),
        (bool, "x", "truth"),
    ],
)
def test_wrong_word_is_named(kind: type, word: str, said: str) -> None:
    with pytest.raises(typer.BadParameter, match=said):
        read(kind, word)


@pytest.mark.parametrize(("low", "high", "edge", "outside"), [(1, None, 1, 0), (None, 5, 5, 6), (1, 5, 5, 6)])
def test_range_includes_its_ends(low: int | None, high: int | None, edge: int, outside: int) -> None:
    assert read(int, edge, low=low, high=high) == edge
    with pytest.raises(typer.BadParameter, match="not in the range"):
        read(int, str(outside), low=low, high=high)


def test_now_holds_the_date_and_not_the_waiting() -> None:
    clock = clock_from_text("2026-01-09T09:30:00-05:00")
    assert isinstance(clock, HeldClock)
    first = clock.monotonic_s()
    assert clock.now_us() == clock.now_us() == 1_767_969_000_000_000
    assert clock.monotonic_s() >= first
    assert type(clock_from_text(None)) is SystemClock


@pytest.mark.parametrize("text", ["2026-01-09T09:30:00", "yesterday", "", "2026-13-01T00:00:00Z"])
def test_instant_needs_an_offset(text: str) -> None:
    with pytest.raises(RequestError, match="--now must be an instant with its offset"):
        instant_us(text, option="--now")


def test_default_home_is_the_workspace_one_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_home() == Path("workspace")
    (tmp_path / "dataspine.toml").touch()
    assert default_home() == Path()


def test_crash_report_names_no_values() -> None:
    line = ["--home", "/secret", "ingest", "--set", "http.headers.X=token", "--file=private.csv", "sources"]
    assert command_words(line) == "--home ingest --set --file sources"
    assert home_from_arguments(line) == Path("/secret")
    assert home_from_arguments(["ingest", "--home=/x"]) == Path("/x")
    assert home_from_arguments(["ingest"]) is None


@pytest.mark.parametrize("noun", NOUNS)
def test_every_command_has_help_and_json(noun: str) -> None:
    command = noun_command(noun)
    for each in getattr(command, "commands", {noun: command}).values():
        assert each.help
        options = {option for param in each.params for option in param.opts}
        assert "--json" in options or each.name == "export", each.name
        assert not options.intersection({"--home", "--now", "--actor"})


def test_reference_page_is_what_the_tree_says() -> None:
    cure = "python -m dataspine.cli.reference docs/reference/commands.md"
    assert (DOCS / "commands.md").read_text(encoding="utf-8") == commands_page(), cure


def test_every_exit_code_is_documented() -> None:
    page = (DOCS / "exit_codes.md").read_text(encoding="utf-8")
    assert [
        line.split(" ")[1] for line in page.splitlines() if line.startswith("| ") and line[2].isdigit()
    ] == [
        *map(str, range(6)),
        "130",
    ]
