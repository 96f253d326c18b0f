"""Bones that VRM files name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kinelift.core.skeleton import JOINTS
from kinelift.rig.retarget.bone_map import MAIN
from kinelift.rig.retarget.bones import read_rig
from kinelift.rig.retarget.humanoid import HUMANOID, read_humanoid
from kinelift.rig.retarget.mapping import find_bone_map
from kinelift.tests.rig.retarget.characters import (
    character,
)


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
    found = find_bone_map(read_rig(target), target.data)
    assert found.name == "VRM humanoid" and {j: found.bones[j] for j in MAIN} == {j: names[j] for j in MAIN}


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "[1]", '"hips"', '{"hips": [1]}', '{"hips": NaN}'])
def test_a_humanoid_that_is_none_is_left_out(tmp_path: Path, text: str) -> None:
    target = character()
    target.data[HUMANOID] = text
    assert find_bone_map(read_rig(target), target.data).name == "Kinelift"
    chunk = text.encode()
    glb = b"glTF" + bytes(8) + len(chunk).to_bytes(4, "little") + b"JSON" + chunk
    (tmp_path / "a.vrm").write_bytes(glb)
    assert read_humanoid(tmp_path / "a.vrm") == {}
