"""Everybody of a video in one world: known motions go in, and where they are to each other comes out."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinelift.core.capture import Capture, Source
from kinelift.core.errors import CaptureError
from kinelift.core.files import clip_name, everybodys, of_person
from kinelift.core.landmarks import evidence_of
from kinelift.core.options import ALL, MOST_PEOPLE, Settings
from kinelift.core.rotations import axis_angle
from kinelift.inference import pipeline
from kinelift.inference.detect.people import Detections
from kinelift.inference.lifters.weights import load_weights
from kinelift.inference.pipeline import WEIGHTS, _detections_of, _everybody, _Known, resolve
from kinelift.tests.inference.test_bad_input import filmed, moved, moving, walking
from kinelift.tests.videos import SAMPLE, read_video, write_video

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
#: where the second one begins, from the first one's view: to the side and farther away, metres
BESIDE = np.array([1.4, 1.2, 0.0])


def another(capture: Capture, shift: Any, tall: float = 1.0) -> Capture:
    """Somebody else, who walks another way: turned, shifted, and so many times as tall."""
    turned = moved(capture, axis_angle(np.array([0.0, 0, 1]), np.radians(25)), shift)
    motion = turned.motion
    start = motion.root[0] * [1, 1, 0]
    return moving(turned, offsets=motion.offsets * tall, root=start + (motion.root - start) * tall)


def everybody(*people: Capture, settings: Settings = Settings(person=ALL)) -> list[Capture]:  # noqa: B008
    """The captures that the pipeline makes of what a detector says of these people."""
    first, *others = (filmed(one) for one in people)
    seen = np.stack([evidence_of(one) for one in others]) if others else first.others
    detections = _detections_of(replace(first, others=seen))
    return solved(detections, settings)


def solved(detections: Detections, settings: Settings = Settings(person=ALL)) -> list[Capture]:  # noqa: B008
    model = load_weights(WEIGHTS, pipeline.torch_device("cpu"))
    return _everybody([detections], settings, model, Source("made.mp4"), None, [_Known()])


def on_floor(capture: Capture) -> float:
    """How far the lowest joint is from where it is for somebody on the floor, metres, on average."""
    return float(np.median(capture.motion.joints[..., 2].min(1)))


@pytest.fixture(scope="module")
def first() -> Capture:
    return walking()


@pytest.fixture(scope="module", params=[1.0, 0.75], ids=["as tall", "a child"])
def pair(request: pytest.FixtureRequest, first: Capture) -> tuple[list[Capture], list[Capture]]:
    """Two people, and their captures."""
    truth = [first, another(first, BESIDE, request.param)]
    lens = first.camera.focal_mm
    return truth, everybody(*truth, settings=Settings(person=ALL, focal=lens, height=first.motion.height))


def test_two_are_where_they_were(pair: tuple[list[Capture], list[Capture]]) -> None:
    truth, found = pair
    assert len(found) == 2
    apart, asked = (
        np.linalg.norm((one.motion.root - two.motion.root)[:, :2], axis=-1) for one, two in (found, truth)
    )
    assert (np.abs(apart - asked) / asked).mean() < 0.02
    assert found[1].motion.height == pytest.approx(truth[1].motion.height, rel=0.02)


def test_one_camera_and_one_floor(pair: tuple[list[Capture], list[Capture]]) -> None:
    _, (one, two) = pair
    assert np.array_equal(one.camera.camera_from_world, two.camera.camera_from_world)
    assert one.camera.focal == two.camera.focal
    assert abs(on_floor(one) - on_floor(two)) < 0.02
    # the other one is seen where the video shows them
    at = two.camera.project(two.motion.joints)
    tall = np.ptp(at[..., 1], axis=1)[:, None]
    hips = two.landmarks[:, 23:25, :2].mean(1)
    assert np.median(np.linalg.norm(at[:, 0] - hips, axis=-1) / tall[:, 0]) < 0.05
    # each has the other's landmarks, to choose again
    np.testing.assert_allclose(evidence_of(two), one.others[0], atol=1e-3)


def test_each_is_solved_again_alone_where_they_are(pair: tuple[list[Capture], list[Capture]]) -> None:
    _, (one, two) = pair
    # the height that the panel goes on asking for is the first one's
    for capture, height in ((one, None), (two, two.settings["height"])):
        again = resolve(capture, {"person": ALL, "focal": None, "height": height})
        np.testing.assert_allclose(evidence_of(again), evidence_of(capture), atol=1e-3)
        off = np.linalg.norm(again.motion.joints - capture.motion.joints, axis=-1)
        assert off.mean() < 0.02
        assert again.motion.height == pytest.approx(capture.motion.height, rel=1e-3)
        assert again.settings["person"] == ALL
    # who was captured alone stays who they are
    alone = replace(one, settings={**one.settings, "person": "largest"})
    assert resolve(alone, {"person": ALL}).settings["person"] == "largest"
    # and somebody else can be chosen
    np.testing.assert_allclose(evidence_of(resolve(two, {"person": "1"})), evidence_of(one), atol=1e-3)


def test_some_of_three(first: Capture) -> None:
    """Named by places or otherwise, and twice: in one world, as everybody is."""
    third = another(first, -BESIDE)
    people = [filmed(one) for one in (first, another(first, BESIDE), third)]
    detections = _detections_of(replace(people[0], others=np.stack([evidence_of(one) for one in people[1:]])))
    known = Settings(person=ALL, focal=first.camera.focal_mm, height=first.motion.height)
    everyone = solved(detections, known)
    assert len(everyone) == 3

    def named(number: int) -> str:
        """Where somebody's hip is, one second after the start."""
        capture = everyone[number]
        x, y = capture.landmarks[round(capture.motion.fps), 23, :2]
        return f"{x:.0f},{y:.0f}@1.00"

    some = solved(detections, replace(known, person=f"{named(2)}+{named(1)}+3"))
    assert len(some) == 2
    for one, other in zip(some, everyone[1:], strict=True):
        np.testing.assert_array_equal(evidence_of(one), evidence_of(other))
    assert np.array_equal(some[0].camera.camera_from_world, some[1].camera.camera_from_world)
    away, asked = ((a.motion.root - b.motion.root)[:, :2] for a, b in (some, everyone[1:]))
    np.testing.assert_allclose(np.linalg.norm(away, axis=-1), np.linalg.norm(asked, axis=-1), rtol=0.05)
    for wrong, says in (("1+4", "only 3"), ("1+9,9@1", "Nobody was found at 9, 9")):
        with pytest.raises(CaptureError, match=says):
            solved(detections, Settings(person=wrong))


def test_only_one_person(first: Capture) -> None:
    (one,) = everybody(first)
    assert not one.warnings


def test_a_person_who_is_there_for_a_moment_does_not_count(first: Capture) -> None:
    seen = filmed(another(first, BESIDE))
    landmarks = seen.landmarks.copy()
    landmarks[5:] = np.nan
    beside = evidence_of(replace(seen, landmarks=landmarks, world_landmarks=np.where(
        np.isfinite(landmarks), seen.world_landmarks, np.nan)))  # fmt: skip
    detections = _detections_of(replace(filmed(first), others=beside[None]))
    assert len(solved(detections)) == 1


def test_thirty_people(first: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those seen longest and largest are captured, the others are named."""
    places = [((n % 6 - 2.5) * 0.8, n // 6 * 1.5, 0.0) for n in range(1, 30)]
    found = everybody(first, *(another(first, place) for place in places))
    assert len(found) == MOST_PEOPLE
    (said,) = [one for one in found[0].warnings if "left out" in one]
    assert "and 19 more" in said and "@0.00" in said


def test_nobody_trims(first: Capture, tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="keep time together"):
        pipeline.captures(tmp_path / "none.mp4", Settings(person=ALL, unseen="trim"))


def test_a_film_of_two(tmp_path: Path) -> None:
    """Decoded and detected once; each gets a file, with one camera, on one floor."""
    pictures = [np.hstack([image, image[:, ::-1]]) for image in read_video(SAMPLE)[60:90]]
    video = write_video(tmp_path / "two.mp4", pictures)
    out = tmp_path / "two.motion.npz"
    of_person(out, 3).write_text("of an earlier capture")
    words = [sys.executable, "-m", "inference", "capture", str(video), "--out", str(out), "--person", "all"]
    words += ["--bvh", str(tmp_path / "two.bvh"), "--quality", "quick", "--progress", "json"]
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, run.stderr
    stages = [json.loads(line)["stage"] for line in run.stdout.splitlines() if line.startswith("{")]
    lifted = stages.index("lift")
    assert "detect" in stages[:lifted] and not {"shots", "detect"} & set(stages[lifted:])
    assert (tmp_path / "two.bvh").is_file() and (tmp_path / "two.person2.bvh").is_file()
    first = Capture.load(out)
    assert first.people == 2
    one, two = (Capture.load(path) for path in everybodys(out, first.people))
    assert np.array_equal(one.camera.camera_from_world, two.camera.camera_from_world)
    assert abs(on_floor(one) - on_floor(two)) < 0.03
    for capture in (one, two):
        assert capture.settings["person"] == ALL and np.isfinite(capture.landmarks).mean() > 0.9
    # they walk as mirror images: as tall, as far from the camera, on either side
    assert two.motion.height == pytest.approx(one.motion.height, rel=0.08)
    assert two.motion.root[:, 1].mean() == pytest.approx(one.motion.root[:, 1].mean(), abs=0.5)


def test_files_are_numbered(tmp_path: Path) -> None:
    first = tmp_path / "dance-20260102-030405-6-7.motion.npz"
    second = of_person(first, 2)
    assert second.name == "dance-20260102-030405-6-7.person2.motion.npz"
    assert clip_name(second) == "dance.person2" and of_person(tmp_path / "a.bvh", 3).name == "a.person3.bvh"
    third, fourth = of_person(first, 3), of_person(first, 4)
    for path in (first, second, fourth):
        path.touch()
    assert everybodys(first, 4) == [first, second, fourth]
    # what lies there of an earlier capture is of somebody else
    assert everybodys(first, 3) == [first, second] and everybodys(first, 1) == [first]
    assert not third.exists()
