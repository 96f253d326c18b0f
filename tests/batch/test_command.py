"""The command, as an artist types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import bpy
import numpy as np
import pytest

from kinelift.core.bvh import read_bvh
from kinelift.core.capture import Capture
from kinelift.core.rotations import quaternion_from_matrix
from kinelift.core.skeleton import JOINTS
from kinelift.tests.motions import capture_of, random_capture
from kinelift.tests.videos import read_video, write_video
from kinelift.tests.walks import slide, sliding, walk

# captures, detects or starts other programs
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "samples" / "walk_front.mp4"


def batch(
    *arguments: str | Path, python: str = sys.executable, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, str(ROOT / "batch.py"), *map(str, arguments)],
        capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def sentences(stderr: str) -> list[str]:
    assert "Traceback" not in stderr, stderr
    # Blender's own add-ons also log to standard error
    return [line for line in stderr.splitlines() if ": " in line and line.endswith(".")]


def results(out: Path) -> list[str]:
    """Names of the clips' files."""
    return sorted(p.name for p in out.iterdir() if p.name not in (".kinelift", "report.html"))


@pytest.fixture(scope="module")
def lean_python(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A Python like Blender's own: bpy and numpy, but not the packages that a capture needs."""
    packages = tmp_path_factory.mktemp("lean")
    for distribution, folder in (("bpy", "bpy"), ("numpy", "numpy"), ("numpy", "numpy.libs")):
        (packages / folder).symlink_to(str(metadata.distribution(distribution).locate_file(folder)))
    return {"python": sys._base_executable, "PYTHONPATH": str(packages)}  # type: ignore[attr-defined]


def test_motion_to_every_file(tmp_path: Path) -> None:
    capture = random_capture(20, seed=1, fps=29.97, warnings=("Feet were hidden.",))
    motion = capture.motion
    capture.save(tmp_path / 'it\'s {a} "tést".motion.npz')
    out = tmp_path / "new folder" / "sub"
    result = batch(tmp_path / 'it\'s {a} "tést".motion.npz', "--out", out)
    assert result.returncode == 0, result.stderr
    name = "it's {a} _tést_"  # other systems have no such quotes in names
    endings = ["blend", "bvh", "chart.svg", "fbx", "glb", "motion.npz", "png", "summary.json"]
    assert results(out) == [f"{name}.{ending}" for ending in endings]
    summary = json.loads((out / f"{name}.summary.json").read_text(encoding="utf-8"))
    assert (summary["frames"], summary["fps"], summary["detected"]) == (20, 29.97, 1.0)
    assert set(summary["shares"]) == {"found", "guessed_limbs", "off_picture", "unsure_sides", "bridged"}
    assert summary["shares"]["found"] == 1 == sum(summary["shares"].values())
    assert max(summary["off_picture"].values()) < 1e-3 and not summary["unsure"]
    assert summary["stretches"]["found"] == [[0, 19]] and summary["stretches"]["bridged"] == []
    assert summary["seconds"] == pytest.approx(20 / 29.97, abs=1e-3)
    assert summary["shots"] == [{"first": 0, "start": 0.0, "end": 0.667}]
    assert summary["warnings"] == ["Feet were hidden."] and "Feet were hidden." in result.stderr
    shin = np.linalg.norm(motion.joints[0, 18] - motion.joints[0, 16])  # right foot from right shin
    assert summary["bone_lengths"]["shin"] == pytest.approx(shin, abs=1e-4)
    for written in summary["files"].values():
        assert (out / written).stat().st_size > 0
    again = Capture.load(out / f"{name}.motion.npz")
    np.testing.assert_array_equal(again.motion.rotations, motion.rotations)


@pytest.mark.any_blender
def test_one_bad_clip_does_not_stop_the_others(tmp_path: Path) -> None:
    random_capture(5).save(tmp_path / "good.motion.npz")
    (tmp_path / "damaged.npz").write_bytes((tmp_path / "good.motion.npz").read_bytes()[:2000])
    (tmp_path / "text.npz").write_text("no motion")
    names = ["gone.mp4", "damaged.npz", "missing.npz", "text.npz", "good.motion.npz"]
    out = tmp_path / "out"
    result = batch(*(tmp_path / name for name in names), "--out", out, "--format", "bvh")
    assert result.returncode == 3
    told = sentences(result.stderr)
    assert sorted(line.split(": ")[0] for line in told) == ["damaged", "gone", "missing", "text"]
    assert results(out) == [
        "good.bvh", "good.chart.svg", "good.motion.npz", "good.png", "good.summary.json",
    ]  # fmt: skip


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    random_capture(5).save(tmp_path / "good.motion.npz")
    (tmp_path / "file").write_text("in the way")
    result = batch(tmp_path / "good.motion.npz", "--out", tmp_path / "file" / "out")
    assert result.returncode == 1
    (sentence,) = sentences(result.stderr)
    assert "Can't write" in sentence
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "good.motion.npz"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.mp4", "--out", "o", "--format", "blend,doc"], "has 'doc'; there are blend, bvh, fbx, glb"),
        (["--out", "o"], "VIDEO"),
        (["a.mp4"], "--out"),
    ],
)
def test_command_lines_that_make_no_sense(tmp_path: Path, arguments: list[str], said: str) -> None:
    result = batch(*arguments)
    assert result.returncode == 2
    assert said in result.stderr and "Traceback" not in result.stderr


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("captured")
    result = batch(SAMPLE, "--out", out, "--format", "bvh", "--start", "0.5", "--end", "1.0", "--fps", "15")
    assert result.returncode == 0, result.stderr
    return out


def test_video_with_capture_options(captured: Path) -> None:
    summary = json.loads((captured / "walk_front.summary.json").read_text(encoding="utf-8"))
    bvh = read_bvh(captured / "walk_front.bvh")
    assert bvh.fps == pytest.approx(15)
    assert summary["fps"] == 15 and summary["frames"] == len(bvh.root)
    assert summary["seconds"] == pytest.approx(0.5, abs=0.1)


def test_everybody_in_a_video(tmp_path: Path) -> None:
    """One clip with two results, each with a row, and done once both are."""
    pictures = [np.hstack([image, image[:, ::-1]]) for image in read_video(SAMPLE)[60:80]]
    video, out = write_video(tmp_path / "two.mp4", pictures), tmp_path / "out"
    words = [video, "--out", out, "--person", "all", "--quality", "quick", "--format", "bvh,glb"]
    result = batch(*words)
    assert result.returncode == 0, result.stderr
    assert "two: 20 frames, 2 people, two.bvh" in result.stdout
    own = ["bvh", "chart.svg", "motion.npz", "png", "summary.json"]
    each = [f"two{who}.{ending}" for who in ("", ".person2") for ending in own]
    assert results(out) == sorted([*each, "two.glb"])
    report = (out / "report.html").read_text(encoding="utf-8")
    assert report.count('<tr class="done">') == 2 and "<td>two.person2" in report
    assert "two: is done already" in batch(*words).stdout
    (out / "two.person2.bvh").unlink()
    again = batch(*words, "--dry-run")
    assert "two: would be made" in again.stdout, again.stdout


@pytest.mark.any_blender
def test_python_without_torch_asks_the_worker(
    captured: Path, tmp_path: Path, lean_python: dict[str, str]
) -> None:
    out = tmp_path / "out"
    result = batch(
        SAMPLE, "--out", out, "--format", "bvh", "--start", "0.5", "--end", "1.0", "--fps", "15",
        **lean_python, KINELIFT_PYTHON=sys.executable,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found, expected = (Capture.load(f / "walk_front.motion.npz") for f in (out, captured))
    np.testing.assert_allclose(found.motion.joints, expected.motion.joints, atol=1e-4)


def test_python_without_torch_and_no_other_named(tmp_path: Path, lean_python: dict[str, str]) -> None:
    result = batch(SAMPLE, "--out", tmp_path / "out", **lean_python, KINELIFT_PYTHON="")
    assert result.returncode == 1
    (sentence,) = sentences(result.stderr)
    assert "torch" in sentence and "KINELIFT_PYTHON" in sentence
    assert not (tmp_path / "out").exists()


def test_files_are_cleaned_and_the_raw_action_lies_beside(tmp_path: Path) -> None:
    motion = sliding(walk(60))
    capture_of(motion).save(tmp_path / "walk.motion.npz")
    result = batch(tmp_path / "walk.motion.npz", "--out", tmp_path / "out", "--format", "bvh,blend")
    assert result.returncode == 0, result.stderr
    bvh = read_bvh(tmp_path / "out" / "walk.bvh")
    rotations = bvh.rotations[:, [bvh.names.index(name) for name in JOINTS]]
    cleaned = replace(motion, rotations=quaternion_from_matrix(rotations), root=bvh.root)
    assert slide(motion, motion.contacts).mean() > 0.004 and slide(cleaned, motion.contacts).max() < 0.001
    kept = Capture.load(tmp_path / "out" / "walk.motion.npz")
    np.testing.assert_array_equal(kept.motion.rotations, motion.rotations)
    with bpy.data.libraries.load(str(tmp_path / "out" / "walk.blend")) as (there, _):
        assert sorted(there.actions) == ["walk", "walk raw"]
    result = batch(tmp_path / "walk.motion.npz", "--out", tmp_path / "raw", "--format", "bvh", "--no-feet")
    assert result.returncode == 0, result.stderr
    np.testing.assert_allclose(read_bvh(tmp_path / "raw" / "walk.bvh").root, motion.root, atol=1e-5)


def test_a_captured_motion_is_solved_again(captured: Path, tmp_path: Path) -> None:
    clip = captured / "walk_front.motion.npz"
    result = batch(clip, "--out", tmp_path, "--format", "bvh,blend", "--height", "1.2")
    assert result.returncode == 0, result.stderr
    again = Capture.load(tmp_path / "walk_front.motion.npz")
    assert again.motion.height == pytest.approx(1.2, abs=0.01) and len(again) == len(Capture.load(clip))
    with bpy.data.libraries.load(str(tmp_path / "walk_front.blend")) as (_, wanted):
        wanted.cameras = ["Camera"]
    (background,) = wanted.cameras[0].background_images
    assert background.image.source == "MOVIE" and Path(background.image.filepath) == SAMPLE
    # the clip begins half a second into the video
    assert background.image_user.frame_offset == round(0.5 * 30)
    before = clip.read_bytes()
    result = batch(clip, "--out", captured, "--format", "bvh", "--height", "1.2")
    assert result.returncode == 1
    (sentence,) = sentences(result.stderr)
    assert "would overwrite it" in sentence and clip.read_bytes() == before
