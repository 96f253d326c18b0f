"""The journal: what it keeps, and what it refuses."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from kinelift.batch.journal import VERSION, Journal, Made
from kinelift.core.errors import CaptureError

FILES = {"walk.bvh": 120, "walk.png": 7}
MADE = Made("/staging/1", FILES, 30, 25.0, 0.9, 0.8, 612.5, "<svg/>", ("Feet were hidden.",))


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


@pytest.mark.parametrize("damage", ["no database", "cut off", "overwritten", "a column short"])
def test_a_damaged_one_is_left_alone(path: Path, damage: str) -> None:
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
        db = sqlite3.connect(path)
        db.execute("ALTER TABLE clips DROP COLUMN strip")
        db.close()
    assert "is damaged" in refused(path)


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
