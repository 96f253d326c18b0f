"""Hands that point into the floor bend at the wrists, evenly, and nothing else moves."""

from dataclasses import replace

import numpy as np
import pytest

from kinelift.core.foot_ik import clean_up
from kinelift.core.kinematics import local_rotations
from kinelift.core.rotations import axis_angle, geodesic_angle, quaternion_from_matrix
from kinelift.core.skeleton import END_POINTS, INDEX, JOINTS
from kinelift.tests.walks import walk

FRAMES = 60
HANDS = [INDEX["hand.L"], INDEX["hand.R"]]


def on_hands(height, waver):
    """Somebody who stands on the hands with the wrists at a height, upside down, the arms downwards.

    The hands point straight down, or circle around that by an angle, radians.
    """
    ahead = np.array([0.0, 1, 0])
    turns = {"": 180.0, "L": 90.0, "R": -90.0}
    arms = ("upper_arm", "forearm", "hand")
    world = np.tile(np.eye(3), (FRAMES, len(JOINTS), 1, 1))
    for joint, name in enumerate(JOINTS):
        side = name[-1] if name.split(".")[0] in arms else ""
        world[:, joint] = axis_angle(ahead, np.radians(np.array(turns[side])))
    angle = np.linspace(0, 4 * np.pi, FRAMES)
    aside = np.stack([np.cos(angle), np.sin(angle), np.zeros(FRAMES)], axis=1)
    for hand in HANDS:
        world[:, hand] = axis_angle(aside, np.full(FRAMES, waver)) @ world[:, hand]
    motion = replace(
        walk(FRAMES),
        rotations=quaternion_from_matrix(local_rotations(world)),
        root=np.zeros((FRAMES, 3)),
        contacts=np.zeros((FRAMES, 4)),
    )
    return replace(motion, root=motion.root + np.array([0, 0, height - motion.joints[:, HANDS, 2].min()]))


def lowest(motion):
    """The lower (T,) of the heights of the fingers' ends."""
    ends = [
        motion.joints[:, hand] + motion.world_rotations[:, hand] @ np.array(END_POINTS[JOINTS[hand]])
        for hand in HANDS
    ]
    return np.min(ends, axis=0)[:, 2]


@pytest.mark.parametrize("waver", [0.0, 4.0])
def test_they_lie_on_the_floor(waver):
    raw = on_hands(0.05, np.radians(waver))
    cleaned = clean_up(raw)
    assert lowest(raw).max() < -0.11
    assert lowest(cleaned).min() > 0.0 and lowest(cleaned).max() < 0.05
    arms = [motion.joints[:, HANDS] - motion.root[:, None] for motion in (cleaned, raw)]
    np.testing.assert_allclose(*arms, atol=1e-6)


def test_they_bend_evenly_however_they_waver():
    turns = clean_up(on_hands(0.05, np.radians(4.0))).world_rotations[:, HANDS]
    assert np.degrees(geodesic_angle(turns[1:], turns[:-1])).max() < 4


def test_hands_above_the_floor_stay_as_they_are():
    raw = on_hands(0.4, np.radians(4.0))
    np.testing.assert_allclose(
        clean_up(raw).world_rotations[:, HANDS], raw.world_rotations[:, HANDS], atol=1e-6
    )
