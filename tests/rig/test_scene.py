from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from kinelift.core.camera import Camera
from kinelift.core.capture import joined
from kinelift.core.errors import CaptureError
from kinelift.rig.scene import build_scene, frame_rate
from kinelift.rig.still import render_still
from kinelift.tests.motions import capture_of, random_capture, random_motion


@pytest.mark.parametrize(
    ("fps", "whole", "base"),
    [
        (5, 5, 1), (23.976, 24, 1.001), (24, 24, 1), (24000 / 1001, 24, 1.001), (25, 25, 1),
        (29.97, 30, 1.001), (30000 / 1001, 30, 1.001), (30.00003, 30, 1), (50, 50, 1), (59.94, 60, 1.001),
        (60, 60, 1), (240, 240, 1),
    ],
)  # fmt: skip
def test_usual_frame_rates(fps: float, whole: int, base: float) -> None:
    assert frame_rate(fps) == (whole, base)


@pytest.mark.parametrize("fps", [7.5, 12.5, 14.985, 29.5, 33.333, 119.88])
def test_any_frame_rate(fps: float) -> None:
    render = bpy.context.scene.render
    render.fps, render.fps_base = frame_rate(fps)
    assert render.fps / render.fps_base == pytest.approx(fps, rel=1e-5)


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (640, 640), (64, 48), (7680, 4320)])
def test_camera_sees_what_filmed(size: tuple[int, int]) -> None:
    capture = random_capture(10, seed=1, size=size)
    motion = capture.motion
    build_scene(capture, "clip")
    scene = bpy.context.scene
    assert (scene.render.resolution_x, scene.render.resolution_y) == size
    for frame in (0, 9):
        expected = capture.camera.project(motion.joints[frame])
        found = [world_to_camera_view(scene, scene.camera, Vector(p)) for p in motion.joints[frame]]
        pixels = np.array([[p.x * size[0], (1 - p.y) * size[1]] for p in found])
        assert np.abs(pixels - expected).max() < 1e-3 * max(size) / 10
    # 28 mm as cameras print it, whichever way the phone was held
    assert scene.camera.data.lens == pytest.approx(28, rel=1e-5)


def test_opens_ready_to_play() -> None:
    motion = random_motion(50, seed=2, fps=29.97)
    armature = build_scene(capture_of(motion), "clip")
    scene = bpy.context.scene
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == (1, 50, 1)
    assert scene.render.fps / scene.render.fps_base == pytest.approx(29.97, rel=1e-5)
    assert armature.name == armature.animation_data.action.name == scene.name == "clip"
    assert bpy.context.object == armature and bpy.context.selected_objects == [armature]
    assert bpy.context.mode == "OBJECT"
    assert {o.type for o in scene.objects} == {"ARMATURE", "CAMERA", "LIGHT", "MESH"}


def test_still_shows_both_sides_and_leaves_the_scene_alone(tmp_path: Path) -> None:
    armature = build_scene(random_capture(30, seed=3), "clip")
    scene = bpy.context.scene
    scene.frame_set(7)
    before = {
        kind: len(getattr(bpy.data, kind)) for kind in ("objects", "meshes", "materials", "scenes", "cameras")
    }
    render_still(tmp_path / "still.png", armature, 15)
    assert before == {kind: len(getattr(bpy.data, kind)) for kind in before}
    assert bpy.context.scene == scene and scene.frame_current == 7
    assert [p.name for p in tmp_path.iterdir()] == ["still.png"]
    picture = bpy.data.images.load(str(tmp_path / "still.png"))
    pixels = np.array(picture.pixels).reshape(picture.size[1], picture.size[0], -1)[..., :3]
    red, blue = pixels[..., 0] - pixels[..., 2] > 0.35, pixels[..., 2] - pixels[..., 0] > 0.35
    assert red.mean() > 0.005 and blue.mean() > 0.005
    # nothing of the figure is cut off
    figure = red | blue
    assert not figure[[0, -1]].any() and not figure[:, [0, -1]].any()


def test_still_that_cannot_be_written(tmp_path: Path) -> None:
    armature = build_scene(random_capture(3), "clip")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CaptureError, match="Can't write"):
        render_still(tmp_path / "file" / "still.png", armature, 1)
    assert [scene.name for scene in bpy.data.scenes] == ["clip"]


def test_every_shot_has_its_camera() -> None:
    one, other = random_capture(12, seed=1), random_capture(8, seed=2, size=(1920, 1080))
    other = replace(
        other, motion=replace(other.motion, offsets=one.motion.offsets), camera=moved(other.camera)
    )
    armature = build_scene(joined([one, other]), "clip")
    scene = bpy.context.scene
    assert [(m.name, m.frame, m.camera.name) for m in scene.timeline_markers] == [
        ("Shot 1", 1, "Camera Shot 1"),
        ("Shot 2", 13, "Camera Shot 2"),
    ]
    assert armature.animation_data.action.name == "clip" and scene.camera.name == "Camera Shot 1"
    eyes = [np.array(bpy.data.objects[f"Camera Shot {number}"].location) for number in (1, 2)]
    np.testing.assert_allclose(eyes, [one.camera.eye, other.camera.eye], atol=1e-5)


def moved(camera: Camera) -> Camera:
    pose = camera.camera_from_world.copy()
    pose[2, 3] += 1
    return replace(camera, camera_from_world=pose)
