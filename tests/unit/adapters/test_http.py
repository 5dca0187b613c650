"""What `HttpTransport` takes from a server, and what a hostile or broken one cannot do to it."""

from __future__ import annotations

import base64
import gc
import logging
import socket
import time
import traceback

import pytest

from dataspine.adapters.container import InflationLimits
from dataspine.adapters.http import HttpPolicy, retry_after_s
from dataspine.clock import FrozenClock
from dataspine.errors import ConfigError, PayloadTooLarge, SourceRefused, SourceUnavailable
from dataspine.schemas.payload import BLOCK_BYTES
from tests.http_reading import body_of, linked, make_transport, pages_of
from tests.loopback import (
    drip_body,
    drip_headers,
    gzipped,
    hang,
    reply,
    running_loopback,
    truncated,
    with_etag,
)

NOW_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z


@pytest.fixture
def vendor():
    with running_loopback() as loopback:
        yield loopback


@pytest.fixture
def stranger():
    """Another host, as far as HTTP is concerned: another port."""
    with running_loopback() as loopback:
        yield loopback


def shown(error: BaseException) -> str:
    """Everything that a log with traceback would show of an error."""
    return "".join(traceback.format_exception(error))


def test_a_page_is_its_body_with_what_came_along(vendor):
    url = vendor.serve("/v1/quotes", with_etag(b'[{"a":1}]', '"v1"'))
    (page,) = make_transport(url, params={"symbol": "AAPL"}).fetch()
    assert page.object_name == f"{url}?symbol=AAPL"
    assert (b"".join(page.open()), b"".join(page.open())) == (b'[{"a":1}]', b'[{"a":1}]')
    assert page.received == {
        "status": "200",
        "etag": '"v1"',
        "last_modified": "Fri, 02 Jan 2026 00:00:00 GMT",
    }
    assert vendor.requests[0].path == "/v1/quotes?symbol=AAPL"
    assert vendor.requests[0].headers["User-Agent"].startswith("dataspine/")


def test_not_modified_is_no_object(vendor):
    url = vendor.serve("/v1", with_etag(b"[]", '"v1"'))
    assert pages_of(url, headers={"If-None-Match": '"v1"'}) == []


def test_an_empty_body_is_an_object_without_blocks(vendor):
    (page,) = make_transport(vendor.serve("/v1", reply(b""))).fetch()
    assert list(page.open()) == []


def test_content_coding_is_taken_off_and_a_gzip_file_is_left_as_it_is(vendor):
    assert body_of(vendor.serve("/coded", gzipped(b"x" * 100_000))) == b"x" * 100_000
    assert body_of(vendor.serve("/file.gz", reply(b"\x1f\x8b anything"))) == b"\x1f\x8b anything"


def test_a_large_body_waits_in_the_given_folder_and_leaves_nothing_there(vendor, tmp_path):
    body = bytes(range(256)) * (BLOCK_BYTES // 256) + b"end"
    (page,) = make_transport(vendor.serve("/v1", reply(body)), policy=HttpPolicy(spool_dir=tmp_path)).fetch()
    first, second = page.open(), page.open()
    assert next(first) == next(second) == body[:BLOCK_BYTES]
    assert list(first) == list(second) == [b"end"]
    del page, first, second
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_body_shorter_than_stated_is_not_taken_for_whole(vendor):
    with pytest.raises(SourceUnavailable) as caught:
        pages_of(vendor.serve("/v1", truncated(b"AAPL,1\n", stated_bytes=1000)))
    assert caught.value.transient


def test_gzip_coding_cut_anywhere_is_not_taken_for_whole(vendor):
    whole = gzipped(bytes(range(256)) * 10)
    assert body_of(vendor.serve("/whole", whole)) == bytes(range(256)) * 10
    for kept in (1, 10, 100, 250, -8, -4, -1):
        with pytest.raises(SourceUnavailable, match="not whole"):
            pages_of(vendor.serve("/cut", gzipped(bytes(range(256)) * 10, keep_bytes=kept)))


def test_an_unknown_content_coding_is_refused(vendor):
    with pytest.raises(SourceRefused, match="content coding"):
        pages_of(vendor.serve("/v1", reply(b"x", headers={"Content-Encoding": "br"})))


def test_a_body_at_the_size_limit_passes_and_one_byte_more_is_refused(vendor):
    policy = HttpPolicy(body=InflationLimits(max_bytes=1000))
    for behaviour in (reply, gzipped):
        assert len(body_of(vendor.serve("/fits", behaviour(bytes(1000))), policy=policy)) == 1000
        with pytest.raises(PayloadTooLarge, match="1000 bytes"):
            pages_of(vendor.serve("/over", behaviour(bytes(1001))), policy=policy)


def test_a_gzip_bomb_is_refused_by_its_ratio(vendor):
    url = vendor.serve("/bomb", gzipped(bytes(65 * 1024**2)))
    with pytest.raises(PayloadTooLarge, match="1000 times"):
        pages_of(url)


@pytest.mark.parametrize(
    "behaviour",
    [
        drip_body(interval_s=0.02, length=10_000),
        drip_body(interval_s=0.02, length=None),
        drip_headers(interval_s=0.02),
        hang(),
    ],
    ids=["dripping body", "dripping body of unknown length", "dripping headers", "no answer"],
)
def test_a_page_ends_at_its_deadline_whatever_the_server_drips(vendor, behaviour):
    url = vendor.serve("/v1", behaviour)
    started_s = time.monotonic()
    with pytest.raises(SourceUnavailable, match=r"within 0\.3 s"):
        pages_of(url, timeout_s=0.3)
    assert 0.25 < time.monotonic() - started_s < 2


def test_the_deadline_is_read_from_the_given_clock(vendor):
    class RunningOut(FrozenClock):
        def monotonic_s(self) -> float:
            self.advance_s(10)
            return super().monotonic_s()

    with pytest.raises(SourceUnavailable, match="within 5 s"):
        pages_of(vendor.serve("/v1", reply(b"x")), clock=RunningOut(NOW_US))


def test_the_deadline_is_each_pages_own(vendor):
    vendor.serve("/1", reply(linked([1], "/2")))
    vendor.serve("/2", reply(linked([2], None)))
    bodies = []
    for page in make_transport(vendor.url("/1"), timeout_s=0.2, next_path="paging.next").fetch():
        bodies.append(b"".join(page.open()))
        # Whoever archives a page may take longer over it than the server did.
        vendor.stopping.wait(0.3)
    assert len(bodies) == 2


def test_a_closed_port_is_unavailable():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SourceUnavailable, match="connection failed"):
        pages_of(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 599])
def test_a_passing_error_is_unavailable(vendor, status):
    with pytest.raises(SourceUnavailable, match=f"got {status}") as caught:
        pages_of(vendor.serve("/v1", reply(b"try later", status=status)))
    assert caught.value.retry_after_s is None


@pytest.mark.parametrize(("header", "wait_s"), [("7", 7.0), ("Thu, 01 Jan 2026 00:02:00 GMT", 120.0)])
def test_a_vendor_that_throttles_says_how_long(vendor, header, wait_s):
    url = vendor.serve("/v1", reply(status=429, headers={"Retry-After": header}))
    with pytest.raises(SourceUnavailable) as caught:
        pages_of(url, clock=FrozenClock(NOW_US))
    assert caught.value.retry_after_s == wait_s


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("0", 0.0),
        ("900", 900.0),
        ("901", 900.0),
        ("9" * 400, 900.0),
        ("Thu, 01 Jan 2026 00:00:00 GMT", 0.0),
        ("Wed, 31 Dec 2025 23:59:59 GMT", 0.0),
        ("Thu, 01 Jan 2026 00:00:30 +0000", 30.0),
        ("Thu, 01 Jan 2026 00:00:30 -0000", None),
        ("Fri, 01 Jan 2027 00:00:00 GMT", 900.0),
        ("Thu, 99 Jan 2026 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_capped(header, wait_s):
    assert retry_after_s(header, now_us=NOW_US) == wait_s


@pytest.mark.parametrize("status", [206, 300, 400, 401, 403, 404, 410, 451])
def test_any_other_status_is_refused(vendor, status):
    with pytest.raises(SourceRefused, match=f"got {status}"):
        pages_of(vendor.serve("/v1", reply(b"no", status=status)))


def test_an_error_body_is_shown_inert_and_cut(vendor):
    body = b"\x1b]0;owned\x07<b>Unknown symbol</b>\r\n\xe2\x80\xae" + b"y" * 500
    with pytest.raises(SourceRefused, match="Unknown symbol") as caught:
        pages_of(vendor.serve("/v1", reply(body, status=404)))
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    assert str(caught.value).count("y") < 200


def test_an_error_body_that_breaks_off_does_not_hide_the_status(vendor):
    url = vendor.serve("/v1", reply(b"not gzip", status=404, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(SourceRefused, match="got 404"):
        pages_of(url)


@pytest.mark.parametrize(
    "url", ["http://8.8.8.8/v1", "https://10.0.0.1/v1", "https://169.254.169.254/latest"]
)
def test_a_forbidden_address_is_refused_without_a_connection(url):
    started_s = time.monotonic()
    with pytest.raises(SourceRefused):
        pages_of(url)
    assert time.monotonic() - started_s < 1


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/x", "file:///etc/passwd", "127.0.0.1/x", "", "http://", "http://[::1"]
)
def test_what_is_no_http_url_is_the_operators_error(url):
    with pytest.raises(ConfigError, match="url"):
        pages_of(url)


def test_proxies_of_the_environment_are_not_used(vendor, stranger, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, stranger.url(""))
    monkeypatch.setenv("no_proxy", "")
    assert body_of(vendor.serve("/v1", reply(b"direct"))) == b"direct"
    assert stranger.requests == []


def test_secrets_are_sent_and_never_shown(vendor, caplog):
    caplog.set_level(logging.DEBUG)
    url = vendor.serve("/v1", reply(linked([1], "/v2?cursor=2")))
    vendor.serve("/v2", reply(b"key s3cr3t/+ value and t0k3n-abc are unknown", status=403))
    transport = make_transport(
        url.replace("//", "//user:pa55word@"),
        params={"symbol": "A B", "k": "env:API_KEY", "sig": "plain", "apiKey": "literal-k3y"},
        headers={"X-Token": "file:token"},
        next_path="paging.next",
    )
    pages = transport.fetch()
    page = next(pages)
    with pytest.raises(SourceRefused) as caught:
        next(pages)

    assert vendor.requests[0].path == "/v1?symbol=A%20B&k=s3cr3t%2F%2B%20value&sig=plain&apiKey=literal-k3y"
    assert vendor.requests[1].path == "/v2?cursor=2&k=s3cr3t%2F%2B%20value"
    for seen in vendor.requests:
        assert seen.headers["X-Token"] == "Bearer t0k3n-abc"
        assert seen.headers["Authorization"] == "Basic " + base64.b64encode(b"user:pa55word").decode()
    assert page.object_name == f"{url}?symbol=A%20B&k=***&sig=plain&apiKey=***"
    text = (
        shown(caught.value) + caplog.text + repr(page) + repr(transport) + repr(vars(transport)["_redactor"])
    )
    for secret in ("s3cr3t", "t0k3n", "pa55word", "literal-k3y"):
        assert secret not in text


def test_a_next_page_that_has_the_secret_parameter_keeps_its_own(vendor):
    url = vendor.serve("/1", reply(linked([1], "/2?k=other")))
    vendor.serve("/2", reply(b"{}"))
    pages_of(url, params={"k": "env:API_KEY"}, next_path="paging.next")
    assert vendor.requests[1].path == "/2?k=other"


def test_parameters_already_in_the_url_stay_as_they_are_written(vendor):
    url = vendor.serve("/v1", reply(b"x"))
    body_of(f"{url}?q=a+b%2fc&e=", params={"d": "1"})
    assert vendor.requests[0].path == "/v1?q=a+b%2fc&e=&d=1"


@pytest.mark.parametrize(
    ("name", "value"), [("X-Key", "s3cr3t\n"), ("X-Key", "s3cr3té"), ("X Key", "s3cr3t"), ("", "x")]
)
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(name, value):
    with pytest.raises(ConfigError, match=r"http\.headers\.") as caught:
        make_transport("http://127.0.0.1/", headers={name: value})
    assert "s3cr3t" not in shown(caught.value)
