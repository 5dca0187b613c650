"""The objects of a source that a slice has to ingest: all that are there, complete files once, or what has grown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from dataspine.clock import us_from_datetime
from dataspine.engine.growth import blocks_of, new_part, require_growing
from dataspine.errors import PayloadTooLarge, SourceRefused
from dataspine.schemas.payload import MAX_DOCUMENT_BYTES
from dataspine.store import taken
from dataspine.store.taken import TakenObject

if TYPE_CHECKING:
    from dataspine.adapters.transport import Fetched, Transport
    from dataspine.pipeline.spine import Spine
    from dataspine.schemas.payload import Payload
    from dataspine.schemas.source import SourceProfile

SETTLE_S = 2.0
"""A file whose size and time have stood still for so long is complete."""
_SETTLE_US = round(SETTLE_S * 1_000_000)

TransportOf = Callable[["SourceProfile"], "Transport"]


@dataclass(frozen=True, slots=True)
class Found:
    """An object to ingest."""

    fetched: Fetched
    taken_as: Callable[[Payload], TakenObject] | None = None
    """What to remember of it once it is ingested; None for an object that is read each time."""


def objects_of(
    spine: Spine, profile: SourceProfile, transport_of: TransportOf, *, wait_s: Callable[[float], None]
) -> Iterator[Found]:
    """What there is to ingest of a source whose placeholders are filled; `wait_s` waits between two looks.

    Raises: SourceError, ConfigError, StorageError.
    """
    if profile.take == "grow":
        yield from _grown(spine, profile, transport_of(profile))
    elif profile.take == "complete":
        yield from _complete(spine, profile, transport_of, wait_s=wait_s)
    else:
        for fetched in transport_of(profile).fetch():
            yield Found(fetched)


def _complete(
    spine: Spine, profile: SourceProfile, transport_of: TransportOf, *, wait_s: Callable[[float], None]
) -> Iterator[Found]:
    """Files that are complete and, as they stand now, were not taken before."""
    new = [fetched for fetched in transport_of(profile).fetch() if not _is_known(spine, profile, fetched)]
    if profile.done_marker:
        done = _marked(profile, profile.done_marker, transport_of)
        ready = [fetched for fetched in new if fetched.object_name in done]
    else:
        ready = _still(spine, new, transport_of(profile), wait_s=wait_s)
    for fetched in ready:
        yield Found(fetched, partial(_taken_whole, fetched))


def _marked(profile: SourceProfile, marker: str, transport_of: TransportOf) -> set[str]:
    """Names of files beside which a marker stands."""
    markers = transport_of(profile.model_copy(update={"path": f"{profile.path}{marker}"}))
    try:
        return {fetched.object_name.removesuffix(marker) for fetched in markers.fetch()}
    except SourceRefused:
        # A single file's marker that is not there yet.
        return set()


def _still(
    spine: Spine, new: list[Fetched], transport: Transport, *, wait_s: Callable[[float], None]
) -> list[Fetched]:
    """Files that have not changed for a while, or do not between two looks."""
    now_us = spine.clock.now_us()
    fresh = {fetched.object_name for fetched in new if not 0 <= now_us - _modified_us(fetched) > _SETTLE_US}
    if not fresh:
        return new
    wait_s(SETTLE_S)
    again = {fetched.object_name: _look(fetched) for fetched in transport.fetch()}
    return [
        fetched
        for fetched in new
        if fetched.object_name not in fresh or again.get(fetched.object_name) == _look(fetched)
    ]


def _is_known(spine: Spine, profile: SourceProfile, fetched: Fetched) -> bool:
    """Whether the file was taken as it stands, going by size and time, so that it is not read again."""
    before = taken.newest(spine.workspace.database.connection, profile.name, fetched.object_name)
    return before is not None and (before.offset_bytes, before.modified_us) == _look(fetched)


def _grown(spine: Spine, profile: SourceProfile, transport: Transport) -> Iterator[Found]:
    """The new whole lines of each growing file."""
    require_growing(profile)
    for fetched in transport.fetch():
        before = taken.newest(spine.workspace.database.connection, profile.name, fetched.object_name)
        if before is not None and (before.offset_bytes, before.modified_us) == _look(fetched):
            continue
        part = new_part(_content(fetched), profile, before)
        if part is not None:
            # A `file_name` template reads the name, so it stays as it is there.
            suffix = "" if profile.file_name else f"@{part.start_bytes}-{part.end_bytes}"
            piece = replace(fetched, object_name=fetched.object_name + suffix, open=partial(blocks_of, part))
            remembered = TakenObject(fetched.object_name, part.sha256, part.end_bytes, _modified_us(fetched))
            yield Found(piece, partial(_remembered, remembered))


def _content(fetched: Fetched) -> bytes:
    content = bytearray()
    for block in fetched.open():
        content += block
        if len(content) > MAX_DOCUMENT_BYTES:
            raise PayloadTooLarge(
                f"a growing file has at most {MAX_DOCUMENT_BYTES} bytes",
                found="more",
                where=fetched.object_name,
                cure='Begin a new file each day, or use take = "complete"',
            )
    return bytes(content)


def _taken_whole(fetched: Fetched, payload: Payload) -> TakenObject:
    return TakenObject(fetched.object_name, payload.sha256, payload.size_bytes, _modified_us(fetched))


def _remembered(remembered: TakenObject, _payload: Payload) -> TakenObject:
    return remembered


def _look(fetched: Fetched) -> tuple[int | None, int]:
    return fetched.size_bytes, _modified_us(fetched)


def _modified_us(fetched: Fetched) -> int:
    return us_from_datetime(datetime.fromisoformat(fetched.received["last_modified"]))
