"""What file, directory and recorded transports give, and which files they will not touch."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from dataspine.adapters.http import HttpTransport
from dataspine.adapters.transport import (
    DirectoryTransport,
    Fetched,
    FileTransport,
    RecordedTransport,
    transport_for,
)
from dataspine.errors import ConfigError, PayloadTooLarge, SourceRefused, SourceUnavailable
from dataspine.schemas.payload import BLOCK_BYTES, MAX_PAYLOAD_BYTES
from dataspine.schemas.source import SourceProfile


@pytest.fixture
def root(tmp_path):
    """A workspace with a file outside it."""
    (tmp_path / "outside.csv").write_bytes(b"outside")
    folder = tmp_path / "workspace"
    (folder / "drop").mkdir(parents=True)
    return folder


def make_profile(**where: str) -> SourceProfile:
    return SourceProfile(name="iex_quotes", kind="market", format="csv", fields={}, **where)


def content_of(fetched: Fetched) -> bytes:
    return b"".join(fetched.open())


def refusal_of(transport) -> SourceRefused:
    with pytest.raises(SourceRefused) as caught:
        list(map(content_of, transport.fetch()))
    return caught.value


def test_a_file_is_one_object_that_can_be_read_twice(root):
    (root / "drop" / "a.csv").write_bytes(b"AAPL,1\n")
    os.utime(root / "drop" / "a.csv", ns=(0, 1_767_225_600_250_000_000))
    (fetched,) = FileTransport("drop/a.csv", root=root).fetch()
    assert (fetched.object_name, content_of(fetched), content_of(fetched)) == (
        "drop/a.csv",
        b"AAPL,1\n",
        b"AAPL,1\n",
    )
    assert fetched.received == {"last_modified": "2026-01-01T00:00:00.250000Z"}


def test_a_large_file_comes_in_blocks(root):
    (root / "a.csv").write_bytes(bytes(BLOCK_BYTES + 1))
    (fetched,) = FileTransport("a.csv", root=root).fetch()
    assert [len(block) for block in fetched.open()] == [BLOCK_BYTES, 1]


def test_an_empty_file_is_an_object_without_blocks(root):
    (root / "a.csv").touch()
    (fetched,) = FileTransport("a.csv", root=root).fetch()
    assert list(fetched.open()) == []


def test_a_missing_file_is_refused_with_path_and_cure(root):
    refusal = refusal_of(FileTransport("drop/a.csv", root=root))
    assert str(root / "drop" / "a.csv") in str(refusal)
    assert refusal.cure


@pytest.mark.parametrize(
    "path", ["drop", "drop/../../outside.csv", "drop/../a.csv", "a.csv/b.csv", "a\0.csv", "loop"]
)
def test_what_is_no_file_below_the_root_is_refused(root, path):
    (root / "a.csv").write_bytes(b"x")
    (root / "loop").symlink_to(root / "drop")
    refusal_of(FileTransport(path, root=root))


def test_a_symbolic_link_inside_the_root_is_followed_under_its_own_name(root):
    (root / "a.csv").write_bytes(b"inside")
    (root / "drop" / "latest.csv").symlink_to("../a.csv")
    (fetched,) = FileTransport("drop/latest.csv", root=root).fetch()
    assert (fetched.object_name, content_of(fetched)) == ("drop/latest.csv", b"inside")


@pytest.mark.parametrize("link", ["file", "folder"])
def test_a_symbolic_link_out_of_the_root_is_refused(root, link):
    if link == "file":
        (root / "drop" / "a.csv").symlink_to("../../outside.csv")
        path = "drop/a.csv"
    else:
        (root / "up").symlink_to("..")
        path = "up/outside.csv"
    assert "below its folder" in str(refusal_of(FileTransport(path, root=root)))


def test_a_dangling_or_endless_symbolic_link_is_an_error_of_the_source(root):
    (root / "gone.csv").symlink_to("nowhere")
    (root / "loop.csv").symlink_to("loop.csv")
    refusal_of(FileTransport("gone.csv", root=root))
    with pytest.raises(SourceUnavailable):
        next(FileTransport("loop.csv", root=root).fetch())


def test_pipes_sockets_and_devices_are_refused_without_waiting_on_them(root, monkeypatch):
    os.mkfifo(root / "pipe.csv")
    assert "regular file" in str(refusal_of(FileTransport("pipe.csv", root=root)))
    assert "regular file" in str(refusal_of(FileTransport("null", root=Path("/dev"))))
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.csv")
        assert "regular file" in str(refusal_of(FileTransport("socket.csv", root=root)))


def test_a_pipe_that_takes_the_files_place_is_refused_without_waiting_on_it(root):
    path = root / "a.csv"
    path.write_bytes(b"x")
    (fetched,) = FileTransport("a.csv", root=root).fetch()
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(SourceRefused, match="regular file"):
        content_of(fetched)


def test_a_file_that_vanishes_before_it_is_read_is_refused(root):
    (root / "a.csv").write_bytes(b"x")
    (fetched,) = FileTransport("a.csv", root=root).fetch()
    (root / "a.csv").unlink()
    with pytest.raises(SourceRefused, match="no such file"):
        content_of(fetched)


def test_a_file_that_grows_while_it_is_read_is_not_taken_for_whole(root):
    path = root / "a.csv"
    path.write_bytes(bytes(BLOCK_BYTES + 1))
    (fetched,) = FileTransport("a.csv", root=root).fetch()
    blocks = fetched.open()
    next(blocks)
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(SourceUnavailable, match="changed while it was read") as caught:
        list(blocks)
    assert caught.value.transient


def test_a_file_over_the_limit_is_refused_before_it_is_read(root):
    with (root / "a.csv").open("wb") as file:
        file.truncate(MAX_PAYLOAD_BYTES + 1)
    (fetched,) = FileTransport("a.csv", root=root).fetch()
    with pytest.raises(PayloadTooLarge):
        next(fetched.open())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize(
    "transport", [FileTransport("drop/a.csv", root=Path()), DirectoryTransport("drop/*", root=Path())]
)
def test_what_may_not_be_read_is_refused_and_not_taken_for_empty(root, monkeypatch, transport):
    monkeypatch.chdir(root)
    (root / "drop" / "a.csv").write_bytes(b"x")
    (root / "drop").chmod(0)
    try:
        assert refusal_of(transport).cure
    finally:
        (root / "drop").chmod(0o700)


def test_a_folder_gives_its_files_by_name_without_hidden_and_unfinished_ones(root):
    for name in ("b.csv", "a.csv", "c.txt", ".hidden.csv", "d.csv.part", "e.csv.tmp", "B.csv"):
        (root / "drop" / name).write_bytes(name.encode())
    (root / "drop" / "folder.csv").mkdir()
    found = list(DirectoryTransport("drop/*", root=root).fetch())
    assert [fetched.object_name for fetched in found] == [
        "drop/B.csv",
        "drop/a.csv",
        "drop/b.csv",
        "drop/c.txt",
    ]
    assert [content_of(fetched) for fetched in found] == [b"B.csv", b"a.csv", b"b.csv", b"c.txt"]


def test_a_glob_over_folders_leaves_hidden_folders_alone_unless_it_names_them(root):
    for name in ("drop/x/a.csv", "drop/.git/a.csv", ".drop/b.csv"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"x")
    assert [f.object_name for f in DirectoryTransport("**/*.csv", root=root).fetch()] == ["drop/x/a.csv"]
    assert [f.object_name for f in DirectoryTransport(".drop/*.csv", root=root).fetch()] == [".drop/b.csv"]


def test_a_folder_without_a_match_is_empty_and_no_error(root):
    (root / "drop" / "a.txt").touch()
    assert list(DirectoryTransport("drop/*.csv", root=root).fetch()) == []


@pytest.mark.parametrize("pattern", ["missing/*.csv", "drop/../*.csv", "drop/**x/*.csv"])
def test_a_folder_that_cannot_be_looked_at_is_not_taken_for_an_empty_one(root, pattern):
    refusal_of(DirectoryTransport(pattern, root=root))


def test_a_forbidden_file_is_reported_after_the_others_were_given(root):
    os.mkfifo(root / "drop" / "a.csv")
    (root / "drop" / "b.csv").write_bytes(b"good")
    (root / "drop" / "c.csv").symlink_to(root.parent / "outside.csv")
    given = DirectoryTransport("drop/*.csv", root=root).fetch()
    assert content_of(next(given)) == b"good"
    with pytest.raises(SourceRefused, match=r"a\.csv"):
        next(given)


def test_recorded_objects_come_in_their_order():
    found = list(RecordedTransport([("b", b"2"), ("a", b"")]).fetch())
    assert [(fetched.object_name, list(fetched.open())) for fetched in found] == [("b", [b"2"]), ("a", [])]


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        ({"path": "drop/a.csv"}, FileTransport),
        ({"path": "drop/*.csv"}, DirectoryTransport),
        ({"path": "drop/[ab].csv"}, DirectoryTransport),
        ({"url": "https://vendor.example/v1"}, HttpTransport),
    ],
)
def test_a_profile_gets_its_kind_of_transport(root, where, kind):
    assert type(transport_for(make_profile(**where), root=root, secrets=str)) is kind


@pytest.mark.parametrize("where", [{}, {"path": "a.csv", "url": "https://vendor.example/v1"}])
def test_a_profile_names_either_a_path_or_a_url(root, where):
    with pytest.raises(ConfigError, match="iex_quotes"):
        transport_for(make_profile(**where), root=root, secrets=str)


@pytest.mark.parametrize("name", ["*.csv", "a.csv"])
def test_an_absolute_path_has_its_own_folder_as_root(root, tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.csv").write_bytes(b"x")
    transport = transport_for(make_profile(path=f"{elsewhere}/{name}"), root=root, secrets=str)
    assert [fetched.object_name for fetched in transport.fetch()] == ["a.csv"]
    shutil.move(elsewhere / "a.csv", root)
    (elsewhere / "a.csv").symlink_to(root / "a.csv")
    assert "below its folder" in str(refusal_of(transport))
