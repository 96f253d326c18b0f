"""The worker as Blender meets it: a real process that captures the sample clip."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kinelift.core.capture import Capture
from kinelift.core.errors import CaptureError
from kinelift.core.worker import Worker

# captures, detects or starts other programs
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "samples" / "walk_front.mp4"
PYTHON = Path(sys.executable)


def capture(video: Path, out: Path, *options: str) -> Worker:
    return Worker(PYTHON, ["capture", str(video), "--out", str(out), *options])


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent doesn't."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_progress_and_result(tmp_path: Path) -> None:
    worker = capture(SAMPLE, tmp_path / "m.npz", "--end", "0.5")
    messages = list(worker.messages())
    assert not worker.running
    stages = list(dict.fromkeys(message.stage for message in messages))
    assert stages[:2] == ["shots", "detect"] and "lift" in stages
    assert all(0 <= message.frame <= message.of for message in messages)
    assert len(Capture.load(tmp_path / "m.npz")) == messages[-1].of


def test_asking_without_waiting(tmp_path: Path) -> None:
    worker = capture(SAMPLE, tmp_path / "m.npz", "--end", "0.3")
    assert list(worker.messages(wait=False)) == []  # Python itself takes longer to start
    heard = []
    until = time.monotonic() + 120
    while worker.running and time.monotonic() < until:
        heard.extend(worker.messages(wait=False))
        time.sleep(0.05)
    assert not worker.running and heard and (tmp_path / "m.npz").exists()


def test_a_refusal_is_the_workers_own_sentence(tmp_path: Path) -> None:
    worker = capture(tmp_path / "gone.mp4", tmp_path / "m.npz")
    with pytest.raises(CaptureError, match=r"gone\.mp4") as caught:
        list(worker.messages())
    assert "broke down" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_death_is_told(tmp_path: Path) -> None:
    worker = capture(SAMPLE, tmp_path / "m.npz")
    with pytest.raises(CaptureError, match=r"broke down \(SIGKILL\).* memory may have run out: close"):
        for _ in worker.messages():
            os.kill(worker.pid, signal.SIGKILL)
    assert not (tmp_path / "m.npz").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [("", "(SIGSEGV) without a word; press Test"), ("Bad bit.", "(SIGSEGV) with the words: Bad bit; press")],
)
def test_a_crash_is_told_with_its_last_words(tmp_path: Path, words: str, told: str) -> None:
    crashing = tmp_path / "crashing"
    crashing.write_text(f"#!/bin/sh\necho '{words}' >&2\nkill -SEGV $$\n")
    crashing.chmod(0o755)
    with pytest.raises(CaptureError) as caught:
        list(Worker(crashing, ["capture"]).messages())
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_a_python_without_the_worker_is_told(tmp_path: Path) -> None:
    worker = Worker(PYTHON, ["no-such-command"])
    with pytest.raises(CaptureError, match="broke down"):
        list(worker.messages())


def test_a_worker_that_hangs_is_ended_and_its_last_words_told(tmp_path: Path) -> None:
    stuck = tmp_path / "stuck"
    stuck.write_text(f"#!{sys.executable}\nimport sys, time\nprint('so far so good', file=sys.stderr)\n"
                     "sys.stderr.flush()\ntime.sleep(600)\n")  # fmt: skip
    stuck.chmod(0o755)
    worker = Worker(stuck, ["capture"])
    until = time.monotonic() + 60
    while not worker._words and time.monotonic() < until:
        time.sleep(0.05)
    assert list(worker.messages(wait=False)) == [] and worker.silent > 0
    began = time.monotonic()
    sentence = str(worker.give_up())
    assert time.monotonic() - began < 1  # nobody waits for it
    assert "said nothing for" in sentence and "so far so good" in sentence
    assert not worker.running
    while time.monotonic() < until:
        try:
            os.killpg(worker.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.05)
    else:
        pytest.fail("it is still there")


def test_a_python_without_torch_is_told_in_a_sentence(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    worker = Worker(bare / "bin/python", ["capture", str(SAMPLE), "--out", str(tmp_path / "m.npz")])
    with pytest.raises(CaptureError, match=r"lacks .*torch.*preferences") as caught:
        list(worker.messages())
    assert "broke down" not in str(caught.value)


def test_cancel_ends_the_process_group_and_leaves_nothing(tmp_path: Path) -> None:
    worker = capture(SAMPLE, tmp_path / "m.npz")
    next(worker.messages())
    worker.cancel()
    assert not worker.running
    assert list(worker.messages()) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(worker.pid, 0)
    assert list(tmp_path.iterdir()) == []
    worker.cancel()  # twice does no harm


_PARENT = """
import os, sys, time
from kinelift.core.worker import Process
process = Process([sys.executable, sys.argv[1]], {**os.environ, "PYTHONPATH": "."}, "It")
for said in process.said():
    print(process.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("at_work", ["time.sleep(600)", "while True: pass", "while True: time.sleep(0.1)"])
@pytest.mark.parametrize("ignores", [False, True])
def test_a_process_ends_with_its_parent(tmp_path: Path, at_work: str, ignores: bool) -> None:
    if ignores:
        at_work = f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    {at_work}"
    program = tmp_path / "program.py"
    program.write_text(f"""
import kinelift, signal, time
from pathlib import Path
from kinelift.core.files import replacing
from kinelift.core.worker import end_with_parent
end_with_parent()
signal.signal(signal.SIGTERM, signal.default_int_handler)
with replacing(Path({str(tmp_path)!r}) / "result"):
    print("{{}}", flush=True)
    {at_work}
""")
    parent = subprocess.Popen([PYTHON, "-c", _PARENT, program], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    until = time.monotonic() + 2
    parent.communicate()
    while lives(pid):
        assert time.monotonic() < until
        time.sleep(0.02)
    if not ignores:  # it had the time to tidy up
        assert [path.name for path in tmp_path.iterdir()] == ["program.py"]


def test_what_somebody_starts_himself_goes_on_without_input() -> None:
    program = "import kinelift.core.worker as w, time; w.end_with_parent(); time.sleep(1); print('done')"
    run = subprocess.run(
        [PYTHON, "-c", program], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    assert run.stdout == b"done\n"


def test_a_python_that_cannot_be_started(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("not a program")
    with pytest.raises(CaptureError, match="Can't start"):
        Worker(tmp_path / "python", ["capture"])


def test_a_worker_tells_about_its_runtime() -> None:
    (said,) = Worker(PYTHON, ["about"]).said()
    assert Path(said["executable"]) == PYTHON
    assert {"python", "torch", "mediapipe", "opencv"} <= {name for name, value in said.items() if value}
    assert said["devices"]["cpu"] and said["device"] in said["devices"] and said["size"] > 100_000_000


def test_another_python_does_not_get_this_ones_modules(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cv2.py").write_text("raise SystemExit('the wrong cv2')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    for python in (PYTHON, PYTHON.with_name("python3")):
        assert list(Worker(python, ["about"]).said())
