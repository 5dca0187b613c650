"""Disks of a few KiB, and disks that nobody can write, for as long as a block runs; they need root and a mount."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def small_disk(place: Path, *, size_kib: int) -> Iterator[Path]:
    """A disk of this size at `place`; skips the test where none can be mounted."""
    place.mkdir()
    _mount(["-t", "tmpfs", "-o", f"size={size_kib}k,mode=700", "tmpfs", str(place)])
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def read_only(place: Path) -> Iterator[Path]:
    """The directory at `place`, mounted over itself so that even root cannot write; skips where that cannot be."""
    _mount(["--bind", str(place), str(place)])
    try:
        _mount(["-o", "remount,ro,bind", str(place)])
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def grow(place: Path, *, size_kib: int) -> None:
    """Make the disk larger, as an operator who frees space does."""
    _mount(["-o", f"remount,size={size_kib}k", str(place)])


def _mount(arguments: list[str]) -> None:
    try:
        done = subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip(f"mounting needs root and a kernel that lets it: {done.stderr.strip()}")
