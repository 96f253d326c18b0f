"""What a camera did is told by the background, and the path is solved with it: known in, the same out."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from kinelift.bench.score import similarity
from kinelift.core.camera import FILM_WIDTH_MM
from kinelift.core.capture import Capture, still_camera
from kinelift.core.options import CleanUp, Settings
from kinelift.core.rotations import (
    axis_angle,
    geodesic_angle,
    matrix_from_quaternion,
    matrix_from_vector,
    quaternion_from_matrix,
)
from kinelift.inference.camera_path import camera_motion, motion_in
from kinelift.inference.pipeline import capture, resolve, resolve_range
from kinelift.tests.inference.test_bad_input import filmed, walking
from kinelift.tests.inference.test_camera_turns import FRAMES, LENS, PLAIN, film, turning
from kinelift.tests.videos import SAMPLE, read_video, write_video

MM = LENS * FILM_WIDTH_MM
STANDS = np.zeros((FRAMES, 3))
ONCE = np.ones(FRAMES)


def from_the_first(rotations):
    return rotations @ rotations[0].T


def sideways(motion):
    """How far each frame's camera looks aside of where the shot's camera looks, radians."""
    return np.arccos(np.clip(motion.rotations[:, 2, 2], -1, 1))


@pytest.mark.parametrize("known", [True, False])
def test_a_turn_is_told_from_the_middle_of_it(known):
    motion, (said,) = camera_motion(film(turning(30.0), ONCE), FRAMES, MM if known else None)
    true = from_the_first(matrix_from_vector(turning(30.0)))
    off = np.degrees(geodesic_angle(from_the_first(motion.rotations), true))
    assert off.max() < (0.6 if known else 1.0)
    away = np.degrees(sideways(motion))
    assert away.min() < 0.1 and away.max() < 21
    assert motion.zooms == pytest.approx(1, abs=0.005)
    assert "turns by 3" in said and "zoom" not in said
    # what somebody says of the lens goes before what the turn tells of it
    assert motion.told is not known
    assert motion.focal_mm == pytest.approx(MM, rel=0.02)


def test_a_zoom_is_told():
    motion, (said,) = camera_motion(film(STANDS, np.linspace(1, 1.4, FRAMES)), FRAMES, None)
    assert motion.zooms == pytest.approx(np.linspace(1, 1.4, FRAMES), rel=0.01)
    assert "zooms by a factor of 1.4" in said and "turns" not in said


@pytest.mark.parametrize("passing", [False, True])
def test_a_camera_that_stands_is_never_made_to_move(passing):
    assert camera_motion(film(STANDS, ONCE, noise=8.0, passing=passing), FRAMES, None) == (None, ())


def test_shaking_that_noise_would_hide_is_no_motion():
    shaken = np.radians(0.05) * np.random.default_rng(0).normal(size=(FRAMES, 3))
    assert camera_motion(film(shaken, ONCE), FRAMES, None) == (None, ())


def test_a_plain_wall_is_told():
    motion, (said,) = camera_motion(film(turning(20.0), ONCE, noise=0, background=PLAIN), FRAMES, None)
    assert motion is None and "shows too little" in said


def test_another_lens_turns_otherwise_and_sees_the_same():
    motion, _ = camera_motion(film(turning(12.0), ONCE), FRAMES, MM)
    assert motion.through(MM) is motion
    tele = motion.through(2 * MM)
    angles = [sideways(one).max() for one in (motion, tele)]
    assert 1.8 < angles[0] / angles[1] < 2.2
    back = geodesic_angle(tele.through(MM).rotations, motion.rotations)
    assert np.degrees(back).max() < 0.05


def panned(truth, degrees):
    """A known walk, and what a camera sees that turns and zooms meanwhile, in a capture of the truth."""
    share = np.sin(np.linspace(-np.pi / 2, np.pi / 2, len(truth)))
    turns = axis_angle(np.array([0.0, 1, 0]), np.radians(degrees / 2) * share)
    seen = filmed(truth)
    zooms = 1.2 + 0.2 * share
    rays = np.einsum("tij,tkj->tki", turns, truth.camera.rays(seen.landmarks[..., :2]))
    focal = truth.camera.focal * zooms[:, None, None]
    pixels = rays[..., :2] / rays[..., 2:] * focal + truth.camera.centre
    return replace(
        seen,
        landmarks=np.concatenate([pixels, seen.landmarks[..., 2:]], -1),
        camera_turns=quaternion_from_matrix(turns),
        camera_zooms=zooms,
    )


@pytest.fixture(scope="module")
def truth():
    return walking()


def off_path(solved, truth):
    """Mean distance of the roots over the length of the path, up to a similarity."""
    root, true = (one.motion.root.astype(float) for one in (solved, truth))
    scale, turn, shift = similarity(root, true)
    way = np.linalg.norm(np.diff(true, axis=0), axis=1).sum()
    return np.linalg.norm(scale * root @ turn.T + shift - true, axis=1).mean() / way


def solved_again(seen):
    return resolve(seen, {"focal": seen.camera.focal_mm})


def test_landmarks_before_a_camera_that_turns_and_zooms_give_the_path_before_a_still_one(truth):
    still, moving = solved_again(filmed(truth)), solved_again(panned(truth, 40.0))
    assert off_path(moving, truth) < off_path(still, truth) + 0.01
    assert off_path(moving, still) < 0.02
    lost = replace(panned(truth, 40.0), **still_camera(len(truth)))
    assert off_path(solved_again(lost), truth) > 0.03
    # feet stand as surely as before a still one
    stands = [(one.motion.contacts > 0.5).mean() for one in (still, moving)]
    assert stands[1] > 0.8 * stands[0] > 0


def test_solving_again_keeps_the_path_of_the_camera(truth):
    first = solved_again(panned(truth, 40.0))
    assert first.camera_moves
    again = resolve(first, {"focal": None})
    for name in still_camera(0):
        np.testing.assert_allclose(getattr(again, name), getattr(first, name), atol=1e-6)
    assert again.camera.focal == pytest.approx(first.camera.focal)
    np.testing.assert_allclose(again.motion.joints, first.motion.joints, atol=2e-3)


def test_a_range_is_solved_again_with_the_path_of_the_camera(truth):
    first = solved_again(panned(truth, 40.0))
    contacts = first.motion.contacts > 0.5
    again = resolve_range(first, CleanUp(first=10, last=30), contacts)
    np.testing.assert_allclose(again.motion.joints, first.motion.joints, atol=0.05)
    np.testing.assert_array_equal(again.camera_turns, first.camera_turns)


def test_a_capture_tells_how_its_camera_moves(truth):
    assert motion_in(truth) is None
    seen = panned(truth, 40.0)
    np.testing.assert_allclose(
        motion_in(seen).rotations, matrix_from_quaternion(seen.camera_turns), atol=1e-6
    )


# --- films ---


def window(images, degrees):
    """Films of what a camera sees of some pictures that turns by so many degrees, and its turns (T, 3, 3)."""
    height, width = images[0].shape[:2]
    size = (round(0.75 * width), round(0.75 * height))
    with np.load(SAMPLE.with_suffix(".npz"), allow_pickle=False) as data:
        whole = data["K"].astype(float)
    part = whole.copy()
    part[:2, 2] = np.array(size) / 2
    share = np.linspace(-0.5, 0.5, len(images)) if degrees else np.zeros(len(images))
    turns = axis_angle(np.array([0.0, 1, 0]), np.radians(degrees) * share)
    return [
        cv2.warpPerspective(image, part @ turn @ np.linalg.inv(whole), size)
        for image, turn in zip(images, turns, strict=True)
    ], turns


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """The sample before a still camera and before one that turns by 8 degrees, captured, and the turns."""
    folder = tmp_path_factory.mktemp("films")
    images = read_video(SAMPLE)[:60]
    with np.load(SAMPLE.with_suffix(".npz"), allow_pickle=False) as data:
        focal = float(data["K"][0, 0] / (0.75 * max(data["size"])) * FILM_WIDTH_MM)
    made = []
    for degrees in (0.0, 8.0):
        pictures, turns = window(images, degrees)
        video = write_video(folder / f"turn_{degrees:.0f}.mp4", pictures)
        made.append(capture(video, Settings(focal=focal)))
    return *made, turns


@pytest.mark.slow
def test_a_film_of_a_camera_that_turns(films):
    still, moving, turns = films
    assert not still.camera_moves and not any("camera" in one for one in still.warnings)
    assert "The camera turns by 8 degrees: the path is solved with it." in moving.warnings
    found = matrix_from_quaternion(moving.camera_turns)
    assert np.degrees(geodesic_angle(from_the_first(found), from_the_first(turns))).max() < 0.5
    assert moving.camera_zooms == pytest.approx(1, abs=0.01)
    assert off_path(moving, still) < 0.05
    again = resolve(moving)
    np.testing.assert_allclose(again.motion.joints, moving.motion.joints, atol=2e-3)
    np.testing.assert_allclose(again.camera_turns, moving.camera_turns, atol=1e-6)
    assert again.warnings == moving.warnings


@pytest.mark.slow
def test_a_capture_of_a_still_camera_has_no_trace_of_another(films, tmp_path):
    still, *_ = films
    for name, value in still_camera(len(still)).items():
        np.testing.assert_array_equal(getattr(still, name), value)
    still.save(tmp_path / "still.npz")
    assert motion_in(Capture.load(tmp_path / "still.npz")) is None
