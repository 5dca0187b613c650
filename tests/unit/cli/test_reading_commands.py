"""`records`, `account`, `status` and `doctor` as a script meets them: exit codes, documents, streams."""

from __future__ import annotations

import json

import pytest

from dataspine.cli.main import run_command
from tests.builders import ingest_quotes, ingest_trades, quote, trade


@pytest.fixture
def run(spine, capsysbinary):
    """Run a command at the workspace: its exit code, stdout and stderr."""

    def run_it(*arguments):
        home = ["--home", str(spine.workspace.home), "--now", "2026-01-09T14:00:00Z"]
        code = run_command([*home, *arguments])
        out, err = capsysbinary.readouterr()
        return code, out.decode(), err.decode()

    (spine.workspace.home / "dataspine.toml").write_text("# No source is needed here.\n")
    ingest_quotes(spine, [quote("A"), quote("B", price="-1"), quote("C", price="0.10")])
    ingest_trades(spine, [trade(), trade("=T2")])
    spine.anchor()
    return run_it


def test_records_show_prints_a_document(run):
    code, out, _ = run("records", "show", "--source", "quotes", "--limit", "1", "--json")
    document = json.loads(out)
    assert (code, document["has_more"], len(document["records"])) == (0, True, 1)
    assert document["records"][0]["price"] == "187.25"


def test_records_show_takes_a_range(run):
    span = ("--from", "2026-01-09T13:00:00Z", "--to", "2026-01-09T14:00:00+01:00")
    assert json.loads(run("records", "show", "--source", "quotes", "--json", *span)[1])["records"] == []
    assert "No records." in run("records", "show", "--source", "quotes", *span)[1]


def test_records_show_prints_a_table_of_80_columns(run):
    code, out, _ = run("records", "show", "--source", "trades")
    assert code == 0
    assert "=T2" in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_records_export_streams_csv_and_nothing_else(run):
    code, out, err = run("records", "export", "--source", "trades")
    assert (code, err) == (0, "")
    assert out.splitlines()[1].startswith("trades,C1,'=T2,")
    assert (
        run("records", "export", "--source", "trades", "--raw")[1]
        .splitlines()[1]
        .startswith("trades,C1,=T2,")
    )


def test_records_export_writes_a_file(run, tmp_path):
    path = tmp_path / "out.jsonl"
    code, out, err = run("records", "export", "--source", "quotes", "--format", "jsonl", "--out", str(path))
    assert (code, out) == (0, "")
    assert "2 records" in err
    assert json.loads(path.read_text().splitlines()[1])["price"] == "0.1"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("export", "--source", "quotes", "--format", "xml"), "--format must be csv"),
        (("export", "--source", "quotes", "--format", "parquet"), "--out"),
        (("export", "--source", "nope"), "Sources with records: quotes, trades"),
        (("show", "--source", "quotes", "--from", "2026-01-09"), "--from must be an instant"),
    ],
)
def test_wrong_request_is_refused_with_a_cure(run, arguments, words):
    code, out, err = run("records", *arguments)
    assert (code, out) == (2, "")
    assert words in err


def test_records_digest_is_the_same_in_both_forms(run):
    document = json.loads(run("records", "digest", "--source", "quotes", "--json")[1])
    code, out, _ = run("records", "digest", "--source", "quotes")
    assert (code, out.strip()) == (0, document["digest"])
    assert document["records"] == 2


def test_account_balances(run):
    code, out, _ = run("account", "--json", "--deep")
    document = json.loads(out)
    assert (code, document["balanced"], document["deep"]) == (0, True, True)
    first = document["runs"][0]
    assert {name: first[name] for name in ("rows_read", "inserted", "rejected")} == {
        "rows_read": 3,
        "inserted": 2,
        "rejected": 1,
    }
    assert document["payloads"][0]["balanced"]
    assert "Balanced." in run("account")[1]


def test_account_of_a_touched_table_exits_1(run, spine):
    spine.workspace.database.rows("DELETE FROM market_data WHERE symbol_id = 1")
    code, out, _ = run("account", "--json", "--run", "1")
    document = json.loads(out)
    assert (code, document["balanced"], document["runs"][0]["inserted"]) == (1, False, 1)
    assert document["runs"][0]["recorded"]["inserted"] == 2
    code, out, _ = run("account")
    assert code == 1
    assert "inserted recorded 2, counted 1" in out
    assert "NOT balanced." in out


def test_status_shows_the_worst_first(run):
    document = json.loads(run("status", "--json")[1])
    assert [source["source"] for source in document["sources"]] == ["quotes", "trades"]
    assert document["total"]["rows_read"] == 5
    code, out, _ = run("status")
    assert code == 0
    assert out.splitlines()[1].startswith("quotes")


def test_doctor_exits_by_what_it_found(run, spine):
    code, out, _ = run("doctor", "--json")
    document = json.loads(out)
    assert (code, document["ok"], document["findings"]) == (0, True, [])
    (spine.workspace.home / "dataspine.toml").unlink()
    code, out, _ = run("doctor", "--json")
    assert code == 1
    assert json.loads(out)["findings"][0].keys() == {"code", "what", "cure"}
    spine.workspace.database.rows("UPDATE market_data SET price = '1' WHERE symbol_id = 1")
    code, out, _ = run("doctor", "--deep")
    assert code == 5
    assert "RUN_DIGEST" in out
