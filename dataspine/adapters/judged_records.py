"""Documents to canonical records as Python values, and the refused ones with every reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl

from dataspine.adapters.charset import utf8_blocks
from dataspine.adapters.file_name import values_from_name
from dataspine.adapters.records import read_chunks
from dataspine.clock import datetime_from_us
from dataspine.errors import PayloadError
from dataspine.normalization.coerce import Origin, canonical_columns, wire_text
from dataspine.normalization.normalizer import Rejection
from dataspine.schemas.codes import Violation
from dataspine.schemas.column import Check, Column
from dataspine.schemas.fields import InstantRule, NumberRule, Rule
from dataspine.schemas.models import MODELS
from dataspine.schemas.payload import Document, RawChunk
from dataspine.schemas.source import SourceProfile
from dataspine.validation.contracts import contract_checks, rules_of
from dataspine.validation.refusal import all_reasons

_PROBED_RECORDS = 64
_TELLING_FIELDS = ("symbol", "price", "timestamp")
"""Fields by which presets of one kind differ."""


@dataclass(slots=True)
class Judged:
    """What became of the records of some documents."""

    records: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)


def judged_documents(
    found: Iterable[Document], profile: SourceProfile, *, payload_sha256: str, received_at_us: int
) -> Judged:
    """Every record of the documents; positions run on over them.

    Raises: PayloadError if a document is not what the profile declares.
    """
    judged, offset = Judged(), 0
    for document in found:
        values = values_from_name(profile.file_name, document.name) if profile.file_name else {}
        origin = Origin(payload_sha256, values, offset)
        _, blocks = utf8_blocks(document.blocks, encoding=profile.encoding)
        for chunk in read_chunks(blocks, profile):
            _judge(chunk, profile, judged, origin=origin, received_at_us=received_at_us)
            offset += chunk.records
    return judged


def is_readable(found: Iterable[Document], profile: SourceProfile) -> bool:
    """Whether one of the first records has the fields that tell this profile from another."""
    try:
        document = next(iter(found))
        _, blocks = utf8_blocks(document.blocks, encoding=profile.encoding)
        frame = next(iter(read_chunks(blocks, profile, chunk_records=_PROBED_RECORDS))).frame
    except (PayloadError, StopIteration):
        return False
    texts = [wire_text(frame, profile.fields[name], Origin()) for name in _TELLING_FIELDS]
    return bool(pl.select(pl.all_horizontal(pl.lit(text).is_not_null() for text in texts).any()).item())


def _judge(
    chunk: RawChunk, profile: SourceProfile, judged: Judged, *, origin: Origin, received_at_us: int
) -> None:
    rules = rules_of(profile.kind)
    columns = canonical_columns(chunk.frame, profile, rules, origin=origin)
    checks = contract_checks(columns, profile, received_at_us=received_at_us)
    reasons = _reasons(chunk, checks, profile)
    raws = chunk.raw(list(reasons))
    judged.rejected += [
        Rejection(position + origin.offset, tuple(found), raw)
        for (position, found), raw in zip(reasons.items(), raws, strict=True)
    ]
    is_good = ~chunk.frame["position"].is_in(list(reasons))
    judged.records += _rows(columns, rules, profile, is_good=is_good)


def _reasons(chunk: RawChunk, checks: Sequence[Check], profile: SourceProfile) -> dict[int, list[Violation]]:
    """Reasons by position, in order."""
    reasons: dict[int, list[Violation]] = {}
    found = all_reasons(checks, chunk.frame["position"], chunk.faults, profile)
    for position, code, field_name, message in found.iter_rows():
        reasons.setdefault(position, []).append(Violation(code, field_name, message))
    return dict(sorted(reasons.items()))


def _rows(
    columns: dict[str, Column], rules: dict[str, Rule], profile: SourceProfile, *, is_good: pl.Series
) -> list[dict[str, Any]]:
    """Good records as Python values; what the profile does not map has the model's default."""
    count = int(is_good.sum())
    made: dict[str, list[Any]] = {}
    for name, info in MODELS[profile.kind].model_fields.items():
        column = columns.get(name)
        default = profile.name if name == "source" else info.get_default()
        if column is None:
            made[name] = [default] * count
            continue
        values = _values(column.value.filter(is_good), rules[name])
        made[name] = (
            values if info.is_required() else [default if value is None else value for value in values]
        )
    return [dict(zip(made, row, strict=True)) for row in zip(*made.values(), strict=True)]


def _values(value: pl.Series, rule: Rule) -> list[Any]:
    if isinstance(rule, InstantRule):
        return [datetime_from_us(instant_us) for instant_us in value.to_list()]
    if isinstance(rule, NumberRule) and value.dtype == pl.String:
        return [None if text is None else Decimal(text) for text in value.to_list()]
    return value.to_list()
