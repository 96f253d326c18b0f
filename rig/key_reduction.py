"""A motion with fewer keys: a new take beside the one that an armature plays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import bpy
import numpy as np

from ..core.arrays import Bools, Floats
from ..core.errors import CaptureError
from ..core.key_reduction import cubic, farthest, slopes_of, with_needed_keys
from ..core.options import KeyReduction
from ..core.rotations import continuous_quaternions, geodesic_angle
from .action import Curves, cut_frames
from .edits import edits_of, remember_anew
from .layer import lay_above
from .read import current_motion
from .retarget.bones import Rig, read_rig
from .retarget.carriers import Carriers, find_carriers
from .retarget.channels import bone_path, rotation_channel, rotations_of
from .retarget.mapping import find_bone_map
from .sampled import values as values_of
from .takes import check_replaceable, layer_of, new_take
from .versions import curves_of

#: millimetres of a metre
_METRE = 1000.0
#: how far an ankle may be from where it was, as a share of what the hips may: so no two frames of a stance
#: are farther apart than that
_ANKLE = 0.5
#: how the name of a reduced action ends
_SUFFIX = " reduced"


@dataclass(frozen=True)
class Reduced:
    """What became of a motion.

    Attributes
    ----------
    action : bpy.types.Action
        The new take, which the armature plays.
    before, after : int
        How many keys the bones had, and have.
    ankles : float or None
        How far an ankle is at most from where it was, millimetres; None: no feet are known.
    """

    action: bpy.types.Action
    before: int
    after: int
    ankles: float | None


@dataclass
class _Track:
    """Channels of a bone that are keyed together: its rotation, or its location.

    Attributes
    ----------
    bone : str
    channel : str
        What Blender calls them, such as ``location``.
    mode : str
        The bone's rotation mode; empty for a location.
    curves : dict of int to FCurve
        Of those channels that have keys.
    values, slopes : (N, C)
        Of all channels, in every frame.
    keys : (N,) bool
        Frames that keep a key.
    """

    bone: str
    channel: str
    mode: str
    curves: dict[int, Any]
    values: Floats
    slopes: Floats
    keys: Bools

    @property
    def between(self) -> Floats:
        """What the channels (N, C) become with these keys."""
        return cubic(self.values, self.slopes, np.flatnonzero(self.keys))

    def off(self, how: KeyReduction, size: float, others: Floats) -> Floats:
        """How far off values (N, C) in place of these are (N,), in shares of what is tolerated.

        `size` is the length in the world of a unit of the object's, metres.
        """
        if self.mode:
            turned = geodesic_angle(rotations_of(others, self.mode), rotations_of(self.values, self.mode))
            return np.asarray(np.degrees(turned) / how.rotation)
        return np.asarray(np.linalg.norm(others - self.values, axis=1) * size * _METRE / how.distance)


@dataclass(frozen=True)
class _Foot:
    """A foot's bone, and the bones that carry it, from the root on."""

    rig: Rig
    carriers: Carriers
    owner: bpy.types.Object
    line: list[int]

    @property
    def bones(self) -> set[str]:
        """Names of the bones."""
        return {self.rig.names[bone] for bone in self.line}

    def ankle(self, tracks: Mapping[tuple[str, str], Floats], frames: int) -> Floats:
        """Where the ankle is (N, 3) in the world, by what the bones' channels are in each of N frames."""
        turned: dict[int, Floats] = {}
        placed: dict[int, Floats] = {}
        for bone in self.line:
            name = self.rig.names[bone]
            pose, data = self.owner.pose.bones[name], self.owner.data.bones[name]
            turn, place = self.carriers.frame(bone, turned, placed, frames)
            channel = rotation_channel(pose.rotation_mode)
            basis = tracks.get((name, channel), np.array([getattr(pose, channel)], dtype=float))
            turned[bone] = turn @ rotations_of(basis, pose.rotation_mode)
            moved = tracks.get((name, "location"), np.array([pose.location], dtype=float))
            axes = turn if data.use_local_location else turn @ self.rig.rest[bone, :3, :3].T
            moves = not (data.use_connect and data.parent is not None)
            placed[bone] = place + moves * np.einsum("nab,nb->na", axes, moved)
        world = self.rig.world
        return np.asarray(placed[self.line[-1]] @ world[:3, :3].T + world[:3, 3])


def reduce_keys(owner: bpy.types.Object, how: KeyReduction) -> Reduced:
    """Give an armature a new action that does what its own does, within a tolerance, with fewer keys.

    All channels of a bone's rotation, or of its location, keep keys on the same frames, with smooth curves
    between them. Whatever else is animated stays as it is (contacts, switches, scales), and so do channels
    that are muted or have modifiers. A layer of edits stays above.

    Parameters
    ----------
    owner : bpy.types.Object
        An armature, captured or not.
    how : KeyReduction
        Is kept to in every whole frame of the motion.

    Raises
    ------
    CaptureError
        If its action can't be replaced (`takes.check_replaceable`), or none of its bones has keys.
    """
    check_replaceable(owner)
    action, layer = current_motion(owner), layer_of(owner)
    edits = edits_of(owner, action)
    frames, cuts, tracks = _read(owner, action)
    size = float(np.linalg.svd(np.array(owner.matrix_world)[:3, :3], compute_uv=False).max())
    feet = _feet(owner, {track.bone for track in tracks})

    def ankles(channels: Mapping[tuple[str, str], Floats]) -> Floats:
        return np.array([foot.ankle(channels, len(frames)) for foot in feet]).reshape(-1, len(frames), 3)

    wanted = ankles({(track.bone, track.channel): track.values for track in tracks})
    stale = tracks
    while True:
        for track in stale:
            off = partial(track.off, how, size)
            track.keys = with_needed_keys(track.values, track.slopes, off, track.keys)
        kept = ankles({(track.bone, track.channel): track.between for track in tracks})
        apart = np.linalg.norm(kept - wanted, axis=-1) * _METRE
        stale = []
        for foot, share in zip(feet, apart / (_ANKLE * how.distance), strict=True):
            worst = farthest(share, np.cumsum(share <= 1))
            for track in tracks if len(worst) else ():
                if track.bone in foot.bones:
                    track.keys[worst] = True
                    stale.append(track)
        if not stale:
            break
    before = sum(len(curve.keyframe_points) for track in tracks for curve in track.curves.values())
    after = sum(int(track.keys.sum()) * len(track.curves) for track in tracks)
    take = new_take(owner, action.name.removesuffix(_SUFFIX) + _SUFFIX, action)
    curves = Curves(take, owner)
    for track in tracks:
        at = np.flatnonzero(track.keys)
        held = np.flatnonzero(np.isin(at + 1, cuts)).tolist()
        for index in track.curves:
            curves.add(
                f"{bone_path(track.bone)}.{track.channel}", index, track.bone, frames[at],
                track.values[at, index], "BEZIER", held, track.slopes[at, index],
            )  # fmt: skip
    if edits is not None:
        remember_anew(take, owner, edits)
    if layer is not None:
        lay_above(owner, layer.name, None, layer)
    return Reduced(take, before, after, float(apart.max()) if feet else None)


def _read(owner: bpy.types.Object, action: bpy.types.Action) -> tuple[Floats, list[int], list[_Track]]:
    """The whole frames (N,) of an action, where in them other shots begin, and what of it can be reduced."""
    curves = curves_of(action, owner)
    found = []
    for bone in owner.pose.bones:
        mode = bone.rotation_mode
        for channel, its_mode in ((rotation_channel(mode), mode), ("location", "")):
            path = f"{bone_path(bone.name)}.{channel}"
            own = {i: curves[path, i] for i in range(len(getattr(bone, channel))) if (path, i) in curves}
            keyed = {i: curve for i, curve in own.items() if len(curve.keyframe_points)}
            if keyed and not any(curve.mute or len(curve.modifiers) for curve in keyed.values()):
                found.append((bone, channel, its_mode, keyed))
    if not found:
        raise CaptureError(
            f"The action {action.name} of {owner.name} has no keys on bones that could be reduced: choose "
            "another motion."
        )
    ranges = [curve.range() for *_, keyed in found for curve in keyed.values()]
    frames = np.arange(round(min(a for a, _ in ranges)), round(max(b for _, b in ranges)) + 1, dtype=float)
    cuts = [int(at) for at in np.searchsorted(frames, cut_frames(action)) if 0 < at < len(frames)]
    must = np.zeros(len(frames), dtype=bool)
    must[[0, -1, *cuts, *(cut - 1 for cut in cuts)]] = True
    tracks = []
    for bone, channel, mode, keyed in found:
        values = np.tile(np.array(getattr(bone, channel), dtype=float), (len(frames), 1))
        for index, curve in keyed.items():
            values[:, index] = values_of(curve, frames)
        if mode == "QUATERNION":
            values = continuous_quaternions(values)
        slopes = slopes_of(values, cuts)
        tracks.append(_Track(bone.name, channel, mode, keyed, values, slopes, must.copy()))
    return frames, cuts, tracks


def _feet(owner: bpy.types.Object, keyed: set[str]) -> list[_Foot]:
    """The feet of an armature that stands on two; none if it is no body."""
    rig = read_rig(owner)
    try:
        joints = find_bone_map(rig, owner.data).bones
    except CaptureError:
        return []
    feet = [rig.index[joints[name]] for name in ("foot.L", "foot.R") if name in joints]
    moved = {rig.index[name] for name in keyed} | set(feet)
    carriers = find_carriers(owner, rig, sorted(moved, key=lambda bone: len(rig.ancestors(bone))))
    return [_Foot(rig, carriers, owner, carriers.line(foot)[::-1]) for foot in feet]
