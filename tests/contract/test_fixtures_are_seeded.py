"""The committed fixtures are what their generator writes, complete, small, and readable by their profiles."""

from __future__ import annotations

import csv
import gzip
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dataspine.presets import load_presets, overlay
from dataspine.schemas.codes import Code
from dataspine.schemas.source import SourceProfile

FIXTURES = Path(__file__).parents[2] / "fixtures"
MAX_TOTAL_BYTES = 4 * 1024**2
MIN_RECORDS = 50_000
WORKSPACE = tomllib.loads((FIXTURES / "dataspine.toml").read_text(encoding="utf-8"))["sources"]
REAL_FILES = tomllib.loads((FIXTURES / "profiles/real_files.toml").read_text(encoding="utf-8"))["sources"]
EXPECTED = tomllib.loads((FIXTURES / "faults/expected.toml").read_text(encoding="utf-8"))
CASES = {case["file"]: case for case in EXPECTED["case"]}
RECORDS = {
    "iex_quotes": 1_611,
    "polygon_bars": 23_400,
    "polygon_daily": 200,
    "desk_bars": 19_095,
    "desk_bars_migrated": 400,
    "desk_quotes": 19_510,
    "executions": 3_012,
    # Two of its eight lines are no executions.
    "broker_de": 8,
}


def make_profile(name: str, table: dict[str, Any]) -> SourceProfile:
    """The whole profile of a source's table."""
    base = load_presets()[table["preset"]] if "preset" in table else {}
    return SourceProfile.model_validate({**overlay(base, table), "name": name})


def source_files(profile: SourceProfile) -> list[Path]:
    """Files of the workspace that a source reads."""
    assert profile.path
    return sorted(FIXTURES.glob(profile.path))


def record_count(path: Path, profile: SourceProfile) -> int:
    """Records of a good file, counted by the standard library alone."""
    body = path.read_bytes()
    text = (gzip.decompress(body) if path.suffix == ".gz" else body).decode(profile.encoding)
    if profile.format == "csv":
        lines = text.splitlines()
        header = profile.csv.header_match
        start = next(number for number, line in enumerate(lines) if header is None or line.startswith(header))
        body_lines = [line for line in lines[start + 1 :] if not line.startswith(profile.csv.stop_at or "\0")]
        rows = list(csv.reader(body_lines, delimiter=profile.csv.delimiter))
        width = len(lines[start].split(profile.csv.delimiter))
        return sum(len(row) == width for row in rows)
    if profile.format == "ndjson":
        return len([json.loads(line) for line in text.splitlines()])
    return json_record_count(json.loads(text))


def json_record_count(document: Any) -> int:
    """Records of an envelope, an array, a single quote or a map of symbols."""
    if isinstance(document, list):
        return len(document)
    if "resultsCount" in document:
        return len(document.get("results", []))
    return 1 if "latestPrice" in document else len(document)


def test_the_generator_would_write_the_same() -> None:
    """`make_fixtures.py --check` finds every file as it is, and no other file beside them."""
    command = [sys.executable, str(FIXTURES / "make_fixtures.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_generator_refuses_other_arguments() -> None:
    """A misspelt `--check` must not write."""
    command = [sys.executable, str(FIXTURES / "make_fixtures.py"), "--chek"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2


def test_fixtures_stay_small() -> None:
    """All of them together are a quick clone."""
    files = [path for path in FIXTURES.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) <= MAX_TOTAL_BYTES


@pytest.mark.parametrize("name", WORKSPACE)
def test_a_source_has_its_records(name: str) -> None:
    """The profile is whole, and its files hold as many records as the README says."""
    profile = make_profile(name, WORKSPACE[name])
    assert sum(record_count(path, profile) for path in source_files(profile)) == RECORDS[name]


def test_there_are_records_enough() -> None:
    """The demonstration runs on tens of thousands of records, each source with some."""
    assert RECORDS.keys() == WORKSPACE.keys()
    assert sum(RECORDS.values()) >= MIN_RECORDS


def test_every_file_belongs_to_one_source() -> None:
    """No generated file is read twice or forgotten."""
    readers: Counter[Path] = Counter()
    for name, table in WORKSPACE.items():
        readers.update(source_files(make_profile(name, table)))
    folders = ("broker", "desk", "executions", "iex", "polygon")
    files = {path for folder in folders for path in (FIXTURES / folder).rglob("*") if path.is_file()}
    assert readers == dict.fromkeys(files, 1)


def test_every_fault_file_has_its_expectation() -> None:
    """No file below faults/ is left to chance, and no expectation lacks its file."""
    present = {
        path.relative_to(FIXTURES / "faults").as_posix() for path in (FIXTURES / "faults").rglob("*.*")
    }
    assert present - {"expected.toml"} == CASES.keys()


@pytest.mark.parametrize("file", CASES)
def test_an_expectation_can_be_held(file: str) -> None:
    """Its profile validates, its codes exist, and letters come with codes."""
    case = CASES[file]
    make_profile("fault", {"preset": case["preset"], **case["set"]})
    assert set(case["codes"]) <= set(Code)
    assert bool(case["codes"]) == bool(case["letters"])


def test_every_reason_code_has_a_fault() -> None:
    """Each way of refusing is shown by a file."""
    assert {code for case in CASES.values() for code in case["codes"]} == set(Code)


def test_the_readme_lists_every_file() -> None:
    """Source files by their path, faults by theirs below faults/."""
    rows = re.findall(
        r"^\| ([\w./-]+) \|", (FIXTURES / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    folders = ("broker", "desk", "executions", "iex", "polygon")
    files = {path for folder in folders for path in (FIXTURES / folder).rglob("*") if path.is_file()}
    assert {path.relative_to(FIXTURES).as_posix() for path in files} | CASES.keys() <= set(rows)


@pytest.mark.parametrize("name", REAL_FILES)
def test_a_profile_of_real_files_is_whole(name: str) -> None:
    """Real files of ten shapes need no code."""
    profile = make_profile(name, REAL_FILES[name])
    assert profile.path
    assert {"symbol", "price", "timestamp"} <= profile.fields.keys()
