"""The account: every record read is inserted, unchanged, corrected, rejected or a duplicate, once; counted again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataspine.errors import RequestError
from dataspine.store import accounting
from dataspine.store.accounting import Counters, RunAccount, SourceCounters

if TYPE_CHECKING:
    from dataspine.service.desk import Desk

__all__ = ["AccountReport", "Counters", "PayloadAccount", "RunAccount", "SourceCounters", "account_for"]


@dataclass(frozen=True, slots=True)
class PayloadAccount:
    """One payload and every run over it."""

    source: str
    payload_sha256: str
    object_name: str
    runs: tuple[RunAccount, ...]


@dataclass(frozen=True, slots=True)
class AccountReport:
    """What was read against what the tables hold."""

    payloads: tuple[PayloadAccount, ...]
    sources: tuple[SourceCounters, ...]
    """Empty when only one source or run was asked for."""
    running: int
    """Runs at work just now; their rows are hidden and in no account."""
    differences: dict[int, tuple[str, ...]]
    """By run: what the archived bytes say otherwise. Only `deep` fills it."""
    is_deep: bool

    @property
    def runs(self) -> tuple[RunAccount, ...]:
        """Every run, payload by payload."""
        return tuple(run for payload in self.payloads for run in payload.runs)

    def is_run_balanced(self, run: RunAccount) -> bool:
        """Whether a run's counters hold, and its bytes where they were looked at."""
        return run.balanced and not self.differences.get(run.run_id)

    @property
    def balanced(self) -> bool:
        """Whether everything holds."""
        return all(self.is_run_balanced(run) for run in self.runs) and all(
            one.balanced for one in self.sources
        )


def account_for(
    desk: Desk, *, source: str | None = None, run_id: int | None = None, deep: bool = False
) -> AccountReport:
    """Count every closed run again; `deep` also judges each archived payload again and compares row by row.

    Raises: RequestError if the source or run is not known; StorageError.
    """
    with desk.reading() as database:
        found = accounting.count_again(database, source=source, run_id=run_id)
        if not found.runs and (source is not None or run_id is not None):
            asked = f"source {source}" if run_id is None else f"run {run_id}"
            raise RequestError(
                "there is no closed run of that kind", found=asked, cure="See `dataspine account`"
            )
        differences = {}
        if deep:
            from dataspine.service.reexecution import differences_of

            differences = differences_of(database, desk.home, found.runs)
    return AccountReport(_by_payload(found.runs), found.sources, found.running, differences, deep)


def _by_payload(accounts: Sequence[RunAccount]) -> tuple[PayloadAccount, ...]:
    groups: dict[int, list[RunAccount]] = {}
    for account in accounts:
        groups.setdefault(account.payload_id, []).append(account)
    return tuple(
        PayloadAccount(runs[0].source, runs[0].payload_sha256, runs[0].object_name, tuple(runs))
        for runs in groups.values()
    )
