"""A simulation, put together and running: its clock, both HTTP vendors, and the broker's files."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dataspine.calendars.lookup import Calendar, Session
from dataspine.clock import Clock
from dataspine.errors import DataspineError
from dataspine.simulator.aggregates import AggregatesApi
from dataspine.simulator.bar_text import BarTextCache
from dataspine.simulator.bars import bars
from dataspine.simulator.drop import DropPlan, ExecutionDrop
from dataspine.simulator.drop_lines import DropLine, drop_lines
from dataspine.simulator.faults import FaultSchedule, Vendor
from dataspine.simulator.ground_truth import GroundTruth
from dataspine.simulator.market import market
from dataspine.simulator.quotes import PATH as QUOTES_PATH
from dataspine.simulator.quotes import QuoteApi
from dataspine.simulator.rate_limit import RateLimit
from dataspine.simulator.server import served
from dataspine.simulator.simulated_clock import LiveClock, MarketClock, SimulatedClock
from dataspine.simulator.tickers import Ticker
from dataspine.simulator.vendors import Vendors

DEFAULT_KEY = "simulator"
_DROP_EVERY_S = 0.2
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """Everything that decides what is served."""

    seed: int
    tickers: tuple[Ticker, ...]
    calendar: Calendar
    sessions: tuple[Session, ...]
    """Those whose executions are dropped; bars and quotes are served of every session so far."""
    start_us: int
    """Simulated instant at the beginning; without meaning when live."""
    speed: float | None = 60.0
    """Simulated seconds a second, or None for the machine's own time."""
    schedule: FaultSchedule = field(default_factory=FaultSchedule)
    port: int = 0
    api_key: str = DEFAULT_KEY
    """What the aggregates API wants as `apiKey` or bearer token."""
    requests_per_minute: int = 0
    """Of each HTTP vendor; 0 for no limit."""
    drop: DropPlan | None = None
    truth: Path | None = None
    """File for the lines of `ground_truth`."""

    def market_clock(self, clock: Clock) -> MarketClock:
        """The simulated time, which stands still just before the session after the last one opens."""
        if self.speed is None:
            return LiveClock(clock)
        end_us = self.calendar.session_after(self.sessions[-1].day).open_us - 1
        return SimulatedClock(clock, anchor_us=self.start_us, speed=self.speed, end_us=end_us)

    def drop_lines(self, session: Session) -> tuple[DropLine, ...]:
        """The lines of a session's executions."""
        return drop_lines(market(self.seed, self.tickers, session).executions, self.schedule)


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulation that is being served."""

    plan: SimulationPlan
    origin: str
    market_clock: MarketClock
    stopped: threading.Event
    """Set by whoever wants it to end, and by the drop when it fails."""
    failures: list[DataspineError]

    @property
    def quotes_url(self) -> str:
        """Where the quotes of all symbols are."""
        return f"{self.origin}{QUOTES_PATH}?types=quote"

    def bars_url(self, ticker: str, start: str, end: str) -> str:
        """Where the minute bars of a ticker are; the range is two days or two times in epoch milliseconds."""
        return f"{self.origin}/v2/aggs/ticker/{ticker}/range/1/minute/{start}/{end}"


def vendors(plan: SimulationPlan, *, clock: Clock, now_us: Callable[[], int], truth: GroundTruth) -> Vendors:
    """Both HTTP vendors; `now_us` tells the simulated instant."""
    texts = BarTextCache(plan.seed, plan.tickers)
    per_minute = plan.requests_per_minute
    http = (Vendor.QUOTES, Vendor.AGGS)
    return Vendors(
        apis={
            Vendor.QUOTES: QuoteApi(plan.seed, plan.calendar, plan.tickers, plan.schedule),
            Vendor.AGGS: AggregatesApi(plan.calendar, texts, plan.schedule, plan.api_key),
        },
        schedule=plan.schedule,
        truth=truth,
        now_us=now_us,
        limits={vendor: RateLimit(per_minute, clock=clock) for vendor in http} if per_minute else {},
    )


@contextmanager
def running(plan: SimulationPlan, *, clock: Clock) -> Iterator[Simulation]:
    """Serve the plan until the end of the block.

    Raises: RequestError if the port is taken or a folder or file cannot be written.
    """
    # Loading Polars takes a second, which at a speed-up is minutes of the market: before the time begins.
    bars(plan.seed, plan.tickers, plan.sessions[:1])
    market_clock = plan.market_clock(clock)
    truth = GroundTruth(plan.truth, plan.schedule, clock=clock)
    http = vendors(plan, clock=clock, now_us=market_clock.now_us, truth=truth)
    with served(plan.port, http) as server:
        simulation = Simulation(plan, server.origin, market_clock, threading.Event(), [])
        broker = _broker(simulation, truth)
        try:
            yield simulation
        finally:
            simulation.stopped.set()
            if broker:
                broker.join()


def _broker(simulation: Simulation, truth: GroundTruth) -> threading.Thread | None:
    """The thread that drops files, where a folder is named; the first delivery is made here."""
    plan = simulation.plan
    if plan.drop is None:
        return None
    drop = ExecutionDrop(plan.drop, plan.sessions, lines_of=plan.drop_lines, truth=truth)
    drop.deliver_due(simulation.market_clock.now_us())
    thread = threading.Thread(target=_deliver_on, args=(simulation, drop), name="broker", daemon=True)
    thread.start()
    return thread


def _deliver_on(simulation: Simulation, drop: ExecutionDrop) -> None:
    while not simulation.stopped.wait(_DROP_EVERY_S):
        try:
            drop.deliver_due(simulation.market_clock.now_us())
        except DataspineError as error:
            _LOG.error("the broker stops: %s", error)
            simulation.failures.append(error)
            simulation.stopped.set()
