"""The journal: what it keeps, and what it refuses."""

from __future__ import annotations

import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from kinelift.batch.journal import VERSION, Journal, Made, Seen
from kinelift.core.errors import CaptureError

FILES = {"walk.bvh": 120, "walk.png": 7, "walk.person2.bvh": 121}
OTHER = {"detected": 0.5, "confidence": None, "strip": "", "warnings": []}
OTHERS = (Seen(0.5, 0.25, "<svg />", ("They left.",)),)
MADE = Made("/staging/1", FILES, 30, 25.0, 0.9, 0.8, 612.5, "<svg/>", ("Feet were hidden.",), OTHERS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".kinelift" / "journal.sqlite"


def begun(path: Path) -> Journal:
    """A journal with a clip that is being made."""
    journal = Journal(path)
    journal.queue("day/walk", Path("/clips/walk.mp4"), {"height": 1.8}, "settings")
    assert journal.claim("day/walk", "content")
    return journal


def test_a_clips_life(path: Path) -> None:
    journal = begun(path)
    assert not journal.claim("day/walk", "content")  # one at a time
    journal.staged("day/walk", MADE)
    journal.done("day/walk", FILES)
    journal.done("day/walk", FILES)  # told twice, done once
    journal.close()
    journal = Journal(path)
    (entry,) = journal.entries()
    assert (entry.name, entry.clip, entry.state) == ("day/walk", "/clips/walk.mp4", "done")
    assert (entry.settings_hash, entry.input_hash) == ("settings", "content")
    assert (entry.attempts, entry.completions, entry.files, entry.staged) == (1, 1, FILES, None)
    assert (entry.frames, entry.fps, entry.detected, entry.confidence) == (30, 25.0, 0.9, 0.8)
    assert (entry.memory, entry.strip, entry.warnings) == (612.5, "<svg/>", ("Feet were hidden.",))
    assert entry.others == OTHERS
    assert entry.started is not None and entry.ended is not None and entry.started <= entry.ended
    journal.queue("day/walk", Path("/clips/walk.mp4"), {}, "other")
    journal.claim("day/walk", "content")
    journal.failed("day/walk", "Nobody is in it.")
    entry = journal.entries()[0]
    assert (entry.state, entry.reason, entry.completions) == ("failed", "Nobody is in it.", 1)
    journal.close()


def test_it_survives_kill_9(path: Path) -> None:
    code = f"""
import os, signal, sys
from pathlib import Path
from kinelift.batch.journal import Journal
journal = Journal(Path({str(path)!r}))
for number in range(20):
    journal.queue(str(number), Path("clip"), {{}}, "")
    journal.claim(str(number), "content")
os.kill(os.getpid(), signal.SIGKILL)
"""
    root = Path(__file__).resolve().parents[2]
    killed = subprocess.run([sys.executable, "-c", code], cwd=root, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    journal = Journal(path)
    assert [entry.state for entry in journal.entries()] == ["running"] * 20
    journal.close()


def refused(path: Path, read_only: bool = False) -> str:
    before = path.read_bytes()
    with pytest.raises(CaptureError) as error:
        Journal(path, read_only)
    assert path.read_bytes() == before
    return str(error.value)


@pytest.mark.parametrize("read_only", [False, True])
def test_another_versions_is_left_alone(path: Path, read_only: bool) -> None:
    begun(path).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    said = refused(path, read_only)
    assert "another version of Kinelift" in said and f"format {VERSION + 1}" in said


def test_another_programs_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE clips (name TEXT)")
    db.close()
    assert "another program's" in refused(path)


def looked_at(path: Path) -> tuple[str, list[str]]:
    """What a look says about a journal, and its clips."""
    with closing(Journal(path, read_only=True)) as journal:
        return journal.notice, [entry.name for entry in journal.entries()]


def assert_set_aside(path: Path) -> str:
    """Assert that a batch renames a journal and begins another one; return what it says."""
    before = path.lstat()
    said, names = looked_at(path)
    assert "is damaged" in said and not names and path.lstat().st_ino == before.st_ino
    with closing(Journal(path)) as journal:
        assert not journal.entries() and "is damaged" in journal.notice
        assert "It is journal.damaged-1.sqlite now." in journal.notice
    assert path.with_name("journal.damaged-1.sqlite").lstat().st_ino == before.st_ino
    with closing(Journal(path)) as journal:
        assert not journal.notice
    return said


@pytest.mark.parametrize("damage", ["no database", "cut off", "overwritten", "a column short"])
def test_a_damaged_one_is_set_aside(path: Path, damage: str) -> None:
    journal = Journal(path)
    for number in range(200):
        journal.queue(f"{number:0200}", Path("clip"), {}, "")
    journal.close()
    content = path.read_bytes()
    if damage == "no database":
        path.write_bytes(b"walk.mp4 is done\n" * 100)
    elif damage == "cut off":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "overwritten":
        path.write_bytes(content[:4096] + os.urandom(len(content) - 4096))
    else:
        changed(path, "ALTER TABLE clips DROP COLUMN strip")
    assert_set_aside(path)


def changed(path: Path, *statements: str) -> Path:
    """A journal after somebody else wrote into it."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            db.execute(statement)
    return path


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON clips BEGIN DELETE FROM clips; END",
        "CREATE VIEW more AS SELECT * FROM clips",
        "CREATE TABLE other (name TEXT)",
        "CREATE INDEX i ON clips (state)",
        "ALTER TABLE clips ADD COLUMN twice TEXT AS (name || name)",
        "DROP TABLE clips",
    ],
)
def test_one_with_another_schema_is_set_aside(path: Path, statement: str) -> None:
    begun(path).close()
    assert "its tables are others" in assert_set_aside(changed(path, statement))


def test_a_view_in_place_of_the_table(path: Path) -> None:
    begun(path).close()
    changed(path, "ALTER TABLE clips RENAME TO hidden", "CREATE VIEW clips AS SELECT * FROM hidden")
    assert_set_aside(path)


@pytest.mark.parametrize(
    "values",
    [
        "name = '/etc/passwd'",
        "name = '../walk'",
        "name = 'day/../../walk'",
        "name = '.kinelift/walk'",
        "name = ''",
        "name = 'a' || char(10) || 'b'",
        "name = x'ff'",
        "name = CAST(x'ff' AS TEXT)",
        "name = NULL",
        "clip = x'00'",
        "state = 'finished'",
        "attempts = 'many'",
        "completions = -1",
        "started = 9e999",
        "ended = 'late'",
        "frames = 2.5",
        "fps = -9e999",
        "detected = x''",
        "confidence = 'high'",
        "memory = -1",
        "strip = x'3c'",
        "reason = zeroblob(20)",
        "reason = printf('%.*c', 17000000, 'x')",
        "warnings = '{}'",
        "warnings = '[1]'",
        "warnings = '[' || char(34)",
        "warnings = printf('%.*c', 200000, '[')",
        "others = '{}'",
        "others = '[1]'",
        """others = '[{"detected": 1}]'""",
        *(
            f"others = '[{json.dumps(OTHER | wrong)}]'"
            for wrong in (
                {"detected": -1},
                {"confidence": "high"},
                {"strip": 5},
                {"warnings": [1]},
                {"more": 1},
            )
        ),
        f"others = '{json.dumps([OTHER] * 6)}'",
        "files = '[]'",
        """files = '{"walk.bvh": "5"}'""",
        """files = '{"walk.bvh": -5}'""",
        """files = '{"walk.bvh": true}'""",
        """files = '{"../walk.bvh": 5}'""",
        """files = '{"report.html": 5}'""",
        """files = '{"walk./../../x": 5}'""",
        """files = '{"walk": 5}'""",
        "staged = '5'",
        "staged = '{}'",
        """staged = '{"folder": "x"}'""",
        """staged = '{"folder": 5, "files": {}}'""",
        """staged = '{"folder": "", "files": {}}'""",
        """staged = '{"folder": "..", "files": {}}'""",
        """staged = '{"folder": "/tmp/x", "files": {}}'""",
        """staged = '{"folder": "x/y", "files": {}}'""",
        """staged = '{"folder": "x", "files": {"/etc/passwd": 5}}'""",
        """staged = '{"folder": "x", "files": {}, "more": 1}'""",
    ],
)
def test_one_whose_rows_no_batch_writes_is_set_aside(path: Path, values: str) -> None:
    begun(path).close()
    assert_set_aside(changed(path, f"UPDATE clips SET {values}"))


@pytest.mark.parametrize("part", ["", "-wal", "-shm"])
@pytest.mark.parametrize("kind", ["fifo", "folder", "link", "device"])
def test_what_is_no_plain_file_is_set_aside(path: Path, tmp_path: Path, kind: str, part: str) -> None:
    begun(path).close()
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    before = elsewhere.read_bytes()
    if part:
        path.write_bytes(before)
    there = Path(f"{path}{part}")
    if kind == "fifo":
        os.mkfifo(there)
    elif kind == "folder":
        there.mkdir()
    else:
        there.symlink_to(elsewhere if kind == "link" else "/dev/zero")
    assert "isn't a plain file" in assert_set_aside(path)
    assert elsewhere.read_bytes() == before


def test_what_sqlite_would_roll_back_is_set_aside(path: Path) -> None:
    """SQLite deletes the file that a rollback journal names as its superior."""
    begun(path).close()
    beside = Path(f"{path}-journal")
    beside.write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(600))
    assert_set_aside(path)
    assert not beside.exists()


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_folder_that_is_none_is_refused(tmp_path: Path, kind: str, read_only: bool) -> None:
    folder = tmp_path / ".kinelift"
    if kind == "file":
        folder.write_text("a note")
    else:
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CaptureError, match="must be a folder, and no link"):
        Journal(folder / "journal.sqlite", read_only)
    assert folder.read_text() == "a note" if kind == "file" else not list(folder.iterdir())


def test_it_takes_whatever_a_motion_holds(path: Path) -> None:
    journal = begun(path)
    odd = "".join(map(chr, (0, 10, 27, 0x202E, 0xD800, 0x1F600)))
    journal.queue("other", Path(f"/clips/{odd}"), {"text": odd}, "settings")
    journal.failed("other", odd * 10_000)
    journal.staged(
        "day/walk",
        Made(
            "/staging/1", FILES, 1, math.inf, math.nan, -math.inf, 1.0, odd[5], (odd,),
            (Seen(math.nan, math.inf, "", (odd,)),),
        ),
    )  # fmt: skip
    journal.done("day/walk", FILES)
    journal.close()
    with closing(Journal(path)) as journal:
        assert not journal.notice
        walk, other = journal.entries()
    assert walk.others == (Seen(None, None, "", (odd,)),)
    assert (walk.fps, walk.detected, walk.confidence, walk.warnings) == (None, None, None, (odd,))
    assert other.reason is not None and len(other.reason) < 10_000 and "\x1b" not in other.reason


def test_two_batches_dont_share_one(path: Path) -> None:
    journal = begun(path)
    with pytest.raises(CaptureError, match="Another batch is at work"):
        Journal(path)
    journal.close()
    Journal(path).close()


def test_looking_changes_nothing(path: Path) -> None:
    begun(path).close()
    before = path.read_bytes()
    journal = Journal(path, read_only=True)
    assert journal.entry("day/walk") is not None and journal.entry("walk") is None
    journal.close()
    assert path.read_bytes() == before
