"""The buttons of the capture camera, pressed."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

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


def test_no_button_of_the_preview_without_a_captured_armature() -> None:
    for name in ("add_body", "bind_mesh", "show_confidence", "add_camera", "view_camera"):
        assert not getattr(bpy.ops.kinelift, name).poll()
