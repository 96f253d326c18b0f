"""A camera that stands is told from one that doesn't, by the background alone."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from kinelift.inference.camera_motion import CameraWatch, small_grey

SIZE = (640, 360)


@dataclass
class Somebody:
    landmarks: np.ndarray


def wall():
    """A large picture full of detail."""
    rng = np.random.default_rng(0)
    rough = cv2.resize(
        rng.uniform(0, 255, (60, 80)).astype(np.float32), (1280, 960), interpolation=cv2.INTER_CUBIC
    )
    fine = cv2.resize(
        rng.uniform(0, 255, (240, 320)).astype(np.float32), (1280, 960), interpolation=cv2.INTER_CUBIC
    )
    return np.clip(0.6 * rough + 0.4 * fine, 0, 255).astype(np.uint8)


def film(seconds, pan=0.0, zoom=0.0, roll=0.0, person=False, seen=True, noise=4.0, cuts=()):
    """A clip at 10 fps as `CameraWatch` sees it; pan in pixels, zoom in shares, roll in degrees a second.

    At the frames of `cuts` another one goes on.
    """
    watches, background = [CameraWatch(SIZE)], wall()
    rng = np.random.default_rng(1)
    for frame in range(round(seconds * 10)):
        t = frame / 10
        m = cv2.getRotationMatrix2D((640, 480), roll * t, 1 + zoom * t)
        m[:, 2] -= [320 + pan * t, 300]
        grey = cv2.warpAffine(background, m, SIZE).astype(float) + rng.normal(0, noise, SIZE[::-1])
        image = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
        people = []
        if person:
            x = int(100 + 60 * t) % 500
            image[60:340, x : x + 90] = rng.integers(0, 255, (280, 90, 3))
            corners = np.array([[x, 60, 1], [x + 90, 340, 1]], float)
            people = [Somebody(corners)] if seen else []
        watches[-1].observe(small_grey(image), t, people, always=frame in cuts)
        if frame in cuts:
            watches.append(CameraWatch(SIZE))
            watches[-1].observe(small_grey(image), t, people)
    watch, *others = watches
    for other in others:
        watch.go_on(other)
    return watch


@pytest.mark.parametrize("person", [False, True])
def test_a_camera_that_stands(person):
    watch = film(10, person=person)
    assert watch.shift < 0.002 and watch.warnings == ()


def test_somebody_the_detector_missed_is_no_camera_motion():
    assert film(6, person=True, seen=False).warnings == ()


@pytest.mark.slow
def test_noise_does_not_add_up():
    assert film(60, noise=15.0).shift < 0.01


@pytest.mark.parametrize(
    "motion", [{"pan": 20.0}, {"pan": 2.0}, {"zoom": 0.02}, {"roll": 1.0}, {"pan": 15.0, "person": True}]
)
def test_a_camera_that_pans_zooms_or_turns(motion):
    watch = film(12, **motion)
    (warning,) = watch.warnings
    assert "camera moved" in warning and warning.endswith(".")


def test_the_shift_is_right():
    assert film(8, pan=10.0).shift == pytest.approx(10 * 7.9 / 640, rel=0.08)


@pytest.mark.parametrize("motion", [{"pan": 10.0}, {"pan": 6.0, "roll": 1.5, "zoom": 0.02}])
def test_a_clip_in_stretches_is_one_clip(motion):
    whole = film(8, **motion)
    cut = film(8, cuts=(19, 40, 41, 70), **motion)
    assert whole.shift > 0.05
    assert cut.shift == pytest.approx(whole.shift, rel=0.05)


def test_a_blank_wall_tells_nothing():
    watch = CameraWatch(SIZE)
    for frame in range(20):
        watch.observe(np.full((270, 480), 200, np.uint8), frame / 10, [])
    assert watch.shift == 0 and watch.warnings == ()
