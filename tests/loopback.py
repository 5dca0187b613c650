"""A real HTTP server on 127.0.0.1 whose answers are scripted: for tests of what vendors and networks do.

A behaviour is a function of the request; `Loopback.routes` maps a path (without query) to one.
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as the server got it."""

    path: str
    headers: Message


Behaviour = Callable[["_Exchange"], None]


@dataclass
class Loopback:
    """A running server."""

    port: int
    routes: dict[str, Behaviour] = field(default_factory=dict)
    requests: list[Seen] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when the server goes down: ends whatever hangs or drips."""

    def url(self, path: str) -> str:
        """Full URL of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def serve(self, path: str, behaviour: Behaviour) -> str:
        """Let a path behave so; its full URL."""
        self.routes[path] = behaviour
        return self.url(path)


class _Exchange(BaseHTTPRequestHandler):
    """One request and the answer to it."""

    protocol_version = "HTTP/1.1"
    loopback: Loopback

    def do_GET(self) -> None:
        self.loopback.requests.append(Seen(self.path, self.headers))
        behaviour = self.loopback.routes.get(self.path.partition("?")[0], reply(b"no such path", status=404))
        behaviour(self)

    def handle(self) -> None:
        # The client hangs up, as many tests want it to.
        with suppress(OSError):
            super().handle()

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the status line and headers."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def running_loopback() -> Iterator[Loopback]:
    """A server on a free port, stopped at the end."""
    exchange: Any = type("Exchange", (_Exchange,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), exchange)
    server.daemon_threads = True
    loopback = exchange.loopback = Loopback(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield loopback
    finally:
        loopback.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


def reply(body: bytes = b"", *, status: int = 200, headers: Mapping[str, str] | None = None) -> Behaviour:
    """A whole answer."""

    def behave(exchange: _Exchange) -> None:
        exchange.head(status, {"Content-Length": str(len(body)), **(headers or {})})
        exchange.wfile.write(body)

    return behave


def gzipped(body: bytes, *, keep_bytes: int | None = None) -> Behaviour:
    """A gzip-coded answer, cut to `keep_bytes` of its coded form with a length that hides the cut."""
    coded = gzip.compress(body, mtime=0)[:keep_bytes]
    return reply(coded, headers={"Content-Encoding": "gzip"})


def with_etag(body: bytes, etag: str) -> Behaviour:
    """The body, or 304 for those who have it."""

    def behave(exchange: _Exchange) -> None:
        if exchange.headers.get("If-None-Match") == etag:
            reply(status=304, headers={"ETag": etag})(exchange)
        else:
            headers = {"ETag": etag, "Last-Modified": "Fri, 02 Jan 2026 00:00:00 GMT"}
            reply(body, headers=headers)(exchange)

    return behave


def redirect(location: str, *, status: int = 302) -> Behaviour:
    """An answer that points elsewhere."""
    return reply(status=status, headers={"Location": location})


def truncated(body: bytes, *, stated_bytes: int) -> Behaviour:
    """Fewer bytes than stated, then the connection's end."""

    def behave(exchange: _Exchange) -> None:
        exchange.head(200, {"Content-Length": str(stated_bytes)})
        exchange.wfile.write(body)
        exchange.close_connection = True

    return behave


def drip_body(*, interval_s: float, length: int | None) -> Behaviour:
    """One byte at a time for as long as anybody listens; without a length the connection's end is the body's."""

    def behave(exchange: _Exchange) -> None:
        headers = {"Connection": "close"} if length is None else {"Content-Length": str(length)}
        exchange.head(200, headers)
        while not exchange.loopback.stopping.wait(interval_s):
            exchange.wfile.write(b"x")
            exchange.wfile.flush()

    return behave


def drip_headers(*, interval_s: float) -> Behaviour:
    """A header line that never ends, one byte at a time."""

    def behave(exchange: _Exchange) -> None:
        exchange.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not exchange.loopback.stopping.wait(interval_s):
            exchange.wfile.write(b"x")
            exchange.wfile.flush()

    return behave


def hang() -> Behaviour:
    """No answer at all."""

    def behave(exchange: _Exchange) -> None:
        exchange.loopback.stopping.wait()

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """The first for the first request, and so on; the last for all others."""
    rest = list(behaviours)

    def behave(exchange: _Exchange) -> None:
        (rest.pop(0) if len(rest) > 1 else rest[0])(exchange)

    return behave
