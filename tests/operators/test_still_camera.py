"""Still Camera, pressed: the person moves in the camera's place, and back in the room when pressed again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view

from kinelift.core.capture import Capture
from kinelift.core.files import of_person
from kinelift.core.skeleton import JOINTS
from kinelift.operators.build import build
from kinelift.rig.result import in_room
from kinelift.rig.takes import playing, takes_of
from kinelift.rig.versions import curves_of
from kinelift.tests.motions import filmed_moving, random_capture

FRAMES = 20


@pytest.fixture
def moving(tmp_path: Path) -> bpy.types.Object:
    """An armature that was filmed by a camera that moved, with its capture camera."""
    filmed_moving(random_capture(FRAMES, seed=3), seed=4).save(tmp_path / "walk.motion.npz")
    bpy.context.scene.kinelift.clean_up.feet = False
    (built,) = build(tmp_path / "walk.motion.npz", "walk", bpy.context.scene.name, True)
    assert bpy.ops.kinelift.add_camera() == {"FINISHED"}
    assert isinstance(built, bpy.types.Object)
    return built


def seen(armature: bpy.types.Object) -> np.ndarray:
    """Where the capture camera sees the joints, in shares of the picture (frames, J, 3)."""
    scene, out = bpy.context.scene, []
    for frame in range(1, FRAMES + 1):
        scene.frame_set(frame)
        heads = [armature.matrix_world @ armature.pose.bones[name].head for name in JOINTS]
        out.append([world_to_camera_view(scene, scene.camera, head) for head in heads])
    return np.array(out)


def camera_way() -> np.ndarray:
    out = []
    for frame in range(1, FRAMES + 1):
        bpy.context.scene.frame_set(frame)
        out.append(np.array(bpy.context.scene.camera.matrix_world))
    return np.array(out)


def test_the_person_moves_in_the_cameras_place_and_back(moving: bpy.types.Object, tmp_path: Path) -> None:
    # no feet are planted, which would move the person in the picture
    raw = playing(moving)["kinelift_raw"]
    assert bpy.ops.kinelift.use_take(action=raw.name) == {"FINISHED"}
    room, name = playing(moving), playing(moving).name
    way, picture = camera_way(), seen(moving)
    file = moving.kinelift.motion
    assert np.ptp(way, axis=0).max() > 0.2
    assert bpy.ops.kinelift.still_camera() == {"FINISHED"}
    held = playing(moving)
    assert in_room(held) == room and room in takes_of(moving) and moving.kinelift.motion != file
    assert np.ptp(camera_way(), axis=0).max() < 1e-5
    np.testing.assert_allclose(seen(moving)[..., :2], picture[..., :2], atol=5e-4)
    # the zoom is still the camera's
    assert playing(bpy.context.scene.camera.data) is not None

    path = str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    moving = bpy.data.objects["walk"]
    assert bpy.ops.kinelift.still_camera() == {"FINISHED"}
    assert playing(moving).name == name and moving.kinelift.motion == file
    np.testing.assert_allclose(camera_way(), way, atol=1e-5)
    np.testing.assert_allclose(seen(moving), picture, atol=1e-4)


def test_all_whom_it_filmed_move_in_its_place(tmp_path: Path) -> None:
    pair = tmp_path / "pair.motion.npz"
    for number, seed in ((1, 3), (2, 5)):
        one = filmed_moving(random_capture(FRAMES, seed=seed), seed=4)
        replace(one, people=3 - number).save(of_person(pair, number))
    bpy.context.scene.kinelift.clean_up.feet = False
    people = build(pair, "pair", bpy.context.scene.name, True)
    for person in people:
        bpy.context.view_layer.objects.active = person
        raw = playing(person)["kinelift_raw"]
        assert bpy.ops.kinelift.use_take(action=raw.name) == {"FINISHED"}
    bpy.context.view_layer.objects.active = people[0]
    assert bpy.ops.kinelift.add_camera() == {"FINISHED"}
    pictures, rooms = [seen(one) for one in people], [playing(one) for one in people]
    # whoever of them is active
    bpy.context.view_layer.objects.active = people[1]
    assert bpy.ops.kinelift.still_camera() == {"FINISHED"}
    assert [in_room(playing(one)) for one in people] == rooms
    assert np.ptp(camera_way(), axis=0).max() < 1e-5
    for person, picture in zip(people, pictures, strict=True):
        np.testing.assert_allclose(seen(person)[..., :2], picture[..., :2], atol=5e-4)
    assert bpy.ops.kinelift.still_camera() == {"FINISHED"}
    assert [playing(one) for one in people] == rooms
    for person, picture in zip(people, pictures, strict=True):
        np.testing.assert_allclose(seen(person), picture, atol=1e-4)


def test_edits_by_hand_come_along(moving: bpy.types.Object) -> None:
    curve = next(
        one
        for (path, index), one in curves_of(playing(moving), moving).items()
        if (path, index) == ('pose.bones["head"].rotation_quaternion', 1)
    )
    for key in curve.keyframe_points:
        key.co.y += 0.3
    curve.update()
    bpy.context.scene.frame_set(5)
    before = moving.pose.bones["head"].rotation_quaternion.copy()
    assert bpy.ops.kinelift.still_camera() == {"FINISHED"}
    bpy.context.scene.frame_set(5)
    after = moving.pose.bones["head"].rotation_quaternion
    assert after.normalized().rotation_difference(before.normalized()).angle < 0.01


def test_a_camera_that_keeps_its_place_is_refused(armature: bpy.types.Object) -> None:
    action, files = playing(armature), set(Path(armature.kinelift.motion).parent.rglob("*"))
    with pytest.raises(RuntimeError, match="The camera of walk keeps its place: there is nothing to hold"):
        bpy.ops.kinelift.still_camera()
    assert playing(armature) == action
    assert set(Path(armature.kinelift.motion).parent.rglob("*")) == files


def test_the_file_of_the_still_camera_is_a_capture(moving: bpy.types.Object) -> None:
    assert bpy.ops.kinelift.still_camera() == {"FINISHED"}
    file = str(moving.kinelift.motion)
    held = Capture.load(Path(file))
    assert held.with_still_camera() is held
    assert bpy.ops.kinelift.rebuild(motion=file) == {"FINISHED"}
    assert bpy.context.object != moving
    with pytest.raises(RuntimeError, match="keeps its place"):
        bpy.ops.kinelift.still_camera()
