"""`FileAdapter`: canonical records of one file, read by the preset that is named or that alone fits its shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

from dataspine.adapters.base import BaseAdapter
from dataspine.adapters.container import documents
from dataspine.adapters.judged_records import Judged, is_readable, judged_documents
from dataspine.adapters.records import envelope_paths
from dataspine.adapters.transport import FileTransport
from dataspine.clock import Clock, SystemClock
from dataspine.errors import RequestError
from dataspine.presets import load_presets
from dataspine.schemas.source import Kind, SourceProfile, Symbology

_FORMATS = {".csv": "csv", ".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson"}
_NAMELESS = "payload"
_LOOKED_AT_BYTES = 64


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file as it was received."""

    name: str
    content: bytes
    received_at_us: int
    preset: str | None = None
    """Preset to read it by; None to find the one that fits."""


class FileAdapter(BaseAdapter):
    """Reads `params["file_path"]`, plain, gzip or zip, by `params["preset"]`.

    Without a preset, the file's suffix gives the format, and the one preset of this kind counts under which the first
    records have symbol, price and time. The file is held in memory; a workspace's ingest streams.
    """

    kind: Kind
    source: str

    def __init__(self, *, clock: Clock | None = None, symbology: Symbology | None = None) -> None:
        self._clock = clock or SystemClock()
        self._symbology = symbology or Symbology()

    def get_source_name(self) -> str:
        return self.source

    def fetch_raw(self, params: Mapping[str, Any]) -> RawFile:
        """The file's bytes, and when they came: by that instant a time is in the future.

        Raises: RequestError without `file_path`; SourceRefused if the file is missing or forbidden.
        """
        if not params.get("file_path"):
            raise RequestError('a file adapter needs params["file_path"]', where=self.source)
        path = Path(params["file_path"])
        received_at_us = self._clock.now_us()
        fetched = next(FileTransport(path.name, root=path.parent).fetch())
        return RawFile(path.name, b"".join(fetched.open()), received_at_us, params.get("preset"))

    def parse_raw(self, raw: RawFile | bytes | str) -> list[dict[str, Any]]:
        """Records as dicts of every field of the kind's model, `source` among them, in the file's order.

        Repeated keys are not settled here: that takes a store.

        Raises: PayloadError if the file cannot be read; RequestError if no preset fits, or more than one.
        """
        file = self._received(raw)
        profile = self._profile(file)
        found: Judged = judged_documents(
            documents(BytesIO(file.content), object_name=file.name),
            profile,
            payload_sha256=sha256(file.content).hexdigest(),
            received_at_us=file.received_at_us,
        )
        self.rejected = found.rejected
        return found.records

    def _received(self, raw: RawFile | bytes | str) -> RawFile:
        if isinstance(raw, RawFile):
            return raw
        content = raw.encode() if isinstance(raw, str) else raw
        return RawFile(_NAMELESS, content, self._clock.now_us())

    def _profile(self, file: RawFile) -> SourceProfile:
        presets = {name: table for name, table in load_presets().items() if table["kind"] == self.kind}
        if file.preset is not None:
            presets = {file.preset: self._named(file.preset, presets)}
        name = next(
            (document.name for document in documents(BytesIO(file.content), object_name=file.name)), ""
        )
        is_array = file.content[:_LOOKED_AT_BYTES].lstrip().startswith(b"[")
        declared = _FORMATS.get(Path(name).suffix.lower()) or ("json" if is_array else None)
        profiles = {
            preset: self._as_profile(table, declared or table["format"]) for preset, table in presets.items()
        }
        if len(profiles) == 1:
            return next(iter(profiles.values()))
        return _only_fitting(profiles, file)

    def _named(self, preset: str, presets: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        if preset not in presets:
            raise RequestError(f"preset must be one of {', '.join(presets)}", found=preset, where=self.source)
        return presets[preset]

    def _as_profile(self, table: Mapping[str, Any], declared: str) -> SourceProfile:
        ours = {"name": self.source, "format": declared, "symbology": self._symbology}
        return SourceProfile.model_validate({**table, **ours})


def _only_fitting(profiles: Mapping[str, SourceProfile], file: RawFile) -> SourceProfile:
    fitting = {
        preset: profile
        for preset, profile in profiles.items()
        if not (profile.format == "csv" and envelope_paths(profile))
        and is_readable(documents(BytesIO(file.content), object_name=file.name), profile)
    }
    if len(fitting) == 1:
        return next(iter(fitting.values()))
    raise RequestError(
        "the shape of a file must fit one preset",
        found=", ".join(fitting) or "none that fits",
        where=file.name,
        cure=f'Name it: params["preset"] is one of {", ".join(profiles)}.',
    )
