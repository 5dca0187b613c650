"""What `charset` makes of encodings, marks and bytes that are none of them."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspine.adapters.charset import original_bytes, utf8_blocks
from dataspine.errors import PayloadError

TEXT = "symbol,name\nAAPL,Großbank £5 – 東京\n"


def decoded(content: bytes, *, encoding: str, block_bytes: int = 3) -> tuple[str, bytes]:
    blocks = [content[start : start + block_bytes] for start in range(0, len(content), block_bytes)]
    effective, utf8 = utf8_blocks(blocks, encoding=encoding)
    return effective, b"".join(utf8)


def test_utf8_blocks_pass_through_as_the_same_objects():
    blocks = [b"a" * 100, b"b" * 100, b"\xff\xfe\xff"]
    effective, utf8 = utf8_blocks(blocks, encoding="utf-8")
    assert effective == "utf-8"
    assert all(given is passed for given, passed in zip(blocks, utf8, strict=True))


@pytest.mark.parametrize("declared", ["utf-8", "utf-16", "latin-1", "cp1252"])
@pytest.mark.parametrize(
    ("mark", "codec", "effective"),
    [
        (codecs.BOM_UTF8, "utf-8", "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "utf-16-be"),
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 2, 5, 1000])
def test_a_mark_overrides_the_declared_encoding_and_is_dropped(declared, mark, codec, effective, block_bytes):
    content = mark + TEXT.encode(codec)
    assert decoded(content, encoding=declared, block_bytes=block_bytes) == (effective, TEXT.encode())


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_single_byte_text_becomes_utf8(encoding):
    text = "ASCII first, then £5 and ASCII again" * 3
    assert decoded(text.encode(encoding), encoding=encoding) == (encoding, text.encode())


def test_utf16_without_mark_is_little_endian():
    assert decoded(TEXT.encode("utf-16-le"), encoding="utf-16") == ("utf-16-le", TEXT.encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1", "cp1252"])
@pytest.mark.parametrize("content", [b"", codecs.BOM_UTF8])
def test_nothing_stays_nothing(encoding, content):
    assert decoded(content, encoding=encoding)[1] == b""


@pytest.mark.parametrize("content", [b"a", b"ab", b"\xef\xbb", b"\xff"])
def test_content_shorter_than_a_mark_is_kept(content):
    assert decoded(content, encoding="utf-8", block_bytes=1) == ("utf-8", content)


@pytest.mark.parametrize(
    ("content", "encoding", "offset"),
    [
        (b"price\x81", "cp1252", 5),
        (b"\xff\xfea\x00b", "utf-8", 4),
        (b"a\x00\x00\xd8b\x00", "utf-16", 2),
        (b"\xff\xfea\x00\x00\xdc", "utf-16", 4),
    ],
    ids=["undefined cp1252 byte", "half a character", "lone high surrogate", "lone low surrogate"],
)
@pytest.mark.parametrize("block_bytes", [1, 2, 3, 1000])
def test_a_bad_byte_spoils_the_payload_and_is_named_by_its_offset(content, encoding, offset, block_bytes):
    with pytest.raises(PayloadError) as caught:
        decoded(content, encoding=encoding, block_bytes=block_bytes)
    assert caught.value.code == "ENCODING"
    assert caught.value.where == f"byte {offset}"


@pytest.mark.parametrize("mark", [codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE])
def test_utf32_is_refused_and_not_read_as_utf16_with_zeros(mark):
    with pytest.raises(PayloadError) as caught:
        utf8_blocks([mark + b"a\x00\x00\x00"], encoding="utf-8")
    assert caught.value.code == "ENCODING"


@given(
    text=st.text(st.characters(codec="latin-1")),
    encoding=st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "latin-1"]),
)
def test_original_bytes_of_a_record_are_those_of_the_payload(text, encoding):
    assert original_bytes(text.encode(), encoding=encoding) == text.encode(encoding)


def test_original_bytes_of_broken_utf8_are_untouched():
    assert original_bytes(b"\xff\xfe,1", encoding="utf-8") == b"\xff\xfe,1"
