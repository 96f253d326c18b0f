"""A motion on its skeleton: joints, soles and height follow from lengths and rotations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinelift.core.motion import CONTACT_POINTS, Motion
from kinelift.core.skeleton import (
    INDEX,
    JOINTS,
    PARENTS,
    STANDARD_HEIGHT,
    TEMPLATE_LENGTHS,
    rest_offsets,
)
from kinelift.tests.motions import random_motion

ARRAYS = ("offsets", "rotations", "root", "contacts")


def test_bones_keep_their_lengths() -> None:
    motion = random_motion(50, seed=2)
    for joint, parent in enumerate(PARENTS[1:], start=1):
        length = np.linalg.norm(motion.joints[:, joint] - motion.joints[:, parent], axis=-1)
        np.testing.assert_allclose(length, np.linalg.norm(motion.offsets[joint]), atol=1e-6)
    np.testing.assert_allclose(motion.joints[:, 0], motion.root, atol=1e-9)


def test_signs_of_quaternions_are_made_continuous() -> None:
    motion = random_motion(40, seed=3)
    signs = np.where(np.random.default_rng(0).random((40, len(JOINTS), 1)) < 0.5, -1, 1)
    mixed = replace(motion, rotations=motion.rotations * signs)
    assert ((mixed.rotations[1:] * mixed.rotations[:-1]).sum(-1) > 0).all()
    np.testing.assert_allclose(mixed.joints, motion.joints, atol=1e-6)


def t_pose(**changes: object) -> Motion:
    """One frame of the template, standing with its ankles at their height."""
    motion = random_motion(1)
    identity = np.tile([1.0, 0, 0, 0], (1, len(JOINTS), 1))
    root = np.array([[0, 0, 0.40 + 0.405 + 0.090]])
    return replace(motion, offsets=rest_offsets(TEMPLATE_LENGTHS), rotations=identity, root=root, **changes)  # type: ignore[arg-type]


def test_soles_of_the_t_pose_are_on_the_floor() -> None:
    motion = t_pose()
    points = dict(zip(CONTACT_POINTS, motion.sole_points()[0], strict=True))
    for side, sign in (("L", 1), ("R", -1)):
        heel, toe, ankle = (
            points[f"heel.{side}"],
            points[f"toe.{side}"],
            motion.joints[0, INDEX[f"foot.{side}"]],
        )
        assert abs(heel[2]) < 0.01 and abs(toe[2]) < 0.05
        assert heel[1] > ankle[1] > toe[1]
        assert heel[0] * sign > 0.05 and toe[0] * sign > 0.05
    assert np.abs(motion.sole_heights()).max() < 0.01


def test_height() -> None:
    assert t_pose().height == pytest.approx(STANDARD_HEIGHT)
    assert 1.6 < STANDARD_HEIGHT < 1.85
    assert replace(t_pose(), offsets=rest_offsets(TEMPLATE_LENGTHS * 1.1)).height == pytest.approx(
        STANDARD_HEIGHT * 1.1, rel=1e-5
    )


def test_wrong_shapes_are_refused() -> None:
    motion = random_motion(5)
    for name in ARRAYS:
        with pytest.raises(ValueError, match=name):
            replace(motion, **{name: getattr(motion, name)[..., :-1]})
