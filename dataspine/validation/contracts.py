"""Contracts: the models' rules compiled to columns for a chunk, and the models themselves for one record.

Both give the same codes and the same words; tests/property/test_verdicts_agree.py holds them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from dataspine.schemas.codes import Code, Violation
from dataspine.schemas.fields import (
    EPOCH,
    IS_REQUIRED,
    MUST_BE_POSITIVE,
    MUST_NOT_BE_NEGATIVE,
    NOT_A_CHOICE,
    NOT_A_SYMBOL,
    NOT_PLAIN_TEXT,
    PLAIN_TEXT_PATTERN,
    TOO_EARLY,
    TOO_LATE,
    ChoiceRule,
    InstantRule,
    NumberRule,
    Rule,
    SymbolRule,
    TextRule,
)
from dataspine.schemas.models import MODELS
from dataspine.schemas.record import violations_from_error
from dataspine.schemas.source import ContractLimits, Kind

if TYPE_CHECKING:
    import polars as pl

    from dataspine.schemas.column import Check, Column
    from dataspine.schemas.source import SourceProfile, Symbology

CONTRACT_VERSION = "1"
"""Rises when a verdict changes; stands on every dead letter."""


@cache
def rules_of(kind: Kind) -> dict[str, Rule]:
    """The rule of each canonical field of a kind."""
    return MODELS[kind].rules()


def contract_checks(
    columns: dict[str, Column], profile: SourceProfile, *, received_at_us: int
) -> list[Check]:
    """Every judgement of the contracts on a chunk's columns, faults of form included.

    Shapes: columns of n -> checks of n each.
    """
    from dataspine.schemas.column import Check

    model, rules = MODELS[profile.kind], rules_of(profile.kind)
    checks: list[Check] = []
    for name in model.required():
        column = columns.get(name)
        if column is not None and name != "source":
            checks.append(Check(name, Code.REQUIRED, IS_REQUIRED, column.found.is_null()))
    for name, column in columns.items():
        checks += column.checks
        if column.found.null_count() == column.found.len():
            continue
        judged = _judge(name, _told_by(column), rules[name], profile, received_at_us)
        if column.is_constant and not any(check.violated.any() for check in judged):
            continue
        checks += _judge(name, column, rules[name], profile, received_at_us) if column.is_constant else judged
    return checks + _ohlc_checks(columns)


def _told_by(column: Column) -> Column:
    """The column, or its first record where all are alike."""
    from dataspine.schemas.column import Column

    if not column.is_constant:
        return column
    return Column(column.found.head(1), column.value.head(1))


def _judge(name: str, column: Column, rule: Rule, profile: SourceProfile, received_at_us: int) -> list[Check]:
    if isinstance(rule, NumberRule):
        return _number_checks(name, column, rule)
    if isinstance(rule, InstantRule):
        return _instant_checks(name, column, profile.contract, received_at_us)
    if isinstance(rule, SymbolRule):
        return _symbol_checks(name, column, profile.symbology)
    if isinstance(rule, ChoiceRule):
        return _choice_checks(name, column, rule)
    return _text_checks(name, column, rule)


def _number_checks(name: str, column: Column, rule: NumberRule) -> list[Check]:
    from dataspine.schemas.column import Check

    value, found = column.value, column.found
    if value.dtype.is_integer():
        below = (value < 0) | ((value == 0) & found.str.starts_with("-"))
        # A negative fraction, or a number below 64 bits, has no integer value; its text still tells the sign.
        negative = below.fill_null(False) | (
            found.str.contains(r"^-[0-9]+(\.[0-9]+)?$") & value.is_null()
        ).fill_null(False)
        return [Check(name, rule.code, MUST_NOT_BE_NEGATIVE, negative, found)]
    negative = value.str.starts_with("-").fill_null(False)
    if rule.sign == "not_negative":
        return [Check(name, rule.code, MUST_NOT_BE_NEGATIVE, negative, value)]
    return [Check(name, rule.code, MUST_BE_POSITIVE, negative | (value == "0").fill_null(False), value)]


def _instant_checks(name: str, column: Column, limits: ContractLimits, received_at_us: int) -> list[Check]:
    from dataspine.schemas.column import Check

    earliest = datetime.fromisoformat(limits.earliest).replace(tzinfo=EPOCH.tzinfo)
    earliest_us = (earliest - EPOCH) // timedelta(microseconds=1)
    latest_us = received_at_us + limits.max_future_s * 1_000_000
    value = column.value
    return [
        Check(name, Code.TIMESTAMP_RANGE, TOO_EARLY, (value < earliest_us).fill_null(False), column.found),
        Check(name, Code.TIMESTAMP_FUTURE, TOO_LATE, (value > latest_us).fill_null(False), column.found),
    ]


def symbol_pattern(symbology: Symbology) -> str:
    """Regular expression of the allowed texts; made of the profile's characters, never of a profile's pattern."""
    characters = "".join(f"\\x{{{ord(char):x}}}" for char in sorted(set(symbology.charset)))
    return f"^[{characters}]{{1,{symbology.max_len}}}$"


def _symbol_checks(name: str, column: Column, symbology: Symbology) -> list[Check]:
    from dataspine.schemas.column import Check

    fits = column.value.str.contains(symbol_pattern(symbology))
    if symbology.prefixes:
        starts = [column.value.str.starts_with(prefix) for prefix in symbology.prefixes]
        fits = fits & _any(starts)
    if symbology.unmapped == "dead":
        fits = fits & False
    if symbology.mapping:
        fits = fits | column.found.is_in(list(symbology.mapping))
    return [Check(name, Code.SYMBOL_FORMAT, NOT_A_SYMBOL, (~fits).fill_null(False), column.found)]


def _choice_checks(name: str, column: Column, rule: ChoiceRule) -> list[Check]:
    from dataspine.schemas.column import Check

    wrong = (~column.value.is_in(list(rule.choices))).fill_null(False)
    template = NOT_A_CHOICE.replace("{choices}", ", ".join(rule.choices))
    return [Check(name, rule.code, template, wrong, column.value)]


def _text_checks(name: str, column: Column, rule: TextRule) -> list[Check]:
    from dataspine.schemas.column import Check

    del rule
    wrong = (~column.value.str.contains(PLAIN_TEXT_PATTERN)).fill_null(False)
    return [Check(name, Code.TEXT_FORMAT, NOT_PLAIN_TEXT, wrong, column.value)]


def _ohlc_checks(columns: dict[str, Column]) -> list[Check]:
    """High not below low, open and close between them; each compared only where both are numbers."""
    import polars as pl

    from dataspine.schemas.column import Check

    present = {name: columns[name].value for name in ("open", "high", "low", "price") if name in columns}
    if not {"high", "low"} & present.keys():
        return []
    frame = pl.DataFrame(present)
    exact = frame.select(pl.all().cast(pl.Decimal(38, 18), strict=False))
    above = [("low", "high"), ("open", "high"), ("price", "high"), ("low", "open"), ("low", "price")]
    pairs = [(pl.col(a) > pl.col(b)).fill_null(False) for a, b in above if {a, b} <= present.keys()]
    broken = exact.select(pl.any_horizontal(pairs)).to_series()
    if not broken.any():
        return []
    texts = [
        pl.col(name).fill_null("none") if name in present else pl.lit("none")
        for name in ("open", "high", "low", "price")
    ]
    message = frame.select(
        pl.format("open {}, high {}, low {}, close {} are out of order", *texts)
    ).to_series()
    return [Check("", Code.OHLC_ORDER, "{}", broken, message)]


def _any(masks: list[pl.Series]) -> pl.Series:
    found = masks[0]
    for mask in masks[1:]:
        found = found | mask
    return found


@dataclass(frozen=True, slots=True)
class ContractValidator:
    """Judges one record by the same rules as a whole chunk.

    `now` is the instant that "future" is judged against; by default the clock at each call.
    """

    limits: ContractLimits | None = None
    symbology: Symbology | None = None
    volume: str = "integer"
    now: datetime | None = None

    def validate_market_data(self, record: object) -> tuple[bool, list[str]]:
        """Whether a `MarketData`, or a mapping of its fields, keeps the contract; every violation as text."""
        return self._verdict(Kind.MARKET, record)

    def validate_trade_data(self, record: object) -> tuple[bool, list[str]]:
        """Whether a `TradeData`, or a mapping of its fields, keeps the contract; every violation as text."""
        return self._verdict(Kind.TRADE, record)

    def violations(self, kind: Kind, record: object) -> list[Violation]:
        """Every violation of a record; an unvalidated instance (`model_construct`) is judged like any other."""
        model = MODELS[kind]
        data = dict(record.__dict__) if isinstance(record, model) else record
        context: dict[str, Any] = {
            "limits": self.limits,
            "symbology": self.symbology,
            "volume": self.volume,
            "now": self.now,
        }
        try:
            model.model_validate(data, context=context)
        except ValidationError as error:
            return violations_from_error(error)
        return []

    def _verdict(self, kind: Kind, record: object) -> tuple[bool, list[str]]:
        found = self.violations(kind, record)
        return not found, [str(violation) for violation in found]
