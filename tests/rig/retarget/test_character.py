"""Characters from files of every kind, as artists have them, and a batch that moves them."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

from kinelift.core.errors import CaptureError
from kinelift.core.skeleton import INDEX, JOINTS
from kinelift.rig.retarget.bone_map import MAIN
from kinelift.rig.retarget.bones import read_rig
from kinelift.rig.retarget.character import find_character, load_character
from kinelift.rig.retarget.humanoid import read_humanoid
from kinelift.rig.retarget.mapping import find_bone_map
from kinelift.tests.motions import capture_of
from kinelift.tests.rig.retarget.characters import ENDS, character, joints, walk

ROOT = Path(__file__).resolve().parents[3]
#: bones whose names tell nothing
FOREIGN = {joint: f"J_{number}" for number, joint in enumerate(JOINTS)}
#: what VRM calls the joints that every person there has
VRM_NAMES = {
    "hips": "hips", "spine": "spine", "chest": "chest", "neck": "neck", "head": "head",
    **{
        f"{joint}.{side}": word + name
        for side, word in (("L", "left"), ("R", "right"))
        for joint, name in (
            ("shoulder", "Shoulder"), ("upper_arm", "UpperArm"), ("forearm", "LowerArm"), ("hand", "Hand"),
            ("thigh", "UpperLeg"), ("shin", "LowerLeg"), ("foot", "Foot"), ("toe", "Toes"),
        )
    },
}  # fmt: skip


def dress(armature: bpy.types.Object) -> bpy.types.Object:
    """A mesh that hangs on all bones: exporters leave out armatures without one."""
    points = [p for b in armature.data.bones for p in (b.head_local, b.tail_local, b.head_local + b.x_axis)]
    mesh = bpy.data.meshes.new("Skin")
    mesh.from_pydata(points, [], [(3 * i, 3 * i + 1, 3 * i + 2) for i in range(len(points) // 3)])
    skin = bpy.data.objects.new("Skin", mesh)
    bpy.context.scene.collection.objects.link(skin)
    for number, bone in enumerate(armature.data.bones):
        skin.vertex_groups.new(name=bone.name).add(range(3 * number, 3 * number + 3), 1.0, "REPLACE")
    skin.modifiers.new("Armature", "ARMATURE").object = armature
    skin.parent = armature
    return skin


def with_humanoid(glb: Path, vrm: Path, version: int) -> None:
    """Add to a .glb what makes a VRM of it: the file's own word on which bone is which."""
    content = glb.read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    data = json.loads(content[20 : 20 + length])
    node = {entry["name"]: number for number, entry in enumerate(data["nodes"]) if "name" in entry}
    bones = {VRM_NAMES[joint]: node[name] for joint, name in FOREIGN.items()}
    extension = (
        {"VRM": {"humanoid": {"humanBones": [{"bone": b, "node": n} for b, n in bones.items()]}}}
        if version == 0
        else {"VRMC_vrm": {"humanoid": {"humanBones": {b: {"node": n} for b, n in bones.items()}}}}
    )
    data["extensions"], data["extensionsUsed"] = extension, list(extension)
    text = json.dumps(data).encode()
    text += b" " * (-len(text) % 4)
    rest = content[20 + length :]
    head = struct.pack("<4sII", b"glTF", 2, 20 + len(text) + len(rest))
    vrm.write_bytes(head + struct.pack("<II", len(text), 0x4E4F534A) + text + rest)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A character in every kind of file; the .blend has a helper beside it and other things."""
    target = character(FOREIGN, droop=30, size=1.2)
    dress(target)
    bpy.ops.export_scene.fbx(filepath=str(tmp_path / "hero.fbx"), add_leaf_bones=False)
    bpy.ops.export_scene.gltf(filepath=str(tmp_path / "hero.glb"))
    for version in (0, 1):
        with_humanoid(tmp_path / "hero.glb", tmp_path / f"hero{version}.vrm", version)
    target.name = "Hero"
    character(size=0.7).name = "Sidekick"
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("Lamp", bpy.data.lights.new("L", "SUN")))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "cast.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return tmp_path


def found_in(armature: bpy.types.Object) -> dict[str, str]:
    found = find_bone_map(read_rig(armature), armature.data)
    return {joint: found.bones[joint] for joint in MAIN}


@pytest.mark.filterwarnings("ignore")
def test_every_kind_of_file(files: Path) -> None:
    expected = {joint: FOREIGN[joint] for joint in MAIN}
    for name in ("hero.fbx", "hero.glb", "hero0.vrm", "hero1.vrm", "cast.blend:Hero"):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        bpy.context.scene.render.fps, bpy.context.scene.frame_end = 30, 77
        armature = load_character(*find_character(str(files / name)))
        assert (bpy.context.scene.render.fps, bpy.context.scene.frame_end) == (30, 77)
        assert armature.type == "ARMATURE" and armature.name in bpy.context.scene.objects
        assert found_in(armature) == expected, name
        skin = [obj for obj in bpy.context.scene.objects if obj.type == "MESH" and obj.find_armature()]
        assert len(skin) == 1 and skin[0].find_armature() == armature
        if name.endswith(".vrm"):
            assert find_bone_map(read_rig(armature), armature.data).name == "VRM humanoid"


def test_only_the_named_character_comes_from_a_blend(files: Path) -> None:
    armature = load_character(files / "cast.blend", "Sidekick")
    assert armature.name == "Sidekick"
    assert {obj.name for obj in bpy.context.scene.objects} == {"Sidekick"}
    assert "Lamp" not in bpy.data.objects


def test_two_of_one_name_come_from_a_blend(files: Path) -> None:
    first, second = (load_character(files / "cast.blend", "Sidekick") for _ in range(2))
    assert first != second and first.data != second.data


def test_the_one_that_wears_a_mesh_is_meant(files: Path) -> None:
    assert load_character(files / "cast.blend").name == "Hero"


def test_characters_that_cannot_be_had(files: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.fbx").write_text("no FBX")
    (tmp_path / "broken.glb").write_bytes(b"glTF" + bytes(40))
    (tmp_path / "broken.blend").write_text("no blend")
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("Prop", None))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "props.blend"), copy=True)
    for text, said in (
        ("broken.fbx", "could not read"),
        ("broken.glb", "could not read"),
        ("broken.blend", "could not read"),
        ("props.blend", "It has no armature"),
        ("cast.blend:Nobody", "It has Hero, Sidekick"),
        ("gone.glb", "There is no character"),
        ("cast.obj", "can't be read from cast.obj"),
    ):
        with pytest.raises(CaptureError) as caught:
            load_character(*find_character(str(tmp_path / text)))
        sentence = str(caught.value)
        assert said in sentence and sentence.endswith(".") and "\n" not in sentence, sentence


def test_no_humanoid_in_what_is_no_vrm(files: Path, tmp_path: Path) -> None:
    assert read_humanoid(files / "hero.glb") == {}
    assert read_humanoid(files / "hero1.vrm")["leftFoot"] == FOREIGN["foot.L"]
    (tmp_path / "short.vrm").write_bytes(b"glTF")
    assert read_humanoid(tmp_path / "short.vrm") == {}


@pytest.mark.slow
def test_batch_moves_characters_of_every_kind(files: Path, tmp_path: Path) -> None:
    capture_of(walk(8)).save(tmp_path / "take.motion.npz")
    names = ("hero.fbx", "hero.glb", "hero1.vrm", "cast.blend:Hero")
    rows = [f"take.motion.npz,to {number},{name}" for number, name in enumerate(names)]
    (tmp_path / "list.csv").write_text("\n".join(["clip,name,retarget", *rows]))
    ran = subprocess.run(
        [
            sys.executable, str(ROOT / "batch.py"), "--list", str(tmp_path / "list.csv"),
            "--out", str(tmp_path / "out"), "--format", "blend",
        ],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    for number, name in enumerate(names):
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out" / f"to {number}.blend"))
        armatures = [obj for obj in bpy.data.objects if obj.type == "ARMATURE"]
        (source,) = (obj for obj in armatures if "upper_arm.L" in obj.data.bones)
        (target,) = (obj for obj in armatures if FOREIGN["hand.L"] in obj.data.bones)
        frames = np.arange(1, 9)
        theirs = joints(source, {joint: joint for joint in INDEX}, frames)
        mine = joints(target, FOREIGN, frames)
        for limb, end in ENDS.items():
            for side in "LR":
                a, b = f"{limb}.{side}", f"{end}.{side}"
                here, there = mine[b] - mine[a], theirs[b] - theirs[a]
                sine = np.linalg.norm(np.cross(here, there), axis=1)
                off = np.degrees(np.arctan2(sine, (here * there).sum(axis=1)))
                assert off.max() < 1.0, (name, limb)


@pytest.mark.slow
def test_a_batch_asks_for_the_path_and_the_parts_of_each_row(files: Path, tmp_path: Path) -> None:
    capture_of(walk(8)).save(tmp_path / "take.motion.npz")
    rows = [
        "clip,name,retarget,root-motion,parts",
        "take.motion.npz,moves,hero.fbx,,",
        "take.motion.npz,stays,hero.fbx,in-place,",
        'take.motion.npz,waves,hero.fbx,,"arms,hands"',
    ]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    ran = subprocess.run(
        [
            sys.executable, str(ROOT / "batch.py"), "--list", str(tmp_path / "list.csv"),
            "--out", str(tmp_path / "out"), "--format", "blend",
        ],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    travelled, kicked = {}, {}
    for name in ("moves", "stays", "waves"):
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out" / f"{name}.blend"))
        (target,) = (
            o for o in bpy.data.objects if o.type == "ARMATURE" and FOREIGN["hand.L"] in o.data.bones
        )
        places = joints(target, FOREIGN, np.arange(1, 9))
        travelled[name] = np.ptp(places["hips"][:, :2], axis=0).max()
        kicked[name] = np.ptp(places["foot.L"] - places["hips"], axis=0).max()
    size = travelled["moves"]
    assert travelled["stays"] < 0.01 * size and travelled["waves"] < 0.01 * size
    assert (
        kicked["stays"] == pytest.approx(kicked["moves"], rel=0.2)
        and kicked["waves"] < 0.01 * kicked["moves"]
    )
