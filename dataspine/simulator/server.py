"""The address of the HTTP vendors: a server on this machine's loopback, and how an answer goes on the wire."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote

from dataspine.errors import RequestError
from dataspine.simulator.answers import VendorRequest
from dataspine.simulator.vendors import Vendors

HOST = "127.0.0.1"
"""Nothing outside this machine is ever served."""
MAX_HANGING = 64
"""Requests that are left hanging at once; more are cut off at once."""
_IDLE_S = 60
_NO_BODY = frozenset({304})
_LOG = logging.getLogger(__name__)


class LoopbackServer(ThreadingHTTPServer):
    """A thread for each connection; those that hang end with the server."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, vendors: Vendors) -> None:
        self.vendors = vendors
        self.stopping = threading.Event()
        self.hanging = threading.BoundedSemaphore(MAX_HANGING)
        super().__init__((HOST, port), _Exchange)

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://{HOST}:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news; anything else is."""
        del request
        _LOG.warning("connection from %s ended with an error", client_address, exc_info=True)


class _Exchange(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # Without these a small answer waits for the acknowledgement of its headers.
    disable_nagle_algorithm = True
    wbufsize = 65_536
    timeout = _IDLE_S
    server: LoopbackServer

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            self.close_connection = True

    def do_GET(self) -> None:
        """Answer as the vendors do."""
        answer = self.server.vendors.answer(self._request())
        if answer.hang_s is not None:
            self._hang(answer.hang_s)
            return
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status not in _NO_BODY:
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[: answer.sent_bytes])
        if answer.sent_bytes is not None:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _request(self) -> VendorRequest:
        path, _, query = self.path.partition("?")
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return VendorRequest(
            path=unquote(path),
            query=dict(parse_qsl(query, keep_blank_values=True)),
            bearer=token if scheme == "Bearer" else None,
            etag=self.headers.get("If-None-Match"),
            origin=self._origin(),
        )

    def _origin(self) -> str:
        """As the client wrote it, so that links stay on the host that the client trusts."""
        port = self.server.server_port
        host = self.headers.get("Host", "")
        return f"http://{host}" if host == f"localhost:{port}" else self.server.origin

    def _hang(self, seconds: int) -> None:
        self.close_connection = True
        if self.server.hanging.acquire(blocking=False):
            try:
                self.server.stopping.wait(seconds)
            finally:
                self.server.hanging.release()


@contextmanager
def served(port: int, vendors: Vendors) -> Iterator[LoopbackServer]:
    """The vendors on a port, 0 for a free one, until the end of the block.

    Raises: RequestError if the port is taken.
    """
    try:
        server = LoopbackServer(port, vendors)
    except OSError as error:
        raise RequestError(
            "the simulator cannot listen", found=error.strerror, where=f"port {port}", cure="Use --port 0"
        ) from error
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="simulator", daemon=True
    )
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
