"""Executions as lines of a file, each with the instant at which the broker delivers it; faults included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dataspine.calendars.lookup import US_PER_MINUTE
from dataspine.clock import iso_from_us
from dataspine.simulator.executions import Execution
from dataspine.simulator.faults import FaultName, FaultSchedule, PlannedFault, Vendor, Window
from dataspine.simulator.flaws import WORD, Flaw, flaw_of

HEADER = "trade_id,client_id,symbol,side,quantity,price,timestamp,venue,exec_type,ref_trade_id"
NEW_FIELD = "USD"
"""What stands in the field that a change of schema adds."""


@dataclass(frozen=True, slots=True)
class DropLine:
    """One line of a file of executions."""

    at_us: int
    """When it is delivered."""
    traded_us: int
    """When the fill happened; faults of records go by it."""
    trade_id: str
    fields: tuple[str, ...]
    faults: tuple[PlannedFault, ...] = ()
    """Those that made it what it is."""

    @property
    def text(self) -> str:
        """The line without its end."""
        return ",".join(self.fields)


def drop_lines(executions: Iterable[Execution], schedule: FaultSchedule) -> tuple[DropLine, ...]:
    """The lines of a session in the order of their delivery."""
    lines = [_line(execution) for execution in executions]
    faults = schedule.of(Vendor.EXECUTIONS)
    for fault in faults:
        if fault.kind.window is Window.RECORD:
            lines = _with_record_fault(lines, fault)
    for fault in faults:
        if fault.name is FaultName.STALE_FEED:
            lines = [_held_back(line, fault) for line in lines]
    for fault in faults:
        if fault.name is FaultName.SCHEMA_CHANGE:
            lines = [_widened(line, fault) for line in lines]
    return tuple(sorted(lines, key=lambda line: line.at_us))


def file_bytes(lines: Sequence[DropLine]) -> bytes:
    """A whole file."""
    return "".join(f"{text}\n" for text in (HEADER, *(line.text for line in lines))).encode()


def _line(execution: Execution) -> DropLine:
    cents = execution.price_cents
    fields = (
        execution.trade_id,
        execution.client_id,
        execution.symbol,
        execution.side,
        str(execution.quantity),
        f"{cents // 100}.{cents % 100:02d}",
        iso_from_us(execution.at_us),
        execution.venue,
        execution.exec_type,
        execution.ref_trade_id,
    )
    return DropLine(execution.at_us, execution.at_us, execution.trade_id, fields)


def _with_record_fault(lines: Sequence[DropLine], fault: PlannedFault) -> list[DropLine]:
    """The lines after a fault of those whose fill lies within its time."""
    changed: list[DropLine] = []
    ordinal = 0
    for line in lines:
        if fault.covers(line.traded_us):
            changed += _changed(line, fault, ordinal)
            ordinal += 1
        else:
            changed.append(line)
    return changed


def _changed(line: DropLine, fault: PlannedFault, ordinal: int) -> list[DropLine]:
    """What a fault makes of the line with this ordinal among those that it covers."""
    marked = replace(line, faults=(*line.faults, fault))
    match fault.name:
        case FaultName.DUPLICATES:
            return [marked] * (1 + fault.parameter)
        case FaultName.LATE_PRINTS:
            return [replace(marked, at_us=line.at_us + fault.parameter * US_PER_MINUTE)]
        case FaultName.BAD_RECORDS if (flaw := flaw_of(fault, ordinal)) is not None:
            return [replace(marked, fields=_flawed(line.fields, flaw))]
    return [line]


def _flawed(fields: tuple[str, ...], flaw: Flaw) -> tuple[str, ...]:
    *identity, quantity, price, at, venue, exec_type, reference = fields
    match flaw:
        case Flaw.NEGATIVE_PRICE:
            price = f"-{price}"
        case Flaw.WORD_PRICE:
            price = WORD
        case Flaw.NO_PRICE:
            price = ""
        case Flaw.NEGATIVE_VOLUME:
            quantity = f"-{quantity}"
        case Flaw.NO_TIME:
            at = "0000-00-00T00:00:00Z"
    return (*identity, quantity, price, at, venue, exec_type, reference)


def _held_back(line: DropLine, fault: PlannedFault) -> DropLine:
    if not fault.covers(line.at_us):
        return line
    return replace(line, at_us=fault.end_us, faults=(*line.faults, fault))


def _widened(line: DropLine, fault: PlannedFault) -> DropLine:
    if not fault.covers(line.at_us):
        return line
    return replace(line, fields=(*line.fields, NEW_FIELD), faults=(*line.faults, fault))
