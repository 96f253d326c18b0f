"""Feet of characters with other proportions stand where they should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinelift.bench.scenes import stairs_up
from kinelift.core.skeleton import INDEX, JOINTS, TEMPLATE_OFFSETS
from kinelift.rig.retarget.tpose import leg_length
from kinelift.tests import walks
from kinelift.tests.motions import random_motion
from kinelift.tests.rig.retarget.characters import OWN, character, joints, limb_errors, put


def test_feet_that_stand_do_not_slide() -> None:
    frames = 60
    motion = random_motion(frames, seed=5)
    rotations = np.zeros((frames, len(JOINTS), 4))
    rotations[..., 0] = 1
    sway = 0.25 * np.sin(np.arange(frames) / 8)
    for side in "LR":  # knees bend while the hips sway over standing feet
        rotations[:, INDEX[f"thigh.{side}"]] = np.stack(
            [np.cos(-0.3 + sway), np.sin(-0.3 + sway), *np.zeros((2, frames))], 1
        )
        rotations[:, INDEX[f"shin.{side}"]] = np.stack(
            [np.cos(0.5 + 0 * sway), np.sin(0.5 + 0 * sway), *np.zeros((2, frames))], 1
        )
        rotations[:, INDEX[f"foot.{side}"]] = np.stack(
            [np.cos(-0.2 - sway), np.sin(-0.2 - sway), *np.zeros((2, frames))], 1
        )
    motion = replace(motion, offsets=TEMPLATE_OFFSETS, rotations=rotations, contacts=np.ones((frames, 4)))
    ankle = motion.joints[:, INDEX["foot.L"]] - motion.joints[:, 0]
    motion = replace(motion, root=np.array([0, 0, 0.09]) - ankle * [0, 1, 1])
    target = character(droop=30)
    put(target, motion)
    found = joints(target, OWN, np.arange(1, frames + 1))
    for side in "LR":
        steps = np.linalg.norm(np.diff(found[f"toe.{side}"], axis=0), axis=1)
        assert steps.max() < 1.5e-3
        rest = target.data.bones[f"toe.{side}"].head_local.z
        assert np.abs(found[f"toe.{side}"][:, 2] - rest).max() < 2e-3


@pytest.mark.parametrize("droop", [0.0, 45.0])
def test_legs_of_other_proportions_walk_without_sliding(droop: float) -> None:
    motion, target = walks.walk(60), character(droop=droop, size=1.3)
    put(target, motion)
    errors = limb_errors(target, motion, OWN)
    assert errors.mean() < 1.0 and errors.max() < 5.0
    found = joints(target, OWN, np.arange(1, 61))
    for column, side in ((1, "L"), (3, "R")):
        ball = found[f"toe.{side}"]
        on = motion.contacts[:, column] > 0.5
        steps = np.linalg.norm(np.diff(ball, axis=0), axis=1)[on[1:] & on[:-1]]
        assert steps.max() < 1.5e-3
        rest = target.data.bones[f"toe.{side}"].head_local.z
        assert np.abs(ball[on, 2] - rest).max() < 2e-3 and ball[:, 2].min() > rest - 2e-3


def test_feet_are_planted_in_each_shot_for_itself() -> None:
    one, other = walks.walk(40), random_motion(30, seed=4)
    other = replace(other, offsets=one.offsets, contacts=np.ones((30, 4)))
    arrays = {
        name: np.concatenate([getattr(m, name) for m in (one, other)])
        for name in ("rotations", "root", "contacts")
    }
    target = character()
    put(target, replace(one, **arrays, cuts=(40,)))
    together = joints(target, OWN, np.arange(41, 71))
    put(target, other)
    alone = joints(target, OWN, np.arange(1, 31))
    for name, places in alone.items():
        np.testing.assert_allclose(together[name], places, atol=1e-3)


@pytest.mark.parametrize("size", [0.7, 1.3])
def test_stairs_are_as_high_as_the_legs_are_long(size: float) -> None:
    scene, target = stairs_up(), character(size=size)
    performance = put(target, scene.motion)
    found = joints(target, OWN, performance.frames)
    leg = sum(target.data.bones[name].length for name in ("thigh.L", "shin.L"))
    scale = leg / leg_length(performance.offsets)
    top = np.nanmax(scene.levels)  # stood on longest: the character's ground
    for column, side in ((1, "L"), (3, "R")):
        stands = np.isfinite(scene.levels[:, column])
        high = found[f"toe.{side}"][stands, 2] - target.data.bones[f"toe.{side}"].head_local.z
        np.testing.assert_allclose(high, scale * (scene.levels[stands, column] - top), atol=0.01)
    assert limb_errors(target, scene.motion, OWN).max() < 5.0
