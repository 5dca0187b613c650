"""Doctor: silent on a sound workspace, and one finding with its cure for each thing that is wrong."""

from __future__ import annotations

import os

import pytest

from dataspine.audit.anchors import FILE_NAME
from dataspine.service.doctor import check_up
from dataspine.service.workspace_files import check_archive, check_free_space
from dataspine.store.inspection import known_payloads
from tests.builders import (
    NOW_US,
    ingest_quotes,
    ingest_trades,
    kill_after_first_chunk,
    make_desk,
    quote,
    trade,
)

CONFIG = "[sources.quotes]\npreset = 'generic_quotes'\npath = 'drop/*.json'\n"


@pytest.fixture
def sound(spine):
    """A workspace with all that a good one has."""
    (spine.workspace.home / "dataspine.toml").write_text(CONFIG)
    ingest_quotes(spine, [quote("A"), quote("B", price="-1"), quote("C")])
    ingest_quotes(spine, [quote("A", price="2")], object_name="second")
    ingest_trades(spine, [trade()])
    spine.anchor()
    return spine


def codes(spine, *, deep=False):
    return [finding.code for finding in check_up(make_desk(spine), deep=deep).findings]


def tamper(spine, statement):
    connection = spine.workspace.database.connection
    connection.execute("PRAGMA ignore_check_constraints = ON")
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    assert connection.execute(statement).rowcount > 0


def archived(spine, run_id=1):
    (sha256,) = spine.workspace.database.one(
        "SELECT sha256 FROM payloads JOIN runs USING (payload_id) WHERE run_id = ?", (run_id,)
    )
    return spine.workspace.archive.path_of(sha256)


@pytest.mark.parametrize("deep", [False, True])
def test_sound_workspace_has_no_finding(sound, deep):
    found = check_up(make_desk(sound), deep=deep)
    assert found.findings == ()
    assert found.ok
    assert {"sqlite", "tzdata", "config", "home"} <= found.facts.keys()


def test_no_database_is_a_finding_and_makes_none(sound):
    sound.workspace.database.close()
    (sound.workspace.home / "dataspine.db").unlink()
    found = check_up(make_desk(sound))
    assert [finding.code for finding in found.findings] == ["DATABASE_MISSING"]
    assert not found.is_corrupt
    assert not (sound.workspace.home / "dataspine.db").exists()


def test_file_that_is_no_database_is_corrupt(sound):
    sound.workspace.database.close()
    path = sound.workspace.home / "dataspine.db"
    path.write_bytes(b"no database, but long enough to be looked at" * 100)
    found = check_up(make_desk(sound))
    assert [finding.code for finding in found.findings] == ["DATABASE_DAMAGED"]
    assert found.is_corrupt


def test_damaged_page_is_corrupt(sound):
    ingest_quotes(sound, [quote(f"S{number}") for number in range(3_000)], object_name="many")
    sound.workspace.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    sound.workspace.database.close()
    with (sound.workspace.home / "dataspine.db").open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.seek(file.tell() // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096)
    found = check_up(make_desk(sound))
    assert "DATABASE_DAMAGED" in [finding.code for finding in found.findings]
    assert found.is_corrupt


def test_wrong_key_of_the_configuration_is_named(sound):
    (sound.workspace.home / "dataspine.toml").write_text(CONFIG + "pth = 'x'\n")
    (finding,) = check_up(make_desk(sound)).findings
    assert finding.code == "CONFIG"
    assert "pth" in finding.what


def test_missing_configuration_is_a_finding(sound):
    (sound.workspace.home / "dataspine.toml").unlink()
    assert codes(sound) == ["CONFIG_MISSING"]


@pytest.mark.parametrize("name", [".", "dataspine.db", "locks", "payloads", ".env"])
def test_open_mode_is_a_finding(sound, name):
    path = sound.workspace.home / name
    if name == ".env":
        path.touch()
    path.chmod(0o740)
    (finding,) = check_up(make_desk(sound)).findings
    assert finding.code == "FILE_MODE"
    assert str(path) in finding.what


def test_open_payload_is_a_finding(sound):
    archived(sound).chmod(0o644)
    assert codes(sound) == ["FILE_MODE"]


@pytest.mark.parametrize(("wanted", "found"), [(0, []), (2**62, ["DISK_SPACE"])])
def test_little_space_is_a_finding(sound, wanted, found):
    home = sound.workspace.home
    assert [finding.code for finding in check_free_space(home, free_bytes_min=wanted)] == found


def test_lost_run_is_a_finding_until_it_is_taken_back(sound):
    kill_after_first_chunk(sound, [quote("X"), quote("Y")], object_name="third")
    assert codes(sound) == ["RUN_LOST"]
    with sound.workspace.source_lock("quotes"):
        assert codes(sound) == []
    ingest_quotes(sound, [quote("Z")], object_name="fourth")
    assert codes(sound) == ["RUN_INTERRUPTED"]
    ingest_quotes(sound, [quote("X"), quote("Y")], object_name="third")
    assert codes(sound) == []


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE runs SET rows_read = rows_read + 1 WHERE run_id = 1", "RUN_ACCOUNT"),
        ("UPDATE sources SET rows_stored = rows_stored + 1 WHERE name = 'quotes'", "SOURCE_COUNTERS"),
        ("UPDATE sources SET open_letters = 0", "SOURCE_COUNTERS"),
        ("UPDATE audit_events SET actor = 'nobody' WHERE sequence = 1", "AUDIT_CHAIN"),
        ("DELETE FROM audit_events WHERE sequence > 1", "AUDIT_CHAIN"),
    ],
)
def test_table_changed_from_outside_is_a_finding(sound, statement, code):
    tamper(sound, statement)
    assert codes(sound) == [code]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE market_data SET price = '9' WHERE run_id = 2",
        "DELETE FROM market_data WHERE run_id = 2",
        "UPDATE trade_data SET quantity = '9'",
        "UPDATE dead_letters SET records = 2",
    ],
)
def test_changed_row_is_found_by_the_deep_look_alone(sound, statement):
    tamper(sound, statement)
    assert codes(sound) == []
    found = check_up(make_desk(sound), deep=True)
    assert [finding.code for finding in found.findings] == ["RUN_DIGEST"]
    assert found.is_corrupt


def test_run_of_other_code_is_no_corruption(sound):
    tamper(sound, "UPDATE runs SET code_version = 'old', digest = 'x' WHERE run_id = 1")
    found = check_up(make_desk(sound), deep=True)
    assert [finding.code for finding in found.findings] == ["RUN_DIGEST"]
    assert not found.is_corrupt


def test_log_without_anchors_is_a_finding(sound):
    (sound.workspace.home / FILE_NAME).unlink()
    assert codes(sound) == ["AUDIT_UNANCHORED"]


def test_damaged_anchors_are_a_finding(sound):
    path = sound.workspace.home / FILE_NAME
    path.write_bytes(b"{}\n" + path.read_bytes())
    assert codes(sound) == ["AUDIT_ANCHORS", "AUDIT_UNANCHORED"]


@pytest.mark.parametrize(("back_s", "found"), [(60, []), (61, ["CLOCK_BEHIND"])])
def test_clock_behind_the_log_is_a_finding(sound, back_s, found):
    (newest_us,) = sound.workspace.database.one("SELECT max(at_us) FROM audit_events")
    sound.clock.advance_s((newest_us - NOW_US) / 1e6 - back_s)
    assert codes(sound) == found


def test_missing_payload_is_corruption(sound):
    archived(sound).unlink()
    found = check_up(make_desk(sound))
    assert [finding.code for finding in found.findings] == ["PAYLOAD_MISSING"]
    assert found.is_corrupt


def test_shorter_payload_is_found_at_once_and_flipped_bit_by_the_deep_look(sound):
    path, known = archived(sound), known_payloads(sound.workspace.database)
    home, content = sound.workspace.home, archived(sound).read_bytes()
    path.write_bytes(content[:-1])
    assert [finding.code for finding in check_archive(home, known, deep=False)] == ["PAYLOAD_CHANGED"]
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    assert list(check_archive(home, known, deep=False)) == []
    assert [finding.code for finding in check_archive(home, known, deep=True)] == ["PAYLOAD_CHANGED"]


def test_payload_that_was_never_judged_is_a_finding(sound):
    sound.workspace.archive.keep([b"received, then the power went"], object_name="x", received_at_us=NOW_US)
    assert codes(sound) == ["PAYLOAD_UNUSED"]


def test_part_of_a_dead_writer_is_a_finding_and_of_a_living_one_is_not(sound):
    payloads = sound.workspace.home / "payloads"
    (payloads / f".part-{os.getpid()}-1").touch(mode=0o600)
    assert codes(sound) == []
    (payloads / ".part-4194999-1").touch(mode=0o600)
    assert codes(sound) == ["PAYLOAD_PART"]
