"""Whom the connection guard lets a fetch talk to."""

from __future__ import annotations

import pytest

from dataspine.adapters.http_guard import ConnectionGuard, address_refusal
from dataspine.clock import SystemClock
from dataspine.errors import SourceRefused


@pytest.mark.parametrize(
    ("address", "scheme", "allow_private", "allowed"),
    [
        ("127.0.0.1", "http", False, True),
        ("::1", "http", False, True),
        ("::ffff:127.0.0.1", "http", False, True),
        ("8.8.8.8", "https", False, True),
        ("8.8.8.8", "http", True, False),
        ("10.0.0.1", "https", False, False),
        ("10.0.0.1", "https", True, True),
        ("192.168.1.1", "https", False, False),
        ("169.254.169.254", "https", False, False),
        ("100.64.0.1", "https", False, False),
        ("0.0.0.1", "https", False, False),
        ("224.0.0.1", "https", False, False),
        ("fe80::1%eth0", "https", False, False),
        ("fd00::1", "https", False, False),
        ("::ffff:10.0.0.1", "https", False, False),
    ],
)
def test_only_public_hosts_by_https_and_this_machine_are_asked(address, scheme, allow_private, allowed):
    assert (address_refusal(address, scheme=scheme, allow_private=allow_private) is None) == allowed


def test_a_connection_to_an_address_that_the_name_changed_to_is_closed_unused():
    """The name is judged, then resolved again by the library: what counts is whom the socket reached."""
    guard = ConnectionGuard(scheme="https", allow_private=False, clock=SystemClock())

    class Elsewhere:
        """A socket whose peer has a private address, which no test machine is sure to have."""

        closed = False

        def get_extra_info(self, _):
            return self

        def getpeername(self):
            return ("10.0.0.1", 443)

        def close(self):
            self.closed = True

    stream = Elsewhere()
    with pytest.raises(SourceRefused, match="private"):
        guard.trace("connection.connect_tcp.complete", {"return_value": stream})
    assert stream.closed
