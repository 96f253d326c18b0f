"""Rigs whose parts hang elsewhere than on the limb before them, and rigs with more legs than a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Vector

from kinelift.core.options import RetargetSettings
from kinelift.core.skeleton import JOINTS, TEMPLATE_OFFSETS
from kinelift.rig.retarget.apply import retarget
from kinelift.rig.retarget.bones import read_rig
from kinelift.rig.retarget.mapping import find_bone_map
from kinelift.rig.retarget.source import perform_motion
from kinelift.rig.retarget.tpose import read_body
from kinelift.tests import walks
from kinelift.tests.rig.retarget.characters import (
    OWN,
    add_bone,
    character,
    joints,
    limb_errors,
    put,
    refused,
    walk,
)

#: names of a robot that fit no preset
ROBOT = {
    "hips": "Body", "head": "Head",
    **{
        f"{joint}.{side}": f"{name}.{side}"
        for side in "LR"
        for joint, name in (
            ("upper_arm", "UpperArm"), ("forearm", "LowerArm"), ("hand", "Hand"), ("thigh", "UpperLeg"),
            ("shin", "LowerLeg"), ("foot", "Foot"),
        )
    },
}  # fmt: skip
#: joints that the robot lacks
LACKING = ("spine", "chest", "neck", "shoulder", "toe")


def hang(target: bpy.types.Object, parents: dict[str, str]) -> None:
    """Give bones other parents, or none, where they are."""
    bpy.context.view_layer.objects.active = target
    bpy.ops.object.mode_set(mode="EDIT")
    bones = target.data.edit_bones
    for name in parents:
        bones[name].parent = None
    for name, parent in parents.items():
        bones[name].parent = bones.get(parent)
    bpy.ops.object.mode_set(mode="OBJECT")


def both(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}.{side}" for name in names for side in "LR")


def matrices(target: bpy.types.Object, bones: tuple[str, ...], frames: int) -> np.ndarray:
    """Of the bones as Blender evaluates them (N, B, 4, 4)."""
    out = []
    for frame in range(1, frames + 1):
        bpy.context.scene.frame_set(frame)
        posed = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        out.append([np.array(posed[bone].matrix) for bone in bones])
    return np.array(out)


def weighted(target: bpy.types.Object, bone: str) -> None:
    """A mesh on the armature of which `bone` holds a vertex."""
    mesh = bpy.data.meshes.new("Skin")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    skin = bpy.data.objects.new("Skin", mesh)
    bpy.context.scene.collection.objects.link(skin)
    skin.modifiers.new("Armature", "ARMATURE").object = target
    skin.vertex_groups.new(name="hips").add([0, 1], 1.0, "REPLACE")
    skin.vertex_groups.new(name=bone).add([2], 1.0, "REPLACE")


@pytest.mark.parametrize(
    ("moved", "motion"), [(("foot",), walk()), (("hand", "foot"), walk()), (("shin", "foot"), walks.walk(40))]
)
@pytest.mark.parametrize("holder", ["", "root"])
def test_parts_that_hang_elsewhere_move_as_if_they_hung_on_their_limb(
    moved: tuple[str, ...], motion: Any, holder: str
) -> None:
    shown = both("shin", "foot", "toe", "hand")
    attached, apart = character(droop=30, roll=0.4), character(droop=30, roll=0.4)
    for target in (attached, apart):
        add_bone(target, "root", "", (0, 0, 0), (0, 0.3, 0), ("hips",))
    parents = {}
    for name in both(*moved):
        start = apart.data.bones[name].head_local.copy()
        add_bone(apart, f"ik_{name}", holder, start, start + Vector((0, 0.2, 0)))
        parents[name] = f"ik_{name}"
    hang(apart, parents)
    put(attached, motion)
    expected = matrices(attached, shown, len(motion))
    put(apart, motion)
    np.testing.assert_allclose(matrices(apart, shown, len(motion)), expected, atol=2e-4)


def test_feet_at_the_top_of_a_rig_with_names_of_its_own_are_found_and_follow() -> None:
    target, motion = character(ROBOT, leave_out=LACKING), walk()
    hang(target, dict.fromkeys(both("Foot"), ""))
    found = find_bone_map(read_rig(target), target.data)
    assert found.name == "Guessed"
    assert {slot: bone for slot, bone in found.bones.items() if slot != "root"} == ROBOT
    put(target, motion)
    assert limb_errors(target, motion, ROBOT).max() < 0.1
    at = joints(target, ROBOT, np.arange(1, len(motion) + 1))
    for side in "LR":
        rest = [target.data.bones[f"{n}.{side}"].head_local for n in ("LowerLeg", "Foot")]
        length = np.linalg.norm(at[f"foot.{side}"] - at[f"shin.{side}"], axis=1)
        assert length == pytest.approx((rest[1] - rest[0]).length, abs=1e-4)


def test_a_bone_called_like_a_foot_that_lies_elsewhere_is_none() -> None:
    target = character(ROBOT, leave_out=(*LACKING, "foot"))
    for side, x in (("L", 0.3), ("R", -0.3)):
        add_bone(target, f"Foot.{side}", "", (x, 0, 1.5), (x, -0.2, 1.4))
    found = find_bone_map(read_rig(target), target.data)
    assert not {"foot.L", "foot.R"} & set(found.bones)


def test_a_torso_that_carries_the_hips_carries_the_whole_body() -> None:
    names = ROBOT | {"hips": "hips", "spine": "torso"}
    target, motion = character(names, leave_out=tuple(n for n in LACKING if n != "spine")), walk()
    hang(target, {"torso": "", "hips": "torso"})
    found = find_bone_map(read_rig(target), target.data)
    assert found.bones["hips"] == "torso" and "spine" not in found.bones
    put(target, motion)
    assert limb_errors(target, motion, names).max() < 0.1
    at = joints(target, names, np.arange(1, len(motion) + 1))
    apart = np.linalg.norm(at["upper_arm.L"] - at["thigh.L"], axis=1)
    assert np.ptp(apart) < 1e-4 and np.ptp(at["thigh.L"][:, :2], axis=0).max() > 0.05


def test_what_stays_behind_is_named() -> None:
    target, performance = character(), perform_motion(walk(), 30.0)
    bone_map = find_bone_map(read_rig(target), target.data)
    for side, x in (("L", 0.1), ("R", -0.1)):
        add_bone(target, f"Shoe.{side}", "", (x, 0, 0.1), (x, -0.2, 0))
    act = lambda: retarget(performance, target, bone_map, RetargetSettings(), "x").warnings  # noqa: E731
    weighted(target, "foot.L")
    assert not act()
    weighted(target, "Shoe.R")
    (said,) = act()
    assert said.startswith("Shoe.R:") and "stay behind" in said
    constraint = target.pose.bones["Shoe.R"].constraints.new("COPY_TRANSFORMS")
    constraint.target, constraint.subtarget = target, "foot.R"
    assert not act()


def test_fingers_on_a_forearm_are_no_hand() -> None:
    target = character({name: f"Bone {i}" for i, name in enumerate(JOINTS)})
    hands = [f"Bone {JOINTS.index(name)}" for name in both("hand")]
    bpy.ops.object.mode_set(mode="EDIT")
    bones = target.data.edit_bones
    for name in hands:
        for finger in list(bones[name].children):
            finger.parent = bones[name].parent
        bones.remove(bones[name])
    bpy.ops.object.mode_set(mode="OBJECT")
    found = find_bone_map(read_rig(target), target.data)
    assert "forearm.L" in found.bones and not {"hand.L", "hand.R"} & set(found.bones)


@pytest.mark.parametrize("end", [(0, -0.45, -0.2), (0, -0.14, -0.02)])
def test_feet_whose_bones_end_anywhere_stand_on_the_origin(end: tuple[float, float, float]) -> None:
    target = character(leave_out=("toe",))
    bpy.ops.object.mode_set(mode="EDIT")
    bones = target.data.edit_bones
    low = 0.3 - bones["foot.L"].head.z
    for bone in bones:
        bone.head.z, bone.tail.z = bone.head.z + low, bone.tail.z + low
    for name in both("foot"):
        bones[name].tail = bones[name].head + Vector(end)
    bpy.ops.object.mode_set(mode="OBJECT")
    rig = read_rig(target)
    body = read_body(rig, {joint: rig.index[joint] for joint in OWN if joint in rig.index}, TEMPLATE_OFFSETS)
    assert body.floor == 0 and body.ankle == pytest.approx(0.3, abs=1e-6)
    for sole in body.soles:
        assert sole.heel[2] == pytest.approx(-0.3, abs=1e-6)
        assert (sole.ball + sole.tip)[2] >= -0.3 - 1e-6 and sole.ball[1] < 0


# --- legs ----------------------------------------------------------------------------------------------


def more_legs(target: bpy.types.Object, called: str, back: float) -> None:
    """One more pair of legs that stands behind the others."""
    for side in "LR":
        data = target.data.bones
        before = "hips"
        places = [data[f"{n}.{side}"].head_local.copy() for n in ("thigh", "shin", "foot", "toe")]
        for name, start, end in zip(("thigh", "shin", "foot"), places, places[1:], strict=False):
            away = Vector((0, back, 0))
            bone = called.format(name, side)
            add_bone(target, bone, before, start + away, end + away)
            before = bone


@pytest.mark.parametrize("called", ["{}.{}.001", "{}_mid.{}"])
@pytest.mark.parametrize("names", [{}, ROBOT | {"spine": "Torso"}])
def test_a_rig_with_six_legs_is_refused(called: str, names: dict[str, str]) -> None:
    target = character()
    more_legs(target, called, 0.5)
    more_legs(target, called.replace(".001", ".002").replace("mid", "back"), 1.0)
    for old, new in names.items():
        target.data.bones[old].name = new
    assert "two legs" in refused(lambda: put(target, walk(3)))
    assert target.animation_data is None


def helpers(target: bpy.types.Object) -> None:
    """What control rigs have beside their legs."""
    for side in "LR":
        data = target.data.bones
        thigh, shin, foot, toe = (
            data[f"{n}.{side}"].head_local.copy() for n in ("thigh", "shin", "foot", "toe")
        )
        before = "hips"
        for name, start, end in (("thigh", thigh, shin), ("shin", shin, foot), ("foot", foot, toe)):
            add_bone(target, f"{name}_ik.{side}", before, start, end)
            before = f"{name}_ik.{side}"
        add_bone(target, f"foot_roll.{side}", before, foot + Vector((0, 0.1, -0.08)), toe)
        add_bone(target, f"knee_target.{side}", "", shin + Vector((0, -0.5, 0)), shin + Vector((0, -0.6, 0)))
        add_bone(target, f"foot_target.{side}", "", foot, foot + Vector((0, 0.3, 0)))


def a_skirt(target: bpy.types.Object) -> None:
    hips = target.data.bones["hips"].head_local.copy()
    for strand in range(8):
        out = Vector((np.cos(strand), np.sin(strand), 0))
        before = "hips"
        for place in range(5):
            start = hips + (0.15 + 0.1 * place) * out - Vector((0, 0, 0.18 * place))
            add_bone(target, f"skirt{strand}{place}", before, start, start - Vector((0, 0, 0.18)))
            before = f"skirt{strand}{place}"


@pytest.mark.parametrize("change", [helpers, a_skirt])
def test_controls_and_clothes_are_no_legs(change: Callable[[bpy.types.Object], None]) -> None:
    target, motion = character(), walk(8)
    change(target)
    put(target, motion)
    assert limb_errors(target, motion, OWN).max() < 0.1
