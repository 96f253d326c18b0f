"""`python -m inference solve`: cleans a motion without the network, or solves it again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinelift.core.bvh import read_bvh
from kinelift.core.capture import Capture
from kinelift.core.foot_ik import clean_up
from kinelift.core.options import CleanUp, Settings
from kinelift.inference.__main__ import main
from kinelift.inference.pipeline import capture
from kinelift.tests.motions import capture_of, random_capture
from kinelift.tests.walks import slide, sliding, walk

# captures, detects or starts other programs
pytestmark = pytest.mark.slow

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "walk_front.mp4"


@pytest.fixture
def raw(tmp_path):
    path = tmp_path / "raw.npz"
    capture_of(sliding(walk())).save(path)
    return path


def solve(path, *options):
    out = path.with_name("out.npz")
    assert main(["solve", str(path), "--out", str(out), *map(str, options)]) == 0
    return Capture.load(out)


def refused(capsys, *arguments):
    assert main(["solve", *map(str, arguments)]) == 1
    said = capsys.readouterr().err.strip()
    assert said and "\n" not in said and "Traceback" not in said, said
    return said


def test_the_feet_are_planted_and_the_bvh_says_the_same(raw, tmp_path):
    cleaned = solve(raw, "--bvh", tmp_path / "f.bvh")
    assert slide(cleaned.motion, walk().contacts).max() < 0.001
    np.testing.assert_allclose(read_bvh(tmp_path / "f.bvh").root, cleaned.motion.root, atol=1e-5)


@pytest.mark.parametrize(
    ("words", "how"),
    [
        (["--no-feet"], CleanUp(feet=False)),
        (["--free-toes", "--minimum", 0.7], CleanUp(lock_toes=False, minimum=0.7)),
        (["--floor", 0.3, "--smooth", 0.2], CleanUp(floor=0.3, smooth=0.2)),
        (["--first", 20, "--last", 70], CleanUp(first=20, last=70)),
    ],
)
def test_each_option_reaches_the_clean_up(raw, words, how):
    cleaned = clean_up(Capture.load(raw).motion, how)
    np.testing.assert_allclose(solve(raw, *words).motion.joints, cleaned.joints, atol=1e-5)


def test_refusals_write_nothing(raw, tmp_path, capsys):
    before = raw.read_bytes()
    assert "not overwritten" in refused(capsys, raw, "--out", raw)
    out = tmp_path / "n.npz"
    assert "nothing to clean" in refused(capsys, raw, "--out", out, "--first", 500)
    assert "doesn't come from a video" in refused(capsys, raw, "--out", out, "--height", 1.8)
    assert "no motion file" in refused(capsys, tmp_path / "gone.npz", "--out", out)
    assert not out.exists() and raw.read_bytes() == before


def test_a_capture_is_solved_again(tmp_path, capsys):
    path = tmp_path / "raw.npz"
    captured = capture(SAMPLE, Settings(end=1.0, focal=35.0))
    captured.save(path)
    again = solve(path, "--height", 1.2, "--no-feet")
    assert again.motion.height == pytest.approx(1.2, abs=1e-3)
    assert again.settings["focal"] == 35.0  # what isn't named stays as it was
    assert solve(path, "--focal", "auto", "--no-feet").settings["focal"] is None
    out = tmp_path / "n.npz"
    assert "Person 4" in refused(capsys, path, "--out", out, "--person", 4)
    assert "focal length" in refused(capsys, path, "--out", out, "--focal", 1)
    assert not out.exists()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("kind", ["far beside the picture", "in one point", "anywhere"])
def test_of_nonsense_a_sound_motion_comes_or_none(tmp_path, capsys, kind):
    path, out = tmp_path / "raw.npz", tmp_path / "n.npz"
    made = random_capture(20)
    seen = made.landmarks.copy()
    if kind == "far beside the picture":
        seen[:] = [1e6, 1e6, 1]
    elif kind == "in one point":
        seen[10:, :, :2] = 960
    else:
        seen[..., :2] = np.random.default_rng(0).uniform(-1e6, 1e6, seen[..., :2].shape)
    replace(made, landmarks=seen, settings={"start": 0.0, "end": None, "fps": None}).save(path)
    if main(["solve", str(path), "--out", str(out), "--height", "1.8"]) == 0:
        # reading checks that it is a person's skeleton, and that every number is within reason
        assert Capture.load(out).motion.height == pytest.approx(1.8, abs=1e-3)
    else:
        said = capsys.readouterr().err.strip()
        assert said.startswith("No motion comes of this: ") and "\n" not in said and not out.exists()
