"""Whom an HTTP fetch may talk to, and for how long, whatever names resolve to and servers drip."""

from __future__ import annotations

import ipaddress
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from dataspine.errors import SourceRefused, SourceUnavailable

if TYPE_CHECKING:
    from collections.abc import Generator

    from dataspine.clock import Clock


def address_refusal(address: str, *, scheme: str, allow_private: bool) -> str | None:
    """Why no connection may be made to an IP address, or None."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_loopback:
        return None
    if scheme != "https":
        return "only https leaves this machine"
    if not allow_private and (ip.is_multicast or not ip.is_global):
        return "the address is private, link-local or reserved"
    return None


class ConnectionGuard:
    """Watches the one connection of a fetch: to whom it is made, and when its time is over.

    A read time-out alone never fires on a server that drips, so at the deadline the socket is shut down under
    whoever waits on it.
    """

    def __init__(self, *, scheme: str, allow_private: bool, clock: Clock) -> None:
        self._scheme = scheme
        self._allow_private = allow_private
        self._clock = clock
        self._socket: socket.socket | None = None
        self._ends_s = 0.0
        self._was_cut = False

    @contextmanager
    def within(self, timeout_s: float) -> Generator[None, None, None]:
        """Cut the connection unless the block ends in time."""
        self._was_cut = False
        self._ends_s = self._clock.monotonic_s() + timeout_s
        timer = threading.Timer(timeout_s, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    @property
    def is_over(self) -> bool:
        """Whether the time of the present block has run out."""
        return self._was_cut or self._clock.monotonic_s() >= self._ends_s

    def check_host(self, host: str, port: int) -> None:
        """Judge every address of a host before anything is sent to it.

        Raises: SourceRefused if one of them is forbidden; SourceUnavailable if the name is not known.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise SourceUnavailable("host name cannot be resolved", found=str(error), where=host) from error
        except UnicodeError as error:
            raise SourceRefused("host must be a name or an address", where=ascii(host[:200])) from error
        for *_, address in found:
            self._check_address(str(address[0]), host)

    def trace(self, event: str, details: dict[str, Any]) -> None:
        """Take over a connection the moment it is made, before anything is sent over it.

        This is httpx's `trace` extension. The name may by now resolve to another address than the one judged.
        """
        if event != "connection.connect_tcp.complete":
            return
        stream = details["return_value"]
        connection: socket.socket = stream.get_extra_info("socket")
        try:
            self._check_address(str(connection.getpeername()[0]), "connection")
        except (SourceRefused, OSError):
            stream.close()
            raise
        self.close()
        # A duplicate stays valid when TLS wraps the original.
        self._socket = connection.dup()
        if self._was_cut:
            self._cut()

    def close(self) -> None:
        """Let go of the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _check_address(self, address: str, where: str) -> None:
        reason = address_refusal(address, scheme=self._scheme, allow_private=self._allow_private)
        if reason is not None:
            cure = "Use an https URL of a public host, or one on this machine."
            raise SourceRefused(reason, found=address, where=where, cure=cure)

    def _cut(self) -> None:
        self._was_cut = True
        connection = self._socket
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
