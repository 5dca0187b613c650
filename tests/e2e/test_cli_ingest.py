"""`dataspine ingest` in a real process: counters, exit codes, and what is left when something fails."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.e2e.command_line import BAD_ROW, GOOD_ROW, HEADER, dataspine, document, write_bars

if TYPE_CHECKING:
    from pathlib import Path

PRESET = ("--preset", "generic_bars")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def configure(home: Path, text: str) -> None:
    home.mkdir(exist_ok=True)
    (home / "dataspine.toml").write_text(text, encoding="utf-8")


def test_file_needs_no_configuration(tmp_path: Path, home: Path) -> None:
    file = write_bars(tmp_path / "bars.csv", GOOD_ROW, BAD_ROW, GOOD_ROW)
    (run,) = document(dataspine("ingest", "--file", file, *PRESET, "--json", home=home), code=1)["runs"]
    expected = {"rows_read": 3, "inserted": 1, "unchanged": 0, "corrected": 0, "rejected": 1, "duplicate": 1}
    assert {name: run[name] for name in expected} == expected
    assert run["source"] == "generic_bars"
    assert run["state"] == "succeeded"
    assert run["reasons"] == {"PRICE_VALIDITY": 1}
    assert run["object_name"] == "bars.csv"
    assert len(run["digest"]) == len(run["payload_sha256"]) == 64
    assert run["skipped"] == 0


def test_document_has_the_keys_of_the_contract(tmp_path: Path, home: Path) -> None:
    file = write_bars(tmp_path / "bars.csv", GOOD_ROW)
    found = document(dataspine("ingest", "--file", file, *PRESET, "--json", home=home))
    assert list(found) == ["runs", "failed_sources", "empty_sources"]
    assert set(found["runs"][0]) == {
        *("run_id", "source", "object_name", "state", "rows_read", "inserted", "unchanged", "corrected"),
        *("rejected", "duplicate", "skipped", "out_of_order", "digest", "payload_sha256", "reasons"),
    }


def test_second_ingest_writes_nothing(tmp_path: Path, home: Path) -> None:
    file = write_bars(tmp_path / "bars.csv", GOOD_ROW)
    arguments = ("ingest", "--file", file, *PRESET, "--json")
    (first,) = document(dataspine(*arguments, home=home))["runs"]
    (second,) = document(dataspine(*arguments, home=home))["runs"]
    assert (first["inserted"], first["unchanged"]) == (1, 0)
    assert (second["inserted"], second["unchanged"]) == (0, 1)
    assert first["digest"] == second["digest"]


def test_overrides_reshape_the_preset(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "odd.txt"
    file.write_text("symbol;timestamp;last;volume\nAAPL;2026-01-09T14:30:00Z;187.25;100\n")
    overrides = (
        "--set",
        "csv.delimiter=;",
        "--set",
        'fields.price.column="last"',
        "--set",
        "contract.max_future_s=60",
    )
    found = document(
        dataspine("ingest", "--file", file, *PRESET, *overrides, "--source", "odd", "--json", home=home)
    )
    assert [(run["source"], run["inserted"]) for run in found["runs"]] == [("odd", 1)]


def test_several_files_are_one_source(tmp_path: Path, home: Path) -> None:
    files = [
        write_bars(tmp_path / "a.csv", GOOD_ROW),
        write_bars(tmp_path / "b.csv", GOOD_ROW.replace("14:30", "14:35")),
    ]
    found = document(
        dataspine("ingest", "--file", files[0], "--file", files[1], *PRESET, "--json", home=home)
    )
    assert [(run["object_name"], run["inserted"]) for run in found["runs"]] == [("a.csv", 1), ("b.csv", 1)]


def test_small_chunks_give_the_same_digest(tmp_path: Path, home: Path) -> None:
    rows = [GOOD_ROW.replace("14:30", f"14:{minute:02}") for minute in range(10)]
    file = write_bars(tmp_path / "bars.csv", *rows, rows[3])
    whole = document(dataspine("ingest", "--file", file, *PRESET, "--json", home=home))
    cut = document(
        dataspine(
            "ingest", "--file", file, *PRESET, "--chunk-records", "3", "--json", home=tmp_path / "other"
        )
    )
    names = ("digest", "inserted", "duplicate")
    assert [whole["runs"][0][name] for name in names] == [cut["runs"][0][name] for name in names]


def test_configured_sources_and_all(tmp_path: Path, home: Path) -> None:
    configure(
        home,
        '[sources.bars]\npreset = "generic_bars"\npath = "drop/bars*"\n'
        '[sources.later]\npreset = "generic_bars"\npath = "drop/later*"\n',
    )
    write_bars(home / "drop" / "bars.csv", GOOD_ROW)
    named = document(dataspine("ingest", "bars", "--json", home=home))
    assert [run["source"] for run in named["runs"]] == ["bars"]
    everything = document(dataspine("ingest", "--all", "--json", home=home))
    assert [run["object_name"] for run in everything["runs"]] == ["drop/bars.csv"]
    assert everything["empty_sources"] == ["later"]


def test_configured_source_reads_a_file_by_hand(tmp_path: Path, home: Path) -> None:
    configure(home, '[sources.bars]\npreset = "generic_bars"\npath = "drop/bars*"\n')
    file = write_bars(tmp_path / "by_hand.csv", GOOD_ROW)
    found = document(dataspine("ingest", "--file", file, "--source", "bars", "--json", home=home))
    assert [(run["source"], run["inserted"]) for run in found["runs"]] == [("bars", 1)]


def test_source_that_fails_does_not_stop_the_others(home: Path) -> None:
    configure(
        home,
        '[sources.gone]\npreset = "generic_bars"\npath = "nowhere/bars.csv"\n'
        '[sources.bars]\npreset = "generic_bars"\npath = "drop/bars*"\n',
    )
    write_bars(home / "drop" / "bars.csv", GOOD_ROW, BAD_ROW)
    finished = dataspine("ingest", "--all", "--json", home=home)
    found = document(finished, code=4)
    assert [run["source"] for run in found["runs"]] == ["bars"]
    assert [(failed["source"], failed["exit_code"]) for failed in found["failed_sources"]] == [("gone", 4)]
    assert "nowhere/bars.csv" in found["failed_sources"][0]["message"]


def test_people_read_counters_and_reasons(tmp_path: Path, home: Path) -> None:
    file = write_bars(tmp_path / "bars.csv", GOOD_ROW, BAD_ROW)
    finished = dataspine("ingest", "--file", file, *PRESET, home=home)
    assert finished.returncode == 1
    assert "generic_bars" in finished.stdout
    assert "PRICE_VALIDITY 1" in finished.stdout
    assert finished.stderr == ""


def test_payload_that_cannot_be_read_is_a_finding(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "bars.csv.gz"
    file.write_bytes(b"\x1f\x8b\x08\x00 cut off")
    (run,) = document(dataspine("ingest", "--file", file, *PRESET, "--json", home=home), code=1)["runs"]
    assert (run["state"], run["digest"], run["rejected"]) == ("rejected", None, 1)
    assert run["reasons"] == {"GZIP_CORRUPT": 1}


def test_audit_log_holds_the_events_of_this_ingest(tmp_path: Path, home: Path) -> None:
    file = write_bars(tmp_path / "bars.csv", GOOD_ROW)
    dataspine("ingest", "--file", file, *PRESET, home=home)
    log = tmp_path / "audit.jsonl"
    dataspine("ingest", "--file", file, *PRESET, "--audit-log", log, home=home)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(event["event_type"], event["entity_id"]) for event in events] == [("run_succeeded", "2")]


def test_each_commit_is_logged_in_the_workspace(tmp_path: Path, home: Path) -> None:
    file = write_bars(tmp_path / "bars.csv", GOOD_ROW)
    for _ in range(2):
        dataspine("ingest", "--file", file, *PRESET, home=home)
    log = home / "logs" / "dataspine.jsonl"
    assert log.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    committed = [line for line in lines if line["event"] == "batch_committed"]
    assert [(line["run_id"], line["batch_seq"]) for line in committed] == [(1, 2), (2, 3)]


def test_large_log_is_set_aside(tmp_path: Path, home: Path) -> None:
    (home / "logs").mkdir(parents=True)
    with (home / "logs" / "dataspine.jsonl").open("wb") as log:
        log.truncate(16 * 1024**2 + 1)
    home.chmod(0o700)
    dataspine("ingest", "--file", write_bars(tmp_path / "bars.csv", GOOD_ROW), *PRESET, home=home)
    assert (home / "logs" / "dataspine.jsonl.1").stat().st_size == 16 * 1024**2 + 1
    assert (home / "logs" / "dataspine.jsonl").read_text().count("batch_committed") == 1


def test_workspace_made_by_ingest_is_private(tmp_path: Path, home: Path) -> None:
    dataspine("ingest", "--file", write_bars(tmp_path / "bars.csv", GOOD_ROW), *PRESET, home=home)
    assert home.stat().st_mode & 0o777 == 0o700


def test_names_in_the_audit_log_are_the_operators(tmp_path: Path, home: Path) -> None:
    file = write_bars(tmp_path / "bars.csv", GOOD_ROW)
    dataspine("ingest", "--file", file, *PRESET, home=home, DATASPINE_ACTOR="anna")
    events = document(dataspine("audit", "list", "--json", home=home))["events"]
    assert {(event["actor"], event["channel"]) for event in events} == {("anna", "cli")}


def test_now_is_when_the_payload_was_received(tmp_path: Path, home: Path) -> None:
    file = write_bars(tmp_path / "bars.csv", GOOD_ROW)
    arguments = ("ingest", "--file", file, *PRESET, "--json", "--now", "2026-01-08T00:00:00Z")
    (run,) = document(dataspine(*arguments, home=home), code=1)["runs"]
    assert run["reasons"] == {"TIMESTAMP_FUTURE": 1}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ingest",), "name sources"),
        (("ingest", "--all"), "no source is configured"),
        (("ingest", "nope"), "nope"),
        (("ingest", "bars", "--all"), "sources and --all"),
        (("ingest", "bars", "--preset", "generic_bars"), "--preset needs --file"),
        (("ingest", "--file", "x.csv"), "--file needs a profile"),
        (("ingest", "--all", "--file", "x.csv", *PRESET), "--file stands alone"),
        (("ingest", "--file", "x.csv", "--preset", "nope"), "must be one of"),
        (("ingest", "--file", "x.csv", *PRESET, "--set", "csv"), "--set needs KEY=VALUE"),
        (("ingest", "--file", "x.csv", *PRESET, "--set", "csv.nope=1"), "nope"),
        (("ingest", "--file", "x.csv", *PRESET, "--now", "yesterday"), "--now must be an instant"),
        (("ingest", "--nope"), "--nope"),
    ],
)
def test_wrong_request_ends_with_2_and_says_why(home: Path, arguments: tuple[str, ...], said: str) -> None:
    finished = dataspine(*arguments, home=home)
    assert finished.returncode == 2, finished.stderr
    assert said in finished.stderr
    assert finished.stdout == ""
    assert len(finished.stderr.splitlines()) == 2
    assert not (home / "dataspine.db").exists()


def test_missing_file_ends_with_4(home: Path) -> None:
    finished = dataspine("ingest", "--file", "gone.csv", *PRESET, "--json", home=home)
    assert document(finished, code=4)["failed_sources"][0]["source"] == "generic_bars"


def test_pipe_is_no_file(tmp_path: Path, home: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    finished = dataspine("ingest", "--file", tmp_path / "pipe", *PRESET, home=home)
    assert finished.returncode == 4
    assert "regular file" in finished.stderr


def test_name_with_wildcards_is_a_name(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "bars[1]*.csv"
    file.write_text(HEADER + GOOD_ROW)
    (run,) = document(dataspine("ingest", "--file", file, *PRESET, "--json", home=home))["runs"]
    assert run["object_name"] == "bars[1]*.csv"
