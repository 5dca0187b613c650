"""The simulator as the engine reads it: real HTTP and real files, their time moved by the test."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

from dataspine.adapters.http import HttpTransport
from dataspine.adapters.transport import DirectoryTransport
from dataspine.calendars.shipped import shipped_calendar
from dataspine.clock import FrozenClock
from dataspine.pipeline.stages import Outcome, process_payload
from dataspine.presets import load_presets, overlay
from dataspine.schemas.payload import Document, Payload
from dataspine.schemas.source import HttpSettings, SourceProfile
from dataspine.simulator.drop import DropPlan, DropStyle, ExecutionDrop
from dataspine.simulator.fault_plan import FaultCalendar, faults_from_texts
from dataspine.simulator.faults import FaultSchedule
from dataspine.simulator.ground_truth import GroundTruth
from dataspine.simulator.simulation import Simulation, SimulationPlan, running
from dataspine.simulator.tickers import tickers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataspine.adapters.transport import Fetched, Transport

CALENDAR = shipped_calendar("XNYS")
MONDAY = CALENDAR.session(date(2026, 1, 5))
TICKERS = tickers(25)
SECRETS = {"env:KEY": "simulator"}
RECEIVED_US = CALENDAR.session(date(2026, 1, 8)).open_us


class Served:
    """A simulation whose time the test moves, and sources that read it as the engine would."""

    def __init__(self, simulation: Simulation, clock: FrozenClock) -> None:
        self.simulation = simulation
        self.clock = clock

    def at(self, minutes: float) -> Served:
        """So many minutes after Monday's open."""
        self.clock.advance_s((MONDAY.open_us - self.clock.now_us()) / 1e6 + minutes * 60)
        return self

    def quotes(self, *, timeout_s: float = 10.0) -> Outcome:
        return judged("iex_quote", transport(self.simulation.quotes_url, timeout_s=timeout_s))

    def bars(
        self, ticker: str = "AAPL", *, first: object = MONDAY.day, limit: int = 5_000, timeout_s: float = 10.0
    ) -> Outcome:
        url = f"{self.simulation.bars_url(ticker, str(first), str(MONDAY.day))}?limit={limit}"
        keyed = {"params": {"apiKey": "env:KEY"}, "next_path": "next_url"}
        return judged("polygon_aggs", transport(url, timeout_s=timeout_s, **keyed))


def transport(url: str, **settings: Any) -> HttpTransport:
    return HttpTransport(url, settings=HttpSettings(**settings), secrets=SECRETS.__getitem__)


def made_profile(preset: str, **keys: Any) -> SourceProfile:
    table = overlay(load_presets()[preset], {"preset": preset, **keys})
    return SourceProfile.model_validate({**table, "name": preset})


def judged(preset: str, vendor: Transport) -> Outcome:
    """Everything that a transport gives now, as one payload."""
    documents = [document(fetched) for fetched in vendor.fetch()]
    payload = Payload("0" * 64, 0, preset, RECEIVED_US)
    return process_payload(payload, documents, made_profile(preset))


def document(fetched: Fetched) -> Document:
    return Document(fetched.object_name, [b"".join(fetched.open())])


def codes(outcome: Outcome) -> list[str]:
    return outcome.rejected["code"].to_list()


@contextmanager
def serving(*faults: str, **changes: Any) -> Iterator[Served]:
    clock = FrozenClock(MONDAY.open_us)
    schedule = FaultSchedule(faults_from_texts(faults, FaultCalendar(MONDAY.day, CALENDAR.zone)))
    given: dict[str, Any] = {
        "seed": 7,
        "tickers": TICKERS,
        "calendar": CALENDAR,
        "sessions": (MONDAY,),
        "start_us": MONDAY.open_us,
        "speed": None,
        "schedule": schedule,
    }
    with running(SimulationPlan(**given | changes), clock=clock) as simulation:
        yield Served(simulation, clock)


def dropped(folder: Path, style: DropStyle, *faults: str, minutes: float = 480) -> Outcome:
    """Monday's files after so many minutes, delivered every seven and read in the end."""
    schedule = FaultSchedule(faults_from_texts(faults, FaultCalendar(MONDAY.day, CALENDAR.zone)))
    plan = SimulationPlan(7, TICKERS, CALENDAR, (MONDAY,), MONDAY.open_us, schedule=schedule)
    truth = GroundTruth(None, schedule, clock=FrozenClock(0))
    drop = ExecutionDrop(DropPlan(folder, style), [MONDAY], lines_of=plan.drop_lines, truth=truth)
    for minute in range(0, int(minutes) + 1, 7):
        drop.deliver_due(MONDAY.open_us + minute * 60_000_000)
    documents = [document(fetched) for fetched in DirectoryTransport("*.csv", root=folder).fetch()]
    return process_payload(
        Payload("0" * 64, 0, "drop", RECEIVED_US), documents, made_profile("execution_csv")
    )
