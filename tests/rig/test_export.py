from __future__ import annotations

import json
import resource
import struct
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

from kinelift.core.errors import CaptureError
from kinelift.core.motion import Motion
from kinelift.core.options import FORMATS
from kinelift.core.skeleton import JOINTS
from kinelift.rig.export import export
from kinelift.rig.scene import build_scene
from kinelift.rig.still import render_still
from kinelift.rig.versions import mend_context
from kinelift.tests.motions import capture_of, random_motion

Heads = Callable[..., np.ndarray]
FRAMES = 40
#: an ordinary name from an artist's disk
FOLDER = 'J\'ai "dansé" ça 舞'


def write(kind: str, folder: Path, motion: Motion) -> Path:
    path = folder / FOLDER / f"clip.{kind}"
    export(kind, path, [build_scene(capture_of(motion), "clip")], motion)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    mend_context()
    return path


def only_armature() -> bpy.types.Object:
    (armature,) = (o for o in bpy.data.objects if o.type == "ARMATURE")
    assert {bone.name for bone in armature.data.bones} == set(JOINTS)
    return armature


def first_key() -> int:
    (action,) = bpy.data.actions
    first, last = action.frame_range
    assert last - first == pytest.approx(FRAMES - 1, abs=1e-3)
    return round(first)


def test_blend_opens_and_plays(tmp_path: Path, heads: Heads) -> None:
    motion = random_motion(FRAMES, seed=1, fps=29.97)
    path = write("blend", tmp_path, motion)
    bpy.ops.wm.open_mainfile(filepath=str(path))
    scene = bpy.context.scene
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == (1, FRAMES, 1)
    assert scene.render.fps / scene.render.fps_base == pytest.approx(29.97, rel=1e-5)
    assert scene.camera is not None
    assert np.abs(heads(only_armature(), range(1, FRAMES + 1)) - motion.joints).max() < 1e-4


def test_fbx_comes_back(tmp_path: Path, heads: Heads) -> None:
    motion = random_motion(FRAMES, seed=2)
    path = write("fbx", tmp_path, motion)
    bpy.context.scene.render.fps = 30
    bpy.ops.import_scene.fbx(filepath=str(path))
    armature, first = only_armature(), first_key()
    np.testing.assert_allclose(armature.matrix_world.to_scale(), 1, rtol=1e-5)
    assert np.abs(heads(armature, range(first, first + FRAMES)) - motion.joints).max() < 1e-3


def test_glb_comes_back(tmp_path: Path, heads: Heads) -> None:
    motion = random_motion(FRAMES, seed=3)
    path = write("glb", tmp_path, motion)
    bpy.context.scene.render.fps = 30
    bpy.ops.import_scene.gltf(filepath=str(path))
    armature, first = only_armature(), first_key()
    assert first == 0
    assert np.abs(heads(armature, range(FRAMES)) - motion.joints).max() < 1e-3


def test_bvh_comes_back_in_blender(tmp_path: Path, heads: Heads) -> None:
    motion = random_motion(FRAMES, seed=4, fps=60)
    path = write("bvh", tmp_path, motion)
    bpy.ops.import_anim.bvh(filepath=str(path), rotate_mode="QUATERNION", update_scene_fps=True)
    assert bpy.context.scene.render.fps / bpy.context.scene.render.fps_base == pytest.approx(60, rel=1e-4)
    assert np.abs(heads(only_armature(), range(1, FRAMES + 1)) - motion.joints).max() < 1e-4


def glb_header(path: Path) -> dict:
    data = path.read_bytes()
    (length,) = struct.unpack("<I", data[12:16])
    return json.loads(data[20 : 20 + length])


@pytest.mark.parametrize("fps", [24, 29.97, 59.94, 12.5])
def test_glb_has_one_animation_at_the_right_speed(tmp_path: Path, fps: float) -> None:
    header = glb_header(write("glb", tmp_path, random_motion(FRAMES, fps=fps)))
    (animation,) = header["animations"]
    assert animation["name"] == "clip"
    times = header["accessors"][animation["samplers"][0]["input"]]
    assert times["min"] == [0]
    assert times["max"][0] == pytest.approx((FRAMES - 1) / fps, rel=1e-4)
    assert not header.get("cameras") and "KHR_lights_punctual" not in header.get("extensionsUsed", [])


@pytest.mark.parametrize("fps", [24, 29.97, 59.94, 12.5])
def test_fbx_has_the_right_speed(tmp_path: Path, fps: float) -> None:
    path = write("fbx", tmp_path, random_motion(FRAMES, fps=fps))
    bpy.ops.import_scene.fbx(filepath=str(path))
    (action,) = bpy.data.actions
    first, last = action.frame_range
    # Blender's importer places the seconds of the file by `fps` without `fps_base`
    assert (last - first) / bpy.context.scene.render.fps == pytest.approx((FRAMES - 1) / fps, rel=1e-4)


@pytest.mark.parametrize("kind", FORMATS)
def test_what_cannot_be_written_is_told(tmp_path: Path, kind: str) -> None:
    motion = random_motion(3)
    armature = build_scene(capture_of(motion), "clip")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CaptureError, match="Can't write"):
        export(kind, tmp_path / "file" / f"clip.{kind}", [armature], motion)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*FORMATS, "png"])
def test_a_full_disk_leaves_no_half_a_file(tmp_path: Path, kind: str) -> None:
    motion = random_motion(60)
    armature = build_scene(capture_of(motion), "clip")
    path = tmp_path / f"clip.{kind}"
    path.write_text("an earlier file")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # no file can grow further
    try:
        with pytest.raises(CaptureError) as caught:
            if kind == "png":
                render_still(path, armature, 3)
            else:
                export(kind, path, [armature], motion)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["an earlier file"]


@pytest.mark.parametrize("kind", FORMATS)
def test_exporting_changes_nothing_in_the_scene(tmp_path: Path, kind: str) -> None:
    motion = random_motion(12, fps=29.97)
    armature = build_scene(capture_of(motion), "clip")
    scene = bpy.context.scene
    scene.frame_set(5)

    def state() -> tuple:
        render = scene.render
        names = sorted(o.name for o in bpy.data.objects)
        return (scene.frame_current, scene.frame_start, scene.frame_end, render.fps, render.fps_base, names,
                len(bpy.data.actions), armature.animation_data.action.name)  # fmt: skip

    before = state()
    export(kind, tmp_path / f"clip.{kind}", [armature], motion)
    assert state() == before
