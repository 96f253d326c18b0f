"""Through the capture camera the armature lies on the person, and the video runs with it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import bpy
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Matrix, Vector

from kinelift.core.capture import Capture, Source
from kinelift.core.errors import CaptureError
from kinelift.inference.video import VideoReader
from kinelift.rig.camera import add_camera, add_floor, find_video, show_video
from kinelift.rig.scene import build_scene, frame_rate
from kinelift.rig.versions import current_window
from kinelift.tests.motions import random_capture
from kinelift.tests.videos import encoded, number, numbered, turned, write_video

SIZE = (64, 48)


def scene_of(capture: Capture, fps: float) -> bpy.types.Scene:
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = frame_rate(fps)
    scene.frame_start, scene.frame_end = 1, int((len(capture) - 1) * fps / capture.motion.fps) + 1
    return scene


def shown(background: bpy.types.CameraBackgroundImage, frames: list[int], folder: Path) -> list[int]:
    """Numbers of the video's frames that Blender shows: the background on a plane, rendered."""
    curve = None
    data = background.id_data
    if data.animation_data is not None and data.animation_data.action is not None:
        action = data.animation_data.action
        bag = action
        if hasattr(action, "slots"):
            bag = action.layers[0].strips[0].channelbag(data.animation_data.action_slot)
        (curve,) = bag.fcurves
    scene = bpy.data.scenes.new("Test")
    mesh = bpy.data.meshes.new("Plane")
    mesh.from_pydata(
        [(-0.5, -0.375, 0), (0.5, -0.375, 0), (0.5, 0.375, 0), (-0.5, 0.375, 0)], [], [(0, 1, 2, 3)]
    )
    layer = mesh.uv_layers.new()
    layer.data.foreach_set("uv", [0, 0, 1, 0, 1, 1, 0, 1])
    material = bpy.data.materials.new("Plane")
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    texture, glow, out = (
        nodes.new(f"ShaderNode{kind}") for kind in ("TexImage", "Emission", "OutputMaterial")
    )
    material.node_tree.links.new(texture.outputs["Color"], glow.inputs["Color"])
    material.node_tree.links.new(glow.outputs[0], out.inputs["Surface"])
    texture.image = background.image
    mesh.materials.append(material)
    scene.collection.objects.link(bpy.data.objects.new("Plane", mesh))
    camera = bpy.data.objects.new("Above", bpy.data.cameras.new("Above"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", 1.0
    camera.location.z = 1
    scene.collection.objects.link(camera)
    scene.camera = camera
    render = scene.render
    render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
    render.resolution_x, render.resolution_y = SIZE
    render.image_settings.file_format = "PNG"
    scene.view_settings.view_transform = "Standard"
    numbers = []
    current_window().scene = scene
    for frame in frames:
        theirs, ours = background.image_user, texture.image_user
        for name in ("frame_start", "frame_duration", "use_auto_refresh", "use_cyclic"):
            setattr(ours, name, getattr(theirs, name))
        ours.frame_offset = theirs.frame_offset if curve is None else round(curve.evaluate(frame))
        scene.frame_set(frame)
        render.filepath = str(folder / "shown.png")
        bpy.ops.render.render(write_still=True, scene=scene.name)
        picture = bpy.data.images.load(render.filepath)
        pixels = np.array(picture.pixels).reshape(SIZE[1], SIZE[0], -1)[::-1, :, :3]
        numbers.append(number((255 * pixels).astype(np.uint8)))
        bpy.data.images.remove(picture)
    return numbers


def beginning(capture: Capture, start: float) -> Capture:
    """The same from another second of the video."""
    return replace(capture, motion=replace(capture.motion, start=start))


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "it's a vidéo.mp4", numbered(60), 30)


@pytest.mark.parametrize(
    ("fps", "start", "scene_fps", "frames", "expected"),
    [
        (30.0, 0.0, 30.0, [1, 2, 40], [0, 1, 39]),
        (30.0, 0.5, 30.0, [1, 20], [15, 34]),
        (15.0, 0.2, 15.0, [1, 2, 3, 10], [6, 8, 10, 24]),
        (30.0, 0.0, 24.0, [1, 2, 3, 21], [0, 1, 2, 25]),
        (30.0, 0.0, 60.0, [1, 2, 3, 41], [0, 0, 1, 20]),
    ],
)
def test_the_video_runs_with_the_motion(
    video: Path,
    tmp_path: Path,
    fps: float,
    start: float,
    scene_fps: float,
    frames: list[int],
    expected: list[int],
) -> None:
    capture = beginning(random_capture(20 if fps == 15 else 45, fps=fps, size=SIZE), start)
    scene = scene_of(capture, scene_fps)
    camera = add_camera(scene, capture.camera)
    assert show_video(camera, scene, capture, video) == ""
    (background,) = camera.data.background_images
    assert camera.data.show_background_images and background.show_background_image
    assert (background.source, background.frame_method, background.display_depth) == ("IMAGE", "FIT", "BACK")
    assert shown(background, frames, tmp_path) == expected


def test_movie_clip(video: Path) -> None:
    capture = beginning(random_capture(20, size=SIZE), 0.5)
    scene = scene_of(capture, 30)
    camera = add_camera(scene, capture.camera)
    show_video(camera, scene, capture, video)
    assert show_video(camera, scene, capture, video, "MOVIE_CLIP") == ""
    (background,) = camera.data.background_images
    clip = background.clip
    assert background.source == "MOVIE_CLIP" and tuple(clip.size) == SIZE
    # Blender shows frame - frame_start + 1 + frame_offset, the first is 1
    assert 1 - clip.frame_start + 1 + clip.frame_offset == 16
    scene.render.fps = 24
    with pytest.raises(CaptureError, match="background image"):
        show_video(camera, scene, capture, video, "MOVIE_CLIP")
    assert camera.data.background_images[0].clip == clip


@pytest.mark.parametrize("kind", ["IMAGE", "MOVIE_CLIP"])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_phone_that_was_held_another_way(video: Path, kind: str, degrees: int) -> None:
    if degrees:
        turned(video, degrees)
    upright = SIZE if degrees % 180 == 0 else SIZE[::-1]
    capture = random_capture(5, size=upright)
    scene = scene_of(capture, 30)
    camera = add_camera(scene, capture.camera)
    capture = replace(capture, source=Source(turn=VideoReader(video).turn))
    assert capture.source.turn == degrees
    assert show_video(camera, scene, capture, video, kind) == ""
    assert (scene.render.resolution_x, scene.render.resolution_y) == upright
    (background,) = camera.data.background_images
    shows = np.array((background.clip if kind == "MOVIE_CLIP" else background.image).size)
    if bpy.app.version >= (4, 4):  # Blender turns it itself
        assert tuple(shows) == upright and background.rotation == 0 and background.scale == 1
        return
    assert np.degrees(background.rotation) == pytest.approx(degrees)
    # fitted into the picture, then turned and scaled it fills it
    fitted = shows * min(np.array(upright) / shows) * background.scale
    np.testing.assert_allclose(fitted[::-1] if degrees % 180 else fitted, upright, rtol=1e-5)


@pytest.mark.parametrize("kind", ["IMAGE", "MOVIE_CLIP"])
def test_numbered_pictures_behind_what_they_show(tmp_path: Path, kind: str) -> None:
    for index, image in enumerate(numbered(20)):
        cv2.imwrite(str(tmp_path / f"walk_{index + 98:03d}.png"), image)
    capture = beginning(random_capture(10, size=SIZE), 5 / 30)
    scene = scene_of(capture, 30)
    camera = add_camera(scene, capture.camera)
    assert show_video(camera, scene, capture, tmp_path / "walk_%03d.png", kind) == ""
    (background,) = camera.data.background_images
    if kind == "MOVIE_CLIP":  # Blender counts from the first picture
        assert background.clip.source == "SEQUENCE" and background.clip.frame_offset == 5
    else:
        user = background.image_user
        assert background.image.source == "SEQUENCE"
        assert 1 - user.frame_start + 1 + user.frame_offset == 98 + 5
        assert shown(background, [1, 4], tmp_path) == [5, 8]


@pytest.mark.parametrize("kind", ["IMAGE", "MOVIE_CLIP"])
def test_a_front_camera_with_wide_pixels_behind_what_it_saw(tmp_path: Path, kind: str) -> None:
    video = turned(encoded(tmp_path / "front.mp4", numbered(5), "mpeg4", Fraction(4, 3)), 0, mirrored=True)
    reader = VideoReader(video)
    capture = random_capture(5, size=reader.size)
    capture = replace(capture, source=Source(turn=reader.turn, mirrored=reader.mirrored))
    scene = scene_of(capture, 30)
    camera = add_camera(scene, capture.camera)
    assert show_video(camera, scene, capture, video, kind) == ""
    (background,) = camera.data.background_images
    shows = background.clip if kind == "MOVIE_CLIP" else background.image
    assert background.use_flip_x and background.scale == 1
    # Blender takes the mirror for a turn by 180 degrees, which is undone
    assert np.degrees(background.rotation) == pytest.approx(180 if bpy.app.version >= (4, 4) else 0)
    assert shows.display_aspect[0] / shows.display_aspect[1] == pytest.approx(4 / 3, rel=0.01)


def test_the_video_is_found_where_it_was_and_where_it_was_brought(tmp_path: Path) -> None:
    home, beside, other = (tmp_path / name for name in ("home", "beside", "other"))
    source = Source("a walk.mp4", str(home))
    assert find_video(source, other, beside) == home / "a walk.mp4"
    for folder in (beside, home):
        folder.mkdir()
        (folder / "a walk.mp4").touch()
        assert find_video(source, other, beside) == folder / "a walk.mp4"
    source = Source("a walk.mp4")
    assert find_video(source, beside) == beside / "a walk.mp4"
    assert find_video(source) == Path("a walk.mp4")


@pytest.mark.parametrize("kind", ["IMAGE", "MOVIE_CLIP"])
@pytest.mark.parametrize("saved_before", [True, False])
def test_the_file_is_moved_with_its_video(tmp_path: Path, kind: str, saved_before: bool) -> None:
    (tmp_path / "shot" / "in").mkdir(parents=True)
    video = write_video(tmp_path / "shot" / "in" / "walk.mp4", numbered(10), 30)
    file = str(tmp_path / "shot" / "walk.blend")
    capture = random_capture(5, size=SIZE)
    scene = scene_of(capture, 30)
    if saved_before:
        bpy.ops.wm.save_as_mainfile(filepath=file)
    show_video(add_camera(scene, capture.camera), scene, capture, video, kind)
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    (tmp_path / "shot").rename(tmp_path / "elsewhere")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "elsewhere" / "walk.blend"))
    (background,) = bpy.context.scene.camera.data.background_images
    shown_there = background.clip if kind == "MOVIE_CLIP" else background.image
    assert tuple(shown_there.size) == SIZE
    assert Path(bpy.path.abspath(shown_there.filepath)).is_relative_to(tmp_path / "elsewhere")


@pytest.mark.parametrize("kind", ["IMAGE", "MOVIE_CLIP"])
@pytest.mark.parametrize("content", [None, b"no video"])
@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (64, 48)])
def test_a_video_that_is_gone(
    tmp_path: Path, kind: str, content: bytes | None, size: tuple[int, int]
) -> None:
    capture = random_capture(3, size=size)
    scene = scene_of(capture, 30)
    camera = add_camera(scene, capture.camera)
    gone = tmp_path / "walk_1.mp4"
    if content:
        gone.write_bytes(content)
    assert "walk_1.mp4 is not there or can't be read" in show_video(camera, scene, capture, gone, kind)
    (background,) = camera.data.background_images
    assert background.image.name == "walk_1.mp4 is missing"
    width, height = background.image.size
    assert width / height == pytest.approx(size[0] / size[1], rel=0.01)
    pixels = np.array(background.image.pixels).reshape(height, width, 4)
    text = pixels[..., 0] > 0.5
    assert 0.001 < text.mean() < 0.2 and not text[: height // 4].any()
    bpy.context.view_layer.update()
    seen = [world_to_camera_view(scene, camera, Vector(p)) for p in capture.motion.joints[0]]
    expected = capture.camera.project(capture.motion.joints[0])
    np.testing.assert_allclose([[p.x * size[0], (1 - p.y) * size[1]] for p in seen], expected, atol=0.2)


def test_camera_and_floor_go_with_the_armature() -> None:
    capture = random_capture(3)
    armature = build_scene(capture, "clip")
    scene = bpy.context.scene
    camera, floor = add_camera(scene, capture.camera, armature), add_floor(scene, capture.motion, armature)
    armature.matrix_world = Matrix.LocRotScale(Vector((3, -1, 0.5)), Matrix.Rotation(1, 3, "Z"), None)
    scene.frame_set(2)

    def pixels(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        found = [world_to_camera_view(scene, camera, armature.matrix_world @ Vector(p)) for p in points]
        return np.array([[p.x * 1920, (1 - p.y) * 1080] for p in found])

    joints = capture.motion.joints[1]
    np.testing.assert_allclose(pixels(joints), capture.camera.project(joints), atol=0.2)
    place = armature.matrix_world.inverted() @ floor.matrix_world.translation
    np.testing.assert_allclose(place, [*capture.motion.root[0, :2], 0], atol=1e-5)
    # the circle lies flat
    assert abs((floor.matrix_world.to_3x3() @ Vector((1, 0, 0))).z) < 1e-6
    assert abs((floor.matrix_world.to_3x3() @ Vector((0, 0, 1))).z) < 1e-6
