"""Two viewports in place of one: through the capture camera, and beside it the body from the side."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
from mathutils import Quaternion, Vector

from ..core.arrays import Floats
from ..core.camera import FILM_WIDTH_MM

#: custom property of a screen: what its viewport showed before it was divided
_BEFORE = "kinelift_side_by_side"
#: what is framed fills this share of the viewport
_FILLED = 0.85
#: Blender shows so many times as much in a viewport as a camera with its lens would
_WIDER = 2.0
#: pixels of a viewport's width and height
_Size = tuple[float, float]


def divided(screen: bpy.types.Screen) -> tuple[Any, Any] | None:
    """The two viewports that `divide` made of one, the camera's first; None if it is one (again)."""
    if _BEFORE not in screen:
        return None
    views = [area for area in screen.areas if area.type == "VIEW_3D"]
    pairs = [
        (left, right) for left in views for right in views
        if left.x < right.x and (left.y, left.height) == (right.y, right.height)
    ]  # fmt: skip
    pairs.sort(key=lambda pair: (pair[0].spaces.active.region_3d.view_perspective != "CAMERA", pair[0].x))
    return pairs[0] if pairs else None


def divide(window: bpy.types.Window, area: bpy.types.Area, picture: _Size, points: Floats) -> bool:
    """Divide a viewport: its left half looks through the scene's camera, the right one from the side.

    Parameters
    ----------
    window, area
        The viewport.
    picture : (float, float)
        Width and height of what the camera sees.
    points : (N, 3)
        What is seen from the side, level: places in the world.

    Returns
    -------
    bool
        False: there is too little room, and nothing changed.
    """
    screen, space = window.screen, area.spaces.active
    before = {one.as_pointer() for one in screen.areas}
    seen = space.region_3d
    view = {
        "view_rotation": list(seen.view_rotation),
        "view_location": list(seen.view_location),
        "view_distance": seen.view_distance,
        "view_perspective": seen.view_perspective,
    }
    regions = {one.type: one for one in area.regions}
    size = (area.width / 2, regions["WINDOW"].height)
    beside = (regions["TOOLS"].width, regions["UI"].width)  # those that are hidden are a pixel wide
    over = regions["WINDOW"].width == area.width
    with _inside(window, area):
        bpy.ops.screen.area_split(direction="VERTICAL", factor=0.5)
    new = next((one for one in screen.areas if one.as_pointer() not in before), None)
    if new is None:
        return False
    screen[_BEFORE] = view
    new.spaces.active.show_region_ui = new.spaces.active.show_region_toolbar = False
    _look_through(new.spaces.active.region_3d, size, picture)
    _look_from_side(space, size, beside, over, points)
    return True


def join(window: bpy.types.Window, pair: tuple[Any, Any]) -> None:
    """Make one viewport of the two that `divide` made, which shows what it showed before."""
    camera, area = pair
    view = window.screen[_BEFORE].to_dict()
    del window.screen[_BEFORE]
    with _inside(window, camera):
        bpy.ops.screen.area_close()
    for name, value in view.items():
        setattr(area.spaces.active.region_3d, name, value)


def _look_through(view: bpy.types.RegionView3D, size: _Size, picture: _Size) -> None:
    """Look through the scene's camera, whose picture fills a viewport of a size."""
    view.view_perspective = "CAMERA"
    view.view_camera_offset = (0.0, 0.0)
    # Blender makes the picture's longer side so many times as long as the viewport's
    share = min(room * max(picture) / side for room, side in zip(size, picture, strict=True)) / max(size)
    view.view_camera_zoom = 50 * (2 * math.sqrt(_FILLED * share) - math.sqrt(2))


def _look_from_side(
    space: bpy.types.SpaceView3D, size: _Size, beside: tuple[float, float], over: bool, points: Floats
) -> None:
    """Look level, from the side of what the scene's camera sees, at points (N, 3) of the world.

    They fill what the toolbar and the sidebar leave of a viewport of a size; `beside` are their widths, and
    `over` whether they lie over it.
    """
    ahead = bpy.context.scene.camera.matrix_world.to_3x3() @ Vector((0, 0, -1))
    yaw = math.atan2(-ahead.x, ahead.y) + math.pi / 2
    turn = Quaternion((0, 0, 1), yaw) @ Quaternion((1, 0, 0), math.pi / 2)
    along = points @ np.array(turn.to_matrix())
    low, high = along.min(axis=0), along.max(axis=0)
    free = max(size[0] - sum(beside), size[0] / 4)
    pixel = max(float(high[0] - low[0]) / free, float(high[1] - low[1]) / size[1]) / _FILLED
    middle = (low + high) / 2
    middle[0] += pixel * (beside[1] - beside[0]) / 2 if over else 0.0
    longer = max(size[0] if over else free, size[1])
    view = space.region_3d
    view.view_perspective = "PERSP"
    view.view_rotation = turn
    view.view_location = turn @ Vector(middle.tolist())
    # what is nearer than the middle looks larger
    view.view_distance = pixel * longer * space.lens / (_WIDER * FILM_WIDTH_MM) + float(high[2] - low[2]) / 2


def world_of(points: Floats, owner: bpy.types.Object) -> Floats:
    """Points (..., 3) in the space of an object as places (N, 3) in the world."""
    world = np.array(owner.matrix_world)
    return np.asarray(points.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])


def _inside(window: bpy.types.Window, area: bpy.types.Area) -> Any:
    """A context in which operators act on an area."""
    region = next(one for one in area.regions if one.type == "WINDOW")
    return bpy.context.temp_override(window=window, area=area, region=region)
