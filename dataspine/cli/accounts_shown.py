"""Runs as a command shows them: the documents of `--json`, and one line a source for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dataspine.cli.output import count, narrate_error, say, table

if TYPE_CHECKING:
    from dataspine.schemas.run import RunSummary
    from dataspine.service.ingest import Failure, IngestReport

COUNTERS = ("rows_read", "inserted", "unchanged", "corrected", "rejected", "duplicate")
REASONS_SHOWN = 3


def report_document(report: IngestReport) -> dict[str, object]:
    """The document of an ingest."""
    return {
        "runs": [run_document(run) for run in report.runs],
        "failed_sources": [failure_document(failure) for failure in report.failures],
        "empty_sources": report.empty,
    }


def run_document(run: RunSummary) -> dict[str, object]:
    """One run's account."""
    counts = run.counts
    return {
        "run_id": run.run_id,
        "source": run.source,
        "object_name": run.object_name,
        "state": str(run.state),
        **{name: getattr(counts, name) for name in COUNTERS},
        "skipped": counts.skipped,
        "out_of_order": counts.out_of_order,
        "digest": run.digest,
        "payload_sha256": run.payload_sha256,
        "reasons": counts.reasons,
    }


def failure_document(failure: Failure) -> dict[str, object]:
    """A source that could not be read."""
    return {"source": failure.source, "message": str(failure.error), "exit_code": failure.error.exit_code}


def print_report(report: IngestReport) -> None:
    """One line a source, then why records were refused, then what could not be read."""
    if report.runs:
        rows = [_source_row(source, runs) for source, runs in by_source(report.runs).items()]
        table("What became of every record", ["source", "files", "read", *COUNTERS[1:]], rows)
        print_reasons(report.runs)
    for source in report.empty:
        say(f"{source}: nothing there to read.")
    print_failures(report.failures)


def print_reasons(runs: Sequence[RunSummary]) -> None:
    """Top reasons of each source with refusals, and the payloads of which nothing was published."""
    refused = {source: reasons_of(found) for source, found in by_source(runs).items()}
    lines = [f"  {source}: {worst(reasons)}" for source, reasons in refused.items() if reasons]
    if lines:
        say("Refused records by first reason:\n" + "\n".join(lines))
    for run in runs:
        if run.state == "rejected":
            say(f"Nothing was published of {run.object_name} ({run.source}): {worst(run.counts.reasons)}.")


def print_failures(failures: Sequence[Failure]) -> None:
    """Sources that failed, on stderr, two lines each."""
    for failure in failures:
        narrate_error(failure.error)


def by_source(runs: Sequence[RunSummary]) -> dict[str, list[RunSummary]]:
    """Runs grouped, in the order in which sources came."""
    grouped: dict[str, list[RunSummary]] = {}
    for run in runs:
        grouped.setdefault(run.source, []).append(run)
    return grouped


def reasons_of(runs: Sequence[RunSummary]) -> dict[str, int]:
    """Refused records by first reason, most first."""
    total: dict[str, int] = {}
    for run in runs:
        for code, records in run.counts.reasons.items():
            total[code] = total.get(code, 0) + records
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def worst(reasons: dict[str, int]) -> str:
    """The most frequent reasons in words."""
    shown = [f"{code} {count(records)}" for code, records in list(reasons.items())[:REASONS_SHOWN]]
    more = len(reasons) - len(shown)
    return ", ".join(shown) + (f" and {more} more kinds" if more > 0 else "")


def _source_row(source: str, runs: Sequence[RunSummary]) -> list[object]:
    sums = [count(sum(getattr(run.counts, name) for run in runs)) for name in COUNTERS]
    return [source, count(len(runs)), *sums]
