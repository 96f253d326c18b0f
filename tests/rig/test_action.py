from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import bpy
import numpy as np
import pytest

from kinelift.core.motion import Motion
from kinelift.core.skeleton import JOINTS
from kinelift.rig.action import animate, cut_frames, every_frame
from kinelift.rig.armature import build_armature
from kinelift.rig.cleanup import animate_both
from kinelift.rig.contacts import CONTACT_PROPERTIES
from kinelift.rig.read import read_motion
from kinelift.rig.versions import assign_action, curves_of
from kinelift.tests.motions import random_motion

Heads = Callable[..., np.ndarray]
Curves = Callable[[bpy.types.Object], dict[tuple[str, int], Any]]


def person(motion: Any, fps: float, name: str = "Person") -> bpy.types.Object:
    armature = build_armature(name, motion.offsets, bpy.context.scene.collection)
    animate(armature, motion, name, fps)
    return armature


def keys(curve: Any) -> np.ndarray:
    flat = np.empty(2 * len(curve.keyframe_points), dtype=np.float32)
    curve.keyframe_points.foreach_get("co", flat)
    return flat.reshape(-1, 2)


def test_pose_is_the_motion_on_every_frame(heads: Heads) -> None:
    motion = random_motion(150, seed=1)
    armature = person(motion, motion.fps)
    found = heads(armature, range(1, 151))
    assert np.abs(found - motion.joints).max() < 1e-4


def test_bones_turn_as_the_joints_do() -> None:
    # heads alone would not show a hand or a head that is twisted about itself
    motion = random_motion(20, seed=2)
    armature = person(motion, motion.fps)
    rest = {bone.name: np.array(bone.matrix_local)[:3, :3] for bone in armature.data.bones}
    for frame in (1, 9, 20):
        bpy.context.scene.frame_set(frame)
        for joint, name in enumerate(JOINTS):
            turned = np.array(armature.pose.bones[name].matrix)[:3, :3] @ rest[name].T
            np.testing.assert_allclose(turned, motion.world_rotations[frame - 1, joint], atol=1e-4)


def test_second_person_does_not_disturb_the_first(heads: Heads) -> None:
    first, second = random_motion(40, seed=3), random_motion(30, seed=4)
    one, two = person(first, 30.0), person(second, 30.0)
    assert np.abs(heads(one, range(1, 41)) - first.joints).max() < 1e-4
    assert np.abs(heads(two, range(1, 31)) - second.joints).max() < 1e-4


def test_new_action_keeps_the_earlier_one() -> None:
    motion = random_motion(10)
    armature = person(motion, 30.0, "first take")
    earlier = armature.animation_data.action
    animate(armature, motion, "second take", 30.0)
    assert armature.animation_data.action.name == "second take"
    assert earlier.name == "first take" and tuple(earlier.frame_range) == (1, 10)


def test_no_quaternion_takes_the_long_way_round(curves: Curves) -> None:
    motion = random_motion(200, seed=5)
    flipped = motion.rotations * np.where(np.arange(200) % 3 == 0, -1, 1)[:, None, None]
    armature = person(replace(motion, rotations=flipped), 25.0)
    found = curves(armature)
    for name in JOINTS:
        path = f'pose.bones["{name}"].rotation_quaternion'
        q = np.stack([keys(found[path, i])[:, 1] for i in range(4)], axis=-1)
        assert ((q[1:] * q[:-1]).sum(-1) > 0.9).all()


@pytest.mark.parametrize(
    ("clip", "scene"),
    [
        (60, 24),
        (30, 60),
        (25, 30),
        (29.97, 30 / 1.001),
        (23.976, 24),
        (30, 29.97),
        (240, 24),
        (12.5, 24),
        (30, 30),
    ],
)
def test_speed_is_right_and_keys_are_on_whole_frames(
    heads: Heads, curves: Curves, clip: float, scene: float
) -> None:
    seconds = 4.0
    motion = random_motion(round(seconds * clip) + 1, seed=6, fps=clip)
    armature = person(motion, scene)
    first, last = armature.animation_data.action.frame_range
    assert first == 1
    assert (last - first) / scene == pytest.approx(seconds, abs=1.0 / scene)
    for curve in curves(armature).values():
        frames = keys(curve)[:, 0]
        np.testing.assert_array_equal(frames, np.round(frames))
    # the same curves sampled at the scene's rate; between its frames a motion is only known roughly
    truth = random_motion(int(last), seed=6, fps=scene)
    error = np.abs(heads(armature, range(1, int(last) + 1)) - truth.joints).max()
    assert error < (0.05 if clip < 20 else 0.015)


def test_frames_that_fit_are_keyed_as_they_are(curves: Curves) -> None:
    motion = random_motion(11, seed=7, fps=30)
    armature = person(motion, 60.0)
    found = keys(curves(armature)['pose.bones["hips"].location', 0])
    np.testing.assert_array_equal(found[:, 0], np.arange(11) * 2 + 1)


def test_one_frame(heads: Heads) -> None:
    motion = random_motion(1, seed=8)
    for fps in (24.0, 30.0):
        armature = person(motion, fps)
        assert np.abs(heads(armature, [1]) - motion.joints).max() < 1e-4


def test_contacts_are_switches_on_the_object(curves: Curves) -> None:
    motion = random_motion(120, seed=9)
    armature = person(motion, 30.0)
    for side, columns in (("L", [0, 1]), ("R", [2, 3])):
        name = CONTACT_PROPERTIES[side]
        assert name == f"contact_foot.{side}"
        down = motion.contacts[:, columns].max(axis=1) >= 0.5
        assert 0 < down.sum() < 120
        found = []
        for frame in range(1, 121):
            bpy.context.scene.frame_set(frame)
            found.append(armature.evaluated_get(bpy.context.evaluated_depsgraph_get())[name])
        np.testing.assert_array_equal(found, down)
        curve = curves(armature)[f'["{name}"]', 0]
        assert {point.interpolation for point in curve.keyframe_points} == {"CONSTANT"}
        assert len(curve.keyframe_points) == 1 + np.count_nonzero(down[1:] != down[:-1])


def test_curves_are_grouped_by_bone(curves: Curves) -> None:
    armature = person(random_motion(5), 30.0)
    found = curves(armature)
    assert len(found) == 4 * len(JOINTS) + 3 + 2
    for (path, _), curve in found.items():
        bone = path.split('"')[1] if path.startswith("pose") else "Contacts"
        assert curve.group.name == bone


def test_bezier_is_smooth_when_an_artist_chooses_it(curves: Curves) -> None:
    motion = random_motion(60, seed=10)
    armature = person(motion, 30.0)
    curve = curves(armature)['pose.bones["hips"].location', 0]
    between = np.arange(1, 60) + 0.5
    before = np.array([curve.evaluate(frame) for frame in between])
    for point in curve.keyframe_points:
        point.interpolation = "BEZIER"
    curve.update()
    after = np.array([curve.evaluate(frame) for frame in between])
    assert np.abs(after - before).max() < 0.01


@pytest.mark.parametrize("edited", ["", "BEZIER", "modifier"])
def test_keys_are_read_as_blender_plays_them(edited: str, heads: Heads) -> None:
    motion = random_motion(60, seed=5, fps=30.0)
    armature = person(motion, 60.0)  # a key on every other frame
    action = armature.animation_data.action
    for curve in curves_of(action, armature).values():
        if edited == "modifier":
            curve.modifiers.new("NOISE").strength = 0.05
        for point in curve.keyframe_points if edited == "BEZIER" else ():
            point.interpolation = "BEZIER"
    found = read_motion(armature, action, 60.0)
    assert len(found) == 119
    np.testing.assert_allclose(found.joints, heads(armature, range(1, 120)), atol=1e-4)


def two_shots() -> Motion:
    one, other = random_motion(30, seed=1), random_motion(20, seed=2)
    arrays = {
        name: np.concatenate([getattr(m, name) for m in (one, other)])
        for name in ("rotations", "root", "contacts")
    }
    return replace(one, **arrays, cuts=(30,))


@pytest.mark.parametrize("fps", [30.0, 24.0, 60.0, 25.0])
def test_nothing_lies_between_two_shots(fps: float, heads: Heads) -> None:
    motion = two_shots()
    armature = person(motion, fps)
    action = armature.animation_data.action
    (cut,) = cut_frames(action)
    assert cut - 1 == pytest.approx(30 * fps / 30, abs=1)
    shown = heads(armature, range(1, round(49 * fps / 30) + 2))
    for index, pose in enumerate(shown):
        shot = slice(0, 30) if index + 1 < cut else slice(30, 50)
        off = np.abs(motion.joints[shot] - pose).max((1, 2))
        assert off.min() < 0.2, index
    again = read_motion(armature, action, fps)
    assert again.cuts == (cut - 1,)
    assert every_frame(motion, fps).cuts == again.cuts


def test_every_shot_has_an_action_of_its_own(heads: Heads) -> None:
    motion = two_shots()
    armature = build_armature("Walk", motion.offsets, bpy.context.scene.collection)
    whole = animate_both(armature, motion, motion, "Walk", motion.fps)
    assert armature.animation_data.action == whole and whole.name == "Walk"
    expected = heads(armature, range(1, 51))
    assert {"Walk", "Walk raw", "Walk Shot 1", "Walk Shot 2"} == {action.name for action in bpy.data.actions}
    for name, first, last in (("Walk Shot 1", 1, 30), ("Walk Shot 2", 31, 50)):
        action = bpy.data.actions[name]
        assert action.use_fake_user and tuple(action.frame_range) == (first, last)
        assign_action(armature, action)
        frames = range(first, last + 1)
        np.testing.assert_allclose(heads(armature, frames), expected[first - 1 : last], atol=1e-4)


def test_slow_motion_is_read_again() -> None:
    motion = replace(random_motion(20), slow_motion=4.0)
    armature = person(motion, 24.0)
    assert read_motion(armature, armature.animation_data.action, 24.0).slow_motion == 4
    assert every_frame(motion, 24.0).slow_motion == 4
    assert motion.life_fps == 120
