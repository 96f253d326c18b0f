"""Solving again from what a motion keeps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinelift.core.capture import Capture
from kinelift.core.errors import CaptureError
from kinelift.core.landmarks import LANDMARK, MIRRORED, evidence_of, fields_of
from kinelift.core.options import Settings
from kinelift.core.skeleton import INDEX
from kinelift.inference.lens import _lens_frames
from kinelift.inference.pipeline import capture, resolve
from kinelift.tests.videos import read_video, trimmed, write_video

# captures, detects or starts other programs
pytestmark = pytest.mark.slow

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "walk_front.mp4"


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    path = tmp_path_factory.mktemp("motion") / "m.npz"
    capture(SAMPLE, Settings(end=2.0)).save(path)
    return Capture.load(path)


def test_solving_again_with_the_same_settings_changes_nothing(captured):
    again = resolve(captured)
    assert np.allclose(again.motion.joints, captured.motion.joints, atol=2e-4)
    assert (again.motion.contacts == captured.motion.contacts).all()
    assert again.settings == captured.settings


def test_landmarks_are_about_as_far_off_as_is_said(captured):
    with np.load(SAMPLE.with_suffix(".npz"), allow_pickle=False) as truth:
        names, true = truth["joint_names"].tolist(), truth["joints_px"][: len(captured)]
    at = {LANDMARK[f"{name}.{side}"]: names.index(f"{joint}.{side}")
          for name, joint in (("elbow", "forearm"), ("wrist", "hand"), ("knee", "shin"), ("ankle", "foot"))
          for side in "LR"}  # fmt: skip
    off = captured.landmarks[:, list(at), :2] - true[:, list(at.values())]
    wide = captured.spread[:, list(at)][..., [0, 2]]
    assert np.isfinite(captured.spread).all() and captured.presence.min() > 0.5
    assert 0.4 < np.sqrt(np.median(off**2) / np.median(wide)) / 0.67 < 2.0
    again = resolve(captured)
    np.testing.assert_array_equal(evidence_of(again), evidence_of(captured))


def test_the_lifters_doubt_of_its_turns_is_kept(captured):
    assert np.isfinite(captured.turn_spread).all()
    assert 2 < np.degrees(np.median(captured.turn_spread)) < 20
    # hands turn in ways that hips don't
    hips, hand = (captured.turn_spread[:, INDEX[name]].mean() for name in ("hips", "hand.L"))
    assert hips < hand


def test_a_height_scales_the_person_and_the_path(captured):
    tall = resolve(captured, {"height": 1.25 * captured.motion.height})
    assert np.isclose(tall.motion.height, 1.25 * captured.motion.height, rtol=1e-4)
    paths = [m.motion.root[-1] - m.motion.root[0] for m in (captured, tall)]
    assert np.allclose(paths[1], 1.25 * paths[0], atol=0.05)
    # and the picture stays what it was
    pixels = [m.camera.project(m.motion.joints) for m in (captured, tall)]
    assert np.abs(pixels[0] - pixels[1]).max() < 0.01 * captured.camera.size[1]


def test_another_lens_moves_the_person_away(captured):
    phone, tele = (resolve(captured, {"focal": focal}) for focal in (28.0, 56.0))
    away = [np.linalg.norm(m.motion.root[0] - m.camera.eye) for m in (phone, tele)]
    assert 1.7 < away[1] / away[0] < 2.3
    assert tele.settings["focal"] == 56.0 and tele.settings["end"] == captured.settings["end"]


def test_the_lens_is_found_where_it_is_not_told(captured):
    with np.load(SAMPLE.with_suffix(".npz"), allow_pickle=False) as truth:
        real = float(truth["K"][0, 0])
    assert "focal" not in captured.settings or captured.settings["focal"] is None
    assert 0.75 < captured.camera.focal / real < 1.3


def test_the_lens_of_a_long_clip_is_sought_in_stretches_of_it():
    everywhere = np.ones(700, dtype=bool)
    for frames in _lens_frames(everywhere, 30.0):
        np.testing.assert_array_equal(frames, np.arange(700))
    sometimes = np.arange(36_000) % 12_000 > 6000
    around, used = _lens_frames(sometimes, 30.0)
    assert len(around) < 1200 and np.isin(used, around).all()
    assert sometimes[used].mean() > 0.9 and used[0] < 9000 and used[-1] > 31_000


def test_another_person_of_the_same_video(captured):
    """Somebody else stood beside: the same landmarks, elsewhere in the picture, for half of the time."""
    half = len(captured) // 2
    beside = evidence_of(captured)
    beside[..., 0] -= 250
    beside[half:] = np.nan
    both = replace(captured, others=beside[None])
    first, second = resolve(both), resolve(both, {"person": "2"})
    assert np.allclose(first.motion.joints, captured.motion.joints, atol=2e-4)
    for name, known in fields_of(beside[:half]).items():
        assert np.allclose(getattr(second, name)[:half], known, atol=1e-3), name
    assert np.isnan(second.landmarks[half:]).all() and np.isfinite(second.motion.joints).all()
    assert len(second.others) == 1  # and back again
    back = resolve(second, {"person": "largest"})
    assert np.allclose(evidence_of(back), evidence_of(captured), atol=1e-3)
    with pytest.raises(CaptureError, match="only 2"):
        resolve(both, {"person": "3"})


def test_feet_stand_on_the_floor_and_gravity_points_down(captured):
    soles = captured.motion.sole_points()[..., 2]
    standing = captured.motion.contacts > 0.5
    assert standing.mean() > 0.2
    assert np.abs(soles[standing]).mean() < 0.06
    trunk = captured.motion.joints[:, 4] - captured.motion.joints[:, 0]
    assert (trunk[:, 2] / np.linalg.norm(trunk, axis=1)).mean() > 0.95


def test_a_camera_that_moves_is_told(tmp_path):
    images = [np.roll(image, -6 * i, axis=1) for i, image in enumerate(read_video(SAMPLE)[:30])]
    warnings = capture(write_video(tmp_path / "pan.mp4", images), Settings()).warnings
    (warning,) = (w for w in warnings if "camera" in w)
    # all of a picture is shifted alike by a camera that goes sideways before a wall
    assert "The camera travels by" in warning and "solved with it" in warning


def test_what_was_wrong_with_the_video_is_told_again(captured):
    source = replace(captured.source, warnings=("The camera moved.",))
    assert "The camera moved." in resolve(replace(captured, source=source)).warnings


def test_feet_that_were_never_seen_are_told(captured):
    landmarks = captured.landmarks.copy()
    landmarks[:, 27:, 2] = 0
    blind = resolve(replace(captured, landmarks=landmarks))
    assert any("feet are hardly in the picture" in warning for warning in blind.warnings)
    assert not any("feet are hardly" in warning for warning in captured.warnings)
    assert np.isfinite(blind.motion.joints).all()


def test_legs_that_were_never_seen_rest(captured):
    landmarks = captured.landmarks.copy()
    landmarks[:, 25:, 2] = 0
    legs = [INDEX[f"{name}.{side}"] for name in ("thigh", "shin", "foot", "toe") for side in "LR"]
    for blind in (
        resolve(replace(captured, landmarks=landmarks)),
        resolve(captured, {"body": "upper"}),
    ):
        down = blind.motion.world_rotations[:, legs, 2, 2]
        assert down.min() > np.cos(np.radians(5))  # upright
        assert not blind.confidence[:, legs].any() and not blind.motion.contacts.any()
        arms = [INDEX[f"{name}.{side}"] for name in ("forearm", "hand") for side in "LR"]
        off = blind.motion.joints[:, arms] - blind.motion.joints[:, :1]
        off -= captured.motion.joints[:, arms] - captured.motion.joints[:, :1]
        assert np.linalg.norm(off, axis=-1).mean() < 0.08
        assert blind.motion.sole_points()[..., 2].min() > -0.1


def test_who_asks_for_the_upper_body_isn_t_told_of_feet(captured):
    upper = resolve(captured, {"body": "upper"})
    assert upper.settings["body"] == "upper" and not any("feet" in warning for warning in upper.warnings)


def test_sides_that_change_all_the_time_are_uncertain_and_count_for_less(captured):
    flips = [captured.landmarks.copy(), captured.world_landmarks.copy()]
    for one in flips:
        one[::2] = one[::2][:, MIRRORED]
    flipped = resolve(replace(captured, landmarks=flips[0], world_landmarks=flips[1]))
    unsure = sum(last - first + 1 for first, last in flipped.unsure_sides)
    assert unsure > 0.8 * len(captured) and not captured.unsure_sides
    hands = [INDEX["hand.L"], INDEX["hand.R"]]
    assert flipped.confidence[:, hands].mean() < 0.8 * captured.confidence[:, hands].mean()
    assert np.allclose(flipped.confidence[:, INDEX["hips"]], captured.confidence[:, INDEX["hips"]], atol=0.01)


def test_slow_motion_is_solved_as_life_is(captured):
    """Filmed four times as fast, played at the usual rate."""
    quick = {"focal": 30.0}
    slowed = replace(captured, motion=replace(captured.motion, fps=captured.motion.fps / 4))
    life = resolve(captured, quick)
    slow = resolve(slowed, {**quick, "slow_motion": 4.0})
    unaware = resolve(slowed, quick)
    assert (slow.motion.fps, slow.motion.slow_motion, len(slow)) == (7.5, 4.0, len(captured))
    assert slow.settings["slow_motion"] == 4.0
    off = [np.linalg.norm(one.motion.joints - life.motion.joints, axis=-1).mean() for one in (slow, unaware)]
    assert off[0] < 0.01 < off[1]
    assert (slow.motion.contacts == life.motion.contacts).mean() > 0.98


def test_a_close_up_of_a_part_is_nobody(captured):
    """The detector makes a whole person of hands, out of the picture but for them."""
    hands = [LANDMARK[f"{n}.{s}"] for n in ("wrist", "index", "pinky", "thumb") for s in "LR"]
    landmarks = captured.landmarks.copy()
    landmarks[:, [k for k in range(33) if k not in hands], 2] = 0
    with pytest.raises(CaptureError, match="only parts such as hands or a face"):
        resolve(replace(captured, landmarks=landmarks))
    landmarks[:, [LANDMARK["shoulder.L"], LANDMARK["shoulder.R"]], 2] = 0.9
    assert len(resolve(replace(captured, landmarks=landmarks))) == len(captured)


def test_progress_ends_where_the_work_does(tmp_path):
    calls = []
    images = read_video(SAMPLE)[:40]
    video = trimmed(write_video(tmp_path / "trim.mp4", images), 0.2, 1.21)
    made = capture(video, Settings(quality="quick"), lambda *call: calls.append(call))
    last = {stage: (frame, of) for stage, frame, of in calls}
    assert all(frame == of for frame, of in last.values()), last
    assert list(last) == ["shots", "detect", "lift", "solve"]
    assert last["detect"][0] == len(made) and not made.source.warnings
