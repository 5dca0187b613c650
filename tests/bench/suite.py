"""What is measured: contenders that run in turn, the columns of their table, and the targets they are held to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ROWS = 1_000_000
"""Records of the main payload; every other size is a share of it."""
ROUNDS = 3

_RATE = "rows_per_s"
_QUOTES = "dataspine-quotes"


@dataclass(frozen=True, slots=True)
class Contender:
    """One thing that is measured, in a process of its own."""

    name: str
    title: str
    program: str
    """Key of `contender.PROGRAMS`."""
    given: str = ""
    """Kind of input, a key of `INPUTS`; empty for none."""
    share: float = 1.0
    """Of the main payload's records."""
    at_most: int = 100_000_000
    home_of: str = ""
    """Contender of the same round in whose store this one works."""
    needs: str = ""
    """Package of the comparators' environment that it runs in; empty for our own."""

    def size(self, rows: int) -> int:
        """Records of its input when the main payload has `rows`."""
        return max(1, min(self.at_most, round(rows * self.share)))


@dataclass(frozen=True, slots=True)
class Column:
    """One measure of every contender."""

    measure: str
    heading: str
    digits: int = 0
    shows_spread: bool = False
    """Whether least and most stand beside the median."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a contender's measure, or its ratio to another's, is held to."""

    text: str
    contender: str
    measure: str
    bound: Literal["at least", "at most"]
    limit: float
    over: str = ""
    """Contender whose measure it is divided by, round by round."""
    unit: str = "×"
    digits: int = 2


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One table."""

    name: str
    contenders: tuple[Contender, ...]
    columns: tuple[Column, ...]
    targets: tuple[Target, ...]


INPUTS = {
    "quotes": (".json", "make-input"),
    "same_quotes": (".json", "make-input"),
    "full_quotes": (".json", "make-input"),
    "executions": (".csv", "make-input"),
    "polls": ("", "make-input"),
    "store": ("", "make-store"),
    "audit": ("", "make-audit-log"),
}
"""Kind to the end of its name and the program that makes it."""

_INGEST_COLUMNS = (
    Column(_RATE, "records/s"),
    Column("elapsed_s", "s", 2, shows_spread=True),
    Column("cpu_s", "CPU s", 2),
    Column("process_s", "s with start-up", 2),
    Column("peak_mib", "peak MiB"),
)
_BARE = "bare script: parse, one `executemany`"
_OURS = "`dataspine ingest`"


def _times(text: str, contender: str, over: str, at_least: float) -> Target:
    return Target(text, contender, _RATE, "at least", at_least, over=over)


def _memory(kind: str, title: str) -> tuple[Contender, Contender]:
    program = f"dataspine-{kind}"
    return (
        Contender(f"{kind}-1", title, program, kind),
        Contender(f"{kind}-5", f"{title}, five times as many", program, kind, share=5),
    )


def _flat(kind: str, title: str) -> tuple[Target, Target]:
    large, small = f"{kind}-5", f"{kind}-1"
    return (
        Target(f"{title}: five times the records", large, "peak_mib", "at most", 1.3, over=small),
        Target(f"{title}: peak", large, "peak_mib", "at most", 600, unit=" MiB", digits=0),
    )


BENCHMARKS = (
    Benchmark(
        "quotes",
        (
            Contender("bare", _BARE, "bare-quotes", "quotes"),
            Contender("first", _OURS, _QUOTES, "quotes"),
            Contender("again", f"{_OURS}, the same file again", _QUOTES, "quotes", home_of="first"),
            Contender(
                "known", f"{_OURS}, its records in other bytes", _QUOTES, "same_quotes", home_of="first"
            ),
        ),
        _INGEST_COLUMNS,
        (
            _times("ingest against the bare script", "first", "bare", 0.8),
            _times("the same file again against its first ingest", "again", "first", 1.5),
            _times("its records in other bytes against the first ingest", "known", "first", 1.5),
        ),
    ),
    Benchmark(
        "full_quotes",
        (
            Contender("bare", _BARE, "bare-quotes", "full_quotes", share=0.1),
            Contender("first", _OURS, _QUOTES, "full_quotes", share=0.1),
        ),
        _INGEST_COLUMNS,
        (_times("ingest against the bare script", "first", "bare", 0.8),),
    ),
    Benchmark(
        "executions",
        (
            Contender("bare", _BARE, "bare-executions", "executions"),
            Contender("first", _OURS, "dataspine-executions", "executions"),
        ),
        _INGEST_COLUMNS,
        (_times("ingest against the bare script", "first", "bare", 1.3),),
    ),
    Benchmark(
        "others",
        (
            Contender("ours", _OURS, _QUOTES, "quotes", share=0.1),
            Contender("dlt", "dlt, frozen schema contract", "dlt-quotes", "quotes", share=0.1, needs="dlt"),
            Contender("own", "pydantic per record, `MarketData`", "pydantic-own", "quotes", share=0.1),
            Contender(
                "plain", "pydantic per record, its own constraints", "pydantic-plain", "quotes", share=0.1
            ),
        ),
        _INGEST_COLUMNS,
        (
            _times("against dlt", "ours", "dlt", 8),
            _times("against pydantic with `MarketData`", "ours", "own", 3),
            _times("against pydantic with its own constraints", "ours", "plain", 1),
        ),
    ),
    Benchmark(
        "memory",
        (*_memory("quotes", "JSON array of quotes"), *_memory("executions", "CSV of executions")),
        (
            Column("rows_read", "records"),
            Column("peak_mib", "peak MiB", 0, shows_spread=True),
            Column(_RATE, "records/s"),
        ),
        (*_flat("quotes", "JSON"), *_flat("executions", "CSV")),
    ),
    Benchmark(
        "polls",
        (Contender("polls", "100 quotes a poll", "dataspine-polls", "polls", share=0.01, at_most=205),),
        (
            Column("polls", "polls"),
            Column("poll_cpu_ms", "CPU ms", 1, shows_spread=True),
            Column("poll_wall_ms", "wall ms", 1, shows_spread=True),
            Column("poll_wall_max_ms", "longest wall ms", 1),
        ),
        (Target("CPU of a poll", "polls", "poll_cpu_ms", "at most", 15, unit=" ms", digits=1),),
    ),
    Benchmark(
        "commands",
        (
            Contender("version", "`dataspine --version`", "command-version"),
            Contender("status", "`dataspine status`", "command-status", "store", share=10),
        ),
        (Column("wall_ms", "wall ms", 0, shows_spread=True), Column("wall_max_ms", "longest wall ms")),
        (
            Target("`--version`", "version", "wall_ms", "at most", 150, unit=" ms", digits=0),
            Target("`status`", "status", "wall_ms", "at most", 350, unit=" ms", digits=0),
        ),
    ),
    Benchmark(
        "audit",
        (Contender("verify", "`dataspine audit verify`", "dataspine-verify", "audit"),),
        (
            Column("events", "events"),
            Column("elapsed_s", "s", 2, shows_spread=True),
            Column("cpu_s", "CPU s", 2),
            Column("peak_mib", "peak MiB"),
        ),
        (Target("verify", "verify", "elapsed_s", "at most", 30, unit=" s", digits=1),),
    ),
    Benchmark(
        "writers",
        (
            Contender("alone", "nobody else writes", "writer-alone"),
            Contender("beside", "beside an ingest of quotes", "writer-beside-ingest", "quotes"),
        ),
        (
            Column("writes", "writes"),
            Column("wait_p50_ms", "median wait, ms", 1),
            Column("wait_p95_ms", "p95 wait, ms", 1),
            Column("wait_p99_ms", "p99 wait, ms", 1),
            Column("wait_max_ms", "longest wait, ms", 1, shows_spread=True),
            Column("commit_p95_ms", "p95 wait and commit, ms", 1),
            Column("commit_max_ms", "longest wait and commit, ms", 1),
        ),
        (Target("longest wait", "beside", "wait_max_ms", "at most", 100, unit=" ms", digits=1),),
    ),
)
"""In the order of the page."""
