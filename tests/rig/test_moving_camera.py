"""A capture camera that moved is animated: it sees in every frame what filmed, and goes with the motion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import numpy.typing as npt
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Matrix, Vector

from kinelift.core.capture import Capture, joined
from kinelift.core.options import CleanUp
from kinelift.core.rotations import axis_angle, quaternion_from_matrix
from kinelift.rig.action import animate
from kinelift.rig.armature import build_armature
from kinelift.rig.camera import add_cameras, fit_cameras, show_video
from kinelift.rig.result import renew_result
from kinelift.rig.scene import build_scene
from kinelift.rig.takes import playing
from kinelift.rig.versions import curves_of
from kinelift.tests.motions import filmed_moving, random_capture
from kinelift.tests.videos import numbered, write_video

FRAMES = 60
SIZE = (1920, 1080)


def panning(frames: int = FRAMES, size: tuple[int, int] = SIZE) -> Capture:
    """Somebody filmed by a camera that pans by 40 degrees, zooms in by a half and travels 1.5 metres."""
    share = np.linspace(0, 1, frames)
    turns = axis_angle(np.tile([0.0, 1, 0], (frames, 1)), np.radians(40) * (share - 0.5))
    return replace(
        random_capture(frames, seed=1, size=size),
        camera_turns=quaternion_from_matrix(turns),
        camera_places=np.outer(share, [1.5, 0, 0]) - [0.75, 0, 0],
        camera_zooms=1 + share / 2,
    )


def room() -> npt.NDArray[np.float64]:
    """Points all about the person."""
    return np.random.default_rng(0).uniform([-2, -1, 0], [2, 2, 2], (20, 3))


def seen(
    placed: bpy.types.Object, points: npt.NDArray[np.float64], world: Matrix | None = None
) -> npt.NDArray[np.float64]:
    """Where Blender sees points (K, 3) through a camera now, in pixels (K, 2)."""
    scene = bpy.context.scene
    width, height = scene.render.resolution_x, scene.render.resolution_y
    found = [world_to_camera_view(scene, placed, (world or Matrix()) @ Vector(point)) for point in points]
    return np.array([[p.x * width, (1 - p.y) * height] for p in found])


def off(placed: bpy.types.Object, capture: Capture, first: int = 1, world: Matrix | None = None) -> float:
    """How far what Blender sees is off what filmed, the most in any frame, pixels; frames are the scene's."""
    points = room()
    wanted = capture.cameras.project(np.tile(points, (len(capture), 1, 1)))
    found = []
    for frame in range(len(capture)):
        bpy.context.scene.frame_set(first + frame)
        found.append(np.abs(seen(placed, points, world) - wanted[frame]).max())
    return float(max(found))


@pytest.mark.parametrize("size", [SIZE, SIZE[::-1]])
def test_blender_sees_what_filmed_in_every_frame(size: tuple[int, int]) -> None:
    capture = panning(size=size)
    build_scene(capture, "clip")
    camera = bpy.context.scene.camera
    assert off(camera, capture) < 0.05
    assert playing(camera).name == "Camera" and playing(camera.data).name == "Camera Lens"
    # the person, too
    bpy.context.scene.frame_set(31)
    joints = capture.motion.joints[30]
    np.testing.assert_allclose(
        seen(camera, joints), capture.cameras.project(capture.motion.joints)[30], atol=0.05
    )


def test_any_path() -> None:
    capture = filmed_moving(random_capture(FRAMES, seed=3), seed=4)
    build_scene(capture, "clip")
    assert off(bpy.context.scene.camera, capture) < 0.05


def test_a_camera_that_turns_round_and_round() -> None:
    share = np.linspace(0, 5 * np.pi, 200)
    turns = quaternion_from_matrix(axis_angle(np.tile([0.0, 1, 0], (200, 1)), share))
    capture = replace(random_capture(200), camera_turns=turns)
    build_scene(capture, "clip")
    camera = bpy.context.scene.camera
    curves = curves_of(playing(camera), camera)
    steps = [np.diff([curves["rotation_quaternion", i].evaluate(f) for f in range(1, 201)]) for i in range(4)]
    assert np.abs(steps).max() < 0.05


@pytest.mark.parametrize("fps", [24.0, 25.0, 60.0, 15.0])
def test_a_scene_of_another_rate(fps: float) -> None:
    capture = panning()
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = int(fps), 1.0
    armature = build_armature("clip", capture.motion.offsets, scene.collection)
    action = animate(armature, capture.motion, "clip", fps)
    (camera,) = add_cameras(scene, capture, armature)
    curves = curves_of(playing(camera), camera)
    # the motion's own frames of the scene
    hips = curves_of(action, armature)['pose.bones["hips"].location', 0]
    at = [key.co.x for key in hips.keyframe_points]
    for curve in (*curves.values(), *curves_of(playing(camera.data), camera.data).values()):
        assert [key.co.x for key in curve.keyframe_points] == at
    points = room()
    for frame in range(0, 55, 6):  # a fifth of a second of the video
        pose = capture.cameras.project(np.tile(points, (FRAMES, 1, 1)))[frame]
        at_frame = 1 + frame * fps / 30
        scene.frame_set(int(at_frame), subframe=at_frame % 1)
        assert np.abs(seen(camera, points) - pose).max() < 0.5


def test_it_goes_with_the_armature() -> None:
    capture = panning(10)
    armature = build_scene(capture, "clip")
    (camera,) = add_cameras(bpy.context.scene, capture, armature)
    armature.matrix_world = Matrix.LocRotScale(Vector((3, -1, 0.5)), Matrix.Rotation(1, 3, "Z"), None)
    bpy.context.view_layer.update()
    assert off(camera, capture, world=armature.matrix_world) < 0.05


def test_a_still_camera_has_no_action() -> None:
    capture = random_capture(10)
    armature = build_scene(capture, "clip")
    (camera,) = add_cameras(bpy.context.scene, capture, armature)
    for one in (camera, bpy.data.objects["Camera"]):
        assert one.animation_data is None and one.data.animation_data is None
    assert camera.rotation_mode == "XYZ"


def test_what_does_not_change_has_no_keys() -> None:
    build_scene(replace(panning(10), camera_zooms=np.ones(10)), "clip")
    camera = bpy.context.scene.camera
    assert playing(camera) is not None and camera.data.animation_data is None
    zooming = panning(10).with_still_camera()
    build_scene(zooming, "clip")
    camera = bpy.context.scene.camera
    assert camera.animation_data is None and playing(camera.data) is not None
    assert off(camera, zooming) < 0.05


def test_each_shot_has_its_way() -> None:
    still, moving = random_capture(12, seed=1), panning(10)
    moving = replace(moving, motion=replace(moving.motion, offsets=still.motion.offsets))
    build_scene(joined([still, moving]), "clip")
    one, other = (bpy.data.objects[f"Camera Shot {number}"] for number in (1, 2))
    assert one.animation_data is None
    assert playing(other).name == "Camera Shot 2" and tuple(playing(other).frame_range) == (13, 22)
    assert off(one, still) < 0.05 and off(other, moving, first=13) < 0.05


def test_the_video_keeps_its_time_behind_a_lens_that_zooms(tmp_path: Path) -> None:
    video = write_video(tmp_path / "walk.mp4", numbered(60), 30)
    capture = panning(60, (64, 48))
    scene = bpy.context.scene
    scene.render.fps, scene.frame_end = 24, 48
    (camera,) = add_cameras(scene, capture)
    for _ in range(2):
        assert show_video(camera, scene, capture, video) == ""
        curves = curves_of(playing(camera.data), camera.data)
        assert {path for path, _ in curves} == {"lens", "background_images[0].image_user.frame_offset"}
    scene.frame_set(25)
    background = camera.data.background_images[0]
    assert background.image_user.frame_offset + 25 == 31
    assert camera.data.lens == pytest.approx(28 * capture.camera_zooms[30], rel=1e-3)
    # at the video's own rate only the zoom is left
    scene.render.fps = 30
    show_video(camera, scene, capture, video)
    assert {path for path, _ in curves_of(playing(camera.data), camera.data)} == {"lens"}


def test_it_follows_another_solve_and_back() -> None:
    first, second = panning(20), filmed_moving(random_capture(20, seed=1), seed=9)
    still = random_capture(20, seed=1)
    armature = build_scene(first, "clip")
    bpy.data.objects.remove(bpy.context.scene.camera)
    (camera,) = add_cameras(bpy.context.scene, first, armature)
    actions = sum(one.users > 0 for one in bpy.data.actions)
    renew_result(armature, second, CleanUp(feet=False), 30.0)
    assert off(camera, second) < 0.05
    fit_cameras(armature, still, 30.0)
    assert camera.animation_data is None and camera.data.animation_data is None
    assert off(camera, still) < 0.05
    fit_cameras(armature, first, 30.0, first=11)
    assert off(camera, first, first=11) < 0.05
    # a new raw and a new cleaned motion, and no camera's action is left that would be saved
    assert sum(one.users > 0 for one in bpy.data.actions) == actions + 2


def test_a_camera_that_the_artist_animated_stays(tmp_path: Path) -> None:
    first, second = panning(20), filmed_moving(random_capture(20, seed=1), seed=9)
    armature = build_scene(first, "clip")
    cameras = [add_cameras(bpy.context.scene, first, armature)[0] for _ in range(5)]
    moved, zoomed, shaken, freed, own = cameras
    curves_of(playing(moved), moved)["location", 0].keyframe_points[3].co.y += 0.2
    curves_of(playing(zoomed.data), zoomed.data)["lens", 0].keyframe_points[3].co.y += 5
    shaken.animation_data.nla_tracks.new()
    freed.animation_data_clear()
    own.data.dof.keyframe_insert("focus_distance", frame=1)  # nothing that Kinelift sets
    names = [one.name for one in cameras]
    path = str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    moved, zoomed, shaken, freed, own = (bpy.data.objects[name] for name in names)
    armature = bpy.data.objects["clip"]
    keys = {one: curves_of(playing(one), one)["location", 0].evaluate(9) for one in (moved, zoomed, shaken)}
    fit_cameras(armature, second, 30.0)
    for one, value in keys.items():
        assert curves_of(playing(one), one)["location", 0].evaluate(9) == value
    assert freed.animation_data is None or freed.animation_data.action is None
    assert off(own, second) < 0.05
    assert ("dof.focus_distance", 0) in curves_of(playing(own.data), own.data)


def test_a_shot_shorter_than_a_frame_of_the_scene() -> None:
    """Nothing of it is shown, and its camera is where the shot's is."""
    long, short = panning(13), panning(1)
    shots = [long, replace(short, motion=replace(short.motion, offsets=long.motion.offsets)), long]
    capture, scene = joined(shots), bpy.context.scene
    scene.render.fps = 5
    _, camera, _ = add_cameras(scene, capture)
    scene.frame_set(2)
    bpy.context.view_layer.update()
    np.testing.assert_allclose(camera.matrix_world.translation, short.camera.eye, atol=1e-5)
    assert camera.data.lens == pytest.approx(28, rel=1e-5)
