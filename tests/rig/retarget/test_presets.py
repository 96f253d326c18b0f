"""Bone maps for families of rigs, shipped and saved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kinelift.core.skeleton import JOINTS
from kinelift.rig.retarget.bone_map import MAIN, swapped
from kinelift.rig.retarget.bones import read_rig
from kinelift.rig.retarget.mapping import find_bone_map
from kinelift.rig.retarget.presets import PRESETS, load_preset, own_presets, save_preset
from kinelift.tests.rig.retarget.characters import (
    MIXAMO,
    character,
)


@pytest.mark.parametrize("prefix", ["", "mixamorig:", "mixamorig1:", "mixamorig12_"])
def test_mixamo_with_any_prefix(prefix: str) -> None:
    names = {joint: prefix + name for joint, name in MIXAMO.items()}
    found = find_bone_map(read_rig(target := character(names)), target.data)
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
    found = find_bone_map(read_rig(target), target.data)
    assert {joint: found.bones.get(joint) for joint in MAIN if joint in names} == {
        joint: names[joint] for joint in MAIN if joint in names
    }


def test_own_map_is_saved_shared_and_preferred(tmp_path: Path) -> None:
    names = {joint: f"part {number}" for number, joint in enumerate(JOINTS)}
    target = character(names)
    rig = read_rig(target)
    mine = replace(find_bone_map(rig, target.data), bones=names)
    save_preset(tmp_path / "mine.json", "Mine", mine)
    (tmp_path / "broken.json").write_text("{")
    found = find_bone_map(rig, target.data, own_presets(tmp_path))
    assert found.name == "Mine" and found.bones == names
    other = swapped(found)
    assert other.bones["hand.L"] == names["hand.R"] and other.bones["hips"] == names["hips"]
