"""`BaseAdapter`: how a program of its own reads a source; fetch, parse, and a safe round of both."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from dataspine.errors import PayloadError, SourceRefused
from dataspine.normalization.normalizer import Rejection, log_rejections

_log = logging.getLogger(__name__)


class BaseAdapter(ABC):
    """A source of canonical records.

    `fetch_raw` and `parse_raw` raise what goes wrong; `ingest` logs what is permanent and gives an empty list, and
    `failure` then tells that list from a source that had nothing.
    """

    rejected: Sequence[Rejection] = ()
    """Records that the newest parse refused, with every reason."""
    failure: Exception | None = None
    """Why the newest `ingest` could not read its source; None when it could."""

    @abstractmethod
    def fetch_raw(self, params: Mapping[str, Any]) -> Any:
        """What the source holds, unread.

        Raises: SourceRefused if it is missing or forbidden; SourceUnavailable if trying again may help.
        """

    @abstractmethod
    def parse_raw(self, raw: Any) -> list[dict[str, Any]]:
        """Canonical records of what was fetched; the refused ones stand in `rejected`.

        Raises: PayloadError if nothing of it can be read.
        """

    @abstractmethod
    def get_source_name(self) -> str:
        """Name that the records carry as `source`."""

    def ingest(self, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Fetch and parse; counts and refusals are logged.

        A missing or unreadable source is logged, and the list is empty. What may be cured by trying again, or by
        another request, is raised.
        """
        source = self.get_source_name()
        self.rejected, self.failure = (), None
        try:
            records = self.parse_raw(self.fetch_raw(params))
        except (SourceRefused, FileNotFoundError, PayloadError) as error:
            self.failure = error
            # A trace of our code would say nothing about somebody's missing file.
            _log.error("source_not_read", extra={"source": source, "reason": str(error)})
            return []
        log_rejections(self.rejected, where=source)
        counts = {"accepted": len(records), "rejected": len(self.rejected)}
        _log.info("source_read", extra={"source": source, **counts})
        return records
