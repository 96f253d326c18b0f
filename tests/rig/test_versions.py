"""What differs between the versions of Blender."""

from __future__ import annotations

import bpy

from kinelift.rig.versions import current_window
from kinelift.tests.rig.retarget.characters import generated_rigify


def test_the_window_is_its_managers_after_rigify() -> None:
    """Blender 4.2's context says that it belongs to a data-block, and writes to that when it is gone."""
    generated_rigify()
    window = current_window()
    assert window == bpy.context.window and window.id_data == bpy.context.window_manager
