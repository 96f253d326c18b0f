"""A batch's files for a clip, as its options ask."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from kinelift.core.bvh import read_bvh
from kinelift.core.capture import Capture
from kinelift.core.files import of_person
from kinelift.core.options import APART, CleanUp, Outputs
from kinelift.core.skeleton import JOINTS
from kinelift.rig.deliver import deliver
from kinelift.rig.takes import playing
from kinelift.rig.versions import mend_context
from kinelift.tests.motions import capture_of, filmed_moving, random_capture
from kinelift.tests.rig.retarget.characters import MIXAMO, character
from kinelift.tests.walks import walk

#: from the first one's path to the second one's, metres
BESIDE = np.array([1.5, 0.75, 0.0])
SCENES = ("blend", "fbx", "glb")


@pytest.mark.parametrize("still", [False, True])
def test_a_camera_that_moved_moves_or_is_kept_still(tmp_path: Path, still: bool) -> None:
    capture = filmed_moving(random_capture(5))
    motion = tmp_path / "walk.motion.npz"
    capture.save(motion)
    deliver(motion, motion, Outputs(format=("bvh",), still_camera=still), CleanUp(feet=False))
    assert (playing(bpy.context.scene.camera) is not None) is not still
    # metres or centimetres, and axes, are the format's
    rows = (tmp_path / "walk.bvh").read_text().splitlines()
    path = np.array([[float(number) for number in row.split()[:3]] for row in rows[-5:]])
    wanted = (capture.with_still_camera() if still else capture).motion.root
    steps, steps_wanted = (np.linalg.norm(np.diff(one, axis=0), axis=1) for one in (path, wanted))
    np.testing.assert_allclose(steps / steps[0], steps_wanted / steps_wanted[0], rtol=1e-2)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """The first one's motion of two who walk side by side; a third lies there of an earlier capture."""
    first = replace(capture_of(walk()), people=2, warnings=("It was dark.",))
    motion = replace(first.motion, root=first.motion.root + BESIDE)
    path = tmp_path / "dance.motion.npz"
    first.save(path)
    replace(first, motion=motion, people=1, warnings=("It was dark.", "He hid.")).save(of_person(path, 2))
    first.save(of_person(path, 3))
    return path


def opened(path: Path) -> list[bpy.types.Object]:
    """The armatures in a file, by name; the current file gives way."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    mend_context()
    if path.suffix == ".blend":
        bpy.ops.wm.open_mainfile(filepath=str(path))
    elif path.suffix == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path))
    else:
        bpy.ops.import_scene.gltf(filepath=str(path))
    return sorted((one for one in bpy.data.objects if one.type == "ARMATURE"), key=lambda one: one.name)


def place(armature: bpy.types.Object, bone: str = "hips") -> np.ndarray:
    """Where the hips are on average of a motion's frames, metres."""
    first, last = map(round, armature.animation_data.action.frame_range)
    places = []
    for frame in range(first, last + 1):
        bpy.context.scene.frame_set(frame)
        places.append((armature.matrix_world @ armature.pose.bones[bone].matrix).translation)
    return np.array(places).mean(0)


@pytest.mark.filterwarnings("ignore")
def test_two_are_in_one_file_where_they_were_to_each_other(two: Path) -> None:
    told = deliver(two, two, Outputs(), CleanUp(feet=False))
    assert told == {two: ("It was dark.",), of_person(two, 2): ("He hid.",)}
    for kind in SCENES:
        one, other = opened(two.with_name(f"dance.{kind}"))
        assert (one.name, other.name) == ("dance", "dance.person2")
        assert {bone.name for bone in other.data.bones} == set(JOINTS)
        np.testing.assert_allclose(place(other) - place(one), BESIDE, atol=1e-3)
        assert not two.with_name(f"dance.person2.{kind}").exists()
    for number in (1, 2):
        motion = Capture.load(of_person(two, number)).motion
        path = of_person(two.with_name("dance.bvh"), number)
        np.testing.assert_allclose(read_bvh(path).root, motion.root, atol=1e-4)
        summary = json.loads(path.with_suffix(".summary.json").read_text(encoding="utf-8"))
        assert summary["files"]["glb"] == "dance.glb" and summary["files"]["bvh"] == path.name
        assert all((two.parent / file).is_file() for file in summary["files"].values())
    opened(two.with_name("dance.blend"))
    (together,) = bpy.data.objects["dance"].users_collection
    assert together.name == "dance" and len(together.objects) == 2
    assert len([one for one in bpy.data.objects if one.type == "CAMERA"]) == 1
    # who lies there of an earlier capture is nobody's
    assert sorted(path.name for path in two.parent.glob("*.person3.*")) == ["dance.person3.motion.npz"]


def cast(folder: Path, names: Sequence[str]) -> Path:
    """A .blend with characters of different sizes, who stand elsewhere."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    for number, name in enumerate(names):
        actor = character(MIXAMO, size=0.8 + 0.4 * number)
        actor.name, actor.location.x = name, 5.0 * number
    path = folder / "cast.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


@pytest.mark.filterwarnings("ignore")
def test_each_has_a_file_and_a_character_and_stays_beside_the_other(two: Path) -> None:
    path = cast(two.parent, ["Anna", "Ben"])
    outputs = Outputs(format=("blend", "glb"), everybody=APART)
    told = deliver(two, two, outputs, CleanUp(feet=False), [f"{path}:Anna", f"{path}:Ben"])
    assert not any("character" in said for sentences in told.values() for said in sentences)
    places = {}
    for file, names in (("dance", {"dance", "Anna"}), ("dance.person2", {"dance.person2", "Ben"})):
        assert {one.name for one in opened(two.with_name(f"{file}.blend"))} == names
        (actor,) = opened(two.with_name(f"{file}.glb"))
        places[actor.name] = place(actor, MIXAMO["hips"])
    # whatever their legs, and wherever they stood
    np.testing.assert_allclose((places["Ben"] - places["Anna"])[:2], BESIDE[:2], atol=0.03)
    middle = Capture.load(two).motion.root[:, :2].mean(0)
    np.testing.assert_allclose(places["Anna"][:2], middle, atol=0.05)


@pytest.mark.filterwarnings("ignore")
def test_people_without_a_character_and_characters_without_a_person(two: Path) -> None:
    path = cast(two.parent, ["Anna", "Ben"])
    outputs = Outputs(format=("fbx",))
    told = deliver(two, two, outputs, CleanUp(feet=False), ["", f"{path}:Anna", f"{path}:Ben"])
    assert "There is no character for dance: give one more --retarget; all else was made." in told[two]
    assert "Only 2 people were captured, so there is no motion for cast.blend." in told[two]
    anna, first = opened(two.with_name("dance.fbx"))
    assert (anna.name, first.name) == ("Anna", "dance")
    np.testing.assert_allclose((place(anna, MIXAMO["hips"]) - place(first))[:2], BESIDE[:2], atol=0.03)
