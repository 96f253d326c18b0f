"""Controls of inverse kinematics hold the pose that is keyed: switching to them moves no joint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Vector

from kinelift.core.motion import Motion
from kinelift.core.options import RetargetSettings
from kinelift.core.rotations import geodesic_angle
from kinelift.core.skeleton import INDEX
from kinelift.rig.retarget.apply import Result, retarget
from kinelift.rig.retarget.bones import read_rig
from kinelift.rig.retarget.ik import find_limbs
from kinelift.rig.retarget.mapping import find_bone_map
from kinelift.rig.retarget.source import perform_motion
from kinelift.rig.versions import curves_of
from kinelift.tests import walks
from kinelift.tests.motions import random_motion
from kinelift.tests.rig.retarget.characters import add_bone, character, generated_rigify

#: by limb: its bones, and which way its elbow or knee points
LIMBS = {
    f"{end}.{s}": (f"{upper}.{s}", f"{lower}.{s}", f"{end}.{s}", way)
    for upper, lower, end, way in (("upper_arm", "forearm", "hand", 1), ("thigh", "shin", "foot", -1))
    for s in "LR"
}  # fmt: skip
MOTIONS: dict[str, Callable[[], Motion]] = {
    "walk": lambda: walks.walk(60),
    "random": lambda: random_motion(40, seed=1),
}


def with_ik(
    *, pole_angle: float = 0.0, poles: bool = True, on: bool = False, chain: int = 2
) -> bpy.types.Object:
    """A character with targets and poles on its own bones; `pole_angle` is by how much the poles are off."""
    target = character()
    bpy.context.view_layer.objects.active = target
    bpy.ops.object.mode_set(mode="EDIT")
    bones = target.data.edit_bones
    for upper, lower, end, way in LIMBS.values():
        bones[lower].head += Vector((0, 0.04 * way, 0))
        bones[upper].tail = bones[lower].head
        bones[lower].tail = bones[end].head
    bpy.ops.object.mode_set(mode="OBJECT")
    for upper, lower, end, way in LIMBS.values():
        # copies: the bones are others after Edit Mode
        rest = {bone: target.data.bones[bone].matrix_local.copy() for bone in (upper, lower, end)}
        place = rest[end].translation
        add_bone(target, f"{end}_ik", "", place, place + Vector((0, 0, 0.1)))
        elbow = rest[lower].translation + Vector((0, 0.5 * way, 0))
        add_bone(target, f"{end}_pole", "", elbow, elbow + Vector((0, 0, 0.1)))
        constraint = target.pose.bones[lower].constraints.new("IK")
        constraint.target, constraint.subtarget, constraint.chain_count = target, f"{end}_ik", chain
        if poles:
            constraint.pole_target, constraint.pole_subtarget = target, f"{end}_pole"
            axis = (place - rest[upper].translation).normalized()
            x, to = rest[upper].col[0].to_3d(), Vector((0, way, 0))
            x, to = (v - axis * v.dot(axis) for v in (x, to))
            constraint.pole_angle = np.arctan2(x.cross(to).dot(axis), x.dot(to)) + pole_angle
        constraint.mute = not on
    for bone in target.pose.bones:
        bone.rotation_mode = "QUATERNION"
    return target


def put(target: bpy.types.Object, motion: Motion, **change: Any) -> Result:
    performance = perform_motion(motion, motion.fps)
    bone_map = find_bone_map(read_rig(target), target.data)
    return retarget(performance, target, bone_map, RetargetSettings(**change), "Result")


def pose(target: bpy.types.Object, names: list[str], frames: int) -> np.ndarray:
    """Matrices (frames, bones, 4, 4), as Blender evaluates them."""
    out = []
    for frame in range(1, frames + 1):
        bpy.context.scene.frame_set(frame)
        posed = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        out.append([np.array(posed[name].matrix) for name in names])
    return np.array(out)


def switch(target: bpy.types.Object, on: bool) -> None:
    for bone in target.pose.bones:
        for constraint in bone.constraints:
            constraint.mute = not on


def apart(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By bone: millimetres between the heads, and degrees."""
    moved = np.linalg.norm(one[..., :3, 3] - other[..., :3, 3], axis=-1)
    turned = geodesic_angle(one[..., :3, :3], other[..., :3, :3])
    return 1000 * moved.max(axis=0), np.degrees(turned).max(axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", MOTIONS)
def test_a_rigify_rig_switched_to_ik_moves_no_joint(name: str) -> None:
    target, motion = generated_rigify(), MOTIONS[name]()
    assert put(target, motion).warnings == ()
    joints = [f"ORG-{bone}" for limb in LIMBS.values() for bone in limb[:3]] + ["ORG-toe.L", "ORG-toe.R"]
    before = pose(target, joints, len(motion))
    curves = curves_of(target.animation_data.action, target)
    for limb in ("upper_arm", "thigh"):
        for side in "LR":
            curve = curves[f'pose.bones["{limb}_parent.{side}"]["IK_FK"]', 0]
            curve.keyframe_points[0].co[1] = 0.0
            curve.update()
    moved, turned = apart(before, pose(target, joints, len(motion)))
    assert moved.max() < 1.0
    ends = [place for place, name in enumerate(joints) if any(n in name for n in ("hand", "foot", "toe"))]
    assert turned[ends].max() < 0.5
    # it is the control of the artist's that holds the limb
    assert ('pose.bones["foot_ik.L"].location', 0) in curves
    keyed = {path for path, _ in curves if not path.endswith("ik_stretch")}
    assert not any(name in path for path in keyed for name in ("MCH", "spin_ik", "heel"))


@pytest.mark.parametrize("name", MOTIONS)
@pytest.mark.parametrize("pole_angle", [0.0, 0.9])
def test_constraints_on_the_limbs_own_bones(name: str, pole_angle: float) -> None:
    target, motion = with_ik(pole_angle=pole_angle), MOTIONS[name]()
    assert put(target, motion).warnings == ()
    joints = [bone for limb in LIMBS.values() for bone in limb[1:3]] + list(LIMBS)
    before = pose(target, joints, len(motion))
    switch(target, on=True)
    ends = pose(target, [f"{end}_ik" for end in LIMBS], len(motion))
    moved, _ = apart(before, pose(target, joints, len(motion)))
    assert moved.max() < 1.0
    # hands and feet hang on their limbs here; the controls are turned as these were
    rest = [np.array(target.data.bones[b].matrix_local)[:3, :3] for end in LIMBS for b in (f"{end}_ik", end)]
    for place, end in enumerate(LIMBS):
        of_end = before[:, joints.index(end), :3, :3] @ rest[2 * place + 1].T
        of_control = ends[:, place, :3, :3] @ rest[2 * place].T
        assert np.degrees(geodesic_angle(of_end, of_control)).max() < 0.5


def test_constraints_that_are_on_already() -> None:
    off, on, motion = with_ik(), with_ik(on=True), walks.walk(40)
    put(off, motion)
    put(on, motion)
    joints = [bone for limb in LIMBS.values() for bone in limb[1:3]]
    moved, _ = apart(pose(off, joints, 40), pose(on, joints, 40))
    assert moved.max() < 1.0
    assert not any(constraint.mute for bone in on.pose.bones for constraint in bone.constraints)


def test_a_limb_that_is_straight_for_a_while_does_not_flip() -> None:
    motion = walks.walk(40)
    rotations = motion.rotations.copy()
    bend = np.concatenate([np.linspace(0.4, 0, 15), np.zeros(10), np.linspace(0, 0.4, 15)])
    shin, forearm = INDEX["shin.L"], INDEX["forearm.L"]
    rotations[:, [shin, forearm]] = 0
    rotations[:, shin, 0], rotations[:, shin, 1] = np.cos(bend / 2), -np.sin(bend / 2)
    rotations[:, forearm, 0], rotations[:, forearm, 3] = np.cos(bend / 2), -np.sin(bend / 2)
    target = with_ik()
    put(target, replace(motion, rotations=rotations))
    poles = pose(target, ["hand.L_pole", "foot.L_pole"], 40)[..., :3, 3]
    heads = pose(target, ["forearm.L", "shin.L"], 40)[..., :3, 3]
    ways = poles - heads
    ways /= np.linalg.norm(ways, axis=-1, keepdims=True)
    turned = np.degrees(np.arccos(np.clip((ways[1:] * ways[:-1]).sum(-1), -1, 1)))
    assert turned.max() < 10
    joints = [bone for limb in LIMBS.values() for bone in limb[1:3]]
    before = pose(target, joints, 40)
    switch(target, on=True)
    moved, _ = apart(before, pose(target, joints, 40))
    assert moved.max() < 1.0


def test_what_is_not_understood_is_told_and_left_alone() -> None:
    target = with_ik(chain=3)
    told = put(target, walks.walk(20)).warnings
    assert sum("isn't understood" in sentence for sentence in told) == 4
    assert not any(
        "_ik" in path or "_pole" in path for path, _ in curves_of(target.animation_data.action, target)
    )


def test_a_control_that_carries_the_limb_too_is_none() -> None:
    target = with_ik()
    for lower in ("forearm.L", "shin.L"):
        target.pose.bones[lower].constraints[0].subtarget = "hips"
    told = put(target, walks.walk(20)).warnings
    assert sum("isn't understood" in sentence for sentence in told) == 2


@pytest.mark.parametrize("on", [False, True])
def test_a_library_override(on: bool, tmp_path: Path) -> None:
    bpy.data.libraries.write(str(tmp_path / "library.blend"), {with_ik(on=on)})
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (there, wanted):
        wanted.objects = list(there.objects)
    linked = bpy.data.objects[0]
    bpy.context.scene.collection.objects.link(linked)
    override = linked.override_hierarchy_create(
        bpy.context.scene, bpy.context.view_layer, do_fully_editable=True
    )
    assert put(override, walks.walk(20)).warnings == ()
    assert ('pose.bones["hand.L_ik"].location', 0) in curves_of(override.animation_data.action, override)


def test_a_limb_that_will_not_stay_is_told() -> None:
    target = with_ik()
    driver = target.driver_add('pose.bones["hand.L_ik"].location', 0).driver
    driver.expression = "2.0"
    told = put(target, random_motion(20)).warnings
    assert sum("the pose changes if you switch" in sentence for sentence in told) == 1


def test_only_on_wish_and_only_limbs_that_move() -> None:
    target = with_ik()
    put(target, walks.walk(20), ik=False)
    keyed = {path for path, _ in curves_of(target.animation_data.action, target)}
    assert not any("_ik" in path or "_pole" in path for path in keyed)
    target = with_ik()
    put(target, walks.walk(20), parts=("hips", "legs", "feet"))
    keyed = {path for path, _ in curves_of(target.animation_data.action, target)}
    assert 'pose.bones["foot.L_pole"].location' in keyed
    assert not any("hand" in path for path in keyed)
    rig = read_rig(target)
    limbs, unclear = find_limbs(target, rig, {"thigh.L": rig.index["thigh.L"]})
    assert limbs == unclear == []
