"""Nothing is lost between a vendor's digits and a canonical value: numbers, times, repeats, on generated input."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataspine.clock import us_from_datetime
from dataspine.normalization.mappings import instant_from_epoch
from dataspine.normalization.numbers import TOO_MANY, exact_text, scaled
from dataspine.normalization.times import instants
from dataspine.pipeline.stages import find_repeats, process_chunks, process_payload
from dataspine.presets import load_presets
from dataspine.schemas.fields import EXACT_PATTERN, canonical_number, datetime_from_iso, iso_text
from dataspine.schemas.payload import Document, Payload
from dataspine.schemas.source import FieldMap, SourceProfile

ZONES = (
    *("America/New_York", "Europe/London", "Europe/Berlin", "Asia/Hong_Kong"),
    *("Asia/Tokyo", "Asia/Kolkata", "Australia/Sydney"),
)
PROFILE = SourceProfile.model_validate({**load_presets()["generic_bars"], "name": "desk"})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WITHIN_LIMITS = st.decimals(
    allow_nan=False, allow_infinity=False, places=18, min_value=-(10**20) + 1, max_value=10**20 - 1
)
NUMBER_LIKE = st.one_of(
    st.from_regex(r"-?[0-9]{1,70}(\.[0-9]{1,70})?", fullmatch=True),
    st.from_regex(r"-?[0-9]{1,12}(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,7})?", fullmatch=True),
    st.text(st.sampled_from("0019.-+eE x\u0661１_\n"), max_size=12),
    st.text(max_size=8).filter(
        lambda text: text.isascii() or text.encode("utf-8", "replace").decode() == text
    ),
)
WALL_TIMES = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31))  # noqa: DTZ001 - wall times have no zone
INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1)).map(lambda wall: wall.replace(tzinfo=UTC))  # noqa: DTZ001


def micros(texts: list[str], **mapping: object) -> list[int | None]:
    """Instants of a column, in microseconds."""
    field = FieldMap.model_validate({"column": "t", **mapping})
    return instants(pl.Series(texts, dtype=pl.String), field, field="timestamp").value.to_list()


@given(st.lists(WITHIN_LIMITS, min_size=1), st.sampled_from(["f", "e", "E", "s"]))
def test_every_number_within_the_limits_keeps_its_value(numbers: list[Decimal], form: str) -> None:
    """Canonical text names the same number, and has one form."""
    with localcontext(prec=60):
        texts = [str(number) if form == "s" else format(number, form) for number in numbers]
        exact = exact_text(pl.Series(texts, dtype=pl.String)).to_list()
        assert [Decimal(text) for text in exact] == numbers
    assert pl.Series(exact, dtype=pl.String).str.contains(EXACT_PATTERN).all()
    assert [canonical_number(text) for text in exact] == exact


@given(st.lists(st.none() | NUMBER_LIKE, min_size=1, max_size=20))
@example(["0" * 61 + "1", "0" * 401 + "1", "-00.50", "9" * 21, "1e-19", None, "1.0\n"])
def test_columns_and_records_settle_numbers_alike(texts: list[str | None]) -> None:
    """The columnar way takes short cuts; the scalar way is the law."""

    def settled(text: str | None) -> str | None:
        try:
            return None if text is None else canonical_number(text) or TOO_MANY
        except ValueError:
            return None

    assert exact_text(pl.Series(texts, dtype=pl.String)).to_list() == [settled(text) for text in texts]


@given(st.lists(st.decimals(-(10**12), 10**12, places=6), min_size=1), st.integers(1, 12))
def test_scale_moves_the_point_and_nothing_else(numbers: list[Decimal], places: int) -> None:
    """Ten-thousandths become units exactly."""
    exact = exact_text(pl.Series([format(number, "f") for number in numbers]))
    moved = exact_text(pl.select(scaled(pl.lit(exact), places)).to_series())
    with localcontext(prec=60):
        assert [Decimal(text) for text in moved] == [number.scaleb(-places) for number in numbers]


@pytest.mark.parametrize("zone", ZONES)
@given(walls=st.lists(WALL_TIMES, min_size=1, max_size=40))
@settings(max_examples=40)
def test_wall_times_are_those_of_the_zone(zone: str, walls: list[datetime]) -> None:
    assert_walls_agree(zone, walls)


@pytest.mark.parametrize("zone", ZONES)
def test_wall_times_where_clocks_change(zone: str) -> None:
    """Every quarter of an hour of each day on which the zone's offset changes, 2024 to 2027, and the day before."""
    days = [datetime(2024, 1, 1) + timedelta(days=day) for day in range(4 * 365 + 1)]  # noqa: DTZ001
    offsets = [day.replace(tzinfo=ZoneInfo(zone)).utcoffset() for day in days]
    changing = {
        day + timedelta(days=lead)
        for day, old, new in zip(days, offsets, offsets[1:], strict=False)
        if old != new
        for lead in (-1, 0)
    }
    assert len(changing) == (16 if zone.startswith(("America", "Europe", "Australia")) else 0)
    assert_walls_agree(
        zone, [day + timedelta(minutes=15 * step) for day in sorted(changing) for step in range(96)]
    )


def assert_walls_agree(zone: str, walls: list[datetime]) -> None:
    """Python's zones say which instants a wall time means: none, one, or two."""
    texts = [wall.isoformat() for wall in walls]
    meant = [instants_of(wall, ZoneInfo(zone)) for wall in walls]
    for fold, place in (("earliest", 0), ("latest", -1)):
        assert micros(texts, format="iso", zone=zone, fold=fold) == [
            some[place] if some else None for some in meant
        ]
    assert micros(texts, format="iso", zone=zone) == [some[0] if len(some) == 1 else None for some in meant]


def instants_of(wall: datetime, zone: ZoneInfo) -> list[int]:
    """Instants at which clocks in the zone show this time, in order."""
    both = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(
        us_from_datetime(at) for at in both if at.astimezone(zone).replace(tzinfo=None, fold=0) == wall
    )


@given(st.lists(INSTANTS, min_size=1), st.sampled_from([*ZONES, "UTC"]), st.booleans())
def test_iso_text_names_its_instant(moments: list[datetime], zone: str, is_compact: bool) -> None:
    """Offset and zone are two ways to say the same; the scalar reading agrees."""
    local = [moment.astimezone(ZoneInfo(zone)) for moment in moments]
    texts = [
        moment.strftime("%Y-%m-%d %H:%M:%S.%f%z") if is_compact else moment.isoformat() for moment in local
    ]
    assert micros(texts, format="iso") == [us_from_datetime(moment) for moment in moments]
    assert [datetime_from_iso(text, "timestamp") for text in texts] == moments
    assert micros([iso_text(moment) for moment in moments], format="iso") == [
        us_from_datetime(moment) for moment in moments
    ]


@given(
    st.lists(st.integers(-(10**17), 10**17), min_size=1),
    st.sampled_from(["s", "ms", "us", "ns"]),
    st.integers(0, 9),
)
def test_epoch_counts_name_their_instant(counts: list[int], unit: str, places: int) -> None:
    """Whole and fractional counts of any unit; what is finer than a microsecond is cut off, as the digits stand."""
    per_unit = {"s": Fraction(10**6), "ms": Fraction(1000), "us": Fraction(1), "ns": Fraction(1, 1000)}[unit]
    near = [count for count in counts if -(6 * 10**16) < count * per_unit < 10**17] or [0]
    texts = [format(Decimal(count).scaleb(-places), "f") for count in near]
    expected = [int(Fraction(text) * per_unit) for text in texts]
    assert micros(texts, unit=unit) == expected
    assert [instant_from_epoch(text, unit) for text in texts] == [
        EPOCH + timedelta(microseconds=us) for us in expected
    ]


@st.composite
def repeating_rows(draw: st.DrawFn) -> list[str]:
    """Bars of few keys and few values: repeats and conflicts abound."""
    row = st.builds(
        "{},2026-01-09T15:3{}:00Z,1,2,1,{},5".format,
        st.sampled_from("AB"),
        st.integers(0, 1),
        st.sampled_from(["1", "1.0", "2"]),
    )
    return draw(st.lists(row, min_size=1, max_size=14))


def content(accepted: pl.DataFrame) -> list[tuple[object, ...]]:
    return sorted(accepted.drop("position").rows(), key=str)


def bars(rows: list[str]) -> tuple[Payload, list[Document]]:
    text = "\n".join(["symbol,timestamp,open,high,low,close,volume", *rows]).encode()
    received_at_us = us_from_datetime(datetime(2026, 1, 9, 22, tzinfo=UTC))
    return Payload("0" * 64, len(text), "bars.csv", received_at_us), [Document("bars.csv", [text])]


@given(repeating_rows(), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_repeats_and_conflicts_do_not_depend_on_order(rows: list[str], chance: random.Random) -> None:
    """Which of two different records is right nobody can tell; so none is kept, whoever comes first."""
    one, other = (process_payload(*bars(each), PROFILE) for each in (rows, chance.sample(rows, len(rows))))
    assert content(one.accepted) == content(other.accepted)
    assert (one.duplicate, one.rejected.height) == (other.duplicate, other.rejected.height)
    assert one.records == one.accepted.height + one.rejected.height + one.duplicate == len(rows)


@given(repeating_rows(), st.integers(1, 5))
@settings(max_examples=40)
def test_chunks_settle_like_the_whole(rows: list[str], chunk_records: int) -> None:
    """Once the payload's repeats are known, the size of the chunks changes nothing."""
    whole = process_payload(*bars(rows), PROFILE)
    repeats = find_repeats(*bars(rows), PROFILE, chunk_records=chunk_records)
    chunks = list(process_chunks(*bars(rows), PROFILE, chunk_records=chunk_records, repeats=repeats))
    assert pl.concat([chunk.accepted for chunk in chunks]).equals(whole.accepted)
    assert pl.concat([chunk.rejected for chunk in chunks]).equals(whole.rejected)
    assert sum(chunk.duplicate for chunk in chunks) == whole.duplicate
