"""The target follows the source frame by frame without keys, until the preview ends."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from bpy.app.handlers import persistent

from ...inference.errors import CaptureError
from .apply import Retargeter, Settings, perform_armature
from .bones import read_rig
from .mapping import BoneMap, detect

_following: list[_Follower] = []


class _Follower:
    """One target that follows."""

    def __init__(
        self, source: bpy.types.Object, target: bpy.types.Object, bone_map: BoneMap, settings: Settings
    ) -> None:
        self.source, self.target = source.name, target.name
        self.map = detect(read_rig(source), source.data)
        self.before = {pose.name: pose.matrix_basis.copy() for pose in target.pose.bones}
        self.properties = {
            (bone, prop): target.pose.bones[bone][prop]
            for bone, values in bone_map.properties.items() for prop in values
            if prop in target.pose.bones[bone]
        }  # fmt: skip
        self.retargeter = Retargeter(target, bone_map, settings, self._now(source))

    def _now(self, source: bpy.types.Object) -> Any:
        scene = bpy.context.scene
        fps = scene.render.fps / scene.render.fps_base
        return perform_armature(source, np.array([float(scene.frame_current)]), fps, self.map)

    def follow(self) -> None:
        source, target = bpy.data.objects.get(self.source), bpy.data.objects.get(self.target)
        if source is None or target is None:
            end_preview()
            return
        performance = self._now(source)
        performance.contacts[:] = False  # planting looks ahead
        for key in self.retargeter.keys(performance):
            channel = getattr(target.pose.bones[key.bone], key.path.rpartition(".")[2])
            for index in key.free:
                channel[index] = key.values[0, index]

    def restore(self) -> None:
        target = bpy.data.objects.get(self.target)
        if target is None:
            return
        for name, basis in self.before.items():
            if name in target.pose.bones:
                target.pose.bones[name].matrix_basis = basis
        for (bone, prop), value in self.properties.items():
            target.pose.bones[bone][prop] = value


def start_preview(
    source: bpy.types.Object, target: bpy.types.Object, bone_map: BoneMap, settings: Settings
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
    follower = _Follower(source, target, bone_map, settings)
    _following.append(follower)
    bpy.app.handlers.frame_change_post.append(_frame_changed)
    follower.follow()


def end_preview() -> None:
    """End the preview, if one runs: the target gets back the pose that it had."""
    if _frame_changed in bpy.app.handlers.frame_change_post:
        bpy.app.handlers.frame_change_post.remove(_frame_changed)
    while _following:
        _following.pop().restore()


def previewing() -> bool:
    """Whether a preview runs."""
    return bool(_following)


@persistent  # type: ignore[untyped-decorator]
def _frame_changed(*_: object) -> None:
    for follower in list(_following):
        follower.follow()
