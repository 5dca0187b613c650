"""What is new and whole in a file that grows."""

from __future__ import annotations

from hashlib import sha256

import pytest

from dataspine.engine.growth import new_part, require_growing
from dataspine.errors import ConfigError
from dataspine.store.taken import TakenObject
from tests.unit.engine.engine_builder import bars_profile

HEAD = b"a,b\n"
PROFILE = bars_profile(path="x.csv", take="grow")


def taken(content: bytes) -> TakenObject:
    return TakenObject("x.csv", sha256(content).hexdigest(), len(content), 0)


def test_first_part_is_every_whole_line():
    part = new_part(HEAD + b"1,2\n3,4\n5,", PROFILE, None)
    assert part is not None
    assert part.content == HEAD + b"1,2\n3,4\n"
    assert (part.start_bytes, part.end_bytes) == (4, 12)
    assert part.sha256 == sha256(HEAD + b"1,2\n3,4\n").hexdigest()


def test_next_part_begins_where_the_last_ended_under_the_same_header():
    before = HEAD + b"1,2\n"
    part = new_part(before + b"3,4\n5", PROFILE, taken(before))
    assert part is not None
    assert part.content == HEAD + b"3,4\n"


@pytest.mark.parametrize("more", [b"", b"5", b"5,6"])
def test_a_torn_line_waits(more):
    before = HEAD + b"1,2\n"
    assert new_part(before + more, PROFILE, taken(before)) is None


def test_a_line_end_within_quotes_ends_no_record():
    part = new_part(HEAD + b'1,2\n3,"x\ny', PROFILE, None)
    assert part is not None
    assert part.content == HEAD + b"1,2\n"
    whole = new_part(HEAD + b'1,2\n3,"x\ny"\n', PROFILE, None)
    assert whole is not None
    assert whole.content == HEAD + b'1,2\n3,"x\ny"\n'


def test_a_file_that_was_replaced_is_read_from_its_beginning():
    part = new_part(HEAD + b"9,9\n1,1\n", PROFILE, taken(HEAD + b"1,2\n"))
    assert part is not None
    assert part.content == HEAD + b"9,9\n1,1\n"


def test_a_file_that_was_cut_is_read_from_its_beginning():
    part = new_part(HEAD + b"7,7\n", PROFILE, taken(HEAD + b"1,2\n3,4\n"))
    assert part is not None
    assert part.content == HEAD + b"7,7\n"


@pytest.mark.parametrize("content", [b"", b"a,b", HEAD])
def test_a_header_alone_is_nothing(content):
    assert new_part(content, PROFILE, None) is None


def test_the_preamble_before_the_header_travels_along():
    profile = bars_profile(path="x.csv", take="grow", csv={"header_match": "a,"})
    before = b"made by broker\n" + HEAD + b"1,2\n"
    part = new_part(before + b"3,4\n", profile, taken(before))
    assert part is not None
    assert part.content == b"made by broker\n" + HEAD + b"3,4\n"


def test_lines_of_json_have_no_header():
    profile = bars_profile(path="x.ndjson", take="grow", format="ndjson")
    part = new_part(b'{"a": 1}\n{"a"', profile, None)
    assert part is not None
    assert part.content == b'{"a": 1}\n'


@pytest.mark.parametrize("keys", [{"format": "json"}, {"encoding": "utf-16"}])
def test_what_cannot_be_cut_at_a_line_is_refused(keys):
    with pytest.raises(ConfigError, match="needs lines"):
        require_growing(bars_profile(path="x", take="grow", **keys))
