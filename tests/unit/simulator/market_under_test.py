"""The simulated market that tests ask: New York's first week of 2026, seed 7, and its vendors at any instant."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from dataspine.calendars.shipped import shipped_calendar
from dataspine.clock import FrozenClock, us_from_datetime
from dataspine.simulator.answers import VendorRequest
from dataspine.simulator.fault_plan import FaultCalendar, faults_from_texts
from dataspine.simulator.faults import FaultSchedule
from dataspine.simulator.ground_truth import GroundTruth
from dataspine.simulator.simulation import SimulationPlan, vendors
from dataspine.simulator.tickers import tickers

if TYPE_CHECKING:
    from pathlib import Path

    from dataspine.simulator.answers import Answer

CALENDAR = shipped_calendar("XNYS")
MONDAY = CALENDAR.session(date(2026, 1, 5))
TUESDAY = CALENDAR.session(date(2026, 1, 6))
HALF_DAY = CALENDAR.session(date(2025, 11, 28))
SEED = 7
FEW = tickers(3)
"""AAPL, MSFT and NVDA."""
NEW_YORK = ZoneInfo("America/New_York")


def at(text: str, *, day: date = MONDAY.day) -> int:
    """Instant of a New York time of day, e.g. `10:30` or `10:30:15.5`."""
    return us_from_datetime(datetime.fromisoformat(f"{day}T{text}").replace(tzinfo=NEW_YORK))


def schedule(*faults: str) -> FaultSchedule:
    """Faults as the command line spells them, on Monday unless they say otherwise."""
    return FaultSchedule(faults_from_texts(faults, FaultCalendar(MONDAY.day, CALENDAR.zone)))


def plan(*faults: str, **changes: Any) -> SimulationPlan:
    """A simulation of Monday."""
    given: dict[str, Any] = {
        "seed": SEED,
        "tickers": FEW,
        "calendar": CALENDAR,
        "sessions": (MONDAY,),
        "start_us": MONDAY.open_us,
        "schedule": schedule(*faults),
    }
    return SimulationPlan(**given | changes)


class VendorsAt:
    """Both HTTP vendors, asked at any simulated instant."""

    def __init__(self, *faults: str, truth: Path | None = None, **changes: Any) -> None:
        self.now_us = MONDAY.open_us
        self.clock = FrozenClock(MONDAY.open_us)
        made = plan(*faults, truth=truth, **changes)
        log = GroundTruth(truth, made.schedule, clock=self.clock)
        self._vendors = vendors(made, clock=self.clock, now_us=lambda: self.now_us, truth=log)

    def answer(self, path: str, *, now: str = "16:30", **asked: Any) -> Answer:
        """The answer to a path at a New York time of day."""
        self.now_us = at(now)
        return self._vendors.answer(VendorRequest(path, **asked))

    def bars(self, ticker: str = "AAPL", *, now: str = "16:30", query: dict[str, str] | None = None) -> Any:
        """Monday's bars of a ticker as JSON."""
        path = f"/v2/aggs/ticker/{ticker}/range/1/minute/{MONDAY.day}/{MONDAY.day}"
        asked = {"apiKey": "simulator", "limit": "50000", **(query or {})}
        return json.loads(self.answer(path, now=now, query=asked).body)

    def quotes(self, *, now: str = "16:30", **query: str) -> Any:
        """The quotes as JSON."""
        return json.loads(self.answer("/stable/stock/market/batch", now=now, query=query).body)
