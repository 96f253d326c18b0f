"""A `Motion` as an action on an armature, written in bulk. The one module that knows Blender's versions."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ..inference.motion import CONTACT_POINTS, Motion
from ..inference.rotations import continuous_quaternions
from ..inference.skeleton import JOINTS

#: custom properties of the armature object: 1 while that foot stands on something
CONTACT_PROPERTIES: dict[str, str] = {"L": "contact_foot.L", "R": "contact_foot.R"}
CONTACT_THRESHOLD = 0.5
#: keys this near to a whole frame (in frames) are put onto it: nothing that can be seen
_WHOLE = 0.02
_FIRST_FRAME = 1


def animate(armature: bpy.types.Object, motion: Motion, name: str, fps: float) -> bpy.types.Action:
    """Give `armature` a new action that plays `motion` at its own speed in a scene of `fps` frames a second.

    Keys lie on whole frames. Where the clip's frames fall on whole frames of the scene (the same rate, or the
    scene's is a multiple) they are keyed as they are; otherwise the motion is resampled, with a key on every
    frame of the scene. Frame 1 is the clip's first frame. Feet get a key whenever they land or leave the
    floor, on the custom properties `CONTACT_PROPERTIES`.

    Parameters
    ----------
    armature : bpy.types.Object
        Made by `build_armature` from this motion's offsets.
    motion : Motion
    name : str
        Name of the action.
    fps : float
        The scene's frames per second (`render.fps / render.fps_base`).

    Returns
    -------
    bpy.types.Action
        Assigned to `armature`; an earlier action of it is kept as it was.
    """
    frames, rotations, root, contacts = _at_rate(motion, fps)
    # the armature's own float32 rest matrices, so that the pose is exact whatever Blender did to the rolls
    rest = np.array([armature.data.bones[joint].matrix_local for joint in JOINTS], dtype=float)
    turned = rotations.copy()
    turned[..., 1:] = np.einsum("jba,tjb->tja", rest[:, :3, :3], rotations[..., 1:])
    location = (root - rest[0, :3, 3]) @ rest[0, :3, :3]

    action = bpy.data.actions.new(name)
    curves = _Curves(action, armature)
    for joint, bone in enumerate(JOINTS):
        path = f'pose.bones["{bone}"].'
        if joint == 0:
            for axis in range(3):
                curves.add(path + "location", axis, bone, frames, location[:, axis], "LINEAR")
        for part in range(4):
            curves.add(path + "rotation_quaternion", part, bone, frames, turned[:, joint, part], "LINEAR")
    for side, property_name in CONTACT_PROPERTIES.items():
        points = [i for i, point in enumerate(CONTACT_POINTS) if point.endswith(side)]
        down = contacts[:, points].max(axis=1) >= CONTACT_THRESHOLD
        change = np.flatnonzero(np.concatenate([[True], down[1:] != down[:-1]]))
        armature[property_name] = bool(down[0])
        curves.add(f'["{property_name}"]', 0, "Contacts", frames[change], down[change], "CONSTANT")
    return action


def _at_rate(
    motion: Motion, fps: float
) -> tuple[
    npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]
]:
    """Whole frames (N,) of a scene of `fps` to key, and what to key there: rotations, root, contacts."""
    rotations, root, contacts = (a.astype(float) for a in (motion.rotations, motion.root, motion.contacts))
    at = np.arange(len(motion)) * fps / motion.fps
    if np.all(np.abs(at - np.round(at)) < _WHOLE):
        return np.round(at) + _FIRST_FRAME, rotations, root, contacts
    frames = np.arange(math.floor(at[-1] + _WHOLE) + 1)
    source = np.minimum(frames * motion.fps / fps, len(motion) - 1)
    before = np.minimum(source.astype(int), len(motion) - 2)
    share = (source - before)[:, None]

    def blend(a: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray((1 - share) * a[before] + share * a[before + 1])

    turned = _slerp(rotations[before], rotations[before + 1], share[..., None])
    return frames + float(_FIRST_FRAME), continuous_quaternions(turned), blend(root), blend(contacts)


def _slerp(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], share: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Quaternions a `share` of the way from `a` to `b`, neighbours without sign flips between them."""
    angle = np.arccos(np.clip((a * b).sum(-1, keepdims=True), -1, 1))
    sine = np.sin(angle)
    small = sine < 1e-6
    sine = np.where(small, 1, sine)
    mixed = np.where(small, 1 - share, np.sin((1 - share) * angle) / sine) * a
    mixed += np.where(small, share, np.sin(share * angle) / sine) * b
    return np.asarray(mixed / np.linalg.norm(mixed, axis=-1, keepdims=True))


class _Curves:
    """The F-curves of an object's new action: in its slot where Blender has slots (4.4), else its own."""

    def __init__(self, action: bpy.types.Action, owner: bpy.types.Object) -> None:
        animation = owner.animation_data_create()
        animation.action = action
        if hasattr(action, "slots"):
            slot = action.slots.new(id_type="OBJECT", name=owner.name)
            strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
            self._bag: Any = strip.channelbag(slot, ensure=True)
            animation.action_slot = slot
        else:
            self._bag = action
        keyframe = bpy.types.Keyframe.bl_rna.properties
        self._interpolations = {i.identifier: i.value for i in keyframe["interpolation"].enum_items}
        self._handle = keyframe["handle_left_type"].enum_items["AUTO_CLAMPED"].value

    def add(
        self,
        path: str,
        index: int,
        group: str,
        frames: npt.NDArray[np.float64],
        values: npt.NDArray[Any],
        interpolation: str,
    ) -> None:
        """One F-curve with a key of `values` (N,) on each of `frames` (N,)."""
        count = len(frames)
        curve = self._bag.fcurves.new(path, index=index)
        curve.group = self._bag.groups.get(group) or self._bag.groups.new(group)
        curve.keyframe_points.add(count)
        keys = np.stack([frames, values], axis=-1).astype(np.float32)
        curve.keyframe_points.foreach_set("co", keys.ravel())
        kinds = np.full(count, self._interpolations[interpolation], dtype=np.intc)
        curve.keyframe_points.foreach_set("interpolation", kinds)
        # so that an artist who changes the interpolation to Bézier gets smooth curves
        handles = np.full(count, self._handle, dtype=np.intc)
        curve.keyframe_points.foreach_set("handle_left_type", handles)
        curve.keyframe_points.foreach_set("handle_right_type", handles)
        curve.update()
