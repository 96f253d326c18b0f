"""A run of a batch: what it makes, skips, makes again, puts in place and reports."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kinelift.batch.job import HaltError, Progress
from kinelift.batch.journal import Journal, Made
from kinelift.batch.orders import Order
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
    journal.staged(order.name, Made(str(batch.out / "gone"), {"clip0.bvh": 5}, 2, 30.0, 1.0, 1.0))
    journal.close()
    assert "sub/clip0" in batch.run().done


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
    assert 1 <= len(whole) < 6
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    outcome = batch.run()
    assert not outcome.stopped and len(outcome.done) + len(whole) == 6 and batch.states() == "d" * 6


def test_jobs_by_default() -> None:
    assert 1 <= default_jobs() <= (os.cpu_count() or 1)
