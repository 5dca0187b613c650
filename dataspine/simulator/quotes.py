"""The IEX-shaped quote API: a map of symbols, each with its quote as of the simulated instant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from dataspine.calendars.lookup import Calendar, Session
from dataspine.clock import datetime_from_us, iso_from_us
from dataspine.simulator.answers import TEXT, Answer, VendorRequest
from dataspine.simulator.bars import bars
from dataspine.simulator.faults import FaultName, FaultSchedule, PlannedFault, Vendor
from dataspine.simulator.flaws import WORD, Flaw, flaw_of
from dataspine.simulator.ground_truth import Played
from dataspine.simulator.prices import previous_close_cents
from dataspine.simulator.quote_text import quote_document
from dataspine.simulator.tickers import Ticker
from dataspine.simulator.ticks import Tick, TickLine, tick_lines, ticks

PATH = "/stable/stock/market/batch"
_LOOK_BACK = timedelta(days=10)
"""No exchange is closed for longer."""


class _Quoted(NamedTuple):
    """One symbol's place among those that are traded, and its last update."""

    ordinal: int
    ticker: Ticker
    tick: Tick
    session: Session


@dataclass(frozen=True, slots=True)
class QuoteApi:
    """Answers for one market; the same request at the same simulated instant has the same answer."""

    seed: int
    calendar: Calendar
    tickers: tuple[Ticker, ...]
    schedule: FaultSchedule

    def answer(self, request: VendorRequest, *, now_us: int) -> Answer:
        """The quotes of `symbols`, of all without them; a symbol that nobody knows is left out."""
        if "quote" not in request.query.get("types", "quote").split(","):
            return Answer(b"types must include quote", 400, TEXT)
        seen_us, stale = self.schedule.seen_us(Vendor.QUOTES, now_us)
        quoted = self._quoted(request.query.get("symbols"), seen_us)
        played = [Played(stale, Vendor.QUOTES)] if stale else []
        batch, spoilt = self._batch(quoted, seen_us)
        body = json.dumps(batch, separators=(",", ":")).encode()
        changed = self.schedule.playing(FaultName.SCHEMA_CHANGE, Vendor.QUOTES, now_us)
        if changed and batch:
            body = body.replace(b'"latestPrice":', b'"lastPrice":')
            played.append(Played(changed, Vendor.QUOTES))
        return Answer(body, played=(*played, *spoilt))

    def _quoted(self, symbols: str | None, seen_us: int) -> list[_Quoted]:
        session = self._session(seen_us)
        if session is None:
            return []
        wanted = None if symbols is None else frozenset(symbols.upper().split(","))
        lines = _session_lines(self.seed, self.tickers, session)
        found = []
        for ordinal, ticker in enumerate(self.tickers):
            tick = lines[ticker.symbol].at(seen_us) if wanted is None or ticker.symbol in wanted else None
            if tick is not None:
                found.append(_Quoted(ordinal, ticker, tick, session))
        return found

    def _session(self, seen_us: int) -> Session | None:
        """The last session that has opened."""
        day = datetime_from_us(seen_us).date()
        first, last = max(day - _LOOK_BACK, self.calendar.first_day), min(day, self.calendar.last_day)
        sessions = self.calendar.sessions_between(first, last) if first <= last else ()
        return next((session for session in reversed(sessions) if session.open_us <= seen_us), None)

    def _batch(self, quoted: Sequence[_Quoted], seen_us: int) -> tuple[dict[str, Any], list[Played]]:
        """The map of symbols, and what was spoilt in it."""
        batch: dict[str, Any] = {}
        for each in quoted:
            before_cents = previous_close_cents(self.seed, each.ticker, each.session.day)
            batch[each.ticker.symbol] = {
                "quote": quote_document(
                    each.ticker,
                    each.tick,
                    each.session,
                    previous_close_cents=before_cents,
                    seen_us=seen_us,
                )
            }
        instants = [each.tick.at_us for each in quoted]
        faults = self.schedule.on_records(Vendor.QUOTES, min(instants), max(instants) + 1) if quoted else ()
        played = [_spoil(batch, quoted, fault) for fault in faults]
        return batch, [each for each in played if each.keys]


def _spoil(batch: dict[str, Any], quoted: Sequence[_Quoted], fault: PlannedFault) -> Played:
    """Break those quotes of the map that a fault concerns; which ones they were."""
    keys = []
    for each in quoted:
        flaw = flaw_of(fault, each.ordinal) if fault.covers(each.tick.at_us) else None
        if flaw is not None:
            _break(batch[each.ticker.symbol]["quote"], flaw)
            keys.append(f"{each.ticker.symbol} {iso_from_us(each.tick.at_us)}")
    return Played(fault, Vendor.QUOTES, tuple(keys))


def _break(quote: dict[str, Any], flaw: Flaw) -> None:
    match flaw:
        case Flaw.NEGATIVE_PRICE:
            quote["latestPrice"] = -quote["latestPrice"]
        case Flaw.WORD_PRICE:
            quote["latestPrice"] = WORD
        case Flaw.NO_PRICE:
            quote["latestPrice"] = None
        case Flaw.NEGATIVE_VOLUME:
            quote["volume"] = quote["latestVolume"] = -1
        case Flaw.NO_TIME:
            quote["latestUpdate"] = 0


@lru_cache(maxsize=4)
def _session_lines(seed: int, tickers: tuple[Ticker, ...], session: Session) -> dict[str, TickLine]:
    return tick_lines(ticks(bars(seed, tickers, [session])))
