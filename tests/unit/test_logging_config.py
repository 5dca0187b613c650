"""Logs: one JSON object a line, inert, without secrets, and never on stdout."""

from __future__ import annotations

import base64
import io
import json
import logging
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from dataspine import logging_config
from dataspine.clock import us_from_datetime
from dataspine.logging_config import register_secret, setup_logging
from dataspine.schemas.fields import datetime_from_iso

SECRET = 'p@ss"w/rd+é\\\n'
_log = logging.getLogger("dataspine.desk")


@pytest.fixture(autouse=True)
def own_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Handlers, levels and secrets as they were."""
    root, ours = logging.getLogger(), [logging.getLogger(name) for name in ("dataspine", "tui")]
    handlers, levels = list(root.handlers), [logger.level for logger in ours]
    monkeypatch.setattr(logging_config, "_forms", [])
    yield
    root.handlers[:] = handlers
    for logger, level in zip(ours, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    setup_logging("INFO", stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_time_level_logger_event_and_fields(stream: io.StringIO) -> None:
    _log.info("batch %s", "committed", extra={"run_id": 7, "source": "iex"})
    (line,) = lines(stream)
    at = datetime_from_iso(line.pop("time"), "time")
    assert line == {
        "level": "INFO",
        "logger": "dataspine.desk",
        "event": "batch committed",
        "run_id": 7,
        "source": "iex",
    }
    assert us_from_datetime(at) > 0


def test_the_level_counts(stream: io.StringIO) -> None:
    _log.debug("hidden")
    setup_logging("debug", stream=stream)
    _log.debug("shown")
    assert [line["event"] for line in lines(stream)] == ["shown"]


def test_a_second_set_up_replaces_the_first(stream: io.StringIO) -> None:
    setup_logging("INFO", stream=stream)
    setup_logging("INFO", stream=stream)
    _log.info("once")
    assert len(lines(stream)) == 1


def test_other_libraries_are_heard_from_warning_on(stream: io.StringIO) -> None:
    """Below it, HTTP clients write whole URLs."""
    other = logging.getLogger("httpx2")
    other.setLevel(logging.DEBUG)
    other.info("GET https://x/?key=1")
    other.warning("slow")
    assert [line["event"] for line in lines(stream)] == ["slow"]


@pytest.mark.parametrize("text", ["\x1b[31mred\x07", "\x9b2J", "\x7f", "a\nb\r", "\u202eabc", "\u2028", "é"])
def test_a_line_is_inert(stream: io.StringIO, text: str) -> None:
    """Vendor text may stand anywhere: in the message, a field, a field's name."""
    _log.info(text, extra={"found": text, "nested": {text: [text]}})
    written = stream.getvalue()
    assert written.endswith("\n")
    assert all(" " <= char <= "~" for char in written[:-1])
    assert lines(stream)[0]["found"] == text


def test_half_of_a_surrogate_pair_is_inert() -> None:
    """Not through the loggers: the test runner's own handler would choke on it."""
    record = logging.makeLogRecord({"name": "dataspine", "msg": "a\ud800", "levelname": "INFO"})
    line = logging_config._LineFormatter().format(record)
    assert line.isascii()
    assert json.loads(line)["event"] == "a\ud800"


@pytest.mark.parametrize(
    "shown",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        json.dumps(SECRET),
        repr(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(b"user:" + SECRET.encode()).decode(),
        base64.urlsafe_b64encode(b"me:" + SECRET.encode() + b":x").decode(),
        SECRET.encode().hex(),
    ],
)
def test_a_secret_is_masked_in_every_form(stream: io.StringIO, shown: str) -> None:
    register_secret(SECRET)
    _log.info("got %s", shown, extra={"url": f"https://x/?k={shown}", "nested": [{shown: shown}]})
    assert shown not in lines(stream)[0]["url"]
    assert lines(stream)[0]["event"] != f"got {shown}"
    assert lines(stream)[0]["event"].count("***") == 1
    assert "***" in json.dumps(lines(stream)[0]["nested"])


def test_a_secret_in_an_exception_is_masked(stream: io.StringIO) -> None:
    register_secret("hunter2hunter2")
    try:
        int("hunter2hunter2")
    except ValueError:
        _log.exception("failed")
    (line,) = lines(stream)
    assert line["exception"].endswith("invalid literal for int() with base 10: '***'")


def test_a_secret_of_digits_is_masked_in_numbers(stream: io.StringIO) -> None:
    register_secret("123456")
    _log.info("x", extra={"pin": 123456, "count": 12})
    assert (lines(stream)[0]["pin"], lines(stream)[0]["count"]) == ("***", 12)


def test_an_empty_secret_masks_nothing(stream: io.StringIO) -> None:
    register_secret("")
    _log.info("plain")
    assert lines(stream)[0]["event"] == "plain"


def test_a_longer_secret_hides_the_shorter_one_in_it(stream: io.StringIO) -> None:
    register_secret("abcdef")
    register_secret("abcdefghi")
    _log.info("abcdefghi abcdef")
    assert lines(stream)[0]["event"] == "*** ***"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "nan"),
        (1.5, 1.5),
        (True, True),
        (None, None),
        ((1, "a"), [1, "a"]),
        (Path("/x"), "/x"),
        (10**30, 10**30),
    ],
)
def test_any_value_can_be_a_field(stream: io.StringIO, value: object, expected: object) -> None:
    _log.info("x", extra={"value": value})
    assert lines(stream)[0]["value"] == expected


def test_deep_values_end_as_text(stream: io.StringIO) -> None:
    """A value that holds itself would go on for ever."""
    loop: list[Any] = []
    loop.append(loop)
    _log.info("x", extra={"value": loop})
    assert "[...]" in stream.getvalue()


def test_fields_cannot_take_the_lines_own_names(stream: io.StringIO) -> None:
    _log.info("real", extra={"event": "false", "level": "DEBUG"})
    (line,) = lines(stream)
    assert (line["event"], line["event_"], line["level"], line["level_"]) == (
        "real",
        "false",
        "INFO",
        "DEBUG",
    )


def test_a_message_that_does_not_fit_its_values_is_not_lost(stream: io.StringIO) -> None:
    # The test runner's own handler would raise.
    logging.getLogger().handlers.clear()
    setup_logging("INFO", stream=stream)
    _log.info("%d records", "many")
    assert lines(stream)[0]["event"] == "%d records ('many',)"


def test_a_file_is_private_and_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "dataspine.log"
    for event in ("first", "second"):
        setup_logging("INFO", file=path)
        _log.info(event)
    setup_logging("INFO", stream=io.StringIO())
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["first", "second"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_stdout_is_refused() -> None:
    with pytest.raises(ValueError, match="stdout"):
        setup_logging("INFO", stream=sys.stdout)


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="got LOUD"):
        setup_logging("LOUD")


def test_by_default_lines_go_to_stderr() -> None:
    imports = "import logging; from dataspine.logging_config import setup_logging"
    script = f"{imports}; setup_logging(); logging.getLogger('dataspine').info('x')"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == ""
    assert json.loads(done.stderr)["event"] == "x"


def test_a_stream_that_fails_shows_nothing_of_the_line(capfd: pytest.CaptureFixture[str]) -> None:
    """The standard library would print message and arguments, secrets included."""

    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError("no space")

    setup_logging("INFO", stream=Full())
    _log.info("hunter2")
    assert "hunter2" not in capfd.readouterr().err
