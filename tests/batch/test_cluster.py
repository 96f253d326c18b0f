"""Batches on a Dask cluster: a real scheduler and real workers, started as docs/cluster.md says."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import distributed
import pytest

from kinelift.batch.journal import Entry, Journal
from kinelift.batch.run import FOLDER, JOURNAL, STAGING
from kinelift.core.capture import Capture
from kinelift.tests.batch.test_command import ROOT, SAMPLE, batch, lean_python, results, sentences
from kinelift.tests.motions import random_capture

# captures, detects or starts other programs
pytestmark = pytest.mark.slow

__all__ = ["lean_python"]  # a fixture
PAGE = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
SCHEDULER, WORKER, BATCH = re.findall(r"^```\n(\.venv/bin/python .+)\n```$", PAGE, re.MULTILINE)
#: host of the scheduler in the page's example
HOST = "10.0.0.1"
#: port of the scheduler in the page's example
PORT = "8786"


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def typed(line: str, port: str) -> list[str]:
    """A command of the page, changed for this machine."""
    python, *words = line.replace(HOST, "127.0.0.1").replace(PORT, port).split()
    assert python == ".venv/bin/python"
    return [sys.executable, *words]


@contextmanager
def started(command: list[str], ready: str, log: Path, cwd: Path = ROOT) -> Iterator[subprocess.Popen[bytes]]:
    """A server that has printed `ready`; it ends with all processes that it started."""
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


@contextmanager
def cluster_of(folder: Path, worker: str = WORKER, checkout: Path = ROOT) -> Iterator[str]:
    """The port of a scheduler with one process of workers."""
    port = free_port()
    with ExitStack() as stack:
        scheduler = [*typed(SCHEDULER, port), "--no-dashboard"]
        stack.enter_context(started(scheduler, "Scheduler at", folder / "scheduler.log"))
        command = [*typed(worker, port), "--no-dashboard", "--local-directory", str(folder)]
        stack.enter_context(started(command, "Registered to", folder / "worker.log", checkout))
        yield port


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The port of a scheduler with two workers, as on the page."""
    with cluster_of(tmp_path_factory.mktemp("cluster")) as port:
        yield port


def entries(out: Path) -> list[Entry]:
    journal = Journal(out / FOLDER / JOURNAL)
    found = journal.entries()
    journal.close()
    return found


def test_the_pages_example(cluster: str, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    (clips / "day 2").mkdir(parents=True)
    for name in ("one", "day 2/two"):
        random_capture(8).save(clips / f"{name}.motion.npz")
    (clips / "walk.mp4").symlink_to(SAMPLE)
    (clips / "broken.mp4").write_text("no video")
    given = {"clips": str(clips), "results": str(tmp_path / "results")}
    command = [given.get(word, word) for word in typed(BATCH, cluster)]
    done = subprocess.run(
        [*command, "--pattern", "*", "--format", "bvh", "--end", "0.3"],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    (sentence,) = sentences(done.stderr)
    assert sentence.startswith("broken: ")
    out = tmp_path / "results"
    endings = ("bvh", "chart.svg", "motion.npz", "png", "summary.json")
    assert results(out / "day 2") == [f"two.{ending}" for ending in endings]
    assert len(Capture.load(out / "walk.motion.npz")) == 9
    assert [p.name for p in (out / FOLDER).iterdir()] == [JOURNAL]
    assert [(e.name, e.state) for e in entries(out)] == [
        ("broken", "failed"), ("day 2/two", "done"), ("one", "done"), ("walk", "done"),
    ]  # fmt: skip


def test_what_a_worker_does_not_see_is_sent(cluster: str, tmp_path: Path) -> None:
    capture = random_capture(8)
    capture.save(tmp_path / "näh.motion.npz")
    here = Path("/proc/self/cwd")  # another folder in every process
    command = [
        sys.executable,
        str(ROOT / "batch.py"),
        str(here / "näh.motion.npz"),
        "--out",
        str(here / "out"),
    ]
    command += ["--format", "bvh", "--retarget", str(here / "hero.bvh"), "--scheduler"]
    address = f"tcp://127.0.0.1:{cluster}"
    (tmp_path / "hero.bvh").write_text("no character")
    done = subprocess.run(
        [*command, address], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 3 and "hero.bvh" in done.stderr  # it arrived, but isn't a character
    del command[-3:-1]
    done = subprocess.run(
        [*command, address], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert Capture.load(tmp_path / "out/näh.motion.npz").motion.root.tolist() == capture.motion.root.tolist()
    (entry,) = entries(tmp_path / "out")
    assert entry.files == {p.name: p.stat().st_size for p in (tmp_path / "out").glob("näh.*")}


def test_a_clip_whose_worker_dies_is_made_by_another(cluster: str, tmp_path: Path) -> None:
    address, out = f"tcp://127.0.0.1:{cluster}", tmp_path / "out"
    command = [sys.executable, str(ROOT / "batch.py"), str(SAMPLE), "--out", str(out), "--format", "bvh"]
    with distributed.Client(address, set_as_default=False) as client:
        pids = client.run(os.getpid)
        process = subprocess.Popen(
            [*command, "--end", "0.5", "--scheduler", address], stderr=subprocess.PIPE, text=True
        )
        staging = out / FOLDER / STAGING
        while process.poll() is None and not list(staging.glob("*/")):
            time.sleep(0.05)
        busy = [worker for worker, tasks in client.processing().items() if tasks]
        os.kill(pids[busy[0]], signal.SIGKILL)
        _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    (entry,) = entries(out)
    assert (entry.state, entry.completions) == ("done", 1)
    assert entry.files == {name: (out / name).stat().st_size for name in results(out)}
    assert [p.name for p in (out / FOLDER).iterdir()] == [JOURNAL]


def test_a_scheduler_that_dies_stops_the_batch(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with cluster_of(tmp_path) as port:
        command = [sys.executable, str(ROOT / "batch.py"), str(SAMPLE), "--out", str(out), "--format", "bvh"]
        process = subprocess.Popen(
            [*command, "--scheduler", f"tcp://127.0.0.1:{port}"], stderr=subprocess.PIPE, text=True
        )
        while process.poll() is None and not list((out / FOLDER / STAGING).glob("*/")):
            time.sleep(0.05)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 4 and "is gone" in said and "Traceback" not in said, said
    assert [entry.state for entry in entries(out)] == ["queued"]


def refused(port: str, tmp_path: Path, **options: str) -> str:
    """The sentence that refuses a batch, which writes nothing."""
    random_capture(3).save(tmp_path / "a.motion.npz")
    address = f"tcp://127.0.0.1:{port}"
    done = batch(tmp_path / "a.motion.npz", "--out", tmp_path / "out", "--scheduler", address, **options)
    assert done.returncode == 1, done.stderr
    (sentence,) = sentences(done.stderr)
    assert not (tmp_path / "out").exists()
    return sentence


def test_no_scheduler(tmp_path: Path) -> None:
    assert "No Dask scheduler answers at" in refused(free_port(), tmp_path)


def test_no_dask(tmp_path: Path, lean_python: dict[str, str]) -> None:
    assert "needs the package 'distributed'" in refused("8786", tmp_path, **lean_python)


def test_a_worker_that_does_not_know_kinelift(tmp_path: Path) -> None:
    with cluster_of(tmp_path, WORKER.replace(" --preload kinelift", ""), tmp_path) as port:
        assert "doesn't know Kinelift: start it with --preload kinelift" in refused(port, tmp_path)


def test_a_worker_of_another_version(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for source in ("batch", "core", "inference", "rig"):
        shutil.copytree(ROOT / source, checkout / source, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("kinelift.py", "__init__.py"):
        shutil.copy(ROOT / file, checkout)
    with (checkout / "rig/deliver.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    with cluster_of(tmp_path, checkout=checkout) as port:
        sentence = refused(port, tmp_path)
    assert "has Kinelift" in sentence and "install the same on all of them" in sentence
