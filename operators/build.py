"""Add the armature of a captured motion to the scene: what Capture, Re-solve and Rebuild end with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from mathutils import Vector

from ..core.files import everybodys, name_of_person
from ..core.option import options_of
from ..core.options import Corrections, several
from ..state.access import settings
from ..state.jobs import queue

if TYPE_CHECKING:  # importing numpy takes longer than enabling an add-on may
    from ..core.capture import Capture

#: how far apart captures are placed, metres: outstretched arms don't meet
_APART = 2.0


def build(path: Path, name: str, scene_name: str, video_rate: bool) -> list[bpy.types.Object]:
    """Add an armature that plays the motion of a file and keeps its quality and warnings.

    It stands where the 3D cursor is, or beside it if a capture stands there already. If everybody was
    captured, each gets one, to each other where they were, in a collection of their own.

    Parameters
    ----------
    path : Path
        The .npz.
    name : str
        Name of the clip.
    scene_name : str
        Scene that gets the armature; the current one if that scene is gone.
    video_rate : bool
        Whether the scene takes over the video's frame rate.

    Returns
    -------
    list of bpy.types.Object
        The first person's is active, unless the artist was busy with something else.

    Raises
    ------
    CaptureError
        If a file is missing or damaged; nothing is added then.
    """
    # importing numpy takes longer than enabling an add-on may
    from ..core.capture import Capture
    from ..rig.result import add_result, gather

    first = Capture.load(path)
    captures = {one: first if one == path else Capture.load(one) for one in everybodys(path, first.people)}
    scene = bpy.data.scenes.get(scene_name) or bpy.context.scene
    place, armatures = _free_place(scene), []
    for number, (one, capture) in enumerate(captures.items(), 1):
        # the first one has given the scene its rate
        rate = video_rate and number == 1
        armature, action = add_result(scene, capture.motion, name_of_person(name, number), rate, place)
        describe(armature, action, capture, one)
        show_corrections(armature, capture)
        armatures.append(armature)
    if len(armatures) > 1:
        gather(armatures, name)
    scene.kinelift.last_motion = queue.last_motion = str(path)
    return armatures


def takes_rate(scene: bpy.types.Scene, rate: str) -> bool:
    """Whether a scene takes over the video's frame rate, as `SceneSettings.rate` says."""
    from ..rig.result import is_still

    return rate == "VIDEO" or (rate == "AUTO" and is_still(scene))


def present(context: bpy.types.Context, armature: bpy.types.Object) -> None:
    """Give a new armature a body, if the artist wants that, and frame it in the viewports.

    Viewports that look through a camera stay, and all do if the artist is busy with something else.
    """
    from ..rig.body import add_body

    if settings(context).add_body:
        add_body(armature)
    if bpy.app.background or context.view_layer.objects.active != armature:
        return
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type != "VIEW_3D" or area.spaces.active.region_3d.view_perspective == "CAMERA":
                continue
            (region, *_) = (one for one in area.regions if one.type == "WINDOW")
            with context.temp_override(window=window, area=area, region=region):
                bpy.ops.view3d.view_selected()


def _free_place(scene: bpy.types.Scene) -> Vector:
    """Where the 3D cursor is, or the next place beside it on which no captured armature stands."""
    scene.view_layers[0].update()
    taken = [obj.matrix_world.translation for obj in scene.objects if obj.kinelift.motion]
    place = scene.cursor.location.copy()
    while any((one - place).length < _APART / 2 for one in taken):
        place.x += _APART
    return place


def describe(armature: bpy.types.Object, action: bpy.types.Action, capture: Capture, path: Path) -> None:
    """Note the quality and the warnings of a capture, a file at `path`, with the armature that plays it."""
    from ..core.quality import detected_share, shares, unsure_stretches
    from ..rig.cleanup import raw_action
    from ..rig.takes import note_motion

    for take in (action, raw_action(action)):
        note_motion(take, str(path))
    result = armature.kinelift
    result.unsure.clear()
    result.warnings.clear()
    result.motion = str(path)
    result.video = capture.source.video
    result.one_of_several = several(capture.settings.get("person", ""))
    result.detected = detected_share(capture)
    known = shares(capture)
    for state in ("guessed_limbs", "off_picture", "unsure_sides"):
        setattr(result, state, known[state])
    first, last = action.frame_range
    per_frame = (last - first) / max(len(capture) - 1, 1)
    for begin, end, limb in unsure_stretches(capture):
        stretch = result.unsure.add()
        stretch.name = limb
        stretch.first, stretch.last = round(first + begin * per_frame), round(first + end * per_frame)
    for warning in capture.warnings:
        result.warnings.add().name = warning


def show_corrections(armature: bpy.types.Object, capture: Capture) -> None:
    """Let the sliders of an armature say with which corrections its motion was solved."""
    for name, one in options_of(Corrections).items():
        setattr(armature.kinelift.corrections, name, capture.settings.get(name, one.default))
