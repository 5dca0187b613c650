"""The faults that a vendor can be told to have: by name, what each does, and a schedule of them as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

US_PER_S = 1_000_000


class Vendor(StrEnum):
    """Who sends what."""

    QUOTES = "quotes"
    """The IEX-shaped quote API."""
    AGGS = "aggs"
    """The Polygon-shaped aggregates API."""
    EXECUTIONS = "executions"
    """The broker that drops files."""


class FaultName(StrEnum):
    """What can go wrong."""

    RATE_LIMIT_STORM = "rate_limit_storm"
    SERVER_ERRORS = "server_errors"
    HANG = "hang"
    TRUNCATED_BODY = "truncated_body"
    GARBAGE = "garbage"
    STALE_FEED = "stale_feed"
    DUPLICATES = "duplicates"
    LATE_PRINTS = "late_prints"
    RESTATEMENT = "restatement"
    BAD_RECORDS = "bad_records"
    SCHEMA_CHANGE = "schema_change"


class Window(StrEnum):
    """What has to lie within a fault's time for the fault to be played."""

    REQUEST = "request"
    """The instant of the request or delivery."""
    RECORD = "record"
    """The time that a record carries, whenever it is asked for."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What a name stands for."""

    meaning: str
    vendors: tuple[Vendor, ...]
    """Those that can have it."""
    window: Window
    duration_s: int
    """How long it lasts unless said otherwise, in simulated time."""
    parameter: str = ""
    """What its number means; empty where it takes none."""
    default: int = 0
    least: int = 0
    most: int = 0


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """One fault of a schedule."""

    name: FaultName
    start_us: int
    """Simulated instant at which it begins."""
    duration_s: int
    parameter: int
    vendors: tuple[Vendor, ...]
    """Those that have it this time."""

    @property
    def end_us(self) -> int:
        """The first instant at which it is over."""
        return self.start_us + self.duration_s * US_PER_S

    @property
    def kind(self) -> FaultKind:
        """What its name stands for."""
        return FAULT_KINDS[self.name]

    def covers(self, instant_us: int) -> bool:
        """Whether an instant lies within it."""
        return self.start_us <= instant_us < self.end_us

    def touches(self, start_us: int, end_us: int) -> bool:
        """Whether it shares an instant with a stretch of time."""
        return self.start_us < end_us and start_us < self.end_us


_HTTP = (Vendor.QUOTES, Vendor.AGGS)
_LISTS = (Vendor.AGGS, Vendor.EXECUTIONS)
_ALL = (Vendor.QUOTES, Vendor.AGGS, Vendor.EXECUTIONS)

FAULT_KINDS = {
    FaultName.RATE_LIMIT_STORM: FaultKind(
        "Every request is answered 429 with Retry-After.",
        _HTTP,
        Window.REQUEST,
        120,
        parameter="seconds in Retry-After",
        default=2,
        least=0,
        most=900,
    ),
    FaultName.SERVER_ERRORS: FaultKind(
        "Every request is answered by a server error.",
        _HTTP,
        Window.REQUEST,
        120,
        parameter="HTTP status",
        default=500,
        least=500,
        most=599,
    ),
    FaultName.HANG: FaultKind(
        "Requests are accepted and never answered; the connection is closed in the end.",
        _HTTP,
        Window.REQUEST,
        120,
        parameter="real seconds until the connection is closed",
        default=60,
        least=1,
        most=600,
    ),
    FaultName.TRUNCATED_BODY: FaultKind(
        "An answer states its whole length and the connection closes before its end.",
        _HTTP,
        Window.REQUEST,
        120,
        parameter="percent of the body that is sent",
        default=50,
        least=0,
        most=99,
    ),
    FaultName.GARBAGE: FaultKind(
        "Status 200 with a page of HTML and binary bytes where JSON belongs.",
        _HTTP,
        Window.REQUEST,
        120,
        parameter="size in KiB",
        default=4,
        least=1,
        most=1_024,
    ),
    FaultName.STALE_FEED: FaultKind(
        "The vendor answers as if time stood still at the fault's start; files are delivered after its end.",
        _ALL,
        Window.REQUEST,
        600,
    ),
    FaultName.DUPLICATES: FaultKind(
        "Records come more than once, value for value.",
        _LISTS,
        Window.RECORD,
        300,
        parameter="copies beside the record",
        default=1,
        least=1,
        most=100,
    ),
    FaultName.LATE_PRINTS: FaultKind(
        "Records appear late: bars are missing from answers until then, fills stand out of order.",
        _LISTS,
        Window.RECORD,
        300,
        parameter="minutes late",
        default=15,
        least=1,
        most=1_440,
    ),
    FaultName.RESTATEMENT: FaultKind(
        "Bars that were already sent come with another volume, VWAP and number of trades.",
        (Vendor.AGGS,),
        Window.RECORD,
        300,
        parameter="minutes after the fault's end from which the new values are sent",
        default=10,
        least=0,
        most=10_080,
    ),
    FaultName.BAD_RECORDS: FaultKind(
        "Some records break the contract: a price that is negative, no number or missing; a volume below zero; "
        "a time without meaning.",
        _ALL,
        Window.RECORD,
        300,
        parameter="one in so many records",
        default=5,
        least=1,
        most=1_000,
    ),
    FaultName.SCHEMA_CHANGE: FaultKind(
        "Fields have other names without notice: `c` is `close` and `latestPrice` is `lastPrice`; lines of "
        "executions have one field more.",
        _ALL,
        Window.REQUEST,
        600,
    ),
}
"""Every fault by name. Source: docs/reference/simulator.md."""


@dataclass(frozen=True, slots=True)
class FaultSchedule:
    """The faults of a simulation, in the order in which they were planned."""

    faults: tuple[PlannedFault, ...] = ()

    def of(self, vendor: Vendor) -> tuple[PlannedFault, ...]:
        """Every fault of a vendor."""
        return tuple(fault for fault in self.faults if vendor in fault.vendors)

    def at(self, vendor: Vendor, instant_us: int) -> tuple[PlannedFault, ...]:
        """Faults of a vendor that concern a request at this instant."""
        return tuple(
            fault
            for fault in self.of(vendor)
            if fault.kind.window is Window.REQUEST and fault.covers(instant_us)
        )

    def on_records(self, vendor: Vendor, start_us: int, end_us: int) -> tuple[PlannedFault, ...]:
        """Faults of a vendor that concern records of a stretch of time."""
        return tuple(
            fault
            for fault in self.of(vendor)
            if fault.kind.window is Window.RECORD and fault.touches(start_us, end_us)
        )

    def playing(self, name: FaultName, vendor: Vendor, instant_us: int) -> PlannedFault | None:
        """The first fault of this name that concerns a request at this instant."""
        return next((fault for fault in self.at(vendor, instant_us) if fault.name is name), None)

    def seen_us(self, vendor: Vendor, instant_us: int) -> tuple[int, PlannedFault | None]:
        """The instant as of which a vendor answers, and the fault that holds it back."""
        stale = self.playing(FaultName.STALE_FEED, vendor, instant_us)
        return (stale.start_us, stale) if stale else (instant_us, None)
