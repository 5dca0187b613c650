"""One slice from its claim to its end: asked for, fetched, archived, judged and accounted for."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from dataspine.adapters.transport import transport_for
from dataspine.engine.circuit import note_end
from dataspine.engine.intake import day_of, found_objects, kept, take_in
from dataspine.engine.jobs import Setback, Task, fail, put_back, succeed
from dataspine.engine.rate import RateGate
from dataspine.errors import DataspineError, LeaseLost, SourceError, StorageError
from dataspine.pipeline.ingest import IngestOptions
from dataspine.pipeline.shadow import compare_payload
from dataspine.scheduling.retry import is_transient, next_delay_s, policy_from_settings
from dataspine.schemas.job import JobKind, SliceCounts, SliceResult
from dataspine.schemas.run import RunCounts
from dataspine.schemas.source import SourceProfile

if TYPE_CHECKING:
    from dataspine.adapters.transport import Transport
    from dataspine.engine.build import EngineSetup
    from dataspine.engine.objects import Found
    from dataspine.pipeline.spine import Spine
    from dataspine.schemas.payload import Payload
    from dataspine.store.sqlite import Connection

STEP_S = 0.2
"""How often a wait looks whether the engine is being stopped."""
NOTHING_PUBLISHED = "-"
"""Stands in a slice's digest for a payload of which nothing was published."""
_US_PER_S = 1_000_000
_log = logging.getLogger(__name__)


class Interrupted(Exception):
    """The engine is being stopped; the slice in hand goes back."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What every worker works with."""

    setup: EngineSetup
    draining: threading.Event = field(default_factory=threading.Event)
    """Set when the engine is to stop: a slice that waits goes back, one that works may finish."""
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when every slice in hand is to be put back at its next safe point."""

    def check(self, *_: object) -> None:
        """A safe point: stop here if the time to finish is over.

        Raises: Interrupted.
        """
        if self.stopping.is_set():
            raise Interrupted

    def wait_s(self, seconds: float) -> None:
        """Wait, but not longer than the engine is up.

        Raises: Interrupted.
        """
        clock = self.setup.clock
        end_s = clock.monotonic_s() + seconds
        while (left_s := end_s - clock.monotonic_s()) > 0:
            if self.draining.is_set():
                raise Interrupted
            clock.sleep_s(min(left_s, STEP_S))


def work(bench: Bench, spine: Spine, task: Task) -> None:
    """Carry out a slice and close it, whatever happens to it.

    Raises: LeaseLost, StorageError: then nothing more may be or could be written, and the slice is as it was.
    """
    try:
        profile = profile_of(bench.setup, task)
    except DataspineError as error:
        fail(spine, task, Setback(error, None), also=_nothing)
        return
    try:
        result = _Slice(bench, spine, task, profile).carried_out()
    except Interrupted:
        put_back(spine, task, why="the engine was stopped")
    except (LeaseLost, StorageError):
        raise
    except DataspineError as error:
        _set_back(bench, spine, task, profile, error)
    except Exception as error:  # noqa: BLE001 - the border of a job: whatever it raises becomes a dead task
        _log.exception("slice_crashed", extra={"slice": task.entity_id, "source": task.source})
        bug = DataspineError(
            f"a bug: {type(error).__name__}: {error}", cure="See logs/engine.jsonl; retry after an update"
        )
        _set_back(bench, spine, task, profile, bug)
    else:
        health = partial(note_end, spine, profile, None)
        succeed(spine, task, result, also=health)
        _log_end(task, "slice_succeeded", rows_read=result.counts.rows_read, digest=result.digest)


def profile_of(setup: EngineSetup, task: Task) -> SourceProfile:
    """The profile of a slice's source: as it was planned, for a plan is frozen; else as it is configured.

    Raises: ConfigError if the source is not configured any more.
    """
    frozen = json.loads(task.job.request_json).get("profile")
    return setup.profile(task.source) if frozen is None else SourceProfile.model_validate(frozen)


class _Slice:
    """A slice in a worker's hand."""

    def __init__(self, bench: Bench, spine: Spine, task: Task, profile: SourceProfile) -> None:
        self._bench = bench
        self._spine = spine
        self._task = task
        self._profile = profile
        self._request: dict[str, Any] = json.loads(task.job.request_json)
        self._counts = SliceCounts()
        self._runs: list[int] = []
        self._digests: list[str] = []

    def carried_out(self) -> SliceResult:
        """Ingest, or compare, every object of the partition."""
        is_shadow = self._request.get("mode") == "shadow"
        for found in self._objects():
            self._bench.check()
            payload = kept(self._spine, found)
            if is_shadow:
                self._compare(payload)
            else:
                self._take_in(found, payload)
        digest = sha256("\n".join(self._digests).encode()).hexdigest()
        return SliceResult(self._counts, tuple(self._runs), digest)

    def _objects(self) -> Iterator[Found]:
        profile = self._for_job()
        return found_objects(
            self._spine,
            profile,
            day=day_of(self._spine, profile, self._task.slice.partition),
            symbols=tuple(self._request.get("symbols") or profile.symbols),
            transport_of=self._transport,
            wait_s=self._bench.wait_s,
        )

    def _for_job(self) -> SourceProfile:
        """What a backfill asks for again is read again, taken before or not."""
        is_again = self._task.job.kind is JobKind.BACKFILL
        return self._profile.model_copy(update={"take": "whole"}) if is_again else self._profile

    def _transport(self, filled: SourceProfile) -> Transport:
        gate = RateGate(self._spine, self._profile, lane=self._task.job.lane, wait_s=self._bench.wait_s)
        setup = self._bench.setup
        return transport_for(filled, root=setup.data_root, secrets=setup.secrets, admit=gate)

    def _compare(self, payload: Payload) -> None:
        shadow = compare_payload(self._spine, self._profile, payload, on_chunk=self._bench.check)
        self._add(shadow.counts, shadow.digest)

    def _take_in(self, found: Found, payload: Payload) -> None:
        options = IngestOptions(on_progress=self._bench.check)
        summary = take_in(self._spine, self._profile, found, payload, options=options)
        if summary is not None:
            self._runs.append(summary.run_id)
            self._add(summary.counts, summary.digest)

    def _add(self, counts: RunCounts, digest: str | None) -> None:
        added = (getattr(counts, name) for name in SliceCounts.__dataclass_fields__)
        self._counts = SliceCounts(*map(sum, zip(astuple(self._counts), added, strict=True)))
        self._digests.append(digest or NOTHING_PUBLISHED)


def _set_back(bench: Bench, spine: Spine, task: Task, profile: SourceProfile, error: DataspineError) -> None:
    delay_s = _delay_s(bench, task, profile, error)
    vendors_fault = error if isinstance(error, SourceError) else None
    also = partial(note_end, spine, profile, vendors_fault) if vendors_fault else _nothing
    fail(spine, task, Setback(error, delay_s), also=also)
    event = "slice_failed" if delay_s is None else "slice_deferred"
    _log_end(task, event, error=str(error), delay_s=delay_s)


def _delay_s(bench: Bench, task: Task, profile: SourceProfile, error: DataspineError) -> float | None:
    if not is_transient(error):
        return None
    now_us = bench.setup.clock.now_us()
    first_try_us = now_us if task.slice.first_try_us is None else task.slice.first_try_us
    return next_delay_s(
        policy_from_settings(profile.retry),
        task.slice.attempts,
        elapsed_s=max(now_us - first_try_us, 0) / _US_PER_S,
        fraction=bench.setup.fraction(),
        retry_after_s=getattr(error, "retry_after_s", None),
    )


def _nothing(_tx: Connection) -> None:
    """No health to note: it was not the vendor's fault."""


def _log_end(task: Task, event: str, **extra: object) -> None:
    about = {"slice": task.entity_id, "source": task.source, "partition": task.slice.partition}
    _log.info(event, extra={**about, **extra})
