from __future__ import annotations

import math

import bpy
import numpy as np
import pytest
from mathutils import Quaternion

from kinelift.core.skeleton import INDEX, JOINTS, MIRROR, PARENTS, TEMPLATE_LENGTHS, rest_offsets
from kinelift.rig.armature import build_armature
from kinelift.tests.motions import random_motion

OFFSETS = random_motion(1, seed=3).offsets


@pytest.fixture
def armature() -> bpy.types.Object:
    return build_armature("Person", OFFSETS, bpy.context.scene.collection)


def pose_heads(armature: bpy.types.Object) -> np.ndarray:
    bpy.context.view_layer.update()
    return np.array([armature.pose.bones[name].head for name in JOINTS])


def test_bones_are_the_joints(armature: bpy.types.Object) -> None:
    bones = armature.data.bones
    assert [bone.name for bone in bones if bone.name not in JOINTS] == []
    assert len(bones) == len(JOINTS)
    for joint, name in enumerate(JOINTS):
        parent = bones[name].parent
        assert (parent.name if parent else "") == (JOINTS[PARENTS[joint]] if joint else "")
        if parent:
            step = np.array(bones[name].head_local - parent.head_local)
            np.testing.assert_allclose(step, OFFSETS[joint], atol=1e-6)
    assert all(bone.rotation_mode == "QUATERNION" for bone in armature.pose.bones)


def test_stands_on_the_floor_at_the_origin_facing_minus_y(armature: bpy.types.Object) -> None:
    bones = armature.data.bones
    assert bones["hips"].head_local.xy.length < 1e-6
    toes = [bones[f"toe.{side}"].tail_local for side in "LR"]
    assert all(abs(toe.z) < 0.05 and toe.y < bones["foot.L"].head_local.y for toe in toes)
    assert bones["hand.L"].head_local.x > 0.3
    assert bones["head"].tail_local.z == max(bone.tail_local.z for bone in bones)


def test_bones_reach_to_their_children(armature: bpy.types.Object) -> None:
    bones = armature.data.bones
    for parent, child in [
        ("hips", "spine"), ("spine", "chest"), ("chest", "neck"), ("neck", "head"),
        ("shoulder.L", "upper_arm.L"),
        ("forearm.R", "hand.R"), ("thigh.R", "shin.R"), ("shin.L", "foot.L"), ("foot.R", "toe.R"),
    ]:  # fmt: skip
        assert (bones[parent].tail_local - bones[child].head_local).length < 1e-6
    assert min(bone.length for bone in bones) > 0.02


def test_last_bones_grow_with_the_person() -> None:
    collection = bpy.context.scene.collection
    small = build_armature("Small", rest_offsets(TEMPLATE_LENGTHS * 0.5), collection)
    tall = build_armature("Tall", rest_offsets(TEMPLATE_LENGTHS), collection)
    for name in JOINTS:
        assert small.data.bones[name].length == pytest.approx(tall.data.bones[name].length / 2, rel=1e-4)


@pytest.mark.parametrize(
    ("bone", "tip", "axis", "sign"),
    [
        ("forearm", "hand", 1, -1),  # elbows bring the hands forwards
        ("shin", "foot", 1, 1),  # knees bring the feet backwards
        ("foot", "toe", 2, -1),  # ankles point the toes
    ],
)
def test_positive_x_bends_both_sides(
    armature: bpy.types.Object, bone: str, tip: str, axis: int, sign: int
) -> None:
    before = pose_heads(armature)
    for side in "LR":
        turn = Quaternion((1, 0, 0), math.radians(60))
        armature.pose.bones[f"{bone}.{side}"].rotation_quaternion = turn
    moved = pose_heads(armature) - before
    for side in "LR":
        step = moved[INDEX[f"{tip}.{side}"]]
        assert step[axis] * sign > 0.05
        assert abs(step[0]) < abs(step[axis])


def test_positive_x_leans_the_trunk_forwards(armature: bpy.types.Object) -> None:
    before = pose_heads(armature)
    for bone in ("hips", "spine", "chest", "neck"):
        armature.pose.bones[bone].rotation_quaternion = Quaternion((1, 0, 0), math.radians(15))
    moved = pose_heads(armature) - before
    assert moved[INDEX["head"], 1] < -0.2 and abs(moved[INDEX["head"], 0]) < 1e-3


def test_paste_flipped_mirrors_the_pose(armature: bpy.types.Object) -> None:
    rng = np.random.default_rng(0)
    for bone in armature.pose.bones:
        bone.rotation_quaternion = Quaternion(rng.normal(size=3), rng.uniform(0.2, 1.0))
    before = pose_heads(armature)
    bpy.ops.object.mode_set(mode="POSE")
    for bone in armature.pose.bones:
        owner = bone if hasattr(bone, "select") else bone.bone  # selection moved to the pose bone in 5.0
        owner.select = True
    bpy.ops.pose.copy()
    bpy.ops.pose.paste(flipped=True)
    np.testing.assert_allclose(pose_heads(armature), before[list(MIRROR)] * [-1, 1, 1], atol=2e-5)


def test_symmetrize_makes_the_right_side_from_the_left(armature: bpy.types.Object) -> None:
    built = {bone.name: np.array(bone.matrix_local) for bone in armature.data.bones}
    bpy.ops.object.mode_set(mode="EDIT")
    edit_bones = armature.data.edit_bones
    for name in JOINTS:
        if name.endswith(".R"):
            edit_bones.remove(edit_bones[name])
    for bone in edit_bones:
        bone.select = bone.select_head = bone.select_tail = True
    bpy.ops.armature.symmetrize()
    bpy.ops.object.mode_set(mode="OBJECT")
    for bone in armature.data.bones:
        np.testing.assert_allclose(
            np.array(bone.matrix_local), built[bone.name], atol=1e-5, err_msg=bone.name
        )


def test_second_armature_leaves_the_first_alone(armature: bpy.types.Object) -> None:
    before = {bone.name: np.array(bone.matrix_local) for bone in armature.data.bones}
    bpy.ops.object.mode_set(mode="POSE")  # where an artist may have been
    second = build_armature("Person", OFFSETS * 1.5, bpy.context.scene.collection)
    assert {bone.name for bone in second.data.bones} == set(JOINTS)
    assert second.data != armature.data
    for bone in armature.data.bones:
        np.testing.assert_array_equal(np.array(bone.matrix_local), before[bone.name])
    assert bpy.context.selected_objects == [second] and bpy.context.object == second
