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
pytestmark = [pytest.mark.slow, pytest.mark.any_blender]

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
def cluster_of(
    folder: Path, worker: str = WORKER, checkout: Path = ROOT, scheduler: str = SCHEDULER
) -> Iterator[str]:
    """The port of a scheduler with one process of workers."""
    port = free_port()
    with ExitStack() as stack:
        command = [*typed(scheduler, port), "--no-dashboard"]
        stack.enter_context(started(command, "Scheduler at", folder / "scheduler.log"))
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
    command += ["--format", "bvh", "--render", "still"]
    command += ["--retarget", str(here / "hero.bvh"), "--scheduler"]
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


def refused(port: str, tmp_path: Path, protocol: str = "tcp", **options: str) -> str:
    """The sentence that refuses a batch, which writes nothing."""
    random_capture(3).save(tmp_path / "a.motion.npz")
    address = f"{protocol}://127.0.0.1:{port}"
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


#: makes a worker hostile: it answers what FILE says
_PRELOAD = """
from pathlib import Path
from kinelift.batch import remote

honest = remote.make_clip

def make_clip(request):
    told = {"request": request, "honest": honest}
    exec(Path(FILE).read_text(encoding="utf-8"), told)
    return told["answer"]

remote.make_clip = make_clip
"""
#: what these files begin with; to unpickle a `Runs` leaves a file in FOLDER that is named after the process
_HOSTILE = """
import os, distributed
from kinelift.batch.answers import packed

class Runs(Exception):
    def __reduce__(self):
        return exec, (f"import os; open(FOLDER + f'/ran-{{os.getpid()}}', 'w').close()",)

worker = distributed.get_worker()
made = dict(folder="", frames=5, fps=30.0, detected=1, confidence=1, memory=1)
made |= dict(strip="", warnings=[], others=[])
endings = ("bvh", "png", "chart.svg", "motion.npz", "summary.json")
files = {f"a.{ending}": b"12345" for ending in endings}

def sent(files):
    return packed({"made": {**made, "files": {name: len(data) for name, data in files.items()}}}, files)
"""
#: lets an answer through that `_on_worker` would have turned into JSON
_RAW = (
    "import json; dumps = json.dumps; raw = lambda *_: (setattr(json, 'dumps', dumps), answer)[1]; "
    "json.dumps = lambda _: type('Raw', (), {'encode': raw})()"
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The port of a cluster whose worker answers what a file says, and that file."""
    folder = tmp_path_factory.mktemp("hostile")
    preload = _PRELOAD.replace("FILE", repr(str(folder / "hostile.py")))
    (folder / "preload.py").write_text(preload, encoding="utf-8")
    line = WORKER.replace("--nworkers 2", "--nworkers 1") + f" --preload {folder / 'preload.py'}"
    with cluster_of(folder, line) as port:
        yield port, folder / "hostile.py"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (f"{_RAW}; answer = Runs()", "a pickle names builtins.exec"),
        (f"{_RAW}; answer = [Runs()]", "a pickle names builtins.exec"),
        ("answer = type('Sly', (bytes,), {})(b'1')", "a pickle names "),
        ("raise Runs", "broke down while it made it"),
        ("answer = {'made': made}", "sent an answer that no worker of Kinelift gives"),
        ("answer = sent({**files, '../../escaped.txt': b''})", "escaped.txt"),
        ("answer = sent({'../../escaped.txt': b''})", "escaped.txt"),
        (
            "answer = packed({'made': {**made, 'files': dict.fromkeys(files, 5), 'folder': '/'}})",
            "one of this",
        ),
        ("answer = packed({'lacks': list(request['files'])})", "lacks files that it has"),
        ("answer = packed({'lacks': ['/etc/hostname']})", "lacks files that it has"),
        (
            "worker.batched_send({'op': 'log-event', 'topic': request['topic'], "
            "'msg': distributed.protocol.to_serialize(Runs())}); answer = honest(request)",
            "a pickle names builtins.exec",
        ),
    ],
)
def test_a_hostile_answer_is_one_sentence_and_runs_nothing(
    hostile: tuple[str, Path], tmp_path: Path, body: str, said: str
) -> None:
    port, file = hostile
    file.write_text(_HOSTILE.replace("FOLDER", repr(str(tmp_path))) + body, encoding="utf-8")
    random_capture(5).save(tmp_path / "a.motion.npz")
    out = tmp_path / "in/out"
    command = [sys.executable, str(ROOT / "batch.py"), str(tmp_path / "a.motion.npz"), "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--format", "bvh", "--scheduler", f"tcp://127.0.0.1:{port}"],
        stderr=subprocess.PIPE,
        text=True,
    )
    _, words = process.communicate(timeout=100)
    (sentence,) = sentences(words)
    assert said in sentence and process.returncode in (3, 4)
    assert not (tmp_path / f"ran-{process.pid}").exists()
    (entry,) = entries(out)
    assert entry.state in ("failed", "queued")
    assert {p.name for p in tmp_path.rglob("*") if p.is_file() and not p.name.startswith("ran-")} == {
        "a.motion.npz", "report.html", JOURNAL,
    }  # fmt: skip


#: sends events that no worker sends, and then an honest answer
_HOSTILE_EVENTS = """
key = request["key"]
for event in (
    5, None, "text", [], {}, ("x",), (key,), ([key], "a", 1, 2), (key, 5, 1, 2), (key, "a", "1", 2),
    (key, "a", -1, 0), (key, "a", 1, 2**60), (key, "a", float("nan"), 1), (key, "\\x1b[2J[/b]" * 99, 3, 0),
    ("other", "a", 1, 2),
):
    worker.log_event(request["topic"], event)
worker.log_event("print", {"args": ("hostile words",), "file": 2})
worker.log_event("warn", {"message": b"no pickle"})
worker.log_event("warn", "hostile words")
answer = sent(files)
"""


def test_hostile_progress_does_no_harm(hostile: tuple[str, Path], tmp_path: Path) -> None:
    port, file = hostile
    file.write_text(_HOSTILE + _HOSTILE_EVENTS, encoding="utf-8")
    random_capture(5).save(tmp_path / "a.motion.npz")
    address = f"tcp://127.0.0.1:{port}"
    done = batch(
        tmp_path / "a.motion.npz", "--out", tmp_path / "out", "--format", "bvh", "--scheduler", address
    )
    assert done.returncode == 0 and "hostile" not in done.stderr + done.stdout, done.stderr
    assert {p.read_bytes() for p in (tmp_path / "out").glob("a.*")} == {b"12345"}
    assert [entry.state for entry in entries(tmp_path / "out")] == ["done"]


def test_what_answers_is_no_scheduler(tmp_path: Path) -> None:
    port = free_port()
    server = [sys.executable, "-u", "-m", "http.server", port, "--bind", "127.0.0.1"]
    with started(server, "Serving", tmp_path / "server.log", tmp_path):
        assert "No Dask scheduler answers at" in refused(port, tmp_path)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:8786", "http://127.0.0.1:8786", "tcp://x", "inproc://1/2:3", "tcp://127.0.0.1:99999", ""],
)
def test_addresses_that_are_none(tmp_path: Path, address: str) -> None:
    random_capture(3).save(tmp_path / "a.motion.npz")
    done = batch(tmp_path / "a.motion.npz", "--out", tmp_path / "out", f"--scheduler={address or ' '}")
    (sentence,) = sentences(done.stderr)
    assert done.returncode == 1 and "is no address of a Dask scheduler" in sentence


def certificates(folder: Path) -> Path:
    """Certificates of a new authority, made as on the page; the configuration that names them."""
    folder.mkdir()
    (lines,) = re.findall(r"^```\n(openssl .+?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
    for line in lines.splitlines():
        subprocess.run(line.split(), cwd=folder, capture_output=True, check=True)
    (config,) = re.findall(r"^```\n(distributed:.+?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
    (folder / "tls.yaml").write_text(config.replace("/safe", str(folder)), encoding="utf-8")
    return folder / "tls.yaml"


def test_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, others = certificates(tmp_path / "ours"), certificates(tmp_path / "others")
    monkeypatch.setenv("DASK_CONFIG", str(ours))
    scheduler = SCHEDULER.replace(f"--host {HOST}", f"--host tls://{HOST}")
    assert scheduler != SCHEDULER and f"--host tls://{HOST}" in PAGE
    worker = WORKER.replace("tcp://", "tls://")
    with cluster_of(tmp_path, worker, scheduler=scheduler) as port:
        (tmp_path / "clip").mkdir()
        random_capture(3).save(tmp_path / "clip/a.motion.npz")
        done = batch(
            tmp_path / "clip", "--pattern", "*", "--out", tmp_path / "made", "--format", "bvh",
            "--scheduler", f"tls://127.0.0.1:{port}",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert [entry.state for entry in entries(tmp_path / "made")] == ["done"]
        assert "isn't encrypted" in refused(port, tmp_path)
        assert "Dask's configuration names none" in refused(port, tmp_path, "tls", DASK_CONFIG="")
        assert "refuses this machine's certificate" in refused(port, tmp_path, "tls", DASK_CONFIG=str(others))
        assert "No Dask scheduler answers" in refused(port, tmp_path, DASK_CONFIG="")
        (ours.parent / "machine.key").unlink()
        assert "Dask's configuration can't be used" in refused(port, tmp_path, "tls")
        ours.write_text("distributed: [", encoding="utf-8")
        assert "Dask's configuration can't be used" in refused(port, tmp_path, "tls")
