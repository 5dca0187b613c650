"""The Polygon-shaped aggregates API: minute bars of one ticker, page by page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import quote, urlencode

from dataspine.calendars.lookup import US_PER_MINUTE, Calendar, Session
from dataspine.clock import datetime_from_us
from dataspine.simulator.aggregates_request import AggregatesRequest, aggregates_request
from dataspine.simulator.answers import Answer, VendorRequest
from dataspine.simulator.bar_faults import faulty_bars
from dataspine.simulator.bar_text import BarText, BarTextCache
from dataspine.simulator.bars import FULL_DAY_MINUTES
from dataspine.simulator.faults import FaultName, FaultSchedule, Vendor
from dataspine.simulator.ground_truth import Played


class _Piece(NamedTuple):
    """Bars of one session for one page."""

    results: bytes
    """JSON objects joined by commas."""
    bars: int
    """Results, copies included."""
    following_us: int | None
    """Start of the first bar that found no room on the page."""
    played: tuple[Played, ...] = ()


@dataclass(frozen=True, slots=True)
class AggregatesApi:
    """Answers for one market; the same request at the same simulated instant has the same answer."""

    calendar: Calendar
    texts: BarTextCache
    schedule: FaultSchedule
    api_key: str

    def answer(self, request: VendorRequest, *, now_us: int) -> Answer:
        """One page of bars, or why there is none."""
        if request.query.get("apiKey", request.bearer) != self.api_key:
            return _error(401, "Unknown API Key", request.path)
        try:
            asked = aggregates_request(request, self.calendar.zone)
        except ValueError as error:
            return _error(400, str(error), request.path)
        seen_us, stale = self.schedule.seen_us(Vendor.AGGS, now_us)
        pieces = list(self._pieces(asked, seen_us))
        played = [each for piece in pieces for each in piece.played]
        if stale:
            played.append(Played(stale, Vendor.AGGS))
        results = b",".join(piece.results for piece in pieces if piece.results)
        changed = self.schedule.playing(FaultName.SCHEMA_CHANGE, Vendor.AGGS, now_us)
        if changed and results:
            results = results.replace(b'"c":', b'"close":')
            played.append(Played(changed, Vendor.AGGS))
        following_us = pieces[-1].following_us if pieces else None
        body = _page(
            asked, results, bars=sum(piece.bars for piece in pieces), request=request, next_us=following_us
        )
        return Answer(body, played=tuple(played))

    def _pieces(self, asked: AggregatesRequest, seen_us: int) -> Iterator[_Piece]:
        """Session after session until the page is full or the range ends."""
        room = asked.limit
        # A bar is complete, and can be seen, one minute after its start.
        end_us = min(asked.end_us, seen_us - US_PER_MINUTE + 1)
        sessions = self._sessions(asked.start_us, end_us)
        lot_size = 1 + asked.limit // FULL_DAY_MINUTES
        for start in range(0, len(sessions), lot_size):
            lot = sessions[start : start + lot_size]
            for session, text in zip(lot, self.texts.texts(asked.ticker, lot), strict=False):
                first, end = text.between(asked.start_us, end_us)
                kept = min(end, first + room)
                following_us = text.starts_us[kept] if kept < end else None
                yield self._piece(
                    asked.ticker, session, text, range(first, kept), following_us, seen_us=seen_us
                )
                room -= kept - first
                if following_us is not None:
                    return

    def _piece(
        self,
        ticker: str,
        session: Session,
        text: BarText,
        places: range,
        following_us: int | None,
        *,
        seen_us: int,
    ) -> _Piece:
        faults = self.schedule.on_records(Vendor.AGGS, session.open_us, session.close_us)
        if not faults:
            return _Piece(text.piece(places.start, places.stop), len(places), following_us)
        faulty = faulty_bars(ticker, text, places, faults=faults, seen_us=seen_us)
        sent = [copy for copies in faulty.texts for copy in copies]
        return _Piece(b",".join(sent), len(sent), following_us, faulty.played)

    def _sessions(self, start_us: int, end_us: int) -> Sequence[Session]:
        """Sessions that could have bars in a range, as far as the calendar knows."""
        first_day = datetime_from_us(start_us).date() - timedelta(days=1)
        last_day = datetime_from_us(max(start_us, end_us)).date() + timedelta(days=1)
        first, last = max(first_day, self.calendar.first_day), min(last_day, self.calendar.last_day)
        if last < first:
            return ()
        sessions = self.calendar.sessions_between(first, last)
        return [session for session in sessions if session.open_us < end_us and start_us < session.close_us]


def _page(
    asked: AggregatesRequest, results: bytes, *, bars: int, request: VendorRequest, next_us: int | None
) -> bytes:
    """The document around the results; without results it has no such key."""
    identity = hashlib.blake2b(f"{request.path}?{asked.limit}".encode() + results, digest_size=16).hexdigest()
    head = f'{{"ticker":"{quote(asked.ticker)}","queryCount":{bars},"resultsCount":{bars},"adjusted":true'
    listed = b',"results":[' + results + b"]" if results else b""
    tail = f',"status":"OK","request_id":"{identity}","count":{bars}'
    if next_us is not None:
        tail += f',"next_url":"{_next_url(asked, request, next_us)}"'
    return head.encode() + listed + tail.encode() + b"}"


def _next_url(asked: AggregatesRequest, request: VendorRequest, next_us: int) -> str:
    """Where the following page is; as the vendor does, without the key."""
    cursor = hashlib.blake2b(f"{asked.ticker}/{next_us}".encode(), digest_size=12).hexdigest()
    query = urlencode({"limit": asked.limit, "sort": "asc", "cursor": cursor})
    place = f"/v2/aggs/ticker/{quote(asked.ticker)}/range/1/minute/{next_us // 1_000}/{asked.end_text}"
    return f"{request.origin}{place}?{query}"


def _error(status: int, text: str, path: str) -> Answer:
    identity = hashlib.blake2b(path.encode(), digest_size=16).hexdigest()
    document = {"status": "ERROR", "request_id": identity, "error": text}
    return Answer(json.dumps(document, separators=(",", ":")).encode(), status)
