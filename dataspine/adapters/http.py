"""A URL's pages as objects: one connection, a deadline per page, nothing sent to or read from another host.

What is kept of a page is its body after HTTP's content coding is taken off: the coding belongs to the transport
and may differ from one answer to the next, the body is what the vendor published. A `.gz` file served as such
stays as it is.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from dataspine import __version__
from dataspine.adapters.container import InflationLimits, InflationMeter, inflated
from dataspine.adapters.http_guard import ConnectionGuard
from dataspine.adapters.page_link import link_in_page
from dataspine.adapters.redactor import Redactor
from dataspine.adapters.spool import Spool
from dataspine.adapters.transport import Fetched
from dataspine.clock import Clock, SystemClock, us_from_datetime
from dataspine.errors import (
    ConfigError,
    PayloadError,
    PayloadTooLarge,
    SourceError,
    SourceRefused,
    SourceUnavailable,
)
from dataspine.schemas.payload import MAX_PAYLOAD_BYTES

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx2

    from dataspine.schemas.source import HttpSettings

MAX_REDIRECTS = 5
MAX_RETRY_AFTER_S = 900.0

_EXCERPT_BYTES = 200
_OK = frozenset({200, 203, 204})
_NO_CONTENT = "204"
_NOT_MODIFIED = 304
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429})
"""Client errors that go away by themselves."""
_KEPT_HEADERS = {"etag": "etag", "last-modified": "last_modified"}
_SECRET_PREFIXES = ("env:", "file:")

PAGE_LIMITS = InflationLimits(max_bytes=MAX_PAYLOAD_BYTES)


@dataclass(frozen=True, slots=True)
class HttpPolicy:
    """Limits that are ours, whatever a source's profile says."""

    body: InflationLimits = PAGE_LIMITS
    """Size of one page, counted after inflation."""
    allow_private: bool = False
    """Whether private and link-local addresses may be asked."""
    spool_dir: Path | None = None
    """Where large bodies wait until they are whole; unset, the system's folder for temporary files."""
    admit: Callable[[], None] | None = None
    """Called before every request; returns when the vendor takes one."""


DEFAULT_POLICY = HttpPolicy()


class HttpTransport:
    """The pages of a URL, each one object; a 304 answer is no object."""

    def __init__(
        self,
        url: str,
        *,
        settings: HttpSettings,
        secrets: Callable[[str], str],
        clock: Clock | None = None,
        policy: HttpPolicy = DEFAULT_POLICY,
    ) -> None:
        self._url = url
        self._settings = settings
        self._clock = clock or SystemClock()
        self._policy = policy
        values = {ref: secrets(ref) for ref in _references(settings)}
        self._redactor = Redactor(values.values())
        self._headers = {name: values.get(text, text) for name, text in settings.headers.items()}
        self._params = {name: values.get(text, text) for name, text in settings.params.items()}
        self._secret_params = {
            name: self._params[name] for name, text in settings.params.items() if text in values
        }
        for name, value in self._headers.items():
            _require_header(name, value)

    def fetch(self) -> Iterator[Fetched]:
        first = _with_params(_parsed_url(self._url), self._params)
        guard = ConnectionGuard(
            scheme=first.scheme, allow_private=self._policy.allow_private, clock=self._clock
        )
        try:
            with _client(first, headers=self._headers, timeout_s=self._settings.timeout_s) as client:
                yield from self._pages(client, guard, _without_user(first))
        finally:
            guard.close()

    def _pages(self, client: httpx2.Client, guard: ConnectionGuard, first: httpx2.URL) -> Iterator[Fetched]:
        url, seen = first, set[str]()
        for _ in range(self._settings.max_pages):
            seen.add(str(url))
            page = self._page(client, guard, url)
            if page is None:
                return
            yield page
            following = self._following(page, url)
            if following is None:
                return
            if str(following) in seen:
                raise self._refusal("a next page must be a new one", found=following, where=url)
            url = following
        raise PayloadTooLarge(
            f"a response has at most {self._settings.max_pages} pages",
            found="a link to one more",
            where=self._redactor.url(str(first)),
            cure="Ask for less at once, or raise http.max_pages.",
        )

    def _page(self, client: httpx2.Client, guard: ConnectionGuard, url: httpx2.URL) -> Fetched | None:
        import httpx2

        if self._policy.admit is not None:
            self._policy.admit()
        with guard.within(self._settings.timeout_s):
            try:
                guard.check_host(url.host, _port(url))
                return self._answer(client, guard, url)
            except httpx2.HTTPError as error:
                raise self._unavailable(error, guard, url) from error

    def _answer(self, client: httpx2.Client, guard: ConnectionGuard, url: httpx2.URL) -> Fetched | None:
        """The page at `url`, wherever on the same host it has moved to."""
        place = url
        for _ in range(MAX_REDIRECTS + 1):
            with client.stream("GET", place, extensions={"trace": guard.trace}) as response:
                if response.status_code not in _REDIRECTS:
                    return self._fetched(response, guard, url)
                place = self._neighbour(place, response.headers.get("location", ""), "a redirect")
        raise self._refusal(f"a page may be moved {MAX_REDIRECTS} times at most", found=place, where=url)

    def _fetched(self, response: httpx2.Response, guard: ConnectionGuard, url: httpx2.URL) -> Fetched | None:
        status = response.status_code
        if status == _NOT_MODIFIED:
            return None
        if status not in _OK:
            raise self._status_error(response, guard, url)
        spool = Spool(self._body(response, guard, url), folder=self._policy.spool_dir)
        kept = {
            ours: response.headers[name][:256]
            for name, ours in _KEPT_HEADERS.items()
            if name in response.headers
        }
        return Fetched(self._redactor.url(str(url)), spool.blocks, {"status": str(status), **kept})

    def _body(self, response: httpx2.Response, guard: ConnectionGuard, url: httpx2.URL) -> Iterator[bytes]:
        """The body without content coding, as long as it stays within time and limits."""
        where = self._redactor.url(str(url))
        coding = response.headers.get("content-encoding", "").strip().lower()
        if coding not in ("", "identity", "gzip", "x-gzip"):
            raise SourceRefused("content coding must be gzip or none", found=ascii(coding[:200]), where=where)
        meter = InflationMeter(self._policy.body)
        blocks = meter.receive(self._timely(response, guard))
        try:
            if coding.endswith("gzip"):
                yield from inflated(blocks, meter)
                return
            for block in blocks:
                meter.inflate(len(block))
                yield block
        except PayloadError as error:
            if error.code == "SIZE":
                cure = "Ask for less at once."
                raise PayloadTooLarge(error.what, found=error.found, where=where, cure=cure) from error
            raise SourceUnavailable("the answer is not whole", found=error.found, where=where) from error

    def _timely(self, response: httpx2.Response, guard: ConnectionGuard) -> Iterator[bytes]:
        for block in response.iter_raw():
            if guard.is_over:
                raise self._too_late(response.url)
            yield block
        # A body without a stated length ends when the connection does, even if it was the guard who cut it.
        if guard.is_over:
            raise self._too_late(response.url)

    def _following(self, page: Fetched, url: httpx2.URL) -> httpx2.URL | None:
        """URL of the page after `page`, with the secret parameters that vendors leave out of it."""
        if self._settings.next_path is None or page.received["status"] == _NO_CONTENT:
            return None
        link = link_in_page(page, self._settings.next_path)
        if not link:
            return None
        following = self._neighbour(url, link, "a next page")
        missing = {name: value for name, value in self._secret_params.items() if name not in following.params}
        return _with_params(following, missing)

    def _neighbour(self, url: httpx2.URL, link: str, what: str) -> httpx2.URL:
        """Where a link leads, if it keeps scheme, host and port."""
        import httpx2

        try:
            target = url.join(link)
        except (httpx2.InvalidURL, ValueError) as error:
            where = self._redactor.url(str(url))
            raise SourceRefused(
                f"{what} must have a URL", found=ascii(self._redactor.text(link[:200])), where=where
            ) from error
        if not link or _origin(target) != _origin(url):
            raise self._refusal(
                f"{what} must keep scheme, host and port", found=target if link else "no link", where=url
            )
        return _without_user(target)

    def _status_error(
        self, response: httpx2.Response, guard: ConnectionGuard, url: httpx2.URL
    ) -> SourceError:
        status = response.status_code
        where = self._redactor.url(str(url))
        found = f"{status} {self._excerpt(response, guard, url)}"
        if status in _PASSING or status >= 500:
            error = SourceUnavailable(
                "vendor must answer 200", found=found, where=where, cure="Try again later."
            )
            error.retry_after_s = retry_after_s(
                response.headers.get("retry-after"), now_us=self._clock.now_us()
            )
            return error
        return SourceRefused(
            "vendor must answer 200", found=found, where=where, cure="Check url, params and headers."
        )

    def _excerpt(self, response: httpx2.Response, guard: ConnectionGuard, url: httpx2.URL) -> str:
        """First bytes of an error's body, inert and without secrets; what could be read of them."""
        import httpx2

        body = b""
        try:
            for block in self._body(response, guard, url):
                body += block[:_EXCERPT_BYTES]
                if len(body) >= _EXCERPT_BYTES:
                    break
        except (httpx2.HTTPError, SourceError):
            # The status is the news; a body that cannot be read adds nothing to it.
            pass
        text = self._redactor.text(body.decode("latin-1"))[:_EXCERPT_BYTES]
        return ascii(text)

    def _unavailable(
        self, error: httpx2.HTTPError, guard: ConnectionGuard, url: httpx2.URL
    ) -> SourceUnavailable:
        import httpx2

        if guard.is_over or isinstance(error, httpx2.TimeoutException):
            return self._too_late(url)
        found = ascii(f"{type(error).__name__}: {self._redactor.text(str(error))}"[:300])
        where = self._redactor.url(str(url))
        return SourceUnavailable("connection failed", found=found, where=where, cure="Try again later.")

    def _too_late(self, url: httpx2.URL) -> SourceUnavailable:
        return SourceUnavailable(
            f"no whole answer within {self._settings.timeout_s:g} s",
            where=self._redactor.url(str(url)),
            cure="Try again later, or raise http.timeout_s.",
        )

    def _refusal(self, what: str, *, found: object, where: httpx2.URL) -> SourceRefused:
        return SourceRefused(what, found=self._redactor.url(str(found)), where=self._redactor.url(str(where)))


def retry_after_s(header: str | None, *, now_us: int) -> float | None:
    """Seconds that a Retry-After header asks for, 900 at most, or None if it says nothing readable.

    Units: the header holds whole seconds or an HTTP date.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), MAX_RETRY_AFTER_S) if len(text) < 20 else MAX_RETRY_AFTER_S
    try:
        until_us = us_from_datetime(parsedate_to_datetime(text))
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max((until_us - now_us) / 1e6, 0.0), MAX_RETRY_AFTER_S)


def _references(settings: HttpSettings) -> list[str]:
    """References to secrets among headers and parameters."""
    texts = [*settings.headers.values(), *settings.params.values()]
    return [text for text in texts if text.startswith(_SECRET_PREFIXES)]


def _require_header(name: str, value: str) -> None:
    """Refuse what the HTTP library would refuse with the value, a secret perhaps, in its message."""
    is_name = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    if is_name and value.isascii() and value.isprintable():
        return
    raise ConfigError(
        "a header must be printable ASCII",
        where=f"http.headers.{name!a}",
        cure="Remove line ends and accents.",
    )


@cache
def _tls() -> ssl.SSLContext:
    """The trust store, read once: it takes longer than a request on a local network."""
    import httpx2

    return httpx2.create_ssl_context(trust_env=False)


def _client(first: httpx2.URL, *, headers: dict[str, str], timeout_s: float) -> httpx2.Client:
    import httpx2

    # Both libraries log URLs, with the secrets in them, below this level.
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)
    ours = {"user-agent": f"dataspine/{__version__}", "accept": "*/*", "accept-encoding": "gzip"}
    return httpx2.Client(
        headers={**ours, **{name.lower(): value for name, value in headers.items()}},
        auth=(first.username, first.password) if first.userinfo else None,
        verify=_tls(),
        timeout=timeout_s,
        limits=httpx2.Limits(max_connections=1, max_keepalive_connections=1),
        follow_redirects=False,
        trust_env=False,
    )


def _parsed_url(url: str) -> httpx2.URL:
    import httpx2

    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError) as error:
        raise ConfigError("url cannot be read", cure="Write it like https://host/path.") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ConfigError("url must be http or https with a host", found=ascii(parsed.scheme))
    return parsed.copy_with(fragment=None)


def _with_params(url: httpx2.URL, params: dict[str, str]) -> httpx2.URL:
    """`url` with parameters added; those it has stay as they are written, because vendors sign them."""
    if not params:
        return url
    added = urlencode(params, quote_via=quote)
    return url.copy_with(query=b"&".join(part for part in (url.query, added.encode()) if part))


def _without_user(url: httpx2.URL) -> httpx2.URL:
    return url.copy_with(userinfo=b"", fragment=None)


def _origin(url: httpx2.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, _port(url)


def _port(url: httpx2.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
