"""Refusals: the violated checks of a chunk as one row a record, with every reason in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from dataspine.schemas.codes import Code
from dataspine.schemas.fields import FOUND_CHARS

if TYPE_CHECKING:
    from dataspine.schemas.column import Check
    from dataspine.schemas.payload import Fault
    from dataspine.schemas.source import SourceProfile

_REASON = {"position": pl.Int64(), "code": pl.String(), "field": pl.String(), "message": pl.String()}
REASON_SCHEMA = {
    "position": pl.Int64(),
    "code": pl.String(),
    "fingerprint": pl.String(),
    "reasons_json": pl.String(),
}


def all_reasons(
    checks: Sequence[Check], positions: pl.Series, faults: Sequence[Fault], profile: SourceProfile
) -> pl.DataFrame:
    """Every reason against every record of a chunk: `position, code, field, message`, faults of form first."""
    found = [_reasons_of_faults(faults, profile)]
    found += [_reasons_of_check(check, positions) for check in checks if check.violated.any()]
    if not faults:
        return pl.concat(found)
    # A value of the wrong type was set to null; that it is therefore missing is no second reason.
    named = found[0].select("position", "field", code=pl.lit(str(Code.REQUIRED)))
    return pl.concat(found).join(named, on=["position", "field", "code"], how="anti", maintain_order="left")


def encoded_reasons(reasons: pl.DataFrame) -> pl.DataFrame:
    """One row a record: its first code, a fingerprint that groups like with like, and all reasons as JSON."""
    if not reasons.height:
        return pl.DataFrame(schema=REASON_SCHEMA)
    reason = pl.struct("code", "field", "message").struct.json_encode()
    kind = (
        pl.when(pl.col("field") == "").then(pl.col("code")).otherwise(pl.col("code") + " " + pl.col("field"))
    )
    return (
        reasons.with_columns(reason=reason, kind=kind)
        .group_by("position", maintain_order=True)
        .agg(
            pl.col("code").first(),
            fingerprint=pl.col("kind").str.join("; "),
            reasons_json="[" + pl.col("reason").str.join(",") + "]",
        )
        .sort("position")
    )


def _reasons_of_faults(faults: Sequence[Fault], profile: SourceProfile) -> pl.DataFrame:
    """Faults of form, under the canonical field's name where the mapping knows it."""
    field_of = {path: name for name, mapping in profile.fields.items() for path in mapping.wire_paths()}
    columns = {
        "position": [fault.position for fault in faults],
        "code": [str(fault.code) for fault in faults],
        "field": [field_of.get(fault.field, fault.field) for fault in faults],
        "message": [fault.message for fault in faults],
    }
    return pl.DataFrame(columns, schema=_REASON)


def _reasons_of_check(check: Check, positions: pl.Series) -> pl.DataFrame:
    hit = positions.filter(check.violated)
    template = check.template.replace("{field}", check.field)
    message = pl.lit(template)
    if check.found is not None:
        found = pl.lit(check.found.filter(check.violated).fill_null("nothing"))
        is_long = found.str.len_chars() > FOUND_CHARS
        # A check that is nothing but its finding has put the whole message together, within bounds.
        shown = (
            found
            if template == "{}"
            else pl.when(is_long).then(found.str.head(FOUND_CHARS) + "…").otherwise(found)
        )
        before, after = template.split("{}")
        message = pl.lit(before) + shown + pl.lit(after)
    return pl.select(
        position=pl.lit(hit), code=pl.lit(str(check.code)), field=pl.lit(check.field), message=message
    )
