"""Faults in the records of the aggregates API: copies, late bars, restated bars and broken ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dataspine.calendars.lookup import US_PER_MINUTE
from dataspine.clock import iso_from_us
from dataspine.simulator.bar_text import BarText
from dataspine.simulator.faults import FaultName, PlannedFault, Vendor
from dataspine.simulator.flaws import WORD, Flaw, flaw_of
from dataspine.simulator.ground_truth import Played


@dataclass(frozen=True, slots=True)
class FaultyBars:
    """Bars of one symbol and session after their faults."""

    texts: tuple[tuple[bytes, ...], ...]
    """What is sent for each bar, copies included; nothing for a bar that is late."""
    played: tuple[Played, ...]


def faulty_bars(
    symbol: str, text: BarText, places: range, *, faults: Sequence[PlannedFault], seen_us: int
) -> FaultyBars:
    """The bars at these places as they are sent at an instant."""
    touched: dict[int, list[str]] = {number: [] for number in range(len(faults))}
    sent = []
    for place in places:
        start_us = text.starts_us[place]
        copies = [text.piece(place, place + 1)]
        for number, fault in enumerate(faults):
            changed = _faulty(copies, fault, start_us=start_us, seen_us=seen_us)
            if changed != copies:
                touched[number].append(f"{symbol} {iso_from_us(start_us)}")
                copies = changed
        sent.append(tuple(copies))
    return FaultyBars(tuple(sent), tuple(_played(faults, touched)))


def _played(faults: Sequence[PlannedFault], touched: dict[int, list[str]]) -> Iterable[Played]:
    return (Played(faults[number], Vendor.AGGS, tuple(keys)) for number, keys in touched.items() if keys)


def _faulty(copies: list[bytes], fault: PlannedFault, *, start_us: int, seen_us: int) -> list[bytes]:
    """What one fault makes of one bar."""
    if not fault.covers(start_us):
        return copies
    match fault.name:
        case FaultName.DUPLICATES:
            return copies * (1 + fault.parameter)
        case FaultName.LATE_PRINTS:
            is_late = seen_us < start_us + (1 + fault.parameter) * US_PER_MINUTE
            return [] if is_late else copies
        case FaultName.RESTATEMENT:
            is_restated = seen_us >= fault.end_us + fault.parameter * US_PER_MINUTE
            return [_rewritten(copy, _restated) for copy in copies] if is_restated else copies
        case FaultName.BAD_RECORDS:
            flaw = flaw_of(fault, (start_us - fault.start_us) // US_PER_MINUTE)
            return [_rewritten(copy, lambda bar: _flawed(bar, flaw)) for copy in copies] if flaw else copies
    return copies


def _rewritten(text: bytes, change: Any) -> bytes:
    return json.dumps(change(json.loads(text)), separators=(",", ":")).encode()


def _restated(bar: dict[str, Any]) -> dict[str, Any]:
    """A tenth more volume, and what follows from it; open, high, low and close stay."""
    return {**bar, "v": bar["v"] + bar["v"] // 10 + 1, "vw": (bar["h"] + bar["l"]) / 2, "n": bar["n"] + 1}


def _flawed(bar: dict[str, Any], flaw: Flaw) -> dict[str, Any]:
    match flaw:
        case Flaw.NEGATIVE_PRICE:
            return {**bar, "c": -bar["c"]}
        case Flaw.WORD_PRICE:
            return {**bar, "c": WORD}
        case Flaw.NO_PRICE:
            return {key: value for key, value in bar.items() if key != "c"}
        case Flaw.NEGATIVE_VOLUME:
            return {**bar, "v": -bar["v"]}
        case Flaw.NO_TIME:
            return {**bar, "t": 0}
