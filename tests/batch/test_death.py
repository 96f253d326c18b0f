"""What becomes of a batch's processes, and of what they had begun, when they or the batch itself die."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kinelift.batch.job import Tools, make
from kinelift.batch.orders import Order
from kinelift.batch.run import FOLDER, JOURNAL
from kinelift.core.errors import CaptureError
from kinelift.tests.batch.soak import children
from kinelift.tests.batch.test_command import SAMPLE, results
from kinelift.tests.batch.test_many import command, states
from kinelift.tests.core.test_worker import lives

# captures, detects or starts other programs
pytestmark = [pytest.mark.slow, pytest.mark.any_blender]


def captures(pid: int, _out: Path) -> bool:
    """Whether a process has loaded what it detects with."""
    return "mediapipe" in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")


def builds(_pid: int, out: Path) -> bool:
    """Whether a build has begun to write files: the still, which takes longest, comes after the BVH."""
    return any(out.rglob("*.bvh"))


@pytest.mark.parametrize("at_work", [captures, builds])
def test_its_processes_end_within_two_seconds_of_its_death(
    tmp_path: Path, at_work: Callable[[int, Path], bool]
) -> None:
    out = tmp_path / "out"
    arguments = command(SAMPLE, "--out", out, "--end", "0.3")
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
    while not (found := [pid for pid in children(process.pid) if lives(pid) and at_work(pid, out)]):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    until = time.monotonic() + 2
    process.wait()
    while any(map(lives, found)):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert not results(out)
    assert subprocess.run(arguments, stderr=subprocess.DEVNULL, check=False).returncode == 0
    assert states(out) == ["done"] and [path.name for path in (out / FOLDER).iterdir()] == [JOURNAL]
    assert not list(out.rglob(".kinelift-*"))


@pytest.mark.parametrize(
    ("end", "attempts", "said"),
    [
        ("kill -KILL $$", 3, "broke down (SIGKILL)"),
        ("exit 7", 1, "broke down (exit status 7)"),
        ("echo 'Traceback: \nValueError: odd' >&2; exit 1", 1, "with the words: ValueError: odd"),
        ("echo 'There is nobody in it.' >&2; exit 1", 1, "There is nobody in it."),
    ],
)
def test_only_what_was_killed_is_tried_again(tmp_path: Path, end: str, attempts: int, said: str) -> None:
    """A process that ends by itself would end the same way again."""
    log, program = tmp_path / "log", tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho begun >> '{log}'\n{end}\n")
    program.chmod(0o755)
    (tmp_path / "staging").mkdir()
    with pytest.raises(CaptureError) as caught:
        make(
            Order(SAMPLE, "walk", {}), tmp_path / "staging", lambda *_: None, threading.Event(),
            Tools(program, (), memory=1000),
        )  # fmt: skip
    assert said in str(caught.value)
    assert log.read_text().count("begun") == attempts
    assert not list((tmp_path / "staging").iterdir())
