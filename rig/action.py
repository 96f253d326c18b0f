"""A motion as an action of an armature; its F-curves are written in bulk."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from typing import Any

import bpy
import numpy as np

from ..core.arrays import Array, Bools, Floats, Indices
from ..core.contacts import CONTACT_THRESHOLD
from ..core.motion import Motion
from ..core.rotations import continuous_quaternions, slerp
from ..core.skeleton import JOINTS
from ..core.stances import feet
from .contacts import CONTACT_CURVES, CONTACT_PROPERTIES
from .edits import Edits, remember
from .takes import new_take
from .versions import assign_action

#: custom property of an action: for each frame, a bit for each of `motion.CONTACT_POINTS` that stands
_POINTS = "contact_points"
#: custom property of an action: the frames of the scene at which another shot begins
_CUTS = "cuts"
#: custom property of an action: how many times slower than life it is
_SLOW = "slow_motion"
#: keys this near to a whole frame are put onto it, in frames: too little to see
_WHOLE = 0.02
#: frame of the scene on which captured motion begins
FIRST_FRAME = 1


def animate(
    armature: bpy.types.Object,
    motion: Motion,
    name: str,
    fps: float,
    first: int = FIRST_FRAME,
    base: bpy.types.Action | None = None,
    carried: Edits | None = None,
) -> bpy.types.Action:
    """Give `armature` a new action that plays `motion` at its own speed in a scene of `fps` frames a second.

    Keys lie on whole frames. If the motion's frames fall on whole frames of the scene (the same rate, or a
    multiple of it), they are keyed as they are; otherwise the motion is resampled, with a key on every frame
    of the scene. The properties `CONTACT_PROPERTIES` get a key whenever a foot lands or leaves the floor.

    Parameters
    ----------
    armature : bpy.types.Object
        Made by `build_armature` from this motion's offsets.
    motion : Motion
    name : str
        Name of the action.
    fps : float
        The scene's frames per second (`render.fps / render.fps_base`).
    first : int
        Frame of the scene for the motion's first frame.
    base : bpy.types.Action, optional
        An action of `armature` whose other curves the new one gets too.
    carried : Edits, optional
        Edits that an artist made by hand, which `motion` has already.

    Returns
    -------
    bpy.types.Action
        Assigned to `armature`. An earlier action stays as it was, and in the file (`takes`).

    Raises
    ------
    CaptureError
        See `takes.check_replaceable`.
    """
    frames, rotations, root, contacts = at_rate(motion, fps)
    cuts = cuts_at_rate(motion, fps, frames)
    # nothing lies between the shots where keys are farther apart than a frame
    held = [cut - 1 for cut in cuts if frames[cut] - frames[cut - 1] > 1]
    frames += first
    # the armature's own rest matrices (float32): the pose is exact whatever Blender made of the bones' rolls
    rest = np.array([armature.data.bones[joint].matrix_local for joint in JOINTS], dtype=float)
    turned = rotations.copy()
    turned[..., 1:] = np.einsum("jba,tjb->tja", rest[:, :3, :3], rotations[..., 1:])
    location = (root - rest[0, :3, 3]) @ rest[0, :3, :3]

    action = new_take(armature, name, base)
    curves = Curves(action, armature)
    for joint, bone in enumerate(JOINTS):
        path = f'pose.bones["{bone}"].'
        if joint == 0:
            for axis in range(3):
                curves.add(path + "location", axis, bone, frames, location[:, axis], "LINEAR", held)
        for part in range(4):
            curves.add(
                path + "rotation_quaternion", part, bone, frames, turned[:, joint, part], "LINEAR", held
            )
    points = contacts >= CONTACT_THRESHOLD
    action[_POINTS] = (points[_key_before(frames)] @ (1 << np.arange(points.shape[1]))).tolist()
    key_contacts(curves, armature, frames, points)
    action[_CUTS] = [int(frames[cut]) for cut in cuts]
    action[_SLOW] = motion.slow_motion
    remember(action, armature, curves.keyed, frames, carried)
    return action


def animate_shots(
    armature: bpy.types.Object, motion: Motion, name: str, fps: float, first: int = FIRST_FRAME
) -> None:
    """Make an action for each shot of a motion that has several; the armature goes on with none of them.

    They are takes of it, and lie on the same frames of the scene as in the action of the whole, which begins
    at `first`.
    """
    for number, shot in enumerate(motion.shots if motion.cuts else (), 1):
        begin = first + round(shot.start * fps / motion.fps)
        animate(armature, motion.part(shot), f"{name} Shot {number}", fps, begin)


def slowness(action: bpy.types.Action) -> float:
    """How many times slower than life an action of `animate` is; 1 for any other."""
    return float(action.get(_SLOW, 1.0))


def cut_frames(action: bpy.types.Action) -> list[int]:
    """The frames of the scene at which another shot begins in an action of `animate`."""
    return [int(frame) for frame in action.get(_CUTS, ())]


def key_contacts(curves: Curves, owner: bpy.types.Object, frames: Floats, points: Bools) -> None:
    """Key the properties `CONTACT_PROPERTIES` wherever a foot lands or leaves the floor.

    Parameters
    ----------
    curves : Curves
        Of an action of `owner`.
    owner : bpy.types.Object
        The armature; it gets the properties if it lacks them.
    frames : (N,)
        Frames of the scene.
    points : (N, 4) bool
        Which heels and toes stand, as in `motion.CONTACT_POINTS`.
    """
    for (side, (path, index)), stands in zip(CONTACT_CURVES.items(), feet(points).T, strict=True):
        change = np.flatnonzero(np.concatenate([[True], stands[1:] != stands[:-1]]))
        if CONTACT_PROPERTIES[side] not in owner:
            owner[CONTACT_PROPERTIES[side]] = bool(stands[0])
        curves.add(path, index, "Contacts", frames[change], stands[change], "CONSTANT")


def contact_points(action: bpy.types.Action) -> Bools:
    """The heels and toes (T, 4) that stood in each frame of an action of `animate`; (0, 4) for any other."""
    bits = np.array(action.get(_POINTS, ()), dtype=int)
    return np.asarray((bits[:, None] >> np.arange(4) & 1) == 1)


def at_rate(motion: Motion, fps: float) -> tuple[Floats, Floats, Floats, Floats]:
    """A motion at a scene's rate: frames (N,) to key, from 0, and rotations, root and contacts in them."""
    rotations, root, contacts = (a.astype(float) for a in (motion.rotations, motion.root, motion.contacts))
    pace = Pace(motion, fps)
    turned = continuous_quaternions(pace.turns(rotations))
    return pace.frames, turned, pace.blend(root), pace.blend(contacts)


class Pace:
    """How what has a value in each frame of a motion is keyed at a scene's rate.

    Attributes
    ----------
    frames : (N,)
        The frames to key, from 0.
    """

    def __init__(self, motion: Motion, fps: float) -> None:
        last = len(motion) - 1
        at = np.arange(len(motion)) * fps / motion.fps
        self._own = bool(np.all(np.abs(at - np.round(at)) < _WHOLE))
        if self._own:
            self.frames = np.round(at)
            return
        self.frames = np.arange(math.floor(at[-1] + _WHOLE) + 1).astype(float)
        source = np.minimum(self.frames * motion.fps / fps, last)
        self._before = np.minimum(source.astype(int), last - 1)
        share = source - self._before
        self._share = np.where(np.isin(self._before + 1, motion.cuts), share >= 0.5, share)

    def blend(self, values: Floats) -> Floats:
        """Values (T, ...) in the frames to key (N, ...)."""
        if self._own:
            return values
        share = self._share.reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray((1 - share) * values[self._before] + share * values[self._before + 1])

    def turns(self, quaternions: Floats) -> Floats:
        """Quaternions (T, ..., 4) in the frames to key (N, ..., 4)."""
        if self._own:
            return quaternions
        share = self._share.reshape(-1, *[1] * (quaternions.ndim - 1))
        return np.asarray(slerp(quaternions[self._before], quaternions[self._before + 1], share))


def cuts_at_rate(motion: Motion, fps: float, frames: Floats) -> list[int]:
    """Which of the keyed `frames` (N,), from `at_rate`, begin the shots after the first."""
    shown = np.floor(frames * motion.fps / fps + 0.5 + 1e-6)
    return [int(key) for key in np.searchsorted(shown, motion.cuts)]


def every_frame(motion: Motion, fps: float) -> Motion:
    """The motion that plays after `animate`, with every frame of a scene of `fps`."""
    frames, rotations, root, contacts = at_rate(motion, fps)
    cuts = cuts_at_rate(motion, fps, frames)
    key = _key_before(frames)
    if len(key) > len(frames):
        after = np.minimum(key + 1, len(frames) - 1)
        share = ((np.arange(len(key)) - frames[key]) / np.maximum(frames[after] - frames[key], 1))[:, None]
        share[np.isin(after, cuts)] = 0.0
        rotations = (1 - share[..., None]) * rotations[key] + share[..., None] * rotations[after]
        rotations /= np.linalg.norm(rotations, axis=-1, keepdims=True)
        root = (1 - share) * root[key] + share * root[after]
    return Motion(
        fps=fps,
        start=motion.start,
        offsets=motion.offsets,
        rotations=rotations,
        root=root,
        contacts=(contacts >= CONTACT_THRESHOLD)[key],
        cuts=tuple(int(frames[cut]) for cut in cuts),
        slow_motion=motion.slow_motion,
    )


def _key_before(frames: Floats) -> Indices:
    """For every frame from the first of `frames` (N,), whole ones, to the last: the last key up to it."""
    return np.asarray(np.searchsorted(frames, np.arange(frames[0], frames[-1] + 1), side="right") - 1)


class Curves:
    """The F-curves of an action, which is assigned to its owner.

    Attributes
    ----------
    keyed : list of str
        The data paths that were keyed here.
    """

    def __init__(self, action: bpy.types.Action, owner: bpy.types.ID) -> None:
        self.keyed: list[str] = []
        self._bag = assign_action(owner, action)
        self._there = {(curve.data_path, curve.array_index): curve for curve in self._bag.fcurves}
        interpolation = bpy.types.Keyframe.bl_rna.properties["interpolation"]
        self._interpolations = {i.identifier: i.value for i in interpolation.enum_items}
        handle = bpy.types.Keyframe.bl_rna.properties["handle_left_type"]
        self._aligned = handle.enum_items["ALIGNED"].value

    def add(
        self,
        path: str,
        index: int,
        group: str,
        frames: Floats,
        values: Array,
        interpolation: str,
        held: Sequence[int] = (),
        slopes: Array | None = None,
    ) -> None:
        """Key `values` (N,) on `frames` (N,) in one F-curve; if there is one already, it loses what it has.

        The values of the keys `held` stay up to the next key. `slopes` (N,), per frame, give the keys handles
        with which Bézier curves are the polynomials of `key_reduction.cubic`.
        """
        count = len(frames)
        curve = self._there.get((path, index)) or self._bag.fcurves.new(path, index=index)
        curve.keyframe_points.clear()
        for modifier in list(curve.modifiers):
            curve.modifiers.remove(modifier)
        curve.mute, curve.extrapolation = False, "CONSTANT"
        self.keyed.append(path)
        if curve.group is None:
            curve.group = self._bag.groups.get(group) or self._bag.groups.new(group)
        curve.keyframe_points.add(count)
        keys = np.empty((count, 2), dtype=np.float32)
        keys[:, 0], keys[:, 1] = frames, values
        curve.keyframe_points.foreach_set("co", keys.ravel())
        kinds = np.full(count, self._interpolations[interpolation], dtype=np.intc)
        kinds[list(held)] = self._interpolations["CONSTANT"]
        # the handles are AUTO_CLAMPED already: an artist who changes this to Bézier gets smooth curves
        curve.keyframe_points.foreach_set("interpolation", kinds)
        if slopes is not None:
            self._handle(curve, keys, slopes)
        curve.update()

    def _handle(self, curve: Any, keys: Array, slopes: Array) -> None:
        """Give keys (N, 2) handles along slopes (N,), each a third of the way to the next key."""
        steps = np.concatenate([[1.0], np.diff(keys[:, 0]), [1.0]]) / 3
        for side, reach in (("left", -steps[:-1]), ("right", steps[1:])):
            handles = keys + np.stack([reach, reach * slopes], axis=1)
            curve.keyframe_points.foreach_set(f"handle_{side}", handles.astype(np.float32).ravel())
            aligned = np.full(len(keys), self._aligned, dtype=np.intc)
            curve.keyframe_points.foreach_set(f"handle_{side}_type", aligned)

    def drop(self, paths: Container[str]) -> None:
        """Remove the F-curves of some data paths."""
        for (path, index), curve in list(self._there.items()):
            if path in paths:
                self._bag.fcurves.remove(curve)
                del self._there[path, index]
