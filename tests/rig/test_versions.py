"""What differs between the versions of Blender."""

from __future__ import annotations

import bpy

from kinelift.rig.versions import current_window, mend_context
from kinelift.tests.rig.retarget.characters import generated_rigify


def test_the_window_is_its_managers_after_rigify() -> None:
    """Blender 4.2's context says that it belongs to a data-block, and writes to that when it is gone."""
    generated_rigify()
    window = current_window()
    assert window == bpy.context.window and window.id_data == bpy.context.window_manager


def test_the_context_belongs_to_nobody_who_is_gone() -> None:
    generated_rigify()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    mend_context()
    owner = bpy.context.window.id_data
    assert owner in (None, bpy.context.scene, bpy.context.window_manager)
