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
        joint: (*preset.prefixes, "")[0] + preset.bones[joint][0] for joint in JOINTS if joint in preset.bones
    }
    target = character(names)
    found = find_bone_map(read_rig(target), target.data)
    assert {joint: found.bones.get(joint) for joint in MAIN if joint in names} == {
        joint: names[joint] for joint in MAIN if joint in names
    }


#: a sound bone map, of which the following spoil a part
SOUND = """{"kinelift_bone_map": 1, "name": "Ours", "prefix": ["abc", "ab"],
 "bones": {"hips": ["cog"], "head": "skull"}, "properties": {"legs": {"fk": 1.0}}}"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.0", "NaN"), ("1.0", "1e999"), ("1.0", "1" + "0" * 400), ("1.0", '"1"'), ("1.0", "[1]"),
        ('{"fk": 1.0}', "[]"), ('["cog"]', "[]"), ('["cog"]', '[""]'), ('["cog"]', "[7]"), ('["cog"]', "7"),
        ('"skull"', '"sk\\u0000ull"'), ('"skull"', '"\\ud800"'), ('"skull"', f'"{"x" * 1000}"'),
        ('"head"', '"hips"'), ('"head"', '"tail"'), ('"Ours"', '""'), ('"Ours"', '["a", "b"]'),
        ('"Ours"', "null"), ('["abc", "ab"]', '"(?:a+)+$"'), ('["abc", "ab"]', '"ab\\\\d*"'),
        ('["abc", "ab"]', '""'), ('["abc", "ab"]', "7"), (SOUND, "[" * 100_000),
        ("}}}", "}}}" + " " * (1 << 20)), ('"Ours"', '{"a":' * 100_000),
    ],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_a_damaged_map_is_refused_and_the_others_are_read(tmp_path: Path, old: str, new: str) -> None:
    (tmp_path / "b.json").write_text(SOUND)
    ours = load_preset(tmp_path / "b.json")
    assert ours.bones == {"hips": ("cog",), "head": ("skull",)} and ours.properties == {"legs": {"fk": 1.0}}
    assert SOUND.count(old) == 1
    for name in ("a", "c"):
        (tmp_path / f"{name}.json").write_text(SOUND.replace(old, new))
    found, problems = own_presets(tmp_path)
    assert found == (ours,) and len(problems) == 2
    for name, problem in zip("ac", problems, strict=True):
        assert problem.startswith(f"{name}.json is not a bone map") and problem.endswith(".")


def test_prefixes_are_plain_and_may_have_a_number(tmp_path: Path) -> None:
    names = {"hips": "ABC12_Cog", "head": "ab.skull", "neck": "abx skull"}
    (tmp_path / "ours.json").write_text(SOUND)
    rig = read_rig(character({joint: names.get(joint, joint) for joint in JOINTS}))
    bones = load_preset(tmp_path / "ours.json").bones_in(rig)
    assert bones == {"hips": names["hips"], "head": names["head"]}


def test_own_map_is_saved_shared_and_preferred(tmp_path: Path) -> None:
    names = {joint: f"part {number}" for number, joint in enumerate(JOINTS)}
    target = character(names)
    rig = read_rig(target)
    mine = replace(find_bone_map(rig, target.data), bones=names)
    save_preset(tmp_path / "mine.json", "Mine", mine)
    (tmp_path / "broken.json").write_text("{")
    found = find_bone_map(rig, target.data, own_presets(tmp_path)[0])
    assert found.name == "Mine" and found.bones == names
    other = swapped(found)
    assert other.bones["hand.L"] == names["hand.R"] and other.bones["hips"] == names["hips"]
