"""The progress bar: only on a terminal, only for work that takes over a second."""

from __future__ import annotations

import io

import pytest

from dataspine.cli.progress import PATIENCE_S, IngestProgress
from dataspine.clock import FrozenClock
from dataspine.pipeline.ingest import Progress


class Terminal(io.StringIO):
    """A terminal that remembers what it was sent."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _known_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


def shown(stream: io.StringIO, *, after_s: float, names: tuple[str, ...] = ("bars.csv",)) -> str:
    """What stands on the stream after progress on these objects, so long after the start."""
    clock = FrozenClock(0)
    with IngestProgress(clock=clock, stream=stream) as progress:
        clock.advance_s(after_s)
        for name in names:
            progress(name, Progress(1_234, 5, 10))
    return stream.getvalue()


def test_short_work_shows_nothing() -> None:
    assert shown(Terminal(), after_s=PATIENCE_S - 0.001) == ""


def test_long_work_shows_name_and_rows() -> None:
    text = shown(Terminal(), after_s=PATIENCE_S)
    assert "bars.csv" in text
    assert "1,234 rows" in text


def test_no_terminal_shows_nothing() -> None:
    assert shown(io.StringIO(), after_s=60) == ""


def test_object_names_are_inert() -> None:
    text = shown(Terminal(), after_s=PATIENCE_S, names=("a\x1b]0;x\x07[bold]", "second.csv"))
    assert "\x1b]0;" not in text
    assert "second.csv" in text


def test_markup_in_a_name_is_text() -> None:
    assert "[bold]" in shown(Terminal(), after_s=PATIENCE_S, names=("[bold]x",))
