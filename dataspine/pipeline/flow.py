"""The flow of outcomes from the heart to the store: one made while another is written, and the last one known."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataspine.pipeline.stages import Outcome


def read_ahead(outcomes: Generator[Outcome]) -> Generator[Outcome]:
    """The same outcomes, each next one made by another thread while the one at hand is written."""
    with closing(outcomes), ThreadPoolExecutor(1, "dataspine-heart") as heart:
        coming = heart.submit(next, outcomes, None)
        while (outcome := coming.result()) is not None:
            coming = heart.submit(next, outcomes, None)
            yield outcome


def with_last(outcomes: Iterable[Outcome]) -> Iterator[tuple[Outcome | None, bool]]:
    """Each outcome and whether it is the last; a payload without chunks has one empty last."""
    waiting: Outcome | None = None
    for outcome in outcomes:
        if waiting is not None:
            yield waiting, False
        waiting = outcome
    yield waiting, True
