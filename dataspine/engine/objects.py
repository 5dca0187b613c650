"""The objects of a source that a slice has to ingest: all that are there, complete files once, or what has grown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from dataspine.adapters.transport import Fetched
from dataspine.clock import us_from_datetime
from dataspine.engine.growth import blocks_of, new_part, require_growing
from dataspine.store import taken
from dataspine.store.taken import TakenObject

if TYPE_CHECKING:
    from dataspine.adapters.transport import Transport
    from dataspine.pipeline.spine import Spine
    from dataspine.schemas.payload import Payload
    from dataspine.schemas.source import SourceProfile

SETTLE_S = 2.0
"""A file whose size and time have stood still for so long is complete."""
_SETTLE_US = round(SETTLE_S * 1_000_000)


@dataclass(frozen=True, slots=True)
class Found:
    """An object to ingest."""

    fetched: Fetched
    taken_from: Callable[[Payload], TakenObject] | None = None
    """What to remember of it once it is ingested."""


def whole_objects(transport: Transport) -> Iterator[Found]:
    """Every object, each time."""
    return (Found(fetched) for fetched in transport.fetch())


def complete_objects(
    spine: Spine, profile: SourceProfile, transport: Transport, *, wait_s: Callable[[float], None]
) -> Iterator[Found]:
    """Files that are complete and were not taken before; `wait_s` waits between two looks."""
    looked = [
        fetched for fetched in transport.fetch() if not _is_known(spine, profile, fetched)
    ]
    if profile.done_marker:
        names = {fetched.object_name for fetched in transport.fetch()}
        del names
    fresh = [fetched for fetched in looked if not _has_settled(fetched, now_us=spine.clock.now_us())]
    if fresh:
        wait_s(SETTLE_S)
    again = {fetched.object_name: fetched for fetched in transport.fetch()} if fresh else {}
    for fetched in looked:
        if fetched not in fresh or _stood_still(fetched, again.get(fetched.object_name)):
            yield Found(fetched, partial(_whole, fetched))
