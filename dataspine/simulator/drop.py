"""The broker that drops files of executions: whole under a new name, beside a marker, or growing all day."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from pathlib import Path

from dataspine.calendars.lookup import Session
from dataspine.errors import RequestError
from dataspine.simulator.drop_lines import DropLine, file_bytes
from dataspine.simulator.faults import US_PER_S, PlannedFault, Vendor
from dataspine.simulator.ground_truth import GroundTruth, Played


class DropStyle(StrEnum):
    """How a reader can know that a file is complete."""

    RENAME = "rename"
    """It is written as `NAME.part` and renamed."""
    DONE = "done"
    """An empty `NAME.done` appears beside it."""
    GROWING = "growing"
    """It never is before the session's end: one file a session grows, and its last line is often torn."""


@dataclass(frozen=True, slots=True)
class DropPlan:
    """Where and how files are dropped."""

    folder: Path
    style: DropStyle = DropStyle.RENAME
    every_s: int = 1_800
    """Simulated seconds whose fills share a file, for styles other than `growing`."""


class ExecutionDrop:
    """Delivers what is due; a folder that already holds a part of the same market is continued."""

    def __init__(
        self,
        plan: DropPlan,
        sessions: Sequence[Session],
        *,
        lines_of: Callable[[Session], Sequence[DropLine]],
        truth: GroundTruth,
    ) -> None:
        self._plan = plan
        self._waiting = list(sessions)
        self._lines_of = lines_of
        self._lines: dict[Session, Sequence[DropLine]] = {}
        self._delivered: set[str] = set()
        self._truth = truth
        _make_folder(plan.folder)

    def deliver_due(self, now_us: int) -> list[str]:
        """Write what is due at a simulated instant; names of the files that were written.

        Raises: RequestError if the folder holds other files of these names or cannot be written.
        """
        written: list[str] = []
        for session in [each for each in self._waiting if each.open_us <= now_us]:
            lines = self._lines_in(session)
            try:
                written += self._deliver(session, lines, now_us)
            except OSError as error:
                raise RequestError(
                    "executions cannot be dropped",
                    found=error.strerror,
                    where=str(self._plan.folder),
                    cure="Name a folder that this user may write with --drop-dir",
                ) from error
            if self._is_over(session, lines, now_us):
                self._waiting.remove(session)
                del self._lines[session]
        return written

    def _lines_in(self, session: Session) -> Sequence[DropLine]:
        """The lines of a session, made once."""
        if session not in self._lines:
            self._lines[session] = self._lines_of(session)
        return self._lines[session]

    def _is_over(self, session: Session, lines: Sequence[DropLine], now_us: int) -> bool:
        last_us = max(session.close_us, lines[-1].at_us if lines else 0)
        return now_us >= last_us + self._plan.every_s * US_PER_S

    def _deliver(self, session: Session, lines: Sequence[DropLine], now_us: int) -> list[str]:
        if self._plan.style is DropStyle.GROWING:
            return self._grow(session, lines, now_us)
        written = []
        for number, part in enumerate(_slots(session, lines, self._plan.every_s), start=1):
            name = f"executions_{session.day:%Y%m%d}_{number:03d}.csv"
            is_due = session.open_us + number * self._plan.every_s * US_PER_S <= now_us
            if part and is_due and name not in self._delivered:
                self._delivered.add(name)
                written += self._put(name, part, now_us)
        return written

    def _put(self, name: str, lines: Sequence[DropLine], now_us: int) -> list[str]:
        """Write a whole file, unless it is there from an earlier start."""
        path, content = self._plan.folder / name, file_bytes(lines)
        marker = path.with_name(f"{name}.done") if self._plan.style is DropStyle.DONE else path
        if marker.exists():
            _require_same(path.read_bytes(), content, path)
            return []
        if self._plan.style is DropStyle.DONE:
            path.write_bytes(content)
            marker.touch()
        else:
            part = path.with_name(f"{name}.part")
            part.write_bytes(content)
            part.replace(path)
        self._note(lines, name, now_us)
        return [name]

    def _grow(self, session: Session, lines: Sequence[DropLine], now_us: int) -> list[str]:
        """Append what was filled since, and a part of the line that comes next."""
        path = self._plan.folder / f"executions_{session.day:%Y%m%d}.csv"
        content = file_bytes(lines)
        ends = list(accumulate((len(line.text) + 1 for line in lines), initial=len(file_bytes(()))))
        complete = bisect_right([line.at_us for line in lines], now_us)
        size = path.stat().st_size if path.exists() else 0
        if path.name not in self._delivered and size:
            _require_same(path.read_bytes(), content[:size], path)
        self._delivered.add(path.name)
        wanted = _torn_end(ends, complete)
        if wanted <= size:
            return []
        with path.open("ab") as file:
            file.write(content[size:wanted])
        self._note(lines[bisect_right(ends, size) - 1 if size else 0 : complete], path.name, now_us)
        return [path.name]

    def _note(self, lines: Sequence[DropLine], name: str, now_us: int) -> None:
        """Write down every fault that touched a line of this delivery."""
        touched: dict[PlannedFault, list[str]] = {}
        for line in lines:
            for fault in line.faults:
                touched.setdefault(fault, []).append(line.trade_id)
        played = [Played(fault, Vendor.EXECUTIONS, tuple(ids)) for fault, ids in touched.items()]
        self._truth.note(played, simulated_us=now_us, where=name)


def _slots(session: Session, lines: Sequence[DropLine], every_s: int) -> list[Sequence[DropLine]]:
    """The lines of each stretch of time since the open, a stretch's end included."""
    instants = [line.at_us for line in lines]
    slots, start = [], 0
    end_us = session.open_us
    while start < len(lines):
        end_us += every_s * US_PER_S
        end = bisect_right(instants, end_us)
        slots.append(lines[start:end])
        start = end
    return slots


def _torn_end(ends: Sequence[int], complete: int) -> int:
    """Where the file ends after so many complete lines: often inside the next one, which is being written."""
    if complete + 1 == len(ends):
        return ends[complete]
    next_size = ends[complete + 1] - ends[complete]
    # Whole tenths from 0 to 9, so that now and then no line is torn.
    return ends[complete] + next_size * (complete * 7 % 10) // 10


def _require_same(found: bytes, expected: bytes, path: Path) -> None:
    if found != expected:
        raise RequestError(
            "a file of another market is in the way",
            where=str(path),
            cure="Name an empty folder with --drop-dir, or the same --seed, --symbols and faults as before",
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(
            "the folder for executions cannot be made",
            found=error.strerror,
            where=str(folder),
            cure="Name another with --drop-dir",
        ) from error
