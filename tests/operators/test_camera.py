"""The buttons of the capture camera, pressed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import pytest

from kinelift.core.files import of_person
from kinelift.operators.build import build
from kinelift.operators.camera import camera_of
from kinelift.tests.motions import random_capture
from kinelift.tests.videos import numbered, write_video


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_camera(armature: bpy.types.Object, tmp_path: Path, there: bool, named: bool) -> None:
    video = tmp_path / "walk.mp4"
    if there:
        write_video(video, numbered(20), 30)
    with bpy.context.temp_override(active_object=armature, object=armature):
        assert bpy.ops.kinelift.add_camera(**({"video": str(video)} if named else {})) == {"FINISHED"}
    camera = bpy.context.scene.camera
    assert camera.parent == armature and {child.type for child in armature.children} == {"CAMERA", "EMPTY"}
    image = camera.data.background_images[0].image
    assert (image.source == "MOVIE") == there and ("missing" in image.name) != there


def test_one_camera_is_enough_for_all_of_a_capture(armature: bpy.types.Object, tmp_path: Path) -> None:
    pair = tmp_path / "pair.motion.npz"
    for number in (1, 2):
        replace(random_capture(5), people=2 if number == 1 else 1).save(of_person(pair, number))
    one, two = build(pair, "pair", bpy.context.scene.name, True)
    assert camera_of(one) is None and camera_of(two) is None
    assert bpy.ops.kinelift.add_camera() == {"FINISHED"}
    shared = bpy.context.scene.camera
    assert shared.parent == one and camera_of(one) == camera_of(two) == shared
    bpy.context.view_layer.objects.active = two
    assert bpy.ops.kinelift.side_by_side() == {"FINISHED"}
    assert "CAMERA" not in [child.type for child in two.children]
    # it may have its own, and others have nothing to do with it
    assert bpy.ops.kinelift.add_camera() == {"FINISHED"}
    assert camera_of(two) == bpy.context.scene.camera != camera_of(one) == shared
    assert camera_of(armature) is None


def test_no_button_of_the_preview_without_a_captured_armature() -> None:
    for name in ("add_body", "bind_mesh", "show_confidence", "add_camera", "view_camera"):
        assert not getattr(bpy.ops.kinelift, name).poll()
