"""Both HTTP vendors behind one address: who is asked, what goes wrong, and what is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from dataspine.simulator import quotes
from dataspine.simulator.answers import (
    TEXT,
    Answer,
    VendorRequest,
    conditional,
    fault_instead,
    too_many_requests,
    truncated,
)
from dataspine.simulator.faults import FaultName, FaultSchedule, Vendor
from dataspine.simulator.ground_truth import GroundTruth, Played
from dataspine.simulator.rate_limit import RateLimit

AGGS_PATH = "/v2/aggs/"


class Api(Protocol):
    """One vendor's answers."""

    def answer(self, request: VendorRequest, *, now_us: int) -> Answer:
        """The answer without faults that take it whole."""
        ...


@dataclass(frozen=True, slots=True)
class Vendors:
    """Answers requests at the simulated instant and writes down which faults it played."""

    apis: Mapping[Vendor, Api]
    schedule: FaultSchedule
    truth: GroundTruth
    now_us: Callable[[], int]
    limits: Mapping[Vendor, RateLimit] = field(default_factory=dict)

    def answer(self, request: VendorRequest) -> Answer:
        """What goes to the client."""
        vendor = _vendor_of(request.path)
        if vendor is None:
            return Answer(b"Not Found", 404, TEXT)
        wait_s = self.limits[vendor].take() if vendor in self.limits else 0
        if wait_s:
            return too_many_requests(wait_s)
        now_us = self.now_us()
        answer = self._faulty(vendor, request, now_us)
        self.truth.note(answer.played, simulated_us=now_us, where=request.path)
        return answer

    def _faulty(self, vendor: Vendor, request: VendorRequest, now_us: int) -> Answer:
        """The vendor's answer, or that of the first planned fault that takes it whole."""
        faults = self.schedule.at(vendor, now_us)
        for fault in faults:
            instead = fault_instead(fault)
            if instead is not None:
                return replace(instead, played=(Played(fault, vendor),))
        answer = conditional(self.apis[vendor].answer(request, now_us=now_us), request.etag)
        cut = next((fault for fault in faults if fault.name is FaultName.TRUNCATED_BODY), None)
        if cut is None or not answer.body:
            return answer
        return replace(truncated(answer, cut), played=(*answer.played, Played(cut, vendor)))


def _vendor_of(path: str) -> Vendor | None:
    if path == quotes.PATH:
        return Vendor.QUOTES
    return Vendor.AGGS if path.startswith(AGGS_PATH) else None
