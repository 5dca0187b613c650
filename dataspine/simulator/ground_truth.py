"""What was really wrong, and when: each fault as it was planned and each time that it was played, as JSON lines."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dataspine.clock import Clock, iso_from_us
from dataspine.errors import RequestError
from dataspine.simulator.faults import FaultSchedule, PlannedFault, Vendor

MAX_KEYS = 100
"""Records that one line names; `records` counts them all."""


@dataclass(frozen=True, slots=True)
class Played:
    """One fault played on one answer or delivery."""

    fault: PlannedFault
    vendor: Vendor
    keys: tuple[str, ...] = ()
    """Records that it touched: symbol and time of a bar or quote, id of a fill; none where it took the whole."""


class GroundTruth:
    """Writes the lines to a file, or nowhere without one."""

    def __init__(self, path: Path | None, schedule: FaultSchedule, *, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._schedule = schedule
        for number, fault in enumerate(schedule.faults, start=1):
            self._write(
                {
                    "event": "planned",
                    "fault": number,
                    "name": str(fault.name),
                    "start": iso_from_us(fault.start_us),
                    "end": iso_from_us(fault.end_us),
                    "parameter": fault.parameter,
                    "vendors": [str(vendor) for vendor in fault.vendors],
                }
            )

    def note(self, played: Sequence[Played], *, simulated_us: int, where: str) -> None:
        """Write what was played on one answer or delivery; `where` is its path or file."""
        for each in played:
            self._write(
                {
                    "event": "played",
                    "fault": self._schedule.faults.index(each.fault) + 1,
                    "name": str(each.fault.name),
                    "vendor": str(each.vendor),
                    "simulated_at": iso_from_us(simulated_us),
                    "at": iso_from_us(self._clock.now_us()),
                    "where": where,
                    "records": len(each.keys),
                    "keys": list(each.keys[:MAX_KEYS]),
                }
            )

    def _write(self, line: dict[str, object]) -> None:
        if self._path is None:
            return
        text = json.dumps(line, separators=(",", ":")) + "\n"
        try:
            with self._lock, self._path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise RequestError(
                "the ground truth cannot be written",
                found=error.strerror,
                where=str(self._path),
                cure="Name a file in a folder that this user may write",
            ) from error
