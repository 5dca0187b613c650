"""One builder a noun: a workspace in a temporary folder, records of each kind, and ingests of them."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dataspine.clock import Clock, FrozenClock
from dataspine.pipeline.ingest import IngestOptions, ingest_payload
from dataspine.pipeline.spine import Spine
from dataspine.schemas.audit_event import Actor, Channel
from dataspine.schemas.source import SourceProfile
from dataspine.service.desk import Desk
from dataspine.store.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from dataspine.schemas.run import RunSummary

NOW_US = 1_767_965_400_000_000
"""2026-01-09T13:30:00Z: when the builders' clock stands, and when their payloads are received."""
TRADE_COLUMNS = ("trade_id", "client_id", "symbol", "side", "quantity", "price", "timestamp", "venue")
_TRADE_OPTIONAL = ("exec_type", "ref_trade_id")


def make_spine(tmp_path: Path, *, clock: Clock | None = None) -> Spine:
    """A new or known workspace under `tmp_path`, open for writing."""
    workspace = Workspace(tmp_path / "workspace", clock or FrozenClock(NOW_US))
    return Spine(workspace, Actor("tester", Channel.LIBRARY))


def make_desk(spine: Spine) -> Desk:
    """The operator's desk at that workspace."""
    return Desk(spine.workspace.home, spine.clock, spine.actor)


def quote_profile(name: str = "quotes", **keys: Any) -> SourceProfile:
    """A source of quotes as a JSON array, one field for each canonical one."""
    optional = ("open", "high", "low", "vwap", "trade_count", "interval_s", "volume_kind")
    fields = {name: {"column": name} for name in ("symbol", "price", "volume", *optional)}
    fields["timestamp"] = {"column": "timestamp", "format": "iso"}
    return SourceProfile.model_validate(
        {"name": name, "kind": "market", "format": "json", "fields": fields, **keys}
    )


def trade_profile(name: str = "trades", **keys: Any) -> SourceProfile:
    """A source of executions as CSV under canonical names."""
    fields: dict[str, Any] = {name: {"column": name} for name in TRADE_COLUMNS}
    fields["timestamp"] = {"column": "timestamp", "format": "iso"}
    fields |= {name: {"column": name, "optional": True} for name in _TRADE_OPTIONAL}
    return SourceProfile.model_validate(
        {"name": name, "kind": "trade", "format": "csv", "fields": fields, **keys}
    )


def quote(symbol: str = "AAPL", at: str = "2026-01-09T13:00:00Z", **values: Any) -> dict[str, Any]:
    """A good quote; `values` replace its fields or add to them, e.g. `price="-1"`."""
    return {"symbol": symbol, "timestamp": at, "price": "187.25", "volume": 1200, **values}


def trade(trade_id: str = "T1", client_id: str = "C1", **values: str) -> dict[str, str]:
    """A good execution; `values` replace its fields or add to them, e.g. `side="HOLD"`."""
    return {
        "trade_id": trade_id,
        "client_id": client_id,
        "symbol": "AAPL",
        "side": "BUY",
        "quantity": "100",
        "price": "187.25",
        "timestamp": "2026-01-09T13:00:00Z",
        "venue": "XNAS",
        **values,
    }


def ingest_bytes(
    spine: Spine,
    profile: SourceProfile,
    content: bytes,
    *,
    object_name: str,
    options: IngestOptions | None = None,
) -> RunSummary:
    """Archive these bytes as received now and ingest them."""
    payload = spine.workspace.archive.keep(
        [content], object_name=object_name, received_at_us=spine.clock.now_us()
    )
    return ingest_payload(spine, profile, payload, options=options)


def ingest_quotes(
    spine: Spine,
    records: Iterable[dict[str, Any]],
    *,
    profile: SourceProfile | None = None,
    object_name: str = "quotes.json",
    options: IngestOptions | None = None,
) -> RunSummary:
    """Ingest quotes as one payload."""
    content = json.dumps(list(records)).encode()
    return ingest_bytes(spine, profile or quote_profile(), content, object_name=object_name, options=options)


def ingest_trades(
    spine: Spine,
    records: Sequence[dict[str, str]],
    *,
    profile: SourceProfile | None = None,
    object_name: str = "trades.csv",
    options: IngestOptions | None = None,
) -> RunSummary:
    """Ingest executions as one payload; fields hold no comma and no quote."""
    columns = [*TRADE_COLUMNS, *_TRADE_OPTIONAL]
    lines = [",".join(columns)] + [",".join(record.get(name, "") for name in columns) for record in records]
    content = "\n".join(lines).encode() + b"\n"
    return ingest_bytes(spine, profile or trade_profile(), content, object_name=object_name, options=options)


class Killed(Exception):
    """The process of an ingest died."""


class _LastBreath(FrozenClock):
    """A clock whose owner dies at the first pause, which an ingest makes after every chunk but the last."""

    def sleep_s(self, seconds: float) -> None:
        del seconds
        raise Killed


def kill_after_first_chunk(spine: Spine, records: Iterable[dict[str, Any]], **given: Any) -> None:
    """Begin an ingest of quotes, a record a chunk, and leave its run behind after the first commit."""
    clock = spine.workspace.clock
    spine.workspace.clock = _LastBreath(clock.now_us())
    try:
        with suppress(Killed):
            ingest_quotes(spine, records, options=IngestOptions(chunk_records=1), **given)
    finally:
        spine.workspace.clock = clock
