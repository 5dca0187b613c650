"""Tables and verdicts from measurements, and the page docs/BENCHMARKS.md around them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.suite import BENCHMARKS, Benchmark, Column, Target

PAGE = Path(__file__).parents[2] / "docs" / "BENCHMARKS.md"
MEASURED = Path(__file__).with_name("measured.json")
TEMPLATE = Path(__file__).with_name("page.md")
MACHINE_MARK = "<!-- machine -->\n"
NOT_MEASURED = "Not measured yet.\n"

Measured = dict[str, Any]
"""`machine`, `rows`, and `benchmarks`: name to `measured_at`, `code`, `load`, `rounds`, `runs`, `left_out`."""


def page(measured: Measured) -> str:
    """The whole page: the template's prose with the machine and a table for each benchmark."""
    text = TEMPLATE.read_text(encoding="utf-8").replace(MACHINE_MARK, machine_table(measured))
    for benchmark in BENCHMARKS:
        text = text.replace(f"<!-- {benchmark.name} -->\n", section(benchmark, measured))
    return text


def machine_table(measured: Measured) -> str:
    """What was measured on."""
    lines = [f"| {name} | {value} |" for name, value in measured["machine"].items()]
    return "\n".join(["| | |", "|---|---|", *lines]) + "\n"


def section(benchmark: Benchmark, measured: Measured) -> str:
    """One benchmark: how it was measured, its table, its targets."""
    found = measured["benchmarks"].get(benchmark.name)
    if found is None:
        return NOT_MEASURED
    left_out = [f"{title_of(benchmark, name)}: left out, {why}.\n" for name, why in found["left_out"].items()]
    return "\n".join(
        [
            f"{stamp(benchmark, measured)}\n",
            table(benchmark, found["runs"]),
            *left_out,
            targets_table(benchmark, found["runs"]),
        ]
    )


def stamp(benchmark: Benchmark, measured: Measured) -> str:
    """The command, how often, when, with which code, and how busy the machine was before."""
    found = measured["benchmarks"][benchmark.name]
    command = (
        f"python -m tests.bench --only {benchmark.name} --rows {measured['rows']} --rounds {found['rounds']}"
    )
    return f"`{command}`, {found['measured_at']}, code `{found['code']}`, load before it {found['load']:.1f}."


def table(benchmark: Benchmark, runs: dict[str, list[dict[str, Any]]]) -> str:
    """A line for each contender, the median of its rounds in each column."""
    head = "| | " + " | ".join(column.heading for column in benchmark.columns) + " |"
    rule = "|---|" + "---:|" * len(benchmark.columns)
    lines = [
        f"| {title_of(benchmark, name)} | "
        + " | ".join(_cell(column, series) for column in benchmark.columns)
        + " |"
        for name, series in runs.items()
    ]
    return "\n".join([head, rule, *lines]) + "\n"


def targets_table(benchmark: Benchmark, runs: dict[str, list[dict[str, Any]]]) -> str:
    """A line for each target that could be judged."""
    lines = [
        f"| {target.text} | {target.bound} {_number(target.limit, target)} | {_number(value, target)} |"
        f" {'yes' if is_met(target, value) else '**no**'} |"
        for target, value in judged(benchmark, runs)
    ]
    return "\n".join(["| target | limit | measured | met |", "|---|---:|---:|---|", *lines]) + "\n"


def judged(benchmark: Benchmark, runs: dict[str, list[dict[str, Any]]]) -> Iterator[tuple[Target, float]]:
    """Each target whose contenders ran, and what was measured."""
    for target in benchmark.targets:
        if target.contender not in runs or (target.over and target.over not in runs):
            continue
        ours = [run[target.measure] for run in runs[target.contender]]
        theirs = [run[target.measure] for run in runs[target.over]] if target.over else [1.0] * len(ours)
        # A pair ran side by side, so what slowed the machine meanwhile is in both.
        yield target, median(one / other for one, other in zip(ours, theirs, strict=True))


def is_met(target: Target, value: float) -> bool:
    """Whether a measured value keeps within the limit."""
    return value >= target.limit if target.bound == "at least" else value <= target.limit


def title_of(benchmark: Benchmark, name: str) -> str:
    """A contender as the table calls it."""
    return next(contender.title for contender in benchmark.contenders if contender.name == name)


def _cell(column: Column, series: list[dict[str, Any]]) -> str:
    values = [run[column.measure] for run in series if column.measure in run]
    if not values:
        return ""
    shown = f"{median(values):,.{column.digits}f}"
    if not column.shows_spread or len(values) == 1:
        return shown
    return f"{shown} ({min(values):,.{column.digits}f}–{max(values):,.{column.digits}f})"


def _number(value: float, target: Target) -> str:
    return f"{value:,.{target.digits}f}{target.unit}"
