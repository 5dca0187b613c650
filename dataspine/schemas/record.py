"""The base of canonical records: frozen, and every violation of a record at once."""

from __future__ import annotations

from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from dataspine.schemas.codes import Code, Violation
from dataspine.schemas.fields import IS_REQUIRED, Rule, canonical_number

_PRICES = ("open", "high", "low", "price")
OHLC_MESSAGE = "open {open}, high {high}, low {low}, close {price} are out of order"


class CanonicalRecord(BaseModel):
    """A frozen record; a null required field counts as missing, an unknown field is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @classmethod
    def rules(cls) -> dict[str, Rule]:
        """The rule of each field, as the columns' contracts compile them."""
        return {
            name: next(meta for meta in _metadata(field.annotation, field.metadata) if isinstance(meta, Rule))
            for name, field in cls.model_fields.items()
        }

    @classmethod
    def required(cls) -> tuple[str, ...]:
        """Fields that must hold a value."""
        return tuple(name for name, field in cls.model_fields.items() if field.is_required())

    @model_validator(mode="wrap")
    @classmethod
    def _judge_whole(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        """Judge fields and their order together, so that one bad field hides no other violation."""
        del info
        if isinstance(data, cls):
            data = data.__dict__
        if isinstance(data, dict):
            data = {name: value for name, value in data.items() if value is not None and value != ""}
        try:
            record, errors = handler(data), []
        except ValidationError as error:
            record, errors = None, [_error_details(detail) for detail in error.errors()]
        message = ohlc_violation(data) if isinstance(data, dict) else None
        if message:
            error_type = PydanticCustomError(Code.OHLC_ORDER, "{message}", {"message": message})
            errors.append(InitErrorDetails(type=error_type, loc=("",), input=None))
        if record is None or errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return record


def ohlc_violation(data: dict[str, Any]) -> str | None:
    """What is out of order among open, high, low and close; None when nothing is, or nothing can be told."""
    from decimal import Decimal

    texts = {name: _exact_or_none(data.get(name)) for name in _PRICES}
    values = {name: Decimal(text) for name, text in texts.items() if text is not None}
    high, low = values.get("high"), values.get("low")
    inner = [values[name] for name in ("open", "price") if name in values]
    broken = (
        (high is not None and low is not None and high < low)
        or (high is not None and any(value > high for value in inner))
        or (low is not None and any(value < low for value in inner))
    )
    if not broken:
        return None
    return OHLC_MESSAGE.format(**{name: text or "none" for name, text in texts.items()})


def violations_from_error(error: ValidationError) -> list[Violation]:
    """Violations of a refused record, in the order of the model's fields."""
    found = []
    for detail in error.errors():
        field = str(detail["loc"][0]) if detail["loc"] else ""
        if detail["type"] == "missing":
            found.append(Violation(Code.REQUIRED, field, IS_REQUIRED.replace("{field}", field)))
        else:
            found.append(Violation(detail["type"], field, detail["msg"]))
    return found


def _metadata(annotation: Any, metadata: list[Any]) -> list[Any]:
    """Metadata of `Annotated[...]`, also inside `... | None`."""
    found = list(metadata)
    for part in getattr(annotation, "__args__", ()):
        found += list(getattr(part, "__metadata__", ()))
    return found


def _error_details(detail: Any) -> InitErrorDetails:
    if detail["type"] == "missing":
        return InitErrorDetails(type="missing", loc=detail["loc"], input=None)
    error_type = PydanticCustomError(detail["type"], "{message}", {"message": detail["msg"]})
    return InitErrorDetails(type=error_type, loc=detail["loc"], input=None)


def _exact_or_none(value: object) -> str | None:
    """Canonical text of a price that is a number, positive or not; None for anything else."""
    if value is None or isinstance(value, bool):
        return None
    try:
        return canonical_number(str(value))
    except ValueError:
        return None
