"""The live preview: the target follows the source frame by frame, without keys, until the preview ends.

The scene keeps what it needs to go on and to restore the target's pose, so a preview goes on in a file that
is saved and loaded again.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ...core.errors import NOT_AS_TOLD, CaptureError
from ...core.options import RetargetSettings, from_plain
from . import PREVIEW
from .apply import Retargeter
from .bone_map import BoneMap
from .bones import read_rig
from .mapping import find_bone_map
from .source import perform_armature
from .transfer import Performance

_following: list[_Follower] = []


class _Follower:
    """One target that follows."""

    def __init__(
        self,
        source: bpy.types.Object,
        target: bpy.types.Object,
        bone_map: BoneMap,
        settings: RetargetSettings,
    ) -> None:
        self.source, self.target = source.name, target.name
        self.bone_map, self.settings = bone_map, settings
        self.map = find_bone_map(read_rig(source), source.data)
        self._take_over(target, self._now(source))

    def _take_over(self, target: bpy.types.Object, performance: Performance) -> None:
        self.retargeter = Retargeter(target, self.bone_map, self.settings, performance)
        self.carriers = self.retargeter.take_over()

    def _now(self, source: bpy.types.Object) -> Performance:
        scene = bpy.context.scene
        fps = scene.render.fps / scene.render.fps_base
        return perform_armature(source, np.array([float(scene.frame_current)]), fps, self.map)

    def follow(self) -> None:
        source, target = bpy.data.objects.get(self.source), bpy.data.objects.get(self.target)
        if source is None or target is None:
            end_preview()
            return
        performance = self._now(source)
        performance.contacts[:] = False  # planting needs the frames ahead
        if self.retargeter.target != target:  # undo has made another object of it
            self._take_over(target, performance)
        for key in self.retargeter.keys(performance, self.carriers):
            channel = getattr(target.pose.bones[key.bone], key.path.rpartition(".")[2])
            for index in key.free:
                channel[index] = key.values[0, index]


def start_preview(
    source: bpy.types.Object, target: bpy.types.Object, bone_map: BoneMap, settings: RetargetSettings
) -> None:
    """Let `target` follow `source` from now on; a preview that runs ends first.

    Raises
    ------
    CaptureError
        As of `apply.retarget`.
    """
    end_preview()
    if target == source:
        raise CaptureError(f"{target.name} is the source itself: select the armature of your character.")
    # all that `resume_preview` and `_restore` need
    state = {
        "source": source.name,
        "target": target.name,
        "map": [bone_map.bones, bone_map.certainty, bone_map.name, bone_map.properties],
        "settings": asdict(settings),
        "pose": {bone.name: [list(row) for row in bone.matrix_basis] for bone in target.pose.bones},
        "properties": {
            bone: {name: target.pose.bones[bone][name] for name in values if name in target.pose.bones[bone]}
            for bone, values in bone_map.properties.items()
        },
    }
    follower = _Follower(source, target, bone_map, settings)
    bpy.context.scene[PREVIEW] = json.dumps(state)
    _go_on(follower)


def resume_preview() -> None:
    """Go on with the preview that a file was saved with, now that it is loaded."""
    _stop()
    text = bpy.context.scene.get(PREVIEW)
    if text is None:
        return
    try:
        state = json.loads(text)
        source, target = (bpy.data.objects[state[name]] for name in ("source", "target"))
        settings = from_plain(RetargetSettings, state["settings"])
        if settings.posed:  # its pose now follows the source: the rest pose is the one before
            _restore(state)
            bpy.context.view_layer.update()
        _go_on(_Follower(source, target, BoneMap(*state["map"]), settings))
    except (CaptureError, *NOT_AS_TOLD):  # the file was changed elsewhere
        end_preview()


def _go_on(follower: _Follower) -> None:
    _following.append(follower)
    bpy.app.handlers.frame_change_post.append(_frame_changed)
    follower.follow()


def _stop() -> None:
    _following.clear()
    if _frame_changed in bpy.app.handlers.frame_change_post:
        bpy.app.handlers.frame_change_post.remove(_frame_changed)


def end_preview() -> None:
    """End the preview, if one runs, and restore the target's pose."""
    _stop()
    for scene in bpy.data.scenes:
        if PREVIEW in scene:
            text = scene[PREVIEW]
            del scene[PREVIEW]
            with suppress(*NOT_AS_TOLD):
                _restore(json.loads(text))


def _restore(state: dict[str, Any]) -> None:
    target = bpy.data.objects.get(state["target"])
    if target is None or target.type != "ARMATURE":
        return
    for name, basis in state["pose"].items():
        if name in target.pose.bones:
            target.pose.bones[name].matrix_basis = Matrix(basis)
    for bone, values in state["properties"].items():
        for name, value in values.items():
            if bone in target.pose.bones:
                target.pose.bones[bone][name] = value


def previewing() -> bool:
    """Whether a preview runs in the current scene."""
    return PREVIEW in bpy.context.scene


def _frame_changed(*_: object) -> None:
    # not persistent: it ends with the file
    for follower in list(_following):
        follower.follow()
