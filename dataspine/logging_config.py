"""Structured logs: one JSON object a line, never on stdout, and no registered secret in it.

A line has `time` (ISO 8601 UTC), `level`, `logger` and `event` (the message), then whatever the call gave as `extra`,
and `exception` with the trace. Everything is ASCII and control characters are escaped, so a log can be shown anywhere.
"""

from __future__ import annotations

import base64
import json
import logging
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote, quote_plus

from dataspine.clock import iso_from_us

MASK = "***"
MAX_DEPTH = 8
"""Nesting of a field that is written out; deeper values are written as text."""

_OWN_LOGGERS = ("dataspine", "tui")
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_RESERVED = frozenset({"time", "level", "logger", "event", "exception"})
_BASE64_CORE_CHARS = 6
"""Shorter pieces of a secret in the middle of base64 text would mask what is no secret."""

_forms: list[str] = []


def setup_logging(
    level: str = "INFO", *, stream: TextIO | None = None, file: str | Path | None = None
) -> None:
    """Send every log line to `file` (made with mode 0600, appended to), else to `stream`, by default stderr.

    A second call replaces the first. Other libraries' lines come through from WARNING on: below it they show URLs.

    Raises: ValueError for an unknown level, or for stdout, which belongs to what a command answers.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"level must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL, got {level}")
    if stream is not None and stream in (sys.stdout, sys.__stdout__):
        raise ValueError("logs must not go to stdout; give stderr or a file")
    handler = _LineHandler(_opened(Path(file)) if file is not None else stream or sys.stderr)
    handler.owns_stream = file is not None
    handler.setLevel(number)
    root = logging.getLogger()
    for known in [known for known in root.handlers if isinstance(known, _LineHandler)]:
        root.removeHandler(known)
        known.close()
    root.addHandler(handler)
    for name in _OWN_LOGGERS:
        logging.getLogger(name).setLevel(number)


def register_secret(value: str) -> None:
    """Mask `value` in every later log line of this process, also in base64, in URLs and inside JSON or `repr`."""
    known = {*_forms, *_secret_forms(value)} - {""}
    # The longest first: a form may stand within another.
    _forms[:] = sorted(known, key=lambda form: (-len(form), form))


def redacted(text: str) -> str:
    """The text without registered secrets."""
    for form in tuple(_forms):
        text = text.replace(form, MASK)
    return text


def _secret_forms(value: str) -> set[str]:
    forms = {value, quote(value, safe=""), quote(value), quote_plus(value)}
    forms |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    raw = value.encode("utf-8", "surrogatepass")
    return forms | {raw.hex()} | _base64_cores(raw) if len(raw) >= _BASE64_CORE_CHARS else forms


def _base64_cores(raw: bytes) -> set[str]:
    """What base64 makes of the bytes wherever they begin in a longer text: `user:SECRET` does not end on a boundary."""
    cores = set()
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * shift + raw).decode("ascii")
            first = -(-shift * 8 // 6)
            last = (shift + len(raw)) * 8 // 6
            cores.add(text[first:last])
    return {core for core in cores if len(core) >= _BASE64_CORE_CHARS}


def _opened(path: Path) -> TextIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "a", encoding="ascii")


class _LineHandler(logging.StreamHandler[TextIO]):
    """Writes lines; what cannot be written is not shown in full, for it may hold a secret."""

    owns_stream = False

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.setFormatter(_LineFormatter())
        self.addFilter(_is_wanted)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        reason = sys.exc_info()[0]
        line = {"level": "ERROR", "logger": __name__, "event": "line_not_written", "of": record.name}
        if sys.__stderr__ is not None and sys.__stderr__ is not self.stream:
            print(json.dumps({**line, "reason": getattr(reason, "__name__", "")}), file=sys.__stderr__)

    def close(self) -> None:
        super().close()
        if self.owns_stream:
            self.stream.close()


def _is_wanted(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.name.split(".", 1)[0] in _OWN_LOGGERS


class _LineFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": iso_from_us(int(record.created * 1e6)),
            "level": record.levelname,
            "logger": record.name,
            "event": _message(record),
        }
        extra = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
        line |= {f"{name}_" if name in _RESERVED else name: value for name, value in extra.items()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # JSON leaves DEL as it is; terminals do not.
        return json.dumps(_plain(line, MAX_DEPTH), allow_nan=False).replace("\x7f", "\\u007f")


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args!r}"


def _plain(value: Any, depth: int) -> Any:
    """What JSON can hold, without secrets."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and math.isfinite(value):
        text = redacted(str(value))
        return value if text == str(value) else text
    if isinstance(value, Mapping) and depth:
        return {redacted(str(key)): _plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth:
        return [_plain(item, depth - 1) for item in value]
    return redacted(value if isinstance(value, str) else str(value))
