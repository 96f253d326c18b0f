"""Which bone is which: of rigs with known names, of rigs with foreign names, of rigs without any."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinelift.core.options import RetargetSettings
from kinelift.core.skeleton import JOINTS
from kinelift.rig.retarget.apply import retarget
from kinelift.rig.retarget.bone_map import MAIN
from kinelift.rig.retarget.bones import read_rig
from kinelift.rig.retarget.character import load_character
from kinelift.rig.retarget.humanoid import HUMANOID
from kinelift.rig.retarget.mapping import find_bone_map
from kinelift.rig.retarget.presets import PRESETS, load_preset
from kinelift.rig.retarget.source import perform_motion
from kinelift.tests.rig.retarget.characters import (
    add_bone,
    character,
    generated_rigify,
    limb_errors,
    nameless,
    walk,
)

RIGS = sorted((Path(__file__).resolve().parents[4] / "shared" / "rigs").glob("*.[gv][lr][bm]"))


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
    found = find_bone_map(read_rig(target := character(called)), target.data)
    for joint in called:
        assert found.bones[joint] == called[joint]


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
    found = find_bone_map(read_rig(target), target.data)
    assert found.name == preset
    assert {joint: found.bones.get(joint) for joint in JOINTS} == names
    renamed = nameless(target)
    blind = find_bone_map(read_rig(target), target.data)
    assert {joint: blind.bones.get(joint) for joint in MAIN} == {j: renamed[names[j]] for j in MAIN}


@pytest.mark.parametrize("path", RIGS, ids=lambda path: path.stem)
def test_files_of_others(path: Path) -> None:
    target = load_character(path)
    rig = read_rig(target)
    named = find_bone_map(rig, target.data)
    assert named.name != "Guessed" and set(JOINTS) <= set(named.bones)
    if HUMANOID in target.data:
        del target.data[HUMANOID]
    renamed = nameless(target)
    found = find_bone_map(read_rig(target), target.data)
    assert {joint: found.bones.get(joint) for joint in MAIN} == {j: renamed[named.bones[j]] for j in MAIN}


# --- without names --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_generated_rigify_with_and_without_names() -> None:
    target, motion = generated_rigify(), walk(12)
    named = find_bone_map(read_rig(target), target.data)
    assert named.name == "Rigify, FK controls"
    renamed = nameless(target)
    found = find_bone_map(read_rig(target), target.data)
    assert {joint: found.bones.get(joint) for joint in MAIN} == {j: renamed[named.bones[j]] for j in MAIN}
    retarget(perform_motion(motion, motion.fps), target, found, RetargetSettings(), "Result")
    # what deforms the mesh follows the controls
    deform = load_preset(PRESETS / "rigify_deform.json").bones
    bones = {joint: renamed[f"DEF-{deform[joint][-1]}"] for joint in MAIN}
    assert limb_errors(target, motion, bones).max() < 0.1
