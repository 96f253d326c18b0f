"""Sides that were swapped are repaired, and where they remain uncertain that is said."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from kinelift.core.landmarks import COLUMNS, IN_PICTURE, IN_SPACE, LANDMARK, MIRRORED
from kinelift.inference.left_right import _best_swaps, _places, unswapped

FRAMES = 90
TIMES = np.arange(FRAMES) / 30
Array = npt.NDArray[np.float64]


def walker(wide: float = 1.0) -> Array:
    """What is known of the landmarks of somebody who walks on the spot, limbs `wide` apart."""
    at = {
        "shoulder": (0.2, 0.0), "elbow": (0.3, 0.3), "wrist": (0.35, 0.55), "hip": (0.12, 0.5),
        "knee": (0.13, 0.95), "ankle": (0.13, 1.35), "heel": (0.13, 1.4), "foot_index": (0.15, 1.45),
    }  # fmt: skip
    landmarks = np.ones((FRAMES, 33, 3))
    landmarks[..., :2] = [0, -0.3]
    depth = np.zeros((FRAMES, 33))
    swing = 0.25 * np.sin(2 * np.pi * TIMES)
    for name, (x, y) in at.items():
        for side, sign in (("L", 1), ("R", -1)):
            landmarks[:, LANDMARK[f"{name}.{side}"], :2] = [wide * sign * x, y]
            depth[:, LANDMARK[f"{name}.{side}"]] = wide * sign * swing * max(y, 0)
    world = np.dstack([landmarks[..., 0], landmarks[..., 1], depth])
    landmarks[..., :2] = 400 + 300 * landmarks[..., :2]
    rest = np.random.default_rng(0).random((FRAMES, 33, COLUMNS - IN_SPACE.stop))
    return np.concatenate([landmarks, world, rest], axis=-1)


def swapped(evidence: Array, where: npt.ArrayLike) -> Array:
    out = evidence.copy()
    out[where] = evidence[where][:, np.array(MIRRORED)]
    return out


def test_sides_that_are_clear_are_certain() -> None:
    evidence = walker()
    again, unsure = unswapped(TIMES, evidence)
    np.testing.assert_array_equal(again, evidence)
    assert not unsure.any()


def test_repaired_sides_are_certain() -> None:
    """All that is known of a landmark goes with it."""
    evidence = walker()
    again, unsure = unswapped(TIMES, swapped(evidence, slice(40, 50)))
    np.testing.assert_array_equal(again, evidence)
    assert not unsure.any()


def test_sides_that_change_half_of_the_time_are_uncertain() -> None:
    """One of the two is right, but nothing tells which."""
    _, unsure = unswapped(TIMES, swapped(walker(), np.arange(FRAMES) % 2 == 0))
    assert unsure.all()


def test_only_the_part_that_changes_is_uncertain() -> None:
    evidence = walker()
    legs = slice(LANDMARK["hip.L"], None)
    evidence[:, legs] = swapped(evidence, np.arange(FRAMES) % 2 == 0)[:, legs]
    _, unsure = unswapped(TIMES, evidence)
    assert unsure[:, 1].all() and not unsure[:, 0].any()


@pytest.mark.parametrize("why", ["beside each other", "unseen"])
def test_it_makes_no_difference(why: str) -> None:
    evidence = walker(wide=0.1 if why == "beside each other" else 1.0)
    if why == "unseen":
        evidence[..., 2] = 0.05
    assert not unswapped(TIMES, swapped(evidence, np.arange(FRAMES) % 2 == 0))[1].any()


def test_the_best_of_each_frame_s_hypotheses_is_the_best_of_all() -> None:
    rng = np.random.default_rng(0)
    evidence = walker()
    evidence[..., :2] += rng.normal(0, 60, (FRAMES, 33, 2))
    place = _places(evidence[..., IN_PICTURE], evidence[..., IN_SPACE])
    path, least = _best_swaps(TIMES, place, evidence[..., 2])
    np.testing.assert_allclose(least.min(1), least.min())
    np.testing.assert_allclose(least[np.arange(FRAMES), path], least.min())


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_hardly_any_frames(frames: int) -> None:
    again, unsure = unswapped(TIMES[:frames], walker()[:frames])
    assert len(again) == frames and unsure.shape == (frames, 2)
