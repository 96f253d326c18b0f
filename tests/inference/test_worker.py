"""The worker from its command line: what it writes, and what it says when it can't."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kinelift.core.bvh import read_bvh
from kinelift.core.capture import Capture
from kinelift.core.foot_ik import clean_up
from kinelift.core.skeleton import JOINTS
from kinelift.inference import pipeline
from kinelift.inference.__main__ import main
from kinelift.inference.detect import follower

# captures, detects or starts other programs
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "samples" / "walk_front.mp4"


def worker(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "inference", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, check=False, **options,
    )  # fmt: skip


def refused(capsys, *arguments):
    """Run the worker in this process, which must refuse; its sentence."""
    assert main([str(a) for a in arguments]) == 1
    said = capsys.readouterr().err.strip()
    assert said and "\n" not in said and "Traceback" not in said, said
    return said


def only_these(folder, *names):
    return sorted(p.name for p in folder.iterdir()) == sorted(names)


def test_it_captures_the_sample_and_says_how_far_it_is(tmp_path):
    out, bvh = tmp_path / "a b's ünïcode.npz", tmp_path / "walk.bvh"
    video = tmp_path / 'Ü "quoted" $HOME.mp4'
    shutil.copy(SAMPLE, video)
    run = worker("capture", video, "--out", out, "--bvh", bvh, "--end", 1, "--progress", "json")
    assert run.returncode == 0, run.stderr
    motion = Capture.load(out).motion
    assert len(motion) == 30 and motion.fps == 30
    assert np.allclose(read_bvh(bvh).root, clean_up(motion).root, atol=1e-5)  # with planted feet
    said = [json.loads(line) for line in run.stdout.splitlines()]
    assert list(dict.fromkeys(m["stage"] for m in said)) == ["shots", "detect", "lift", "solve"]
    frames = [m["frame"] for m in said if m["stage"] == "detect"]
    assert frames == sorted(frames) and frames[-1] == said[0]["of"] == 30
    assert only_these(tmp_path, out.name, bvh.name, video.name)


def test_the_captured_person_is_upright_human_and_faces_the_camera(tmp_path):
    captured = pipeline.capture(SAMPLE, pipeline.Settings(end=2.0))
    motion = captured.motion
    joints = motion.joints
    j = {name: joints[:, i] for i, name in enumerate(JOINTS)}
    assert 1.5 < motion.height < 2.0
    assert ((j["head"] - j["hips"])[:, 2] > 0.4).all()
    assert np.median(motion.sole_points()[..., 2].min(1)) < 0.08
    # walks towards the camera: left is to +X and toes point to -Y
    assert ((j["thigh.L"] - j["thigh.R"])[:, 0] > 0.05).mean() > 0.9
    assert ((j["toe.L"] - j["foot.L"])[:, 1] < 0).mean() > 0.9
    # and its camera sees it where the detector did
    hips = captured.landmarks[:, 23:25, :2].mean(1)
    seen = captured.camera.project(j["hips"])
    assert np.linalg.norm(hips - seen, axis=1).mean() < 0.05 * captured.camera.size[1]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("no such file.mp4", None, "no file"),
        ("folder.mp4", "folder", "is a folder"),
        ("empty.mp4", b"", "empty"),
        ("text.mp4", b"this is no video\n" * 100, "can't be read as a video"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path, capsys, name, content, says):
    video, out = tmp_path / name, tmp_path / "m.npz"
    if content == "folder":
        video.mkdir()
    elif content is not None:
        video.write_bytes(content)
    assert says in refused(capsys, "capture", video, "--out", out)
    assert not out.exists()


def _short(flags):
    return flags if "--end" in flags else [*flags, "--end", "0.5"]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--start", "99", "--end", "100"], "beyond the end"),
        (["--start", "-1"], "has to be 0 or more"),
        (["--start", "2", "--end", "1"], "empty"),
        (["--fps", "1000"], "choose 5 to 240"),
        (["--focal", "0"], "5 to 1000 mm"),
        (["--height", "18"], "0.3 to 3 m"),
        (["--person", "5,5"], "Nobody was found at"),
        (["--person", "seven"], "person"),
        (["--person", "7"], "Person 7"),
    ],
)
def test_settings_that_cannot_be_met_are_refused(tmp_path, capsys, flags, says):
    assert says in refused(capsys, "capture", SAMPLE, "--out", tmp_path / "m.npz", *_short(flags))
    assert only_these(tmp_path)


@pytest.mark.skipif(pipeline.torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there_is_refused(tmp_path, capsys):
    said = refused(capsys, "capture", SAMPLE, "--out", tmp_path / "m.npz", "--device", "cuda")
    assert "no cuda device" in said and "cpu" in said


@pytest.mark.parametrize("place", ["file/m.npz", "/proc/m.npz"])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path, capsys, place):
    (tmp_path / "file").touch()
    said = refused(capsys, "capture", tmp_path / "not even there.mp4", "--out", tmp_path / place)
    assert "Can't write" in said and "room" in said


def test_a_disk_that_fills_up_leaves_nothing_half_written(tmp_path):
    old = b"an earlier capture"
    out = tmp_path / "m.npz"
    out.write_bytes(old)

    def small_files_only():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    run = worker("capture", SAMPLE, "--out", out, "--end", 1, preexec_fn=small_files_only)
    assert run.returncode == 1 and "room" in run.stderr and "Traceback" not in run.stderr
    assert out.read_bytes() == old and only_these(tmp_path, out.name)


@pytest.mark.parametrize("altered", [True, False], ids=["altered", "missing"])
@pytest.mark.parametrize("what", ["weights", "detector"])
def test_altered_and_missing_models_are_refused(tmp_path, capsys, monkeypatch, what, altered):
    module, name = {"weights": (pipeline, "WEIGHTS"), "detector": (follower, "HEAVY")}[what]
    original = getattr(module, name)
    elsewhere = tmp_path / original.name
    if altered:
        content = bytearray(original.read_bytes())
        content[len(content) // 2] ^= 1
        elsewhere.write_bytes(content)
        checksum = original.with_suffix(".sha256")
        if checksum.exists():
            shutil.copy(checksum, tmp_path)
    monkeypatch.setattr(module, name, elsewhere)
    said = refused(capsys, "capture", SAMPLE, "--out", tmp_path / "m.npz", "--end", "0.5")
    assert ("altered" if altered else "missing") in said
    assert not (tmp_path / "m.npz").exists()


@pytest.mark.parametrize(
    ("stage", "how"),
    [
        ("import", signal.SIGTERM),
        ("detect", signal.SIGINT),
        ("solve", signal.SIGTERM),
        ("overlay", signal.SIGINT),
    ],
)
def test_a_cancelled_worker_ends_soon_and_leaves_nothing_unfinished(tmp_path, stage, how):
    out = tmp_path / "m.npz"
    # one second would be solved, and its motion written, before a busy computer passes the signal on
    end = "4" if stage == "solve" else "1"
    words = ["capture", SAMPLE, "--out", out, "--end", end, "--overlay", tmp_path / "o.mp4"]
    told = ["-X", "importtime"] if stage == "import" else []
    process = subprocess.Popen(
        [sys.executable, *told, "-m", "inference", *words, "--progress", "json"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ},
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    if stage == "import":
        while "torch" not in process.stderr.readline():
            pass
    else:
        while f'"{stage}"' not in process.stdout.readline():
            pass
    process.send_signal(how)
    began = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - began < 2.0
    assert process.returncode == 130 and "Cancelled" in said and "Traceback" not in said
    assert only_these(tmp_path, *[out.name] * (stage == "overlay"))


def test_packages_that_do_not_start_are_told_in_a_sentence(tmp_path):
    (tmp_path / "cv2").mkdir()
    (tmp_path / "cv2" / "__init__.py").write_text("raise ImportError('libGL.so.1: cannot open it')")
    run = worker("about", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert run.returncode == 1 and run.stdout == ""
    assert run.stderr.startswith("The packages of ") and "(libGL.so.1: cannot open it)" in run.stderr
    assert run.stderr.count("\n") == 1
