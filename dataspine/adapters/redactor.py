"""Secrets taken out of URLs and texts before anybody sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote_plus, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "***"

_SECRET_PARAMS = frozenset(
    {
        "apikey",
        "apitoken",
        "accesskey",
        "accesstoken",
        "authtoken",
        "clientsecret",
        "key",
        "password",
        "pwd",
        "secret",
        "secretkey",
        "signature",
        "token",
    }
)
"""Names of query parameters whose values are never shown, without `-` and `_`, lower case."""


class Redactor:
    """Replaces known secrets, in any form that they take in URLs, by a mask."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms: set[str] = set()
        for secret in secrets:
            # Vendors echo the token of `Bearer TOKEN` alone.
            for word in {secret, *secret.split()[1:]}:
                forms |= {word, quote(word, safe=""), quote_plus(word)}
        self._forms = sorted(forms - {""}, key=lambda form: (-len(form), form))

    def text(self, text: str) -> str:
        """`text` without secrets."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text

    def url(self, url: str) -> str:
        """`url` without user, secrets, and values of parameters that are secret by their name."""
        parts = urlsplit(url)
        query = "&".join(_shown_param(param) for param in parts.query.split("&"))
        host = parts.netloc.rpartition("@")[2]
        return self.text(urlunsplit((parts.scheme, host, parts.path, query, "")))


def _shown_param(param: str) -> str:
    name, equals, _ = param.partition("=")
    plain_name = unquote_plus(name).lower().replace("-", "").replace("_", "")
    return f"{name}{equals}{MASK}" if equals and plain_name in _SECRET_PARAMS else param
