"""Batches on a Dask cluster: a real scheduler and real workers on this machine, started as the page says."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from kinelift.inference.motion import Motion
from kinelift.tests.motions import random_motion
from kinelift.tests.test_batch import ROOT, SAMPLE, results

PAGE = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
SCHEDULER, WORKER, BATCH = re.findall(r"^```\n(\.venv/bin/python .+)\n```$", PAGE, re.MULTILINE)
#: the example's address
HOST, PORT = "10.0.0.1", "8786"


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def typed(line: str, port: str) -> list[str]:
    """A command of the page, for this machine."""
    python, *words = line.replace(HOST, "127.0.0.1").replace(PORT, port).split()
    assert python == ".venv/bin/python"
    return [sys.executable, *words]


@contextmanager
def started(command: list[str], ready: str, log: Path, cwd: Path = ROOT) -> Iterator[subprocess.Popen[bytes]]:
    """A server that has said `ready`; ended with all that it started."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=cwd, stdout=out, stderr=out, start_new_session=True)
    try:
        end = time.monotonic() + 60
        while ready not in log.read_text(encoding="utf-8"):
            assert process.poll() is None and time.monotonic() < end, log.read_text(encoding="utf-8")
            time.sleep(0.1)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The port of a scheduler with two workers."""
    folder, port = tmp_path_factory.mktemp("cluster"), free_port()
    with ExitStack() as stack:
        stack.enter_context(
            started([*typed(SCHEDULER, port), "--no-dashboard"], "Scheduler at", folder / "scheduler.log")
        )
        worker = [*typed(WORKER, port), "--no-dashboard", "--local-directory", str(folder)]
        stack.enter_context(started(worker, "Registered to", folder / "worker.log"))
        yield port


def test_the_pages_example(cluster: str, tmp_path: Path) -> None:
    (tmp_path / "clips" / "day 2").mkdir(parents=True)
    for name in ("one", "day 2/two"):
        random_motion(8).save(tmp_path / f"clips/{name}.motion.npz")
    words = typed(BATCH, cluster)
    given = {"clips": str(tmp_path / "clips"), "results": str(tmp_path / "results")}
    command = [given.get(word, word) for word in words]
    (tmp_path / "clips" / "walk.mp4").symlink_to(SAMPLE)
    done = subprocess.run(
        [*command, "--pattern", "*", "--format", "bvh", "--end", "0.3"],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    out = tmp_path / "results"
    assert results(out / "day 2") == [
        f"two.{ending}" for ending in ("bvh", "chart.png", "motion.npz", "png", "summary.json")
    ]
    assert len(Motion.load(out / "walk.motion.npz")) == 9
    assert [p.name for p in (out / ".kinelift").iterdir()] == ["journal.sqlite"]
