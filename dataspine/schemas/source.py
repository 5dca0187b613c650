"""A source's profile: where its bytes are, what shape they have, what each field becomes.

A profile is data: the TOML of `[sources.NAME]` over the defaults of its preset. Anything a vendor does that is not
said here is refused, never guessed. Field by field: docs/reference/config.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Kind(StrEnum):
    """Canonical schema that a source feeds."""

    MARKET = "market"
    TRADE = "trade"


class Settings(BaseModel):
    """Base of settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class FieldMap(Settings):
    """How one canonical field is made. Exactly one of `column`, `const`, `file`, `envelope`, `key`, `generate`."""

    column: str | tuple[str, ...] | None = None
    """CSV column or dotted JSON path; of several, the first that is not absent."""
    join: tuple[str, ...] | None = None
    """CSV columns or JSON paths joined by one space, for a date and a time in two columns."""
    const: str | int | None = None
    """The same text for every record."""
    file: str | None = None
    """A name in the source's `file_name` template, or several in braces: `ES{expiry}`."""
    envelope: str | None = None
    """Dotted path in the document around the records, e.g. `ticker`."""
    key: bool = False
    """The key under which a map of symbols holds the record."""
    generate: Literal["ordinal"] | None = None
    """`<first 16 of the payload's SHA-256>-<position>`: an id for feeds that send none."""
    optional: bool = False
    """A missing column or path is an absent value, not a violation (canonically optional fields always are)."""
    absent: tuple[str, ...] = ()
    """Texts that mean "no value", e.g. `0`, `-1`, `-`, besides null and the empty text."""
    values: dict[str, str] = {}
    """Exact table from the vendor's word to ours; a word that is not in it is a violation."""
    scale: int = 0
    """Powers of ten that the vendor's number is divided by: 4 for prices in ten-thousandths."""
    decimal_comma: bool = False
    """The decimal mark is a comma."""
    thousands: str | None = None
    """Grouping character to drop, e.g. `,`."""
    strip: tuple[str, ...] = ()
    """Texts to drop around a number, e.g. `$`, ` SEK`."""
    abs: bool = False
    """Drop the sign: sells that come with a negative quantity."""
    unit: Literal["s", "ms", "us", "ns"] | None = None
    """Unit of an epoch time, or of a time since midnight when `day` is given."""
    format: str | None = None
    """`iso`, or a strptime format such as `%Y%m%d %H%M%S`."""
    zone: str | None = None
    """IANA zone of a local time, e.g. `America/New_York`; needed wherever the text has no offset."""
    fold: Literal["earliest", "latest"] | None = None
    """Which instant a local time means when clocks fall back; unset, such a time is a violation."""
    day: str | None = None
    """Name in the `file_name` template that holds the day (`%Y%m%d`), for times since local midnight."""
    shift_s: int = 0
    """Seconds added: -60 turns an end-labelled minute bar into a start-labelled one."""

    @model_validator(mode="after")
    def _has_one_origin(self) -> FieldMap:
        origins = [
            name
            for name in ("column", "join", "const", "file", "envelope", "generate")
            if getattr(self, name) is not None
        ]
        if len(origins) + self.key != 1:
            raise ValueError("name exactly one of column, join, const, file, envelope, key, generate")
        return self

    def wire_paths(self) -> tuple[str, ...]:
        """Columns or paths of a record that this field reads."""
        if self.join:
            return self.join
        if self.column is None:
            return ()
        return (self.column,) if isinstance(self.column, str) else self.column


class CsvShape(Settings):
    """How the text of a delimited file becomes records."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """One character between fields."""
    quote: Annotated[str, Field(max_length=1)] = '"'
    """Quoting character; empty for none."""
    header: bool = True
    """Whether a line names the columns."""
    columns: tuple[str, ...] = ()
    """Column names of a headerless file, in order."""
    header_match: str | None = None
    """Text that the header line starts with; lines before it are a preamble, skipped and counted."""
    stop_at: tuple[str, ...] = ()
    """Texts that begin the footer: such a line and all after it are skipped and counted."""
    skip_lines: tuple[str, ...] = ()
    """Texts that begin a line to skip and count, e.g. `#`."""


class JsonShape(Settings):
    """Where the records stand in a JSON document."""

    records: Literal["auto", "object", "array", "map", "envelope"] = "auto"
    """`auto`: an array; an object holding `path`; an object of objects (a map); else one record."""
    path: str = "results"
    """Dotted path of the records' array in an envelope."""
    unwrap: str | None = None
    """Key whose object is the record where it is present: `quote` in `{"AAPL": {"quote": {...}}}`."""
    error_keys: tuple[str, ...] = ("error",)
    """Keys that make a document without records an in-band vendor error."""


class Symbology(Settings):
    """Which symbol texts are right, and what they become."""

    name: str = "strict"
    """Stands in the store beside every symbol that it made."""
    charset: str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    """Allowed ASCII characters, listed."""
    max_len: Annotated[int, Field(ge=1, le=32)] = 10
    """Characters at most."""
    case: Literal["exact", "upper"] = "exact"
    """`upper`: ASCII letters are raised before anything is judged."""
    prefixes: dict[str, str] = {}
    """Prefix to instrument class; where given, a prefix other than these is refused. The prefix stays."""
    mapping: dict[str, str] = {}
    """Vendor's symbol to canonical symbol."""
    unmapped: Literal["accept", "dead"] = "accept"
    """What a well-formed symbol is that `mapping` does not have."""


class ContractLimits(Settings):
    """Parameters of the contracts that a source may set."""

    max_future_s: Annotated[int, Field(ge=0)] = 300
    """How far past `received_at` a timestamp may lie."""
    earliest: str = "1990-01-01"
    """Day before which a timestamp is implausible."""
    max_reject_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Above this share of rejected records nothing of the payload is published."""
    breaker_min_records: Annotated[int, Field(ge=1)] = 100
    """The ratio is not judged on fewer records."""
    conflict: Literal["correct", "dead"] = "correct"
    """A known key with other values in a later payload: a correction, or a CONFLICT letter."""


class HttpSettings(Settings):
    """How a URL is read."""

    headers: dict[str, str] = {}
    """Values may be `env:NAME` or `file:PATH`; those are secrets."""
    params: dict[str, str] = {}
    """Query parameters; values may be `env:NAME` or `file:PATH`."""
    timeout_s: Annotated[float, Field(gt=0)] = 30.0
    """Total deadline of one page, from connect to last byte."""
    next_path: str | None = None
    """Dotted path of the next page's URL; it must keep scheme, host and port."""
    max_pages: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    """More pages than this are refused."""


class RetrySettings(Settings):
    """How a failed attempt is tried again."""

    max_attempts: Annotated[int, Field(ge=1, le=50)] = 5
    """Attempts in all; the slice is given up after the last."""
    base_delay_s: Annotated[float, Field(gt=0)] = 1.0
    """Wait before the second attempt; each further wait doubles, with jitter."""
    max_delay_s: Annotated[float, Field(gt=0)] = 120.0
    """No wait is longer, but for a vendor's own Retry-After (at most 15 minutes)."""
    budget_s: Annotated[float, Field(gt=0)] = 900.0
    """Seconds from the first attempt after which no other is made."""
    degraded_after: Annotated[int, Field(ge=1)] = 3
    """Failures in a row that make the source `degraded`."""
    failed_after: Annotated[int, Field(ge=1)] = 10
    """Failures in a row that make it `failed`: attempts then wait for the circuit."""
    circuit_s: Annotated[float, Field(gt=0)] = 300.0
    """How long a failed source is left alone before one attempt is let through."""


class RateSettings(Settings):
    """How many requests a vendor takes; shared by every source that names the vendor."""

    vendor: str | None = None
    """Name of the bucket; by default the source's own name."""
    per_minute: Annotated[float, Field(gt=0)] = 600.0
    """Requests a minute in the long run."""
    burst: Annotated[int, Field(ge=1)] = 10
    """Requests that may go at once."""


class SourceProfile(Settings):
    """One source, whole. `name` is the key of its TOML table."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    kind: Kind
    """Canonical schema: `market` or `trade`."""
    preset: str | None = None
    """Built-in profile that the other keys go over; see source_registry.md."""
    path: str | None = None
    """File, or directory glob such as `drop/*.csv`; relative to the workspace."""
    url: str | None = None
    """Where an HTTP source is read; not beside `path`."""
    http: HttpSettings = HttpSettings()
    """How the URL is read."""
    symbols: tuple[str, ...] = ()
    """Symbols to ask for: fill `{symbol}` or `{symbols}` (comma-separated) in `url`."""
    schedule: str | None = None
    """When it is due: cron (`*/5 9-16 * * 1-5`) or session offsets (`open+5m`, `close+20m`, `every 15m in session`)."""
    schedule_zone: str = "UTC"
    """IANA zone of a cron schedule."""
    calendar: str | None = None
    """Exchange calendar of session offsets and backfills, e.g. `XNYS`; none means UTC days."""
    catch_up: Literal["skip", "latest", "all"] = "latest"
    """What becomes of fires that were missed while no engine ran."""
    take: Literal["whole", "complete", "grow"] = "whole"
    """`whole`: every matching file each time; `complete`: each file once, when complete; `grow`: a file that is
    appended to is read on from where it was left."""
    done_marker: str | None = None
    """For `complete`: a suffix such as `.done` whose file beside says so; else the size must stand still."""
    retry: RetrySettings = RetrySettings()
    """How failed attempts are tried again."""
    rate: RateSettings = RateSettings()
    """How many requests the vendor takes."""
    format: Literal["csv", "json", "ndjson"]
    """What the text is; `.gz` and `.zip` are recognised by their bytes."""
    encoding: Literal["utf-8", "utf-16", "latin-1", "cp1252"] = "utf-8"
    """Encoding of the text; a byte order mark overrides it."""
    member: str = "*"
    """Which members of a `.zip` are read, as a glob."""
    file_name: str | None = None
    """Template that takes values from the file's (or zip member's) name: `{day}_{symbol}_minute_trade.csv`."""
    csv: CsvShape = CsvShape()
    """Shape of delimited text."""
    json_shape: Annotated[JsonShape, Field(alias="json")] = JsonShape()
    """Shape of JSON."""
    fields: dict[str, FieldMap]
    """Canonical field to where it comes from."""
    skip_when: dict[str, tuple[str, ...]] = {}
    """Column or path to values that mark a record as no record (order life-cycle rows); skipped and counted."""
    volume: Literal["integer", "decimal"] = "integer"
    """Whether volumes are whole, or exact decimals as crypto venues send them."""
    symbology: Symbology = Symbology()
    """Which symbols are right."""
    contract: ContractLimits = ContractLimits()
    """Parameters of the contracts."""

    model_config = ConfigDict(populate_by_name=True)

    def wire_paths(self) -> tuple[str, ...]:
        """Every column or path that the mapping reads, in order, once each."""
        paths = [path for field in self.fields.values() for path in field.wire_paths()]
        return tuple(dict.fromkeys([*paths, *self.skip_when]))
