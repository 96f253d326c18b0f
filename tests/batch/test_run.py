"""A run of a batch: what it makes, skips, makes again, puts in place and reports."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kinelift.batch.job import HaltError, Progress, Stopped
from kinelift.batch.journal import Entry, Journal, Made
from kinelift.batch.orders import Order
from kinelift.batch.report import write_report
from kinelift.batch.run import FOLDER, JOURNAL, STAGING, Outcome, default_jobs, run
from kinelift.core.errors import CaptureError
from kinelift.core.options import CleanUp, Outputs


class Batch:
    """An output folder, and clips whose result is a file with their settings and content."""

    def __init__(self, folder: Path, clips: int = 3) -> None:
        self.out = folder / "out"
        self.made: list[str] = []
        self.orders = []
        for number in range(clips):
            clip = folder / f"clip{number}.mp4"
            clip.write_text(f"content {number}", encoding="utf-8")
            self.orders.append(Order(clip, f"sub/clip{number}", {}, CleanUp(), Outputs(format=("bvh",))))

    def make(self, order: Order, staging: Path, progress: Progress, stop: threading.Event) -> Made:
        progress("detect", 1, 2)
        content = order.clip.read_text(encoding="utf-8")
        if "broken" in content:
            raise CaptureError("It is broken.")
        if "halt" in content:
            raise HaltError("Nothing works any more.")
        folder = Path(tempfile.mkdtemp(dir=staging))
        try:
            (folder / f"{Path(order.name).name}.bvh").write_text(f"{order.capture} {content}" * 1000)
        except OSError as error:
            raise CaptureError(f"Can't write {folder}: {error.strerror}.") from error
        self.made.append(order.name[-1])
        files = {path.name: path.stat().st_size for path in folder.iterdir()}
        return Made(str(folder), files, frames=2, fps=30.0, detected=1.0, confidence=1.0)

    def run(self, **options: Any) -> Outcome:
        journal = Journal(self.out / FOLDER / JOURNAL)
        try:
            return run(self.orders, journal, self.out, self.make, 2, lambda *_: None, **options)
        finally:
            journal.close()
            assert not (self.out / FOLDER / STAGING).exists()

    def states(self) -> str:
        """The first letters of all clips' states."""
        journal = Journal(self.out / FOLDER / JOURNAL)
        entries = journal.entries()
        journal.close()
        return "".join(entry.state[0] for entry in entries)


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return Batch(tmp_path)


def test_what_is_done_is_not_made_again(batch: Batch) -> None:
    assert sorted(batch.run().done) == ["sub/clip0", "sub/clip1", "sub/clip2"]
    assert sorted(p.name for p in batch.out.rglob("*.bvh")) == ["clip0.bvh", "clip1.bvh", "clip2.bvh"]
    batch.made.clear()
    outcome = batch.run()
    assert not batch.made and len(outcome.skipped) == 3


def test_what_has_changed_is_made_again(batch: Batch) -> None:
    batch.run()
    batch.made.clear()
    batch.orders[0].clip.write_text("other content", encoding="utf-8")
    batch.orders[1] = replace(batch.orders[1], capture={"height": 1.8})
    batch.run()
    assert sorted(batch.made) == ["0", "1"]
    assert "other content" in (batch.out / "sub/clip0.bvh").read_text(encoding="utf-8")
    for spoil in (Path.unlink, lambda path: path.write_text("cut off", encoding="utf-8")):
        batch.made.clear()
        spoil(batch.out / "sub/clip2.bvh")
        batch.run()
        assert batch.made == ["2"]
    batch.made.clear()
    batch.run(force=True)
    assert sorted(batch.made) == ["0", "1", "2"]


def test_a_broken_clip_among_good_ones(batch: Batch) -> None:
    batch.orders[0].clip.write_text("broken", encoding="utf-8")
    batch.orders[1].clip.unlink()
    outcome = batch.run()
    assert sorted(outcome.failed) == ["sub/clip0", "sub/clip1"] and outcome.done == ["sub/clip2"]
    assert not outcome.stopped and batch.states() == "ffd"
    batch.orders[0].clip.write_text("mended", encoding="utf-8")
    assert batch.run().done == ["sub/clip0"]  # what failed is tried again


def test_on_request_it_stops_at_the_first_that_fails(tmp_path: Path) -> None:
    batch = Batch(tmp_path, clips=12)
    batch.orders[0].clip.write_text("broken", encoding="utf-8")
    outcome = batch.run(keep_going=False)
    assert outcome.failed == ["sub/clip0"] and outcome.stopped
    assert batch.states().count("q") + len(outcome.done) == 11 and "q" in batch.states()


def test_it_stops_when_nothing_can_be_made(batch: Batch) -> None:
    for order in batch.orders:
        order.clip.write_text("halt", encoding="utf-8")
    outcome = batch.run()
    assert outcome.stopped == "Nothing works any more." and not outcome.failed
    assert batch.states() == "qqq"


def test_an_earlier_result_stays_until_there_is_another(batch: Batch) -> None:
    batch.run()
    before = (batch.out / "sub/clip0.bvh").read_bytes()
    batch.orders[0].clip.write_text("broken", encoding="utf-8")
    batch.run()
    assert (batch.out / "sub/clip0.bvh").read_bytes() == before


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_what_had_been_finished_is_put_in_place(batch: Batch, moved: int) -> None:
    """A batch dies while it moves the two files of a clip, before, between or behind them."""
    journal = Journal(batch.out / FOLDER / JOURNAL)
    staged = batch.out / FOLDER / STAGING / "x"
    staged.mkdir(parents=True)
    (batch.out / "sub").mkdir()
    order = batch.orders[0]
    files = {}
    for number, name in enumerate(("clip0.bvh", "clip0.png")):
        (staged / name).write_text(name)
        files[name] = len(name)
        if number < moved:
            (staged / name).rename(batch.out / "sub" / name)
    journal.queue(order.name, order.clip, order.settings(), order.settings_hash())
    journal.claim(order.name, order.clip.read_text())
    journal.staged(order.name, Made(str(staged), files, 2, 30.0, 1.0, 1.0))
    journal.close()
    batch.orders = batch.orders[1:]
    batch.run()
    assert batch.states() == "ddd" and sorted(batch.made) == ["1", "2"]
    assert {p.name: p.stat().st_size for p in (batch.out / "sub").glob("clip0*")} == files


def test_what_had_been_finished_and_is_lost_is_made_again(batch: Batch) -> None:
    journal = Journal(batch.out / FOLDER / JOURNAL)
    order = batch.orders[0]
    journal.queue(order.name, order.clip, order.settings(), order.settings_hash())
    journal.claim(order.name, "content")
    journal.staged(order.name, Made("gone", {"clip0.bvh": 5}, 2, 30.0, 1.0, 1.0))
    journal.close()
    assert "sub/clip0" in batch.run().done


def test_a_journal_leads_nobody_out_of_staging(batch: Batch, tmp_path: Path) -> None:
    """Folders and files that only their names put in staging stay as they are."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("clip0.bvh", "clip1.bvh", "clip2.bvh"):
        (elsewhere / name).write_text("mine")
    staging = batch.out / FOLDER / STAGING
    staging.mkdir(parents=True)
    (staging / "stray").symlink_to(elsewhere)  # nobody's
    (staging / "x0").symlink_to(elsewhere)
    (staging / "x1").mkdir()
    (staging / "x1" / "clip1.bvh").symlink_to(elsewhere / "clip1.bvh")
    (staging / "x1" / "more").symlink_to(elsewhere)
    with closing(Journal(batch.out / FOLDER / JOURNAL)) as journal:
        for number, order in enumerate(batch.orders):
            journal.queue(order.name, order.clip, order.settings(), order.settings_hash())
            journal.claim(order.name, "content")
            made = Made(str(staging / f"x{number}"), {f"clip{number}.bvh": 4}, 2, 30.0, 1.0, 1.0)
            journal.staged(order.name, made)
    assert len(batch.run().done) == 3 and sorted(batch.made) == ["0", "1", "2"]
    assert [path.read_text() for path in sorted(elsewhere.iterdir())] == ["mine"] * 3


@pytest.mark.parametrize("what", ["link", "file"])
def test_a_staging_folder_that_is_none_is_replaced(batch: Batch, tmp_path: Path, what: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "folder").mkdir(parents=True)
    (elsewhere / "file").write_text("mine")
    staging = batch.out / FOLDER / STAGING
    staging.parent.mkdir(parents=True)
    if what == "link":
        staging.symlink_to(elsewhere)
    else:
        staging.write_text("a note")
    assert len(batch.run().done) == 3
    assert sorted(path.name for path in elsewhere.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("staged", [False, True])
def test_results_dont_follow_a_link(batch: Batch, tmp_path: Path, staged: bool) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    batch.out.mkdir()
    (batch.out / "sub").symlink_to(elsewhere)
    batch.orders[2] = replace(batch.orders[2], name="clip2")
    (batch.out / "clip2.bvh").symlink_to(elsewhere / "file")  # is replaced
    if staged:
        folder = batch.out / FOLDER / STAGING / "x"
        folder.mkdir(parents=True)
        (folder / "clip0.bvh").write_text("made")
        with closing(Journal(batch.out / FOLDER / JOURNAL)) as journal:
            journal.queue("sub/clip0", batch.orders[0].clip, {}, "")
            journal.claim("sub/clip0", "content")
            journal.staged("sub/clip0", Made(str(folder), {"clip0.bvh": 4}, 2, 30.0, 1.0, 1.0))
    outcome = batch.run()
    assert sorted(outcome.failed) == ["sub/clip0", "sub/clip1"] and outcome.done == ["clip2"]
    with closing(Journal(batch.out / FOLDER / JOURNAL)) as journal:
        reason = journal.entries()[1].reason
    assert reason is not None and "link leads from" in reason and not batch.made[1:]
    assert not list(elsewhere.iterdir()) and not (batch.out / "clip2.bvh").is_symlink()


@pytest.mark.parametrize("what", ["", FOLDER, f"{FOLDER}/{STAGING}", f"{FOLDER}/{JOURNAL}"])
@pytest.mark.parametrize("when", ["making", "made", "all at work"])
def test_the_output_folder_vanishes(tmp_path: Path, what: str, when: str) -> None:
    """Somebody removes it, or a part of it, before the second clip's files are made, behind, or meanwhile."""
    batch = Batch(tmp_path, clips=5)
    inner = batch.make
    gone = batch.out / what

    def make(order: Order, staging: Path, progress: Progress, stop: threading.Event) -> Made:
        last = order.name == "sub/clip1"
        if last and when == "making":
            remove(gone)
        made = inner(order, staging, progress, stop)
        if last and when == "made":
            remove(gone)
        if last and when == "all at work":
            threading.Timer(0.2, remove, [gone]).start()
            assert stop.wait(20)
            raise Stopped
        return made

    def remove(path: Path) -> None:
        path.unlink() if path.suffix else shutil.rmtree(path)

    batch.make = make  # type: ignore[method-assign]
    with closing(Journal(batch.out / FOLDER / JOURNAL)) as journal:
        outcome = run(batch.orders, journal, batch.out, batch.make, 1, lambda *_: None)
        rows = {entry.name: entry.state for entry in journal.entries()}
    assert "was removed while the batch ran" in outcome.stopped
    assert outcome.done == ["sub/clip0"] and not outcome.failed and "failed" not in rows.values()
    assert (batch.out / "sub/clip0.bvh").exists() == bool(what) and batch.out.exists() == bool(what)
    batch.make = inner  # type: ignore[method-assign]
    kept = int(what == f"{FOLDER}/{STAGING}")  # else the journal is lost as well
    outcome = batch.run()
    assert not outcome.stopped and len(outcome.done) == 5 - kept and len(outcome.skipped) == kept


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB of its own."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can make a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("this system lets nobody make a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_stops_it_and_it_goes_on_when_there_is_room(tmp_path: Path, small_disk: Path) -> None:
    batch = Batch(tmp_path, clips=6)
    batch.out = small_disk / "out"
    for number, order in enumerate(batch.orders):
        order.clip.write_text(f"{number}" * 800, encoding="utf-8")  # 0.8 MB each, made 1000 times over
    outcome = batch.run()
    assert "is full: make room" in outcome.stopped and not outcome.failed
    whole = {path.name: path.stat().st_size for path in batch.out.rglob("*.bvh")}
    assert len(outcome.done) == len(whole) and set(whole.values()) == {803_000}
    assert 1 <= len(whole) < 6 and batch.states().count("d") == len(whole)
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    outcome = batch.run()
    assert not outcome.stopped and len(outcome.done) + len(whole) == 6 and batch.states() == "d" * 6


def grow(disk: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}k", str(disk)], check=True)


def test_each_write_finds_the_disk_full_once(tmp_path: Path, small_disk: Path) -> None:
    """The room grows by the least that a disk gives, from none to all that a batch takes."""
    for room in range(4, 1000, 4):
        batch = Batch(tmp_path, clips=2)
        batch.out = small_disk / "out"
        for order in batch.orders:
            order.clip.write_text(order.name * 3, encoding="utf-8")
        grow(small_disk, room)
        said = run_and_report(batch)
        if not said:
            break
        grow(small_disk, 4096)
        assert_agreed(batch)
        assert run_and_report(batch) == "" and batch.states() == "dd"
        assert_agreed(batch)
        shutil.rmtree(batch.out)
    assert not said, "there was never room enough"


def run_and_report(batch: Batch) -> str:
    """Do what the command does; return what stopped it."""
    try:
        with closing(Journal(batch.out / FOLDER / JOURNAL)) as journal:
            outcome = run(batch.orders, journal, batch.out, batch.make, 2, lambda *_: None)
            assert not outcome.failed
            if not outcome.stopped:
                write_report(journal.entries(), batch.out / "report.html")
            return outcome.stopped
    except CaptureError as error:
        assert "No space left" in str(error) or "disk is full" in str(error)
        return str(error)


def assert_agreed(batch: Batch) -> None:
    """Assert that all files in place are whole, and are those that the journal tells of."""
    found = {path.name: path.read_text(encoding="utf-8") for path in batch.out.glob("sub/*")}
    for order in batch.orders:
        content = f"{order.capture} {order.clip.read_text(encoding='utf-8')}" * 1000
        assert found.get(f"{Path(order.name).name}.bvh", content) == content
    with closing(Journal(batch.out / FOLDER / JOURNAL, read_only=True)) as journal:
        entries = journal.entries()
    done = {file for entry in entries if entry.state == "done" for file in entry.files}
    staged = {file for entry in entries if entry.staged for file in entry.staged["files"]}
    assert done <= found.keys() <= done | staged


def test_a_report_for_which_there_is_no_room(small_disk: Path) -> None:
    report = small_disk / "report.html"
    entry = Entry("walk", "/walk.mp4", "", "failed", reason="It is broken.")
    write_report([entry], report)
    before = report.read_bytes()
    with pytest.raises(CaptureError, match="No space left"):
        write_report([entry] * 100_000, report)
    assert report.read_bytes() == before and [path.name for path in small_disk.iterdir()] == ["report.html"]


def test_jobs_by_default() -> None:
    assert 1 <= default_jobs() <= (os.cpu_count() or 1)
