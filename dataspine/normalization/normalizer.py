"""`Normalizer`: one vendor's record, or a list of them, to canonical fields with exact types."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError

from dataspine.normalization.mappings import (
    EPOCH_UNITS,
    MARKET_FIELD_MAPPINGS,
    TRADE_FIELD_MAPPINGS,
    TYPE_CONVERTERS,
    instant_from_epoch,
)
from dataspine.schemas.codes import Code, Violation
from dataspine.schemas.models import MODELS
from dataspine.schemas.record import violations_from_error
from dataspine.schemas.source import ContractLimits, Kind, Symbology

_FIELD_MAPPINGS = {Kind.MARKET: MARKET_FIELD_MAPPINGS, Kind.TRADE: TRADE_FIELD_MAPPINGS}
_SOURCES = {Kind.MARKET: "market_feed", Kind.TRADE: "trade_feed"}
REJECTIONS_LOGGED = 20
"""Rejections of one batch that have a line each in the log."""
_log = logging.getLogger(__name__)


class RecordRefused(ValueError):
    """A single record that breaks its contract; `reasons` are all of its violations."""

    def __init__(self, reasons: Iterable[Violation]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("; ".join(str(reason) for reason in self.reasons))


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record of a batch that was refused."""

    position: int
    """Ordinal in the batch, from 1."""
    reasons: tuple[Violation, ...]
    raw: object
    """The record as it came."""


@dataclass(slots=True)
class Normalizer:
    """Renames a vendor's fields, gives values their exact types, and holds the result to the contract.

    A result is a dict of every canonical field: Decimal prices, int volumes, aware UTC datetimes, None for what is
    optional and absent. Nothing is trimmed, rounded or upper-cased. What only a source's profile can know (the length
    of a bar, a label that is no instant) is not guessed: such fields keep the record's value or the model's default.
    """

    source: str | None = None
    """Source of records that name none; by default `market_feed` and `trade_feed`."""
    symbology: Symbology | None = None
    limits: ContractLimits | None = None
    volume: Literal["integer", "decimal"] = "integer"
    rejected: list[Rejection] = field(default_factory=list, init=False)
    """What the newest batch refused."""

    def normalize_market(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a `MarketData`.

        Raises: RecordRefused, a ValueError that names every violation as `CODE: message`.
        """
        return self._normalized(record, Kind.MARKET)

    def normalize_trade(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a `TradeData`.

        Raises: RecordRefused, a ValueError that names every violation as `CODE: message`.
        """
        return self._normalized(record, Kind.TRADE)

    def normalize_batch(
        self, records: Iterable[Mapping[str, Any]], kind: Literal["market", "trade"]
    ) -> list[dict[str, Any]]:
        """The records that keep the contract, in order; the others are logged and stand in `rejected`.

        Raises: ValueError for another kind.
        """
        wanted = Kind(kind)
        self.rejected = []
        accepted = []
        for position, record in enumerate(records, start=1):
            try:
                accepted.append(self._normalized(record, wanted))
            except RecordRefused as refusal:
                self.rejected.append(Rejection(position, refusal.reasons, record))
        log_rejections(self.rejected, where=f"{wanted} batch")
        _log.info("batch_normalized", extra={"accepted": len(accepted), "rejected": len(self.rejected)})
        return accepted

    def _normalized(self, record: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
        if not isinstance(record, Mapping):
            message = f"a record must be a mapping of fields, got {type(record).__name__}"
            raise RecordRefused([Violation(Code.TYPE, "", message)])
        found = canonical_fields(record, kind)
        found.setdefault("source", self.source or _SOURCES[kind])
        context = {"symbology": self.symbology, "limits": self.limits, "volume": self.volume}
        try:
            return MODELS[kind].model_validate(found, context=context).model_dump()
        except ValidationError as error:
            raise RecordRefused(violations_from_error(error)) from error


def log_rejections(rejected: Sequence[Rejection], *, where: str) -> None:
    """Say why records were refused: the first `REJECTIONS_LOGGED` one by one, all of them as a number."""
    for rejection in rejected[:REJECTIONS_LOGGED]:
        reasons = [str(reason) for reason in rejection.reasons]
        _log.warning(
            "record_rejected", extra={"where": where, "position": rejection.position, "reasons": reasons}
        )
    if len(rejected) > REJECTIONS_LOGGED:
        _log.warning("more_records_rejected", extra={"where": where, "rejected": len(rejected)})


def canonical_fields(record: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    """A vendor's values under canonical names and with exact types.

    A value that has no exact type stays as it is, for the contract to name; null and blank ones are left out.
    """
    found: dict[str, Any] = {}
    for vendor_name, name in _FIELD_MAPPINGS[kind].items():
        value = record.get(vendor_name)
        if name not in found and value is not None and value != "":
            found[name] = _converted(value, name, EPOCH_UNITS.get(vendor_name))
    return found


def _converted(value: object, name: str, unit: str | None) -> object:
    try:
        return instant_from_epoch(value, unit) if unit else TYPE_CONVERTERS[name](value)
    except ValueError:
        return value
