"""Values that stand in a file's name, such as the day and the symbol of `20131007_spy_minute_trade.csv`."""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter

from dataspine.errors import ConfigError, PayloadError


@dataclass(frozen=True, slots=True)
class _Template:
    """Literal text before the first name, and each name with the literal text after it."""

    prefix: str
    names: tuple[str, ...]
    literals: tuple[str, ...]


def values_from_name(template: str, name: str) -> dict[str, str]:
    """What each `{name}` of `template` stands for in the last component of the path `name`.

    Literals match exactly. Each `{name}` takes the shortest run, of one character at least, that lets the
    rest match.

    Raises: PayloadError FILE_NAME if the name does not fit; ConfigError if the template is none.
    """
    shape = _parsed(template)
    component = name.rsplit("/", 1)[-1]
    values = _matched(shape, component)
    if values is None:
        raise PayloadError("FILE_NAME", f"name must be like {template}", found=ascii(component[:200]))
    return dict(zip(shape.names, values, strict=True))


def _parsed(template: str) -> _Template:
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise _bad_template(template, str(error)) from error
    literals: list[str] = [""]
    names: list[str] = []
    for literal, name, spec, conversion in parts:
        literals[-1] += literal
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion or name in names:
            raise _bad_template(template, f"{{{name}}} must be a plain name, used once")
        names.append(name)
        literals.append("")
    return _Template(literals[0], tuple(names), tuple(literals[1:]))


def _bad_template(template: str, why: str) -> ConfigError:
    return ConfigError(
        "file_name is no template", found=repr(template), where=why, cure="Write it like {day}_{symbol}.csv."
    )


def _matched(shape: _Template, component: str) -> list[str] | None:
    """The run of each name, or None.

    Taking the first place of every literal but the last loses no match: only the last is tied to a place.
    """
    if not component.startswith(shape.prefix):
        return None
    if not shape.names:
        return [] if component == shape.prefix else None
    values = []
    start = len(shape.prefix)
    for literal in shape.literals[:-1]:
        end = component.find(literal, start + 1)
        if end < 0:
            return None
        values.append(component[start:end])
        start = end + len(literal)
    last = component[start:].removesuffix(shape.literals[-1])
    fits = component.endswith(shape.literals[-1]) and len(component) - len(shape.literals[-1]) > start
    return [*values, last] if fits else None
