"""The preview's buttons, pressed."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

from kinelift.operators.build import build
from kinelift.rig.body import body_of
from kinelift.tests.motions import random_motion
from kinelift.tests.videos import numbered, write_video


@pytest.fixture
def armature(tmp_path: Path) -> bpy.types.Object:
    motion = random_motion(10, size=(64, 48))
    motion.settings.update(video="walk.mp4", folder=str(tmp_path / "clips"))
    motion.save(tmp_path / "walk.motion.npz")
    built = build(tmp_path / "walk.motion.npz", "walk", bpy.context.scene.name, True)
    assert isinstance(built, bpy.types.Object)
    return built


def test_body_and_own_mesh(armature: bpy.types.Object) -> None:
    with bpy.context.temp_override(active_object=armature, object=armature):
        assert bpy.ops.kinelift.add_body() == {"FINISHED"}
        assert bpy.ops.kinelift.show_confidence() == {"FINISHED"}
    body = body_of(armature)
    assert [m.type for m in body.modifiers] == ["ARMATURE", "NODES"]
    mesh = bpy.data.objects.new("Mine", body.data.copy())
    mesh.vertex_groups.clear()
    bpy.context.scene.collection.objects.link(mesh)
    for selected, said in (([armature], "No mesh is selected"), ([armature, body], "bound to walk already")):
        with (
            bpy.context.temp_override(active_object=armature, object=armature, selected_objects=selected),
            pytest.raises(RuntimeError, match=said),
        ):
            bpy.ops.kinelift.bind_mesh(by_distance=True)
    with bpy.context.temp_override(
        active_object=armature, object=armature, selected_objects=[armature, mesh]
    ):
        assert bpy.ops.kinelift.bind_mesh(by_distance=True) == {"FINISHED"}
    assert mesh.parent == armature


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


def test_nothing_to_press_without_a_captured_armature() -> None:
    for name in ("add_body", "bind_mesh", "show_confidence", "add_camera", "view_camera"):
        assert not getattr(bpy.ops.kinelift, name).poll()
