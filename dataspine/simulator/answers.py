"""What a vendor answers, before any of it is on the wire, and the faults that take an answer whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dataspine.simulator.draws import draws
from dataspine.simulator.faults import FaultName, PlannedFault
from dataspine.simulator.ground_truth import Played

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
_PAGE = b"<!DOCTYPE html><html><head><title>Before you continue</title></head><body><h1>Please accept our terms</h1>"


@dataclass(frozen=True, slots=True)
class VendorRequest:
    """What a vendor looks at of an HTTP request."""

    path: str
    """Without the query."""
    query: Mapping[str, str] = field(default_factory=dict)
    bearer: str | None = None
    """Token of an `Authorization: Bearer` header."""
    etag: str | None = None
    """Value of `If-None-Match`."""
    origin: str = "http://127.0.0.1"
    """Scheme, host and port that the client used; links go back there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to one request."""

    body: bytes = b""
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    sent_bytes: int | None = None
    """Bytes after which the connection closes, where it does so before the body's end."""
    hang_s: int | None = None
    """Seconds for which nothing is said before the connection closes, instead of an answer."""
    played: tuple[Played, ...] = ()
    """Faults that made it what it is."""


def fault_instead(fault: PlannedFault) -> Answer | None:
    """The answer of a fault that takes the place of the vendor's own, or None if it does not."""
    match fault.name:
        case FaultName.RATE_LIMIT_STORM:
            return too_many_requests(fault.parameter)
        case FaultName.SERVER_ERRORS:
            return Answer(b"upstream connect error or disconnect before headers", fault.parameter, TEXT)
        case FaultName.HANG:
            return Answer(hang_s=fault.parameter)
        case FaultName.GARBAGE:
            size = fault.parameter * 1_024
            noise = draws(f"garbage/{fault.start_us}", size).tobytes()
            return Answer((_PAGE + noise)[:size], content_type=HTML)
    return None


def too_many_requests(retry_after_s: int) -> Answer:
    """A refusal of one request too many."""
    body = b'{"status":"ERROR","error":"You have exceeded the maximum requests per minute."}'
    return Answer(body, 429, headers={"Retry-After": str(retry_after_s)})


def truncated(answer: Answer, fault: PlannedFault) -> Answer:
    """The same answer, cut off."""
    return replace(answer, sent_bytes=len(answer.body) * fault.parameter // 100)


def conditional(answer: Answer, etag: str | None) -> Answer:
    """The answer with an entity tag, or 304 for a client who has it already."""
    if answer.status != 200:
        return answer
    own = f'"{hashlib.blake2b(answer.body, digest_size=12).hexdigest()}"'
    if etag == own:
        return replace(answer, body=b"", status=304, headers={"ETag": own})
    return replace(answer, headers={**answer.headers, "ETag": own})
