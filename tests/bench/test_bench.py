"""Every benchmark runs at a small size and measures what its table shows; the page is what the measurements say."""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from tests.bench import input_files, report
from tests.bench.__main__ import merged, rounded
from tests.bench.contender import PROGRAMS
from tests.bench.runner import Options, ready_input, run_benchmark
from tests.bench.suite import BENCHMARKS, INPUTS, Benchmark, Column, Contender, Target

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 2_000


def small(tmp_path: Path) -> Options:
    return Options(ROWS, rounds=1, work=tmp_path, comparators=tmp_path / "none", say=lambda _text: None)


def named(name: str) -> Benchmark:
    return next(benchmark for benchmark in BENCHMARKS if benchmark.name == name)


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda benchmark: benchmark.name)
def test_benchmark_measures_what_its_table_shows(benchmark: Benchmark, tmp_path: Path) -> None:
    result = run_benchmark(benchmark, small(tmp_path))
    assert set(result.runs) | set(result.left_out) == {one.name for one in benchmark.contenders}
    for (run,) in result.runs.values():
        assert {column.measure for column in benchmark.columns} <= set(run)
        assert all(value >= 0 for value in run.values())
        assert run["process_s"] > run["elapsed_s"] > 0
    possible = [
        target for target in benchmark.targets if not {target.contender, target.over} & set(result.left_out)
    ]
    assert [target for target, _ in report.judged(benchmark, result.runs)] == possible
    check_accounts(benchmark, {name: run for name, (run,) in result.runs.items()})


def check_accounts(benchmark: Benchmark, runs: dict[str, dict[str, Any]]) -> None:
    """Every record read is stored, known or refused, and who works in another's store finds everything there."""
    for run in runs.values():
        if "unchanged" in run:
            assert run["rows_read"] == run["rows_stored"] + run["unchanged"] + run["rejected"]
            assert run["rejected"] == -(-run["rows_read"] // input_files.BAD_EVERY)
    for one in benchmark.contenders:
        if one.home_of:
            assert runs[one.name]["unchanged"] == runs[one.home_of]["rows_stored"] > 0
            assert runs[one.name]["rows_stored"] == 0


def test_contender_without_its_environment_is_left_out_with_the_reason(tmp_path: Path) -> None:
    benchmark = named("others")
    dlt = next(one for one in benchmark.contenders if one.needs)
    result = run_benchmark(Benchmark("others", (dlt,), benchmark.columns, ()), small(tmp_path))
    assert result.runs == {}
    assert result.left_out == {"dlt": "there is no environment none (`make bench` makes it)"}


def test_input_is_the_same_every_time(tmp_path: Path) -> None:
    """Digests of a thousand records: figures of two machines are of the same bytes."""
    digests = {}
    for kind in ("quotes", "full_quotes", "executions"):
        input_files.WRITERS[kind](1_000, tmp_path / kind)
        digests[kind] = hashlib.sha256((tmp_path / kind).read_bytes()).hexdigest()[:16]
    assert digests == {
        "quotes": "1671c09357b58c58",
        "full_quotes": "f77fa7a1a7e6fe76",
        "executions": "66a2e61c6b1290ad",
    }


def test_input_is_made_once(tmp_path: Path) -> None:
    contender = Contender("x", "x", "bare-quotes", "quotes", share=0.1)
    path = ready_input(contender, small(tmp_path))
    assert len(json.loads(path.read_bytes())) == ROWS // 10
    path.write_text("kept", encoding="ascii")
    assert ready_input(contender, small(tmp_path)).read_text(encoding="ascii") == "kept"


def test_every_program_and_input_of_the_suite_exists() -> None:
    contenders = [one for benchmark in BENCHMARKS for one in benchmark.contenders]
    assert {one.program for one in contenders} | {program for _, program in INPUTS.values()} == set(PROGRAMS)
    assert {one.given for one in contenders} - {""} == set(INPUTS)


def test_every_benchmark_has_its_place_on_the_page() -> None:
    template = report.TEMPLATE.read_text(encoding="utf-8")
    assert [template.count(f"<!-- {benchmark.name} -->\n") for benchmark in BENCHMARKS] == [1] * len(
        BENCHMARKS
    )
    assert template.count(report.MACHINE_MARK) == 1


def test_page_is_what_the_measurements_say() -> None:
    """`python -m tests.bench --from tests/bench/measured.json --write` writes nothing new."""
    measured = json.loads(report.MEASURED.read_text(encoding="utf-8"))
    assert report.PAGE.read_text(encoding="utf-8") == report.page(measured)


def took(rows_per_s: int, elapsed_s: float) -> dict[str, Any]:
    return {"rows_per_s": rows_per_s, "elapsed_s": elapsed_s}


TWO = Benchmark(
    "two",
    (Contender("a", "A", ""), Contender("b", "B", ""), Contender("c", "C", "", needs="c")),
    (
        Column("rows_per_s", "records/s"),
        Column("elapsed_s", "s", 1, shows_spread=True),
        Column("other", "other"),
    ),
    (
        Target("b against a", "b", "rows_per_s", "at least", 2, over="a"),
        Target("time of b", "b", "elapsed_s", "at most", 0.5, unit=" s", digits=1),
        Target("b against c", "b", "rows_per_s", "at least", 1, over="c"),
    ),
)
RUNS = {
    "a": [took(1000, 1.0), took(10, 9.0), took(1200, 2.0)],
    "b": [took(2000, 0.5), took(25, 0.6), took(2400, 0.4)],
}


def test_table_shows_medians_and_their_spread() -> None:
    assert report.table(TWO, RUNS) == (
        "| | records/s | s | other |\n|---|---:|---:|---:|\n"
        "| A | 1,000 | 2.0 (1.0–9.0) |  |\n| B | 2,000 | 0.5 (0.4–0.6) |  |\n"
    )


def test_ratio_is_the_median_of_the_rounds_ratios() -> None:
    values = [value for _, value in report.judged(TWO, RUNS)]
    assert values == [2.0, 0.5]
    assert "| b against a | at least 2.00× | 2.00× | yes |" in report.targets_table(TWO, RUNS)


@pytest.mark.parametrize(
    ("bound", "value", "met"),
    [("at least", 2.0, True), ("at least", 1.999, False), ("at most", 2.0, True), ("at most", 2.001, False)],
)
def test_limit_itself_is_met(bound: Any, value: float, met: bool) -> None:
    assert report.is_met(Target("t", "a", "m", bound, 2.0), value) is met


def stored(path: Path, **keys: Any) -> dict[str, Any]:
    measured = {"machine": {"processor": "P"}, "rows": 10, "benchmarks": {"quotes": 1, "polls": 2}, **keys}
    path.write_text(json.dumps(measured), encoding="utf-8")
    return measured


def test_one_benchmark_measured_anew_stands_among_the_others(tmp_path: Path) -> None:
    before = stored(tmp_path / "m.json")
    again = {**deepcopy(before), "benchmarks": {"polls": 3}}
    assert merged(again, tmp_path / "m.json")["benchmarks"] == {"quotes": 1, "polls": 3}


@pytest.mark.parametrize("other", [{"rows": 11}, {"machine": {"processor": "Q"}}])
def test_figures_of_two_machines_or_sizes_are_not_mixed(tmp_path: Path, other: dict[str, Any]) -> None:
    before = stored(tmp_path / "m.json")
    with pytest.raises(SystemExit, match="Leave out --only"):
        merged({**before, **other}, tmp_path / "m.json")


def test_figures_keep_four_digits() -> None:
    assert rounded({"a": [123_456.0, 0.123456, 7, "x"]}) == {"a": [123_500.0, 0.1235, 7, "x"]}
