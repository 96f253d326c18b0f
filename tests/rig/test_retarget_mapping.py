"""Which bone is which: of rigs with known names, of rigs with foreign names, of rigs without any."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Vector

from kinelift.core.options import RetargetSettings
from kinelift.core.skeleton import JOINTS
from kinelift.rig.retarget.apply import retarget
from kinelift.rig.retarget.bones import read_rig
from kinelift.rig.retarget.character import load_character
from kinelift.rig.retarget.mapping import (
    HUMANOID,
    MAIN,
    PRESETS,
    detect,
    load_preset,
    own_presets,
    save_preset,
    swapped,
)
from kinelift.rig.retarget.source import perform_motion
from kinelift.tests.rig.characters import (
    MIXAMO,
    add_bone,
    character,
    generated_rigify,
    limb_errors,
    nameless,
    walk,
)

RIGS = sorted((Path(__file__).resolve().parents[3] / "shared" / "rigs").glob("*.[gv][lr][bm]"))


@pytest.mark.parametrize("prefix", ["", "mixamorig:", "mixamorig1:", "mixamorig12_"])
def test_mixamo_with_any_prefix(prefix: str) -> None:
    names = {joint: prefix + name for joint, name in MIXAMO.items()}
    found = detect(read_rig(target := character(names)), target.data)
    assert found.name == "Mixamo"
    assert {joint: found.bones[joint] for joint in JOINTS} == names


@pytest.mark.parametrize("path", sorted(PRESETS.glob("*.json")), ids=lambda path: path.stem)
def test_every_preset_is_found_by_its_own_names(path: Path) -> None:
    preset = load_preset(path)
    names = {
        joint: preset.prefix.split("\\")[0].replace("[mf]", "m_") + preset.bones[joint][0]
        for joint in JOINTS
        if joint in preset.bones
    }
    target = character(names)
    found = detect(read_rig(target), target.data)
    assert {joint: found.bones.get(joint) for joint in MAIN if joint in names} == {
        joint: names[joint] for joint in MAIN if joint in names
    }


@pytest.mark.parametrize(
    "names",
    [
        {
            "upper_arm": "{s}_UpArm", "forearm": "{s}_Elbow", "hand": "{s}_Wrist", "thigh": "{s}_Femur",
            "shin": "{s}_Knee", "foot": "{s}_Ankle",
        },
        {
            "upper_arm": "Arm_Upper_{s}", "forearm": "Arm_Lower_{s}", "hand": "Palm_{s}",
            "thigh": "Leg_Upper_{s}", "shin": "Leg_Lower_{s}", "foot": "Foot_{s}",
        },
    ],
)  # fmt: skip
@pytest.mark.parametrize("sides", [("L", "R"), ("Left", "Right"), ("lft", "rgt")])
def test_other_habits_of_naming(names: dict[str, str], sides: tuple[str, str]) -> None:
    called = {
        f"{joint}.{side}": name.format(s=word)
        for joint, name in names.items()
        for side, word in zip("LR", sides, strict=True)
    }
    called |= {"hips": "Pelvis_Main", "chest": "Thorax", "head": "Skull"}
    found = detect(read_rig(target := character(called)), target.data)
    for joint in called:
        assert found.bones[joint] == called[joint]


def test_vrm_tells_its_bones_itself() -> None:
    names = {joint: f"J_{number}" for number, joint in enumerate(JOINTS)}
    target = character(names)
    words = {
        "upper_arm": "UpperArm",
        "forearm": "LowerArm",
        "thigh": "UpperLeg",
        "shin": "LowerLeg",
        "hand": "Hand",
        "foot": "Foot",
    }
    humanoid = {"hips": names["hips"], "chest": names["chest"], "head": names["head"]}
    for joint, word in words.items():
        humanoid |= {"left" + word: names[f"{joint}.L"], "right" + word: names[f"{joint}.R"]}
    target.data[HUMANOID] = json.dumps(humanoid)
    found = detect(read_rig(target), target.data)
    assert found.name == "VRM humanoid" and {j: found.bones[j] for j in MAIN} == {j: names[j] for j in MAIN}


def test_own_map_is_saved_shared_and_preferred(tmp_path: Path) -> None:
    names = {joint: f"part {number}" for number, joint in enumerate(JOINTS)}
    target = character(names)
    rig = read_rig(target)
    mine = replace(detect(rig, target.data), bones=names)
    save_preset(tmp_path / "mine.json", "Mine", mine)
    (tmp_path / "broken.json").write_text("{")
    found = detect(rig, target.data, own_presets(tmp_path))
    assert found.name == "Mine" and found.bones == names
    other = swapped(found)
    assert other.bones["hand.L"] == names["hand.R"] and other.bones["hips"] == names["hips"]


# --- families of rigs, with the bones that are not ours -------------------------------------------------

#: bones from the hips on: name, parent, joint at which it begins and share of the way to the next joint;
#: {s}, {S}, {side} and {Side} stand for l, L, left and Left
FAMILIES: dict[str, tuple[str, dict[str, str], str]] = {
    "DAZ Genesis 8": (
        "DAZ Genesis 3 and 8",
        {
            "hips": "hip", "spine": "abdomenLower", "chest": "chestUpper", "neck": "neckLower",
            "head": "head", "shoulder": "{s}Collar", "upper_arm": "{s}ShldrBend", "forearm": "{s}ForearmBend",
            "hand": "{s}Hand", "thigh": "{s}ThighBend", "shin": "{s}Shin", "foot": "{s}Foot", "toe": "{s}Toe",
        },
        "hips>pelvis<thigh spine>abdomenUpper<chest neck>neckUpper<head upper_arm>{s}ShldrTwist<forearm "
        "forearm>{s}ForearmTwist<hand thigh>{s}ThighTwist<shin foot>{s}Metatarsals<toe",
    ),
    "DAZ Genesis 9": (
        "DAZ Genesis 9",
        {
            "hips": "hip", "spine": "spine1", "chest": "spine4", "neck": "neck1", "head": "head",
            "shoulder": "{s}_shoulder", "upper_arm": "{s}_upperarm", "forearm": "{s}_forearm",
            "hand": "{s}_hand", "thigh": "{s}_thigh", "shin": "{s}_shin", "foot": "{s}_foot",
            "toe": "{s}_toes",
        },
        "hips>pelvis<thigh spine>spine2<chest neck>neck2<head upper_arm>{s}_upperarmtwist1 "
        "forearm>{s}_forearmtwist1 thigh>{s}_thightwist1 foot>{s}_metatarsals<toe",
    ),
    "Character Creator": (
        "Reallusion Character Creator",
        {
            "hips": "CC_Base_Hip", "spine": "CC_Base_Waist", "chest": "CC_Base_Spine02",
            "neck": "CC_Base_NeckTwist01", "head": "CC_Base_Head", "shoulder": "CC_Base_{S}_Clavicle",
            "upper_arm": "CC_Base_{S}_Upperarm", "forearm": "CC_Base_{S}_Forearm", "hand": "CC_Base_{S}_Hand",
            "thigh": "CC_Base_{S}_Thigh", "shin": "CC_Base_{S}_Calf", "foot": "CC_Base_{S}_Foot",
            "toe": "CC_Base_{S}_ToeBase",
        },
        "hips>CC_Base_Pelvis<thigh spine>CC_Base_Spine01<chest neck>CC_Base_NeckTwist02<head "
        "upper_arm>CC_Base_{S}_UpperarmTwist01 forearm>CC_Base_{S}_ForearmTwist01 "
        "forearm>CC_Base_{S}_ElbowShareBone thigh>CC_Base_{S}_ThighTwist01 shin>CC_Base_{S}_CalfTwist01 "
        "shin>CC_Base_{S}_KneeShareBone foot>CC_Base_{S}_ToeBaseShareBone",
    ),
    "SMPL": (
        "SMPL and SMPL-X",
        {
            "hips": "m_avg_Pelvis", "spine": "m_avg_Spine1", "chest": "m_avg_Spine3", "neck": "m_avg_Neck",
            "head": "m_avg_Head", "shoulder": "m_avg_{S}_Collar", "upper_arm": "m_avg_{S}_Shoulder",
            "forearm": "m_avg_{S}_Elbow", "hand": "m_avg_{S}_Wrist", "thigh": "m_avg_{S}_Hip",
            "shin": "m_avg_{S}_Knee", "foot": "m_avg_{S}_Ankle", "toe": "m_avg_{S}_Foot",
        },
        "spine>m_avg_Spine2<chest",
    ),
    "SMPL-X": (
        "SMPL and SMPL-X",
        {
            "hips": "pelvis", "spine": "spine1", "chest": "spine3", "neck": "neck", "head": "head",
            "shoulder": "{side}_collar", "upper_arm": "{side}_shoulder", "forearm": "{side}_elbow",
            "hand": "{side}_wrist", "thigh": "{side}_hip", "shin": "{side}_knee", "foot": "{side}_ankle",
            "toe": "{side}_foot",
        },
        "spine>spine2<chest",
    ),
    "CMU": (
        "CMU motion capture and MakeHuman cmu_mb",
        {
            "hips": "Hips", "spine": "LowerBack", "chest": "Spine1", "neck": "Neck", "head": "Head",
            "shoulder": "{Side}Shoulder", "upper_arm": "{Side}Arm", "forearm": "{Side}ForeArm",
            "hand": "{Side}Hand", "thigh": "{Side}UpLeg", "shin": "{Side}Leg", "foot": "{Side}Foot",
            "toe": "{Side}ToeBase",
        },
        "hips>{S}HipJoint<thigh spine>Spine<chest neck>Neck1<head",
    ),
    "Auto-Rig Pro, exported": (
        "Auto-Rig Pro, exported",
        {
            "hips": "root.x", "spine": "spine_01.x", "chest": "spine_03.x", "neck": "neck.x",
            "head": "head.x", "shoulder": "shoulder.{s}", "upper_arm": "arm_stretch.{s}",
            "forearm": "forearm_stretch.{s}",
            "hand": "hand.{s}", "thigh": "thigh_stretch.{s}", "shin": "leg_stretch.{s}", "foot": "foot.{s}",
            "toe": "toes_01.{s}",
        },
        "spine>spine_02.x<chest upper_arm>arm_twist.{s} forearm>forearm_twist.{s} thigh>thigh_twist.{s} "
        "shin>leg_twist.{s}",
    ),
}  # fmt: skip


def spelled(name: str, side: str) -> str:
    words = {"L": ("l", "L", "left", "Left"), "R": ("r", "R", "right", "Right"), "": ("",) * 4}[side]
    return name.format(**dict(zip(("s", "S", "side", "Side"), words, strict=True)))


@pytest.mark.parametrize("family", FAMILIES)
def test_families_as_they_come(family: str) -> None:
    preset, bones, extras = FAMILIES[family]
    names = {j: spelled(bones[j.partition(".")[0]], j.partition(".")[2]) for j in JOINTS}
    target = character(names)
    for extra in extras.split():
        joint, _, rest = extra.partition(">")
        name, _, below = rest.partition("<")
        for side in ("L", "R") if "{" in extra else ("",):
            parent = names[f"{joint}.{side}" if f"{joint}.{side}" in names else joint]
            sides = (side,) if side else ("L", "R") if f"{below}.L" in names else ("",)
            carried = tuple(names[f"{below}.{s}" if s else below] for s in sides) if below else ()
            data = target.data.bones
            start = data[parent].head_local.copy()
            end = data[carried[0]].head_local.copy() if len(carried) == 1 else data[parent].tail_local.copy()
            middle = start.lerp(end, 0.5)
            add_bone(target, spelled(name, side), parent, middle, middle.lerp(end, 0.9), carried)
    found = detect(read_rig(target), target.data)
    assert found.name == preset
    assert {joint: found.bones.get(joint) for joint in JOINTS} == names
    renamed = nameless(target)
    blind = detect(read_rig(target), target.data)
    assert {joint: blind.bones.get(joint) for joint in MAIN} == {j: renamed[names[j]] for j in MAIN}


@pytest.mark.parametrize("path", RIGS, ids=lambda path: path.stem)
def test_files_of_others(path: Path) -> None:
    target = load_character(path)
    rig = read_rig(target)
    named = detect(rig, target.data)
    assert named.name != "Guessed" and set(JOINTS) <= set(named.bones)
    if HUMANOID in target.data:
        del target.data[HUMANOID]
    renamed = nameless(target)
    found = detect(read_rig(target), target.data)
    assert {joint: found.bones.get(joint) for joint in MAIN} == {j: renamed[named.bones[j]] for j in MAIN}


# --- without names --------------------------------------------------------------------------------------


def plain(target: bpy.types.Object) -> None:
    pass


def small_and_lying(target: bpy.types.Object) -> None:
    """As many importers leave it: centimetres, Y up, put right by the object."""
    target.data.transform(Matrix.Rotation(-np.pi / 2, 4, "X") @ Matrix.Scale(100, 4))
    target.rotation_euler, target.scale = (np.pi / 2, 0, 0), (0.01,) * 3


def y_up(target: bpy.types.Object) -> None:
    target.data.transform(Matrix.Rotation(-np.pi / 2, 4, "X"))


def sideways(target: bpy.types.Object) -> None:
    target.data.transform(Matrix.Rotation(np.pi / 2, 4, "Z"))


def backwards(target: bpy.types.Object) -> None:
    target.data.transform(Matrix.Rotation(np.pi, 4, "Z"))


def askew(target: bpy.types.Object) -> None:
    target.data.transform(Matrix.Rotation(np.radians(30), 4, "Z"))


def head_ends_in_a_leaf(target: bpy.types.Object) -> None:
    """As FBX writers leave it: a bone that only says where the head ends."""
    tail = target.data.bones["head"].tail_local.copy()
    add_bone(target, "head_end", "head", tail, tail + Vector((0, 0, 0.18)))


def twist_beside(target: bpy.types.Object) -> None:
    for joint, end in (("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "shin"), ("shin", "foot")):
        for side in "LR":
            a, b = (target.data.bones[f"{n}.{side}"].head_local.copy() for n in (joint, end))
            add_bone(target, f"{joint}_twist.{side}", f"{joint}.{side}", a.lerp(b, 0.5), b)


def twist_between(target: bpy.types.Object) -> None:
    for joint, end in (("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "shin"), ("shin", "foot")):
        for side in "LR":
            a, b = (target.data.bones[f"{n}.{side}"].head_local.copy() for n in (joint, end))
            add_bone(
                target, f"{joint}_twist.{side}", f"{joint}.{side}", a.lerp(b, 0.5), b, (f"{end}.{side}",)
            )


def several_necks(target: bpy.types.Object) -> None:
    a, b = (target.data.bones[n].head_local.copy() for n in ("neck", "head"))
    add_bone(target, "neck_2", "neck", a.lerp(b, 0.33), a.lerp(b, 0.66))
    add_bone(target, "neck_3", "neck_2", a.lerp(b, 0.66), b, ("head",))


def mittens(target: bpy.types.Object) -> None:
    for side in "LR":
        a, b = (target.data.bones[f"{n}.{side}"].head_local.copy() for n in ("forearm", "hand"))
        add_bone(target, f"mitten.{side}", f"hand.{side}", b + 0.3 * (b - a), b + 0.6 * (b - a))


def dressed(target: bpy.types.Object) -> None:
    """A tail, a skirt, hair, and what inverse kinematics hangs on the root."""
    hips, head = (target.data.bones[n].head_local.copy() for n in ("hips", "head"))
    for place in range(5):
        start = hips + Vector((0, 0.1 + 0.15 * place, 0))
        parent = f"tail{place - 1}" if place else "hips"
        add_bone(target, f"tail{place}", parent, start, start + Vector((0, 0.15, 0)))
    for strand in range(6):
        out = Vector((np.cos(strand + 0.2), np.sin(strand + 0.2), 0))
        for place in range(3):
            start = hips + 0.15 * out + Vector((0, 0, -0.2 * place))
            parent = f"skirt{strand}{place - 1}" if place else "hips"
            add_bone(target, f"skirt{strand}{place}", parent, start, start + Vector((0, 0, -0.2)))
            lock = head + 0.08 * out + Vector((0, 0, 0.15 - 0.12 * place))
            parent = f"hair{strand}{place - 1}" if place else "head"
            add_bone(target, f"hair{strand}{place}", parent, lock, lock + Vector((0, 0, -0.12)))
    for joint in ("hand", "foot"):
        for side in "LR":
            start = target.data.bones[f"{joint}.{side}"].head_local.copy()
            add_bone(target, f"ik_{joint}.{side}", "", start, start + Vector((0, 0, 0.1)))


@pytest.mark.parametrize(
    ("how", "change"),
    [
        ({}, plain), ({"droop": 45.0}, plain), ({"droop": 70.0}, plain), ({"droop": -30.0}, plain),
        ({"size": 100.0}, plain), ({}, small_and_lying), ({}, y_up), ({}, sideways), ({}, backwards),
        ({}, askew), ({"droop": 45.0, "roll": 0.7}, askew), ({}, head_ends_in_a_leaf),
        ({"leave_out": ("neck",)}, head_ends_in_a_leaf), ({"leave_out": ("toe", "foot")}, plain),
        ({"leave_out": ("shoulder", "neck", "toe", "spine"), "fingers": False}, plain),
        ({"leave_out": ("toe",)}, plain), ({"leave_out": ("spine",)}, plain), ({"spine_bones": 3}, plain),
        ({"leave_out": ("shoulder",)}, plain), ({"leave_out": ("neck",)}, plain), ({}, several_necks),
        ({}, twist_beside), ({}, twist_between), ({"fingers": False}, plain), ({"fingers": False}, mittens),
        ({}, dressed), ({"droop": 45.0, "fingers": False}, dressed),
    ],
)  # fmt: skip
def test_bones_are_found_without_names(
    how: dict[str, Any], change: Callable[[bpy.types.Object], None]
) -> None:
    target = character(**how)
    change(target)
    bpy.context.view_layer.update()
    renamed = nameless(target)
    found = detect(read_rig(target), target.data)
    main = {joint: renamed[joint] for joint in MAIN if joint in renamed}
    assert {joint: found.bones.get(joint) for joint in MAIN if joint in found.bones} == main
    assert all(0 < sure < 0.9 for sure in found.certainty.values())


def test_generated_rigify_with_and_without_names() -> None:
    target, motion = generated_rigify(), walk(12)
    named = detect(read_rig(target), target.data)
    assert named.name == "Rigify, FK controls"
    renamed = nameless(target)
    found = detect(read_rig(target), target.data)
    assert {joint: found.bones.get(joint) for joint in MAIN} == {j: renamed[named.bones[j]] for j in MAIN}
    retarget(perform_motion(motion, motion.fps), target, found, RetargetSettings(), "Result")
    # what deforms the mesh follows the controls
    deform = load_preset(PRESETS / "rigify_deform.json").bones
    bones = {joint: renamed[f"DEF-{deform[joint][-1]}"] for joint in MAIN}
    assert limb_errors(target, motion, bones).max() < 0.1
