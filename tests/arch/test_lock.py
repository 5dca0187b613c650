"""The lock covers every declared dependency, pins it by hash, and knows no machine and no index."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.arch.source_tree import ROOT

PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)(.*(?:\n +.*)*)", re.MULTILINE)


def locked_versions(lock: str) -> dict[str, list[Version]]:
    """Package to the versions that the lock pins (several where platforms differ)."""
    versions: dict[str, list[Version]] = {}
    for name, version, _ in PIN.findall(lock):
        versions.setdefault(_normal(name), []).append(Version(version))
    return versions


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def unlocked(requirements: list[str], lock: str) -> list[str]:
    """Declared requirements that no pinned version meets."""
    versions = locked_versions(lock)
    return [
        text
        for text in requirements
        if not any(
            Requirement(text).specifier.contains(version)
            for version in versions.get(_normal(Requirement(text).name), [])
        )
    ]


def unhashed(lock: str) -> list[str]:
    """Pins without a SHA-256."""
    return [name for name, _, rest in PIN.findall(lock) if "--hash=sha256:" not in rest]


def machine_traces(lock: str) -> list[str]:
    """Lines with an address, an index option or an absolute path."""
    trace = re.compile(r"://|^ *--(extra-)?index-url|^ *--find-links|^ *-[ife] |(^|\s)/\w")
    return [line for line in lock.splitlines() if trace.search(line)]


@pytest.fixture(scope="module")
def lock() -> str:
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_every_declared_dependency_is_locked(lock: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [text for texts in project["optional-dependencies"].values() for text in texts]
    assert unlocked([*project["dependencies"], *extras], lock) == []


def test_every_pin_has_a_hash(lock: str) -> None:
    assert locked_versions(lock)
    assert unhashed(lock) == []


def test_lock_knows_no_machine_and_no_index(lock: str) -> None:
    assert machine_traces(lock) == []


def test_missing_and_outdated_pins_are_found() -> None:
    lock = (
        "rich==13.0 \\\n    --hash=sha256:aa\nsqlite-utils==4.2 ; os_name == 'nt' \\\n    --hash=sha256:bb\n"
    )
    declared = ["rich>=14", "polars", "sqlite_utils>=4,<5"]
    assert unlocked(declared, lock) == ["rich>=14", "polars"]


def test_missing_hash_is_found() -> None:
    assert unhashed("rich==14.0\n    # via x\ntyper==1.0 \\\n    --hash=sha256:aa\n") == ["rich"]


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://packages.example",
        "--find-links wheels",
        "-e .",
        "# compiled from /home/me/pyproject.toml",
    ],
)
def test_trace_of_a_machine_is_found(line: str) -> None:
    assert machine_traces(f"rich==14.0\n{line}\n") == [line]
