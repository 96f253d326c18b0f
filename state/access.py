"""The add-on's settings, preferences and folders, as operators and panels reach them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..core.runtime import find_python, installed_python

if TYPE_CHECKING:
    from .preferences import Preferences
    from .retarget import SceneRetarget
    from .scene import SceneSettings

#: Blender's name for this add-on: `kinelift`, or `bl_ext.<repository>.kinelift`
ADDON = __package__.rpartition(".")[0]
#: the tab of its panels in the sidebar
TAB = "Kinelift"


def preferences(context: bpy.types.Context) -> Preferences:
    """The add-on's preferences."""
    found: Preferences = context.preferences.addons[ADDON].preferences
    return found


def settings(context: bpy.types.Context) -> SceneSettings:
    """The scene's settings."""
    found: SceneSettings = context.scene.kinelift
    return found


def retarget_settings(context: bpy.types.Context) -> SceneRetarget:
    """The scene's settings for retargeting."""
    found: SceneRetarget = context.scene.kinelift_retarget
    return found


def worker_python(context: bpy.types.Context) -> Path:
    """The Python that captures.

    Raises
    ------
    CaptureError
        If no Python has the packages, or the chosen one lacks some.
    """
    return find_python(preferences(context).python, installed_python(runtime_folder()))


def runtime_folder() -> Path:
    """The folder into which the add-on installs a runtime on request; it may not exist."""
    return Path(bpy.utils.extension_path_user(ADDON, path="runtime"))


def captures_folder(context: bpy.types.Context) -> Path:
    """The cache folder for captured motions; it may not exist yet."""
    chosen = preferences(context).cache_folder
    if chosen:
        return Path(bpy.path.abspath(chosen)).absolute()
    return Path(bpy.utils.extension_path_user(ADDON, path="captures"))


def redraw_sidebars(context: bpy.types.Context) -> None:
    """Redraw the sidebars of all 3D viewports."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI" and region.width > 1:
                        region.tag_redraw()


def active_armature(context: bpy.types.Context) -> Any:
    """The armature that the artist means by the active object: itself, or the one that moves it; or None.

    A mesh is moved by the armature of its modifier; it, and everything else, by the one it hangs on.
    """
    return _armature_of(context.active_object)


def _armature_of(obj: Any) -> Any:
    if obj is None or obj.type == "ARMATURE":
        return obj
    if (deforming := obj.find_armature()) is not None:
        return deforming
    while obj is not None and obj.type != "ARMATURE":
        obj = obj.parent
    return obj


def selected_armatures(context: bpy.types.Context) -> list[Any]:
    """The armatures that the artist means by the selection: the active one, then the others by name."""
    active = active_armature(context)
    found = {_armature_of(obj) for obj in context.selected_objects} - {None, active}
    return [*([active] if active is not None else []), *sorted(found, key=lambda one: one.name)]


def over_tab(context: bpy.types.Context, event: bpy.types.Event) -> bool:
    """Whether the pointer is over Kinelift's tab in a sidebar."""
    return any(
        0 <= event.mouse_x - region.x < region.width and 0 <= event.mouse_y - region.y < region.height
        for area in context.window.screen.areas
        if area.type == "VIEW_3D"
        for region in area.regions
        if region.type == "UI" and region.width > 1 and region.active_panel_category == TAB
    )


def captured(context: bpy.types.Context) -> Any:
    """`active_armature` if it was captured from a video, else None."""
    armature = active_armature(context)
    return armature if armature is not None and armature.kinelift.motion else None
