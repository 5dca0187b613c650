"""The link to the next page, found in a page's JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dataspine.errors import PayloadTooLarge, SourceRefused
from dataspine.schemas.payload import MAX_DOCUMENT_BYTES

if TYPE_CHECKING:
    from dataspine.adapters.transport import Fetched


def link_in_page(page: Fetched, dotted_path: str) -> str | None:
    """The text at a path in a page's JSON document, or None where the path ends or holds null.

    Raises: SourceRefused if the page cannot be asked: pages after it would be lost without a word.
    """
    try:
        node: msgspec.Raw | bytes = _document(page)
        for key in dotted_path.split("."):
            members = msgspec.json.decode(node, type=dict[str, msgspec.Raw] | list[msgspec.Raw] | None)
            if not isinstance(members, dict) or key not in members:
                return None
            node = members[key]
        return msgspec.json.decode(node, type=str | None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SourceRefused(
            f"a page must be JSON with a text at {dotted_path}",
            found=ascii(str(error)[:200]),
            where=page.object_name,
            cure="Correct http.next_path, or leave it out.",
        ) from error


def _document(page: Fetched) -> bytes:
    """The page's bytes, which are held whole to find the link."""
    blocks, size_bytes = [], 0
    for block in page.open():
        blocks.append(block)
        size_bytes += len(block)
        if size_bytes > MAX_DOCUMENT_BYTES:
            limit = f"a page with a link to the next has at most {MAX_DOCUMENT_BYTES} bytes"
            raise PayloadTooLarge(limit, where=page.object_name, cure="Ask for less at once.")
    return b"".join(blocks).removeprefix(b"\xef\xbb\xbf")
