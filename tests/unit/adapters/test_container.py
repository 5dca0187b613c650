"""What `container` finds in payloads that are whole, damaged, nested or built to explode."""

from __future__ import annotations

import gzip
import io
import random
import struct
import tracemalloc
import zipfile
import zlib

import pytest

from dataspine.adapters.container import InflationLimits, documents
from dataspine.errors import PayloadError
from dataspine.schemas.payload import BLOCK_BYTES

ROWS = b"".join(b"AAPL,%d,%d.25\n" % (i, i * 7919 % 1000) for i in range(20_000))


def read(
    content: bytes, *, name: str = "feed.csv", member_glob: str = "*", **limits: int
) -> dict[str, bytes]:
    """Every document's bytes by its name."""
    found = documents(
        io.BytesIO(content), object_name=name, member_glob=member_glob, limits=InflationLimits(**limits)
    )
    return {document.name: b"".join(document.blocks) for document in found}


def fault_of(content: bytes, **how) -> PayloadError:
    with pytest.raises(PayloadError) as caught:
        read(content, **how)
    return caught.value


def zipped(members: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return file.getvalue()


def test_plain_bytes_are_the_document():
    assert read(ROWS) == {"feed.csv": ROWS}


def test_a_large_plain_file_is_read_in_blocks(tmp_path):
    path = tmp_path / "feed.csv"
    path.write_bytes(ROWS * 20)
    with path.open("rb") as file:
        file.seek(100)
        (document,) = documents(file, object_name="feed.csv")
        sizes = [len(block) for block in document.blocks]
    assert sizes == [BLOCK_BYTES, len(ROWS) * 20 - BLOCK_BYTES]


def test_an_empty_payload_is_a_document_without_blocks():
    (document,) = documents(io.BytesIO(b""), object_name="feed.csv")
    assert list(document.blocks) == []


@pytest.mark.parametrize(
    ("object_name", "document_name"),
    [
        ("drop/feed.csv.gz", "drop/feed.csv"),
        ("drop/FEED.CSV.GZ", "drop/FEED.CSV"),
        ("drop/feed.csv", "drop/feed.csv"),
        ("https://host/v1/20260102_AAPL.csv.gz?token=***", "20260102_AAPL.csv"),
        ("https://host/", "https://host/"),
    ],
)
def test_a_document_is_named_like_its_object_without_gz(object_name, document_name):
    assert read(gzip.compress(ROWS), name=object_name) == {document_name: ROWS}


def test_gzip_is_known_by_its_bytes_and_not_by_its_name():
    assert read(gzip.compress(ROWS), name="feed.csv") == {"feed.csv": ROWS}
    assert read(ROWS, name="feed.csv.gz") == {"feed.csv": ROWS}


def test_gzip_members_follow_each_other_with_or_without_padding():
    content = gzip.compress(ROWS) + gzip.compress(b"") + bytes(512) + gzip.compress(b"last") + bytes(100_000)
    assert read(content) == {"feed.csv": ROWS + b"last"}


def test_ten_thousand_gzip_members_are_read():
    content = b"".join(gzip.compress(b"%d\n" % i) for i in range(10_000))
    assert read(content)["feed.csv"] == b"".join(b"%d\n" % i for i in range(10_000))


def test_gzip_truncated_anywhere_is_corrupt():
    content = gzip.compress(ROWS)
    for sixteenth in range(1, 16):
        fault = fault_of(content[: len(content) * sixteenth // 16])
        assert fault.code == "GZIP_CORRUPT"
    for missing in range(1, 9):
        assert fault_of(content[:-missing]).code == "GZIP_CORRUPT"


def test_gzip_truncated_in_a_later_member_is_corrupt():
    content = gzip.compress(ROWS)
    for kept in (1, 2, 10, 100):
        assert fault_of(content + content[:kept]).code == "GZIP_CORRUPT"


@pytest.mark.parametrize("place", [2, 100, -8, -1], ids=["method", "data", "checksum", "length"])
def test_gzip_with_a_flipped_bit_is_corrupt(place):
    content = bytearray(gzip.compress(ROWS))
    content[place] ^= 0x40
    assert fault_of(bytes(content)).code == "GZIP_CORRUPT"


def test_gzip_followed_by_other_bytes_is_corrupt():
    assert fault_of(gzip.compress(ROWS) + b"AAPL,1\n").code == "GZIP_CORRUPT"


def test_inflated_size_at_the_limit_passes_and_one_byte_more_is_refused():
    content = gzip.compress(ROWS)
    assert read(content, max_bytes=len(ROWS))["feed.csv"] == ROWS
    assert fault_of(content, max_bytes=len(ROWS) - 1).code == "SIZE"


def test_gzip_bomb_is_refused_by_its_ratio_before_it_is_inflated():
    bomb = gzip.compress(bytes(8 * 1024**2))
    fault = fault_of(bomb, max_ratio=500, ratio_from_bytes=2 * 1024**2)
    assert fault.code == "SIZE"
    assert "500 times" in str(fault)


def test_gzip_bomb_passes_below_the_size_from_which_the_ratio_is_judged():
    content = bytes(2 * 1024**2)
    assert read(gzip.compress(content), max_ratio=500, ratio_from_bytes=len(content) + 1) == {
        "feed.csv": content
    }


def test_gzip_bomb_of_real_size_meets_the_default_limits_in_bounded_memory():
    layer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    bomb = b"".join([*(layer.compress(bytes(1024**2)) for _ in range(70)), layer.flush()])
    tracemalloc.start()
    try:
        (document,) = documents(io.BytesIO(bomb), object_name="bomb")
        with pytest.raises(PayloadError, match="1000 times"):
            for _ in document.blocks:
                pass
        assert tracemalloc.get_traced_memory()[1] < 10 * BLOCK_BYTES
    finally:
        tracemalloc.stop()


def test_zip_members_come_in_name_order_and_by_glob():
    content = zipped(
        {"b.csv": b"2", "a/c.csv": b"1", "a/": b"", "notes.txt": b"x", "d.csv.gz": gzip.compress(b"3")}
    )
    assert list(read(content, member_glob="*.csv").items()) == [
        ("a/c.csv", b"1"),
        ("b.csv", b"2"),
        ("d.csv", b"3"),
    ]
    assert list(read(content)) == ["a/c.csv", "b.csv", "d.csv", "notes.txt"]


def test_zip_members_may_be_read_after_all_were_listed():
    found = list(documents(io.BytesIO(zipped({"a": ROWS, "b": b"2"})), object_name="x.zip"))
    assert [b"".join(document.blocks) for document in reversed(found)] == [b"2", ROWS]


def test_hidden_zip_members_and_those_of_macos_are_left_alone():
    content = zipped({"__MACOSX/._a.csv": b"x", ".DS_Store": b"x", "a/._a.csv": b"x", "a.csv": b"1"})
    assert read(content) == {"a.csv": b"1"}


@pytest.mark.parametrize("members", [{}, {"notes.txt": b"x"}, {"a.csv/": b""}])
def test_zip_without_a_matching_member_is_refused(members):
    assert fault_of(zipped(members), member_glob="*.csv").code == "ZIP_EMPTY"


def test_a_zip_member_without_a_name_is_read_like_any_other():
    assert read(zipped({"": b"1", "a.csv": b"2"})) == {"": b"1", "a.csv": b"2"}


def test_an_empty_zip_member_is_a_document_without_blocks():
    assert read(zipped({"a.csv": b""})) == {"a.csv": b""}


def test_zip_truncated_anywhere_is_corrupt():
    content = zipped({"a.csv": ROWS})
    for sixteenth in range(1, 16):
        assert fault_of(content[: len(content) * sixteenth // 16]).code == "ZIP_CORRUPT"


def test_zip_with_damaged_bytes_is_read_right_or_refused():
    """No damage escapes as another exception, and none changes what is read of the members that are given."""
    whole = zipped({"a.csv": ROWS[:3000], "b.csv": b"2\n" * 50})
    seed = 20260102
    chance = random.Random(seed)
    for _ in range(1500):
        content = bytearray(whole)
        # The first four bytes say what kind of payload it is.
        for _ in range(chance.randint(1, 3)):
            content[chance.randrange(4, len(content))] = chance.randrange(256)
        try:
            found = read(bytes(content))
        except PayloadError as fault:
            assert fault.code in {"ZIP_CORRUPT", "ZIP_EMPTY", "SIZE", "GZIP_CORRUPT"}, seed  # noqa: PT017
        else:
            assert set(found.values()) <= {ROWS[:3000], b"2\n" * 50}, seed


def test_encrypted_zip_member_is_refused():
    content = bytearray(zipped({"a.csv": ROWS}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    fault = fault_of(bytes(content))
    assert (fault.code, "encrypted" in str(fault)) == ("ZIP_CORRUPT", True)


def test_zip_member_of_a_rare_method_is_refused():
    assert fault_of(zipped({"a.csv": ROWS}, method=zipfile.ZIP_LZMA)).code == "ZIP_CORRUPT"


def test_zip_bomb_is_refused_by_its_ratio():
    fault = fault_of(zipped({"a.csv": bytes(8 * 1024**2)}), max_ratio=500, ratio_from_bytes=2 * 1024**2)
    assert (fault.code, "500 times" in str(fault)) == ("SIZE", True)


def test_zip_members_share_one_limit():
    content = zipped({f"{i}.csv": ROWS for i in range(4)})
    assert len(read(content, max_bytes=4 * len(ROWS))) == 4
    assert fault_of(content, max_bytes=4 * len(ROWS) - 1).code == "SIZE"


def test_a_bomb_in_a_gzip_in_a_zip_is_measured_against_the_zip():
    inner = gzip.compress(bytes(16 * 1024**2))
    assert len(inner) * 2000 > 16 * 1024**2, "against the inner file alone it would pass"
    fault = fault_of(zipped({"a.csv.gz": inner}), max_ratio=2000, ratio_from_bytes=1024**2)
    assert (fault.code, "2000 times" in str(fault)) == ("SIZE", True)


def test_a_zip_that_states_a_huge_directory_is_refused_before_it_is_held_in_memory():
    directory_bytes = 9 * 1024**2
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, directory_bytes, 4, 0)
    fault = fault_of(b"PK\x03\x04" + bytes(directory_bytes) + end)
    assert (fault.code, "directory" in str(fault)) == ("SIZE", True)
