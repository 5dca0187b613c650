"""The archive keeps every byte under its hash, or nothing at all."""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from dataspine.errors import StorageCorrupt, StorageFull
from dataspine.pipeline.ingest import ingest_payload
from dataspine.schemas.payload import Payload
from dataspine.store.payloads import Archive
from tests.builders import NOW_US, make_spine, quote_profile
from tests.simulation.small_disk import small_disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def test_bytes_come_back_as_they_were(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "payloads")
    blocks = [b"\x00\xff", b"", b"\r\n" * 1000]
    payload = archive.keep(blocks, object_name="feed", received_at_us=NOW_US)
    whole = b"".join(blocks)
    assert payload == Payload(sha256(whole).hexdigest(), len(whole), "feed", NOW_US)
    with archive.open(payload.sha256) as content:
        assert content.read() == whole


def test_a_payload_is_private_whatever_the_umask(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "payloads")
    umask = os.umask(0)
    try:
        payload = archive.keep([b"secret"], object_name="feed", received_at_us=NOW_US)
    finally:
        os.umask(umask)
    path = archive.path_of(payload.sha256)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_same_bytes_are_kept_once(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "payloads")
    for name in ("one", "two"):
        archive.keep([b"same"], object_name=name, received_at_us=NOW_US)
    assert len(_files(archive.directory)) == 1


def test_a_source_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    archive = Archive(tmp_path / "payloads")
    with pytest.raises(Exception, match="file system failed|ConnectionReset"):
        archive.keep(broken(), object_name="feed", received_at_us=NOW_US)
    assert _files(archive.directory) == []


def test_bytes_that_end_where_the_disk_ends_are_not_kept_short(tmp_path: Path) -> None:
    """A full disk takes part of a write and reports no error for that part."""
    with small_disk(tmp_path / "disk", size_kib=256) as disk:
        archive = Archive(disk / "payloads")
        with pytest.raises(StorageFull, match="no space left"):
            archive.keep([b"x" * 300 * 1024], object_name="feed", received_at_us=NOW_US)
        assert _files(disk) == []
        fits = archive.keep([b"y" * 100 * 1024], object_name="feed", received_at_us=NOW_US)
        assert archive.path_of(fits.sha256).stat().st_size == fits.size_bytes


def test_a_missing_payload_is_named_with_its_cure(tmp_path: Path) -> None:
    with (spine := make_spine(tmp_path)).workspace as workspace:
        payload = workspace.archive.keep([b"[]"], object_name="feed", received_at_us=NOW_US)
        workspace.archive.path_of(payload.sha256).unlink()
        with pytest.raises(StorageCorrupt, match="an archived payload is missing.*Restore it") as caught:
            ingest_payload(spine, quote_profile(), payload)
        assert payload.sha256 in str(caught.value)
        assert caught.value.exit_code == 5
        assert workspace.database.rows("SELECT * FROM runs") == []


def test_bytes_that_come_again_heal_a_damaged_file(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "payloads")
    payload = archive.keep([b"whole"], object_name="feed", received_at_us=NOW_US)
    archive.path_of(payload.sha256).write_bytes(b"wh")
    archive.keep([b"whole"], object_name="feed", received_at_us=NOW_US)
    assert archive.path_of(payload.sha256).read_bytes() == b"whole"
