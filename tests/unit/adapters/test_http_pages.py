"""Where `HttpTransport` goes from a page: redirects and links, on the same host only and never for ever."""

from __future__ import annotations

import pytest

from dataspine.errors import PayloadTooLarge, SourceRefused, SourceUnavailable
from tests.http_reading import body_of, linked, make_transport, pages_of
from tests.loopback import gzipped, in_turn, redirect, reply, running_loopback


@pytest.fixture
def vendor():
    with running_loopback() as loopback:
        yield loopback


@pytest.fixture
def stranger():
    """Another host, as far as HTTP is concerned: another port."""
    with running_loopback() as loopback:
        yield loopback


def test_a_redirect_on_the_same_host_is_followed_with_the_credentials(vendor):
    vendor.serve("/old", redirect("/new?x=1"))
    vendor.serve("/new", reply(b"moved"))
    pages = pages_of(vendor.url("/old"), headers={"Authorization": "file:token"})
    assert pages == [(vendor.url("/old"), b"moved")]
    assert [seen.headers["Authorization"] for seen in vendor.requests] == ["Bearer t0k3n-abc"] * 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_refused_and_nothing_is_sent_there(vendor, stranger, status):
    stranger.serve("/v1", reply(b"stolen"))
    url = vendor.serve("/v1", redirect(stranger.url("/v1?apiKey=abc"), status=status))
    with pytest.raises(SourceRefused, match="must keep scheme, host and port") as caught:
        pages_of(url, headers={"Authorization": "file:token"})
    assert stranger.requests == []
    assert f":{stranger.port}/v1?apiKey=***" in str(caught.value)


@pytest.mark.parametrize(
    "location",
    [
        "",
        "https://127.0.0.1:{port}/v1",
        "//127.0.0.1/v1",
        "file:///etc/passwd",
        "http://[",
        "http://localhost:{port}/",
    ],
)
def test_a_redirect_that_changes_anything_of_the_origin_is_refused(vendor, location):
    url = vendor.serve("/v1", redirect(location.format(port=vendor.port)))
    with pytest.raises(SourceRefused):
        pages_of(url)
    assert len(vendor.requests) == 1


def test_five_redirects_are_followed_and_no_sixth(vendor):
    for i in range(6):
        vendor.serve(f"/{i}", redirect(f"/{i + 1}"))
    vendor.serve("/6", reply(b"end"))
    assert body_of(vendor.url("/1")) == b"end"
    vendor.requests.clear()
    with pytest.raises(SourceRefused, match="5 times"):
        pages_of(vendor.url("/0"))
    assert len(vendor.requests) == 6


def test_pages_are_followed_to_the_last_over_one_connection(vendor):
    vendor.serve("/1", reply(b"\xef\xbb\xbf" + linked([1], vendor.url("/2?cursor=b%2Fc"))))
    vendor.serve("/2", reply(linked([2], "3")))
    vendor.serve("/3", gzipped(b'{"results": [3]}'))
    pages = pages_of(vendor.url("/1"), next_path="paging.next")
    assert [name for name, _ in pages] == [vendor.url("/1"), vendor.url("/2?cursor=b%2Fc"), vendor.url("/3")]
    assert pages[2][1] == b'{"results": [3]}'
    assert vendor.requests[1].path == "/2?cursor=b%2Fc"


@pytest.mark.parametrize(
    "last", [b"{}", b"[]", b"null", b'{"paging": null}', b'{"paging": []}', b'{"paging": {"next": ""}}']
)
def test_a_page_without_a_link_is_the_last(vendor, last):
    assert body_of(vendor.serve("/1", reply(last)), next_path="paging.next") == last


def test_no_content_is_the_last_page(vendor):
    assert body_of(vendor.serve("/1", reply(status=204)), next_path="paging.next") == b""


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"7",
        b"<html>consent</html>",
        b'{"paging": {"next": 2}}',
        b'{"paging": {"next": "/2"',
        b'{"a":' * 5000,
        b"\xff",
    ],
)
def test_a_page_whose_link_cannot_be_read_is_given_and_then_reported(vendor, page):
    transport = make_transport(vendor.serve("/1", reply(page)), next_path="paging.next")
    pages = transport.fetch()
    assert b"".join(next(pages).open()) == page
    with pytest.raises(SourceRefused, match=r"paging\.next"):
        next(pages)


def test_a_next_page_on_another_host_is_refused_and_nothing_is_sent_there(vendor, stranger):
    url = vendor.serve("/1", reply(linked([1], stranger.url("/2"))))
    with pytest.raises(SourceRefused, match="next page must keep"):
        pages_of(url, next_path="paging.next", headers={"Authorization": "file:token"})
    assert stranger.requests == []


def test_a_loop_of_pages_is_refused(vendor):
    vendor.serve("/1", reply(linked([1], "/2")))
    vendor.serve("/2", reply(linked([2], "/1")))
    with pytest.raises(SourceRefused, match="must be a new one"):
        pages_of(vendor.url("/1"), next_path="paging.next")
    assert len(vendor.requests) == 2


def test_pages_at_their_limit_pass_and_one_more_is_refused(vendor):
    vendor.serve("/1", reply(linked([1], "/2")))
    vendor.serve("/2", reply(linked([2], "/3")))
    vendor.serve("/3", reply(linked([3], None)))
    assert len(pages_of(vendor.url("/1"), next_path="paging.next", max_pages=3)) == 3
    with pytest.raises(PayloadTooLarge, match="2 pages"):
        pages_of(vendor.url("/1"), next_path="paging.next", max_pages=2)


def test_a_page_that_fails_ends_the_fetch_after_those_before_it(vendor):
    vendor.serve("/1", reply(linked([1], "/2")))
    vendor.serve("/2", in_turn(reply(status=503), reply(linked([2], None))))
    pages = make_transport(vendor.url("/1"), next_path="paging.next").fetch()
    assert next(pages).object_name == vendor.url("/1")
    with pytest.raises(SourceUnavailable):
        next(pages)
    assert len(pages_of(vendor.url("/1"), next_path="paging.next")) == 2
