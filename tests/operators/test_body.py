"""The buttons of the body, pressed."""

from __future__ import annotations

import bpy
import pytest

from kinelift.rig.body import body_of


def test_body_and_own_mesh(armature: bpy.types.Object) -> None:
    with bpy.context.temp_override(active_object=armature, object=armature):
        assert bpy.ops.kinelift.add_body() == {"FINISHED"}
        assert bpy.ops.kinelift.show_confidence() == {"FINISHED"}
    body = body_of(armature)
    assert [m.type for m in body.modifiers] == ["ARMATURE", "NODES"]
    with bpy.context.temp_override(active_object=armature, object=armature):
        assert bpy.ops.kinelift.show_confidence() == {"FINISHED"}
    assert [m.type for m in body.modifiers] == ["ARMATURE"]
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
