"""`BaseAdapter.ingest`: what is permanent is logged and remembered, what may pass is raised."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from dataspine.adapters.base import BaseAdapter
from dataspine.errors import PayloadError, RequestError, SourceRefused, SourceUnavailable
from dataspine.normalization.normalizer import Rejection
from dataspine.schemas.codes import Violation

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORD = {"symbol": "AAPL"}
REJECTION = Rejection(2, (Violation("REQUIRED", "price", "price is required, got nothing"),), b"{}")


class Desk(BaseAdapter):
    """A source that fails as it is told."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.told = failure

    def fetch_raw(self, params: Mapping[str, Any]) -> Any:
        if self.told:
            raise self.told
        return params["raw"]

    def parse_raw(self, raw: Any) -> list[dict[str, Any]]:
        self.rejected = [REJECTION]
        return list(raw)

    def get_source_name(self) -> str:
        return "desk"


def test_an_adapter_needs_all_three_parts() -> None:
    class Half(BaseAdapter):
        def get_source_name(self) -> str:
            return "half"

    with pytest.raises(TypeError, match="fetch_raw"):
        Half()


def test_counts_and_refusals_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "dataspine"):
        assert Desk().ingest({"raw": [RECORD, RECORD]}) == [RECORD, RECORD]
    refused, read = caplog.records
    assert (refused.message, refused.position) == ("record_rejected", 2)
    assert refused.reasons == ["REQUIRED: price is required, got nothing"]
    assert (read.message, read.source, read.accepted, read.rejected) == ("source_read", "desk", 2, 1)


@pytest.mark.parametrize(
    "failure",
    [
        SourceRefused("there is no such file"),
        FileNotFoundError("bars.csv"),
        PayloadError("EMPTY", "no content"),
    ],
)
def test_what_is_permanent_gives_an_empty_list(failure: Exception, caplog: pytest.LogCaptureFixture) -> None:
    adapter = Desk(failure)
    assert adapter.ingest({}) == []
    assert adapter.failure is failure
    assert [(record.message, record.reason) for record in caplog.records] == [
        ("source_not_read", str(failure))
    ]


@pytest.mark.parametrize(
    "failure", [SourceUnavailable("timed out"), RequestError("no file_path"), MemoryError()]
)
def test_what_may_pass_or_was_asked_wrongly_is_raised(failure: BaseException) -> None:
    with pytest.raises(type(failure)):
        Desk(failure).ingest({})


def test_the_next_ingest_forgets_the_last_failure() -> None:
    adapter = Desk(SourceRefused("gone"))
    adapter.ingest({})
    adapter.told = None
    assert adapter.ingest({"raw": []}) == []
    assert adapter.failure is None
