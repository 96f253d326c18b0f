"""Batches of several clips: folders, the report, the table, interruptions, kills and full disks."""

from __future__ import annotations

import html
import json
import os
import pty
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from kinelift.batch.journal import Journal
from kinelift.batch.run import FOLDER, JOURNAL, STAGING
from kinelift.tests.batch.soak import alive, check_whole, children, results, soak
from kinelift.tests.batch.test_command import ROOT, SAMPLE, batch, sentences
from kinelift.tests.batch.test_show import drawn_on
from kinelift.tests.motions import random_capture

# captures, detects or starts other programs
pytestmark = [pytest.mark.slow, pytest.mark.any_blender]


def motions(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        random_capture(6, seed=number).save(folder / f"clip {number}.motion.npz")
    return folder


def states(out: Path) -> list[str]:
    journal = Journal(out / FOLDER / JOURNAL)
    found = [entry.state for entry in journal.entries()]
    journal.close()
    return found


def command(*arguments: str | Path) -> list[str]:
    return [
        sys.executable,
        str(ROOT / "batch.py"),
        *map(str, arguments),
        "--quality",
        "quick",
        "--format",
        "bvh",
    ]


class Page(HTMLParser):
    """The links of a report."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.targets += [value for name, value in attrs if name in ("href", "src") and value]


def test_a_folder_and_its_report(tmp_path: Path) -> None:
    clips, out = motions(tmp_path / "clips", 2), tmp_path / "out"
    (clips / "day #1").mkdir()
    shutil.move(clips / "clip 1.motion.npz", clips / "day #1" / "50% & <b>.motion.npz")
    (clips / "broken.motion.npz").write_text("no motion")
    arguments = (clips, "--pattern", "*.npz", "--out", out, "--format", "bvh")
    told = batch(*arguments, "--dry-run")
    assert told.returncode == 0 and told.stdout.count("would be made") == 3 and not out.exists()
    assert batch(*arguments).returncode == 3
    page = Page(out / "report.html")
    links = [target for target in page.targets if not target.startswith("data:")]
    assert {unquote(link) for link in links} == {
        path.relative_to(out).as_posix()
        for path in out.rglob("*")
        if path.is_file() and FOLDER not in path.parts and path.name != "report.html"
    }
    assert "<h1>2 done, 1 failed</h1>" in page.text and "50% &amp; _b_" in page.text
    rows = re.findall(r'<tr class="(\w+)">(.*?)</tr>', page.text)
    assert [state for state, _ in rows] == ["failed", "done", "done"]
    assert f"{clips / 'broken.motion.npz'} is" in html.unescape(rows[0][1])
    told = batch(*arguments, "--dry-run")
    assert told.stdout.count("is done") == 2 and told.stdout.count("would be made") == 1
    again = batch(*arguments)
    assert again.returncode == 3 and again.stdout.count("is done already") == 2


def test_a_table_on_a_terminal(tmp_path: Path) -> None:
    clips = motions(tmp_path / "clips", 2)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command(clips, "--pattern", "*.npz", "--out", tmp_path / "out", "--jobs", "2"),
        stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    ) as process:  # fmt: skip
        os.close(theirs)
        drawn = drawn_on(ours)
        assert process.stdout is not None
        lines = process.stdout.read().decode()
    assert process.returncode == 0
    # both may end between two drawings
    assert re.search(rb"clip 0 +build .*0/1", drawn) and re.search(rb"[12] running, 0 waiting", drawn)
    # a file gets the lines without the table
    assert sorted(line.partition(":")[0] for line in lines.splitlines()) == ["clip 0", "clip 1"]
    assert "\x1b" not in lines


def at_work(process: subprocess.Popen[Any], word: str) -> list[int]:
    """The processes that a batch has started, once one of them has a word on its command line."""
    while process.poll() is None:
        for pid in (found := children(process.pid)):
            with suppress(OSError):
                if word in Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0"):
                    return found
        time.sleep(0.02)
    pytest.fail(f"it ended without {word}")


@pytest.mark.parametrize("after", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("step", ["capture", "--build"])
def test_its_processes_end_with_it(tmp_path: Path, step: str, after: float) -> None:
    """Nobody but the system can tell them of a kill -9."""
    # many more clips than the fastest machine makes before the kill
    clips, out = motions(tmp_path / "clips", 60), tmp_path / "out"
    for number in range(60):
        (clips / f"clip {number}.mp4").symlink_to(SAMPLE)
    words = [clips] if step == "capture" else [clips, "--pattern", "*.npz", "--format", "blend,fbx,glb"]
    process = subprocess.Popen(
        command(*words, "--out", out, "--jobs", "2"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    at_work(process, step)
    time.sleep(after)
    started = at_work(process, step)
    process.kill()
    process.wait()
    until = time.monotonic() + 2
    while any(map(alive, started)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(alive, started))


def test_the_output_folder_is_removed_meanwhile(tmp_path: Path) -> None:
    clips, out = motions(tmp_path / "clips", 3), tmp_path / "out"
    words = command(clips, "--pattern", "*.npz", "--out", out, "--jobs", "1")
    for gone in (out / FOLDER / STAGING, out):
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        at_work(process, "--build")
        while len(results(out)) < 5 and process.poll() is None:  # the first clip is in place
            time.sleep(0.02)
        at_work(process, "--build")
        before = results(out)
        shutil.rmtree(gone)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 4, said
        (sentence,) = [line for line in sentences(said.decode()) if "Kinelift" not in line]
        assert "was removed while the batch ran: give the same command again" in sentence
        if gone == out:
            assert not out.exists()
        else:
            assert results(out) == before and "1 done" in Page(out / "report.html").text
            check_whole(out)
    done = subprocess.run(words, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0 and states(out) == ["done"] * 3


def test_what_a_motion_says_is_shown_and_no_more(tmp_path: Path) -> None:
    clips, out = motions(tmp_path / "clips", 1), tmp_path / "out"
    wild = "</small><script>alert(1)</script>"
    random_capture(6, warnings=(wild, *["x" * 900] * 40)).save(clips / "wild.motion.npz")
    done = batch(clips, "--pattern", "*.npz", "--out", out, "--format", "bvh")
    assert done.returncode == 0 and states(out) == ["done"] * 2, done.stderr
    text = (out / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text and len(text) < 50_000


def test_a_journal_that_nobody_can_believe(tmp_path: Path) -> None:
    clips, out = motions(tmp_path / "clips", 1), tmp_path / "out"
    precious = tmp_path / "precious"
    (precious / "folder").mkdir(parents=True)
    (precious / "file").write_text("mine")
    Journal(out / FOLDER / JOURNAL).close()
    with closing(sqlite3.connect(out / FOLDER / JOURNAL)) as db, db:
        db.execute(
            "INSERT INTO clips (name, clip, settings, settings_hash, state, staged) "
            "VALUES ('walk', '', '', '', 'running', ?)",
            (json.dumps({"folder": str(precious), "files": {}}),),
        )
    arguments = (clips, "--pattern", "*.npz", "--out", out, "--format", "bvh")
    looked = batch(*arguments, "--dry-run")
    assert looked.returncode == 0 and "would be made" in looked.stdout and "is damaged" in looked.stderr
    done = batch(*arguments)
    assert done.returncode == 0 and states(out) == ["done"]
    (sentence,) = sentences(done.stderr)
    assert "is damaged" in sentence and "journal.damaged-1.sqlite" in sentence
    assert sorted(path.name for path in precious.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_is_interrupted_and_goes_on(tmp_path: Path, how: signal.Signals) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(command(SAMPLE, "--out", out), stderr=subprocess.PIPE, text=True)
    at_work(process, "capture")
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    assert (
        process.returncode == 130
        and "give the same command again to go on" in said
        and "Traceback" not in said
    )
    assert states(out) == ["queued"] and not results(out)
    assert [path.name for path in (out / FOLDER).iterdir()] == [JOURNAL]


def test_a_process_that_takes_too_much_memory_is_ended(tmp_path: Path) -> None:
    clips, out = motions(tmp_path / "clips", 1), tmp_path / "out"
    done = batch(clips, "--pattern", "*.npz", "--out", out, "--format", "bvh", "--memory", "100")
    assert done.returncode == 3 and states(out) == ["failed"] and not results(out)
    (sentence,) = sentences(done.stderr)
    assert "more than 100 MB of memory" in sentence and "--memory" in sentence


def test_it_is_killed_and_goes_on(tmp_path: Path) -> None:
    clips, out = motions(tmp_path / "clips", 6), tmp_path / "out"
    words = command(clips, "--pattern", "*.npz", "--out", out, "--jobs", "2", "--resume")
    assert "6 clips, each done once" in soak(words, out, clips=6, kills=1, every=1.0, most=5)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB of its own."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can make a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("this system lets nobody make a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_fills_up(tmp_path: Path, small_disk: Path) -> None:
    clips, out = tmp_path / "clips", small_disk / "out"
    clips.mkdir()
    for number in range(3):  # 1.5 MB each
        random_capture(700, seed=number).save(clips / f"clip {number}.motion.npz")
    arguments = command(clips, "--pattern", "*.npz", "--out", out, "--jobs", "1")
    stopped = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=300)
    assert stopped.returncode == 4, stopped.stderr
    (sentence,) = sentences(stopped.stderr)
    assert "is full: make room and give the same command again" in sentence
    check_whole(out)
    assert not any(path.name.startswith(".kinelift-") for path in out.rglob("*"))
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    resumed = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=300)
    assert resumed.returncode == 0, resumed.stderr
    assert states(out) == ["done"] * 3
    check_whole(out)
