"""`dataspine sources` in a real process: what is configured, and trials that store nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.command_line import BAD_ROW, GOOD_ROW, HEADER, dataspine, document, write_bars

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[sources.bars]
preset = "generic_bars"
path = "drop/bars*"
schedule = "*/5 * * * *"

[sources.vendor]
preset = "polygon_aggs"
url = "https://user:hunter2@vendor.example/v2/aggs?apiKey=hunter2&limit=5"
http.headers.Authorization = "env:VENDOR_BEARER"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / "drop").mkdir(parents=True)
    (home / "dataspine.toml").write_text(CONFIG)
    return home


def test_list_names_shape_and_place_without_secrets(home: Path) -> None:
    finished = dataspine("sources", "list", "--json", home=home)
    bars, vendor = document(finished)["sources"]
    assert bars == {
        "name": "bars",
        "kind": "market",
        "format": "csv",
        "preset": "generic_bars",
        "location": "drop/bars*",
        "schedule": "*/5 * * * *",
    }
    assert vendor["location"] == "https://vendor.example/v2/aggs?apiKey=***&limit=5"
    assert "hunter2" not in finished.stdout + dataspine("sources", "list", home=home).stdout


def test_show_is_the_whole_mapping(home: Path) -> None:
    found = document(dataspine("sources", "show", "bars", "--json", home=home))["source"]
    assert found["fields"]["price"]["column"] == "close"
    assert found["contract"]["max_reject_ratio"] == 0.5
    shown = dataspine("sources", "show", "vendor", home=home).stdout
    assert "hunter2" not in shown + dataspine("sources", "show", "vendor", "--json", home=home).stdout
    assert "envelope" in shown


def test_check_shows_wire_text_value_and_reason(home: Path) -> None:
    write_bars(home / "drop" / "bars.csv", GOOD_ROW.replace("187.25", "187.2500"), BAD_ROW)
    found = document(dataspine("sources", "check", "bars", "--json", home=home), code=1)
    assert (found["reachable"], found["object_name"], found["refused"]) == (True, "drop/bars.csv", 1)
    good, bad = found["records"]
    assert good["fields"]["price"] == {"found": "187.2500", "value": "187.25"}
    assert good["fields"]["timestamp"]["value"] == "2026-01-09T14:30:00Z"
    assert good["reasons"] == []
    assert [reason["code"] for reason in bad["reasons"]] == ["PRICE_VALIDITY"]
    assert bad["position"] == 2


def test_check_stores_nothing(home: Path) -> None:
    write_bars(home / "drop" / "bars.csv", GOOD_ROW)
    before = sorted(path.relative_to(home) for path in home.rglob("*"))
    assert dataspine("sources", "check", "bars", home=home).returncode == 0
    assert sorted(path.relative_to(home) for path in home.rglob("*")) == before


def test_check_tries_the_first_twenty_records(home: Path) -> None:
    rows = [GOOD_ROW.replace("14:30", f"14:{minute:02}") for minute in range(30)]
    write_bars(home / "drop" / "bars.csv", *rows)
    found = document(dataspine("sources", "check", "bars", "--json", home=home))
    assert [record["position"] for record in found["records"]] == list(range(1, 21))


def test_check_of_a_row_without_form(home: Path) -> None:
    write_bars(home / "drop" / "bars.csv", GOOD_ROW, "AAPL,1,2,3,4,5\n")
    found = document(dataspine("sources", "check", "bars", "--json", home=home), code=1)
    assert [reason["code"] for reason in found["records"][1]["reasons"]] == ["RAGGED_ROW"]


def test_check_of_repeats_counts_both_records(home: Path) -> None:
    write_bars(home / "drop" / "bars.csv", GOOD_ROW, GOOD_ROW, GOOD_ROW.replace("14:30", "14:35"))
    found = document(dataspine("sources", "check", "bars", "--json", home=home))
    assert [record["position"] for record in found["records"]] == [1, 2, 3]


def test_check_of_bytes_that_are_not_the_format(home: Path) -> None:
    (home / "drop" / "bars.csv").write_text("nothing,of,ours\n1,2,3\n")
    found = document(dataspine("sources", "check", "bars", "--json", home=home), code=1)
    assert found["payload_reason"]["code"] == "HEADER_MISSING"
    assert found["records"] == []


def test_check_reads_another_file(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "other.csv"
    file.write_text(HEADER + GOOD_ROW)
    found = document(dataspine("sources", "check", "bars", "--file", file, "--json", home=home))
    assert found["object_name"] == "other.csv"


def test_check_of_an_empty_place_is_fine(home: Path) -> None:
    assert document(dataspine("sources", "check", "bars", "--json", home=home))["object_name"] is None
    assert "nothing to read" in dataspine("sources", "check", "bars", home=home).stdout


def test_check_of_a_missing_place_ends_with_4(home: Path) -> None:
    (home / "drop").rmdir()
    finished = dataspine("sources", "check", "bars", "--json", home=home)
    found = document(finished, code=4)
    assert not found["reachable"]
    assert "drop" in found["error"]
    assert "error: " in finished.stderr


def test_check_without_its_secret_ends_with_2(home: Path) -> None:
    finished = dataspine("sources", "check", "vendor", home=home)
    assert finished.returncode == 2
    assert "VENDOR_BEARER" in finished.stderr


def test_unknown_source_ends_with_2(home: Path) -> None:
    for verb in ("show", "check"):
        finished = dataspine("sources", verb, "nope", home=home)
        assert finished.returncode == 2
        assert "bars" in finished.stderr


def test_no_sources_at_all(tmp_path: Path) -> None:
    assert document(dataspine("sources", "list", "--json", home=tmp_path)) == {"sources": []}
    assert "dataspine init" in dataspine("sources", "list", home=tmp_path).stdout.replace("\n", "")
