"""Re-solve, pressed."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector

from kinelift.core.capture import Capture
from kinelift.core.files import of_person
from kinelift.core.landmarks import evidence_of
from kinelift.core.mannequin import mannequin
from kinelift.core.options import Settings
from kinelift.core.skeleton import JOINTS
from kinelift.inference.pipeline import capture, resolve
from kinelift.operators.build import build
from kinelift.rig.armature import rest_joints
from kinelift.rig.body import add_body
from kinelift.rig.contacts import CONTACT_CURVES
from kinelift.rig.takes import takes_of
from kinelift.rig.versions import curves_of
from kinelift.state import motions
from kinelift.state.jobs import queue
from kinelift.tests.inference.test_bad_input import filmed, walking
from kinelift.tests.inference.test_camera_path import panned
from kinelift.tests.inference.test_everybody import BESIDE, another
from kinelift.tests.operators.test_cleanup import played, walker
from kinelift.tests.videos import SAMPLE
from kinelift.tests.walks import slide, walk

# captures, detects or starts other programs
pytestmark = pytest.mark.slow


def plain_matrix(owner: bpy.types.Object) -> np.ndarray:
    bpy.context.view_layer.update()
    return np.array(owner.matrix_world)


def rest(armature: bpy.types.Object) -> np.ndarray:
    return np.array([armature.data.bones[name].head_local for name in JOINTS])


def vertices(body: bpy.types.Object) -> np.ndarray:
    flat = np.empty(3 * len(body.data.vertices), dtype=np.float32)
    body.data.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def test_resolve_gives_the_armature_a_new_action_and_all_else_stays(tmp_path: Path) -> None:
    armature = filmed_walk(tmp_path)
    first, before, body = armature.animation_data.action, played(armature), add_body(armature)
    bones = rest(armature)
    assert bpy.ops.kinelift.add_camera() == {"FINISHED"}
    camera = bpy.context.scene.camera
    # renamed, moved, hung on something, dressed, with a bone, a key and a constraint of the artist's own
    empty = bpy.data.objects.new("Stage", None)
    bpy.context.scene.collection.objects.link(empty)
    armature.name, armature.location, armature.parent = "Hero", (1, 2, 3), empty
    armature.rotation_euler.z = 0.5
    body.name = "Suit"
    shell = body.modifiers.new("Shell", "SOLIDIFY")
    bpy.ops.object.mode_set(mode="EDIT")
    prop = armature.data.edit_bones.new("prop")
    prop.parent = armature.data.edit_bones["hand.R"]
    prop.head = prop.parent.tail
    prop.tail, prop.use_connect = prop.head + Vector((0, 0, 0.3)), True
    bpy.ops.object.mode_set(mode="POSE")
    armature.pose.bones["head"].constraints.new("LIMIT_ROTATION").name = "Mine"
    armature.pose.bones["prop"].rotation_mode = "XYZ"
    armature.pose.bones["prop"].rotation_euler.x = 0.7
    armature.pose.bones["prop"].keyframe_insert("rotation_euler", frame=10)
    world, sees = plain_matrix(armature), np.array(camera.matrix_basis)
    objects, armatures, meshes = set(bpy.data.objects), set(bpy.data.armatures), set(bpy.data.meshes)
    chosen = bpy.context.scene.kinelift
    chosen.use_height, chosen.height = True, 1.2
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}

    assert (set(bpy.data.objects), set(bpy.data.armatures)) == (objects, armatures)
    assert set(bpy.data.meshes) == meshes
    assert bpy.context.object == armature and armature.mode == "POSE" and armature.select_get()
    assert (armature.name, armature.parent, body.parent) == ("Hero", empty, armature)
    np.testing.assert_array_equal(plain_matrix(armature), world)
    assert [modifier.name for modifier in body.modifiers] == ["Walk", "Shell"] and shell.name == "Shell"
    assert armature.pose.bones["head"].constraints["Mine"].type == "LIMIT_ROTATION"
    action = armature.animation_data.action
    assert action != first and first in takes_of(armature)
    # the motion, the bones and the body of 1.2 m
    solved = Capture.load(Path(armature.kinelift.motion)).motion
    assert solved.height == pytest.approx(1.2, abs=0.01)
    np.testing.assert_allclose(rest(armature), rest_joints(solved.offsets), atol=1e-5)
    np.testing.assert_allclose(played(armature).offsets, solved.offsets, atol=1e-5)
    np.testing.assert_allclose(played(armature).joints[:, :9], solved.joints[:, :9], atol=0.08)
    fresh = mannequin(solved.offsets).vertices + rest_joints(solved.offsets)[0]
    np.testing.assert_allclose(vertices(body), fresh, atol=1e-5)
    # what hangs on the hand goes along with it, as large as it was, and keeps its keys
    hand, prop = armature.data.bones["hand.R"], armature.data.bones["prop"]
    np.testing.assert_allclose(prop.head_local, hand.tail_local, atol=1e-6)
    assert prop.length == pytest.approx(0.3, abs=1e-5) and prop.use_connect
    curve = curves_of(action, armature)[('pose.bones["prop"].rotation_euler', 0)]
    assert curve.evaluate(10) == pytest.approx(0.7)
    # the camera is where the new solve has it
    assert not np.allclose(np.array(camera.matrix_basis), sees, atol=0.1)
    assert bpy.context.scene.camera == camera

    # back to the first motion: its bones, its body and its camera too
    bpy.ops.object.mode_set(mode="OBJECT")
    assert bpy.ops.kinelift.use_take(action=first.name) == {"FINISHED"}
    np.testing.assert_allclose(rest(armature), bones, atol=1e-5)
    np.testing.assert_allclose(played(armature).joints, before.joints, atol=1e-4)
    fresh = mannequin(before.offsets).vertices + rest_joints(before.offsets)[0]
    np.testing.assert_allclose(vertices(body), fresh, atol=1e-5)
    np.testing.assert_allclose(np.array(camera.matrix_basis), sees, atol=1e-5)
    assert Path(armature.kinelift.motion).name == "walk.motion.npz"
    # and forth, from a saved file
    name, motion = action.name, str(armature.kinelift.motion)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    armature = bpy.data.objects["Hero"]
    assert bpy.ops.kinelift.use_take(action=name) == {"FINISHED"}
    np.testing.assert_allclose(rest(armature), rest_joints(solved.offsets), atol=1e-5)
    assert armature.kinelift.motion != motion


@pytest.mark.any_blender
def test_resolve_with_another_lens_and_another_person(tmp_path: Path) -> None:
    captured = capture(SAMPLE, Settings(end=1.0, focal=28.0, quality="quick"))
    aside = evidence_of(captured)
    aside[..., 0] = captured.camera.size[0] - aside[..., 0]
    aside[..., 3] *= -1
    aside[-3:] = np.nan  # seen for less long: number 2
    two = dataclasses.replace(captured, others=aside[None])
    two.save(tmp_path / "walk.motion.npz")
    build(tmp_path / "walk.motion.npz", "Walk", bpy.context.scene.name, True)
    assert bpy.ops.kinelift.add_camera() == {"FINISHED"}
    camera = bpy.context.scene.camera
    chosen = bpy.context.scene.kinelift

    def solved() -> Capture:
        assert bpy.ops.kinelift.resolve() == {"FINISHED"}
        return Capture.load(Path(bpy.context.object.kinelift.motion))

    chosen.use_focal, chosen.focal = True, 56.0
    # ticks are for captures
    chosen.person = "all"
    for name, ticked in (("1", False), ("2", True)):
        person = chosen.people.add()
        person.name, person.ticked = name, ticked
    tele = solved()
    np.testing.assert_allclose(tele.landmarks, captured.landmarks, atol=1e-2)
    assert tele.settings["focal"] == 56.0 and tele.camera.focal == pytest.approx(2 * captured.camera.focal)
    assert camera.data.lens == pytest.approx(56)
    camera.location.z += 0.1  # the artist's from now on
    chosen.use_focal = False
    assert solved().settings["focal"] is None and camera.data.lens == pytest.approx(56)
    chosen.person, chosen.number = "number", 2
    other = solved()
    assert np.allclose(other.landmarks, aside[..., :3], atol=1e-2, equal_nan=True)


def test_one_of_several_stays_in_the_world_that_they_share(tmp_path: Path) -> None:
    """Filmed by a camera that moves; whoever is followed in the panel, whatever the first one's height."""
    pair = tmp_path / "pair.motion.npz"
    asked = dataclasses.asdict(Settings(person="all", height=1.5, focal=28.0))
    first = walking(60)
    people = []
    for one in (first, another(first, BESIDE)):
        seen = dataclasses.replace(panned(one, 20.0), settings=asked)
        people.append(resolve(seen, {"person": "all"}))
    dataclasses.replace(people[0], people=2).save(pair)
    people[1].save(of_person(pair, 2))
    _, two = build(pair, "pair", bpy.context.scene.name, True)
    chosen = bpy.context.scene.kinelift
    chosen.use_height, chosen.height = True, 1.5
    chosen.use_focal, chosen.focal = True, 28.0
    assert chosen.person == "largest"
    before = people[1]
    bpy.context.view_layer.objects.active = two
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    after = Capture.load(Path(two.kinelift.motion))
    assert after.settings["person"] == "all"
    np.testing.assert_allclose(after.landmarks, before.landmarks, atol=1e-2)
    assert before.camera_moves and before.motion.height > 1.6
    assert before.motion.height == pytest.approx(after.motion.height, rel=1e-3)
    np.testing.assert_allclose(after.motion.joints, before.motion.joints, atol=0.02)
    np.testing.assert_allclose(after.cameras.camera_from_world, before.cameras.camera_from_world, atol=0.02)


def edit(armature: bpy.types.Object, side: str, keys: list[tuple[int, float]]) -> None:
    curve = curves_of(armature.animation_data.action, armature)[CONTACT_CURVES[side]]
    curve.keyframe_points.clear()
    for frame, value in keys:
        curve.keyframe_points.insert(frame, value).interpolation = "CONSTANT"


def filmed_walk(folder: Path) -> bpy.types.Object:
    resolve(filmed(walking(80)), {"focal": 28.0}).save(folder / "walk.motion.npz")
    (built,) = build(folder / "walk.motion.npz", "Walk", bpy.context.scene.name, True)
    return built


def test_edited_contacts_are_solved_with_and_others_are_found(tmp_path: Path) -> None:
    first = filmed_walk(tmp_path)
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    same = bpy.context.object
    assert same == first
    found = Capture.load(Path(same.kinelift.motion))
    assert not found.contacts_given and not len(same.kinelift.warnings)
    edit(same, "L", [(1, 0.0)])
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    one_foot = bpy.context.object
    solved = Capture.load(Path(one_foot.kinelift.motion))
    assert one_foot == first and solved.contacts_given
    assert not solved.motion.contacts[:, :2].any()
    np.testing.assert_array_equal(solved.motion.contacts[:, 2:], found.motion.contacts[:, 2:])
    assert not len(one_foot.kinelift.warnings)
    # the curves are those of the capture now, and stay with another height
    chosen = bpy.context.scene.kinelift
    chosen.use_height, chosen.height = True, 1.9
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    taller = Capture.load(Path(bpy.context.object.kinelift.motion))
    assert taller.motion.height == pytest.approx(1.9, abs=1e-3) and not taller.motion.contacts[:, :2].any()
    # nothing is asked of an upper body, so nothing is missing
    chosen.use_height, chosen.body = False, "upper"
    edit(bpy.context.object, "R", [(1, 1.0)])
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    assert not [one for one in bpy.context.object.kinelift.warnings if "Contacts" in one.name]
    # only motions are left in the cache
    assert {path.suffix for path in (tmp_path / "captures").iterdir()} == {".npz"}
    assert "Walk" in [take.name for take in takes_of(first)] and len(bpy.data.armatures) == 1


def test_contacts_that_cannot_be_kept_are_told_in_the_panel(tmp_path: Path) -> None:
    armature = filmed_walk(tmp_path)
    edit(armature, "R", [(1, 1.0)])
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    result = bpy.context.object
    (told,) = (warning.name for warning in result.kinelift.warnings if "Contacts" in warning.name)
    assert told.startswith("Contacts can't be kept of the right foot in frames ")
    first, last = map(int, told.split("frames ")[1].split(",")[0].split(";")[0].split(" to "))
    curve = curves_of(result.animation_data.action, result)[CONTACT_CURVES["R"]]
    assert [curve.evaluate(frame) for frame in (first - 1, first, last, last + 1)] == [1, 0, 0, 1]


def test_a_range_is_solved_in_a_new_action_of_the_same_armature(tmp_path: Path) -> None:
    armature = filmed_walk(tmp_path)
    before, action = played(armature), armature.animation_data.action
    edit(armature, "L", [(1, 1.0), (10, 0.0)])
    chosen = bpy.context.scene.kinelift
    # the rest of the motion keeps its height
    chosen.use_height, chosen.height = True, 1.9
    chosen.clean_up.use_range, chosen.clean_up.first, chosen.clean_up.last = True, 31, 60
    objects = set(bpy.data.objects)
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    assert bpy.context.object == armature and set(bpy.data.objects) == objects
    assert armature.animation_data.action != action
    after, solved = played(armature), Capture.load(Path(armature.kinelift.motion))
    outside = np.r_[0:30, 60:80]
    np.testing.assert_allclose(after.joints[outside], before.joints[outside], atol=1e-4)
    assert np.abs(after.joints[37:53] - before.joints[37:53]).max() > 0.01
    assert not solved.motion.contacts[30:60, :2].any() and solved.motion.contacts[:30, :2].any()
    assert solved.motion.height == pytest.approx(before.height, abs=1e-3)
    chosen.clean_up.first, chosen.clean_up.last = 200, 300
    with pytest.raises(RuntimeError, match="nothing to solve from frame 200 to 300"):
        bpy.ops.kinelift.resolve()
    armature.animation_data_clear()
    with pytest.raises(RuntimeError, match="plays nothing that was captured"):
        bpy.ops.kinelift.resolve()
    assert not queue.jobs


def test_resolve_without_the_motions_file(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    (tmp_path / "walk.motion.npz").unlink()
    with pytest.raises(RuntimeError, match=r"walk\.motion\.npz is gone"):
        bpy.ops.kinelift.resolve()
    assert bpy.ops.kinelift.clean_up() == {"FINISHED"}  # which needs no file
    assert slide(played(armature), walk().contacts).max() < 0.001


def meanwhile(monkeypatch: pytest.MonkeyPatch, done: Callable[[], object]) -> None:
    """Do something once, while the next job runs."""
    left = [done]

    def pause(seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
        if left:
            left.pop()()
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", pause)


def test_an_armature_deleted_meanwhile_gets_a_substitute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    armature = filmed_walk(tmp_path)
    chosen = bpy.context.scene.kinelift
    bpy.context.scene.kinelift_retarget.source = armature  # points to it even when it is in no scene
    bpy.context.scene.cursor.location.x = 7
    meanwhile(monkeypatch, bpy.ops.object.delete)
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    added = bpy.context.object
    assert added != armature and added.location.x == 7 and added in list(bpy.context.scene.objects)
    assert [one.name for one in added.kinelift.warnings] == [
        "This armature was added for the new motion. The one that was to get it is gone."
    ]
    # a range likewise: nothing that was solved is lost
    chosen.clean_up.use_range, chosen.clean_up.first, chosen.clean_up.last = True, 31, 60
    meanwhile(monkeypatch, bpy.ops.object.delete)
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    assert [one.type for one in bpy.context.scene.objects].count("ARMATURE") == 1
    assert tuple(bpy.context.object.animation_data.action.frame_range) == (1, 80)
    assert "The one that was to get it is gone." in bpy.context.object.kinelift.warnings[0].name


def test_an_armature_that_cannot_take_it_any_more_keeps_what_it_plays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    armature = filmed_walk(tmp_path)
    animation = armature.animation_data
    track = animation.nla_tracks.new()
    track.strips.new("Walk", 1, animation.action)
    animation.action = None

    def tweak() -> None:
        animation.nla_tracks.active, track.select, track.strips[0].select = track, True, True
        animation.use_tweak_mode = True

    before = rest(armature)
    bpy.context.scene.kinelift.use_height, bpy.context.scene.kinelift.height = True, 1.2
    meanwhile(monkeypatch, tweak)
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    assert (
        bpy.context.object != armature and "leave tweak mode" in bpy.context.object.kinelift.warnings[0].name
    )
    np.testing.assert_array_equal(rest(armature), before)
    with (
        bpy.context.temp_override(active_object=armature),
        pytest.raises(RuntimeError, match="leave tweak mode"),
    ):
        bpy.ops.kinelift.resolve()
    assert not queue.jobs


def test_what_is_renamed_or_undone_meanwhile_gets_its_motion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    armature = filmed_walk(tmp_path)
    scene, name = bpy.context.scene, armature.name
    bpy.ops.ed.undo_push(message="captured")
    armature.location.x = 3
    bpy.ops.ed.undo_push(message="moved")

    def elsewhere() -> None:
        bpy.ops.ed.undo()
        bpy.data.scenes["Scene"].name = "Shot"
        bpy.data.objects[name].name = "Hero"
        bpy.context.window.scene = bpy.data.scenes.new("Scene")

    meanwhile(monkeypatch, elsewhere)
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    hero, scene = bpy.data.objects["Hero"], bpy.data.scenes["Shot"]
    assert [one for one in bpy.data.objects if one.type == "ARMATURE"] == [hero] and hero.location.x == 0
    assert hero.animation_data.action.name == "Walk.001"
    assert scene.kinelift.last_motion == hero.kinelift.motion
    assert not bpy.data.scenes["Scene"].objects and bpy.context.scene.name == "Scene"


def test_every_button_says_that_the_motion_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    armature = filmed_walk(tmp_path)
    first = armature.animation_data.action.name
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    now = armature.animation_data.action.name
    monkeypatch.setattr(motions, "PACKED_UP_TO", 10)
    home = tmp_path / "home"
    home.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(home / "shot.blend"))
    for motion in tmp_path.rglob("*.npz"):
        motion.unlink()
    bpy.ops.wm.open_mainfile(filepath=str(home / "shot.blend"))
    armature = bpy.data.objects["Walk"]
    for press in (
        bpy.ops.kinelift.rebuild,
        bpy.ops.kinelift.resolve,
        bpy.ops.kinelift.show_confidence,
        bpy.ops.kinelift.add_camera,
    ):
        with pytest.raises(
            RuntimeError, match=r"^Error: The captured motion .* is gone: put it beside"
        ) as told:
            press()
        assert "Traceback" not in str(told.value) and len(str(told.value).strip().splitlines()) == 1
    assert len(bpy.data.objects) == 1 and not queue.jobs
    # what needs no capture works
    assert bpy.ops.kinelift.use_take(action=first) == {"FINISHED"}
    assert armature.animation_data.action.name == first and armature.kinelift.warnings.keys() == []
    assert bpy.ops.kinelift.use_take(action=now) == {"FINISHED"}
    assert bpy.ops.kinelift.clean_up() == {"FINISHED"}
