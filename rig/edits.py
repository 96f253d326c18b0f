"""What an artist changed by hand in an action that Kinelift made.

Such an action knows the keys that it was made with. What its curves say now is compared with them; the
contact curves are left out, because they are there to be edited.

A change is kept as Blender's NLA combines actions: what has to lie above the one to make the other of it.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import bpy
import numpy as np

from ..core.arrays import Bools, Floats
from ..core.errors import CaptureError
from ..core.motion import Motion
from ..core.rotations import quaternion_product
from ..core.skeleton import JOINTS
from .contacts import CONTACT_CURVES
from .sampled import keys_of, values
from .versions import curves_of, slot_handle

#: custom property of an action: the keys that it was made with, compressed
_MADE = "kinelift_made"
#: what channels of bones and objects say at rest
_REST: Mapping[str, tuple[float, ...]] = {
    "location": (0.0, 0.0, 0.0),
    "rotation_euler": (0.0, 0.0, 0.0),
    "rotation_quaternion": (1.0, 0.0, 0.0, 0.0),
    "rotation_axis_angle": (0.0, 0.0, 1.0, 0.0),
    "scale": (1.0, 1.0, 1.0),
}
#: a change of a channel that is smaller is none, as a share of its largest value if that is above 1
_NOISE = 5e-5
#: bytes that an action's keys may have: three hours of a body at 30 frames per second
_LARGEST = 1 << 30
_BONE = re.compile(r'pose\.bones\["((?:\\.|[^"\\])+)"\]')

#: values (T, parts) of channels, by data path
Channels = dict[str, Floats]


@dataclass(frozen=True)
class Edits:
    """What was changed by hand.

    Attributes
    ----------
    frames : (T,)
        Frames of the scene.
    deltas : dict
        What lies above the channels that Kinelift keyed (`combined`), frame by frame: all edits, also those
        that were carried over when the action was made.
    changed : dict
        Where (T,) these channels were changed since then.
    extras : tuple of str
        Channels that Kinelift didn't key, and that were changed since then.
    clip : str
        What the action was made of (`remember`).
    """

    frames: Floats
    deltas: Channels = field(default_factory=dict)
    changed: Mapping[str, Bools] = field(default_factory=dict)
    extras: tuple[str, ...] = ()
    clip: str = ""

    @property
    def bones(self) -> list[str]:
        """The bones that were changed since the action was made."""
        paths = (*self.changed, *self.extras)
        found = {
            bpy.utils.unescape_identifier(bone[1]): None for path in paths if (bone := _BONE.match(path))
        }
        return list(found)

    @property
    def range(self) -> tuple[int, int] | None:
        """First and last frame that were changed since; None: only extra channels were."""
        if not self.changed:
            return None
        frames = self.frames[np.any(list(self.changed.values()), axis=0)]
        return round(float(frames[0])), round(float(frames[-1]))

    @property
    def new(self) -> bool:
        """Whether anything was changed since the action was made."""
        return bool(self.changed or self.extras)

    def split(self, frames: tuple[int, int] | None) -> tuple[Edits, Edits]:
        """Those in a range of frames of the scene, and those outside; None: all are in it."""
        if frames is None:
            return self, replace(self, deltas={}, changed={}, extras=())
        inside = (self.frames >= frames[0]) & (self.frames <= frames[1])
        return self._where(inside), replace(self._where(~inside), extras=())

    def only(self, paths: Container[str]) -> Edits:
        """Those of some channels that Kinelift keyed."""
        return replace(self, deltas={path: delta for path, delta in self.deltas.items() if path in paths})

    def _where(self, here: Bools) -> Edits:
        deltas = {
            path: np.where(here[:, None], delta, _rest(path, delta)) for path, delta in self.deltas.items()
        }
        changed = {path: at & here for path, at in self.changed.items() if (at & here).any()}
        return replace(self, deltas=_changed_only(deltas), changed=changed)

    def at(self, path: str, frames: Floats) -> Floats:
        """What lies above a channel (N, parts) in frames (N,); before and after, what is nearest."""
        return _sampled(self.deltas[path], self.frames, frames)


def is_transform(path: str) -> bool:
    """Whether a channel moves a bone or an object."""
    return path.rpartition(".")[2] in _REST


def combined(path: str, below: Floats, above: Floats) -> Floats:
    """What a channel says (T, parts) with one action below and another above that is combined with it."""
    if path.endswith("rotation_quaternion"):
        return np.asarray(quaternion_product(below, above))
    if path.endswith("scale"):
        return below * above
    return below + above - _rest(path, below)


def _between(path: str, below: Floats, both: Floats) -> Floats:
    """What has to lie above `below` so that `combined` gives `both`."""
    if path.endswith("rotation_quaternion"):
        turn = quaternion_product(_unit(below) * [1, -1, -1, -1], _unit(both))
        return np.asarray(np.where(turn[:, :1] < 0, -turn, turn))
    return both - below + _rest(path, below)


def _unit(q: Floats) -> Floats:
    length = np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(length > 1e-9, q / np.maximum(length, 1e-9), _REST["rotation_quaternion"])


def _rest(path: str, like: Floats) -> Floats:
    return np.array(_REST.get(path.rpartition(".")[2], (0.0,) * like.shape[1]))


def _sampled(channel: Floats, at: Floats, frames: Floats) -> Floats:
    return np.stack([np.interp(frames, at, part) for part in channel.T], axis=1)


def _changed_only(deltas: Channels) -> Channels:
    return {path: delta for path, delta in deltas.items() if (delta != _rest(path, delta)).any()}


def channels_of(curves: Mapping[tuple[str, int], Any], frames: Floats) -> Channels:
    """What F-curves say in frames (T,), channel by channel; the contacts are left out."""
    found: Channels = {}
    parts: dict[str, int] = {}
    keyed = {key: c for key, c in curves.items() if not c.is_empty and key not in CONTACT_CURVES.values()}
    for path, index in keyed:
        parts[path] = max(parts.get(path, len(_REST.get(path.rpartition(".")[2], ()))), index + 1)
    for (path, index), curve in keyed.items():
        if path not in found:
            empty = np.zeros((len(frames), parts[path]))
            found[path] = empty + _rest(path, empty)
        found[path][:, index] = values(curve, frames)
    return found


def remember(
    action: bpy.types.Action,
    owner: bpy.types.Object,
    own: Iterable[str],
    frames: Floats,
    carried: Edits | None = None,
    clip: str = "",
) -> None:
    """Let an action know the keys that it has now, so that later edits are noticed.

    Parameters
    ----------
    action : bpy.types.Action
        Of `owner`.
    owner : bpy.types.Object
    own : iterable of str
        The channels that Kinelift keyed; others are the artist's.
    frames : (T,)
        The keyed frames.
    carried : Edits, optional
        Edits that the action has already.
    clip : str
        What it was made of: the same for all that is made of the same.
    """
    every = np.arange(round(frames[0]), round(frames[-1]) + 1, dtype=float)
    made = channels_of(curves_of(action, owner), every)
    deltas = {path: carried.at(path, every) for path in carried.deltas} if carried is not None else {}
    about = {
        "slot": slot_handle(action, owner),
        "clip": clip,
        "first": int(every[0]),
        "count": len(every),
        "own": [path for path in dict.fromkeys(own) if path in made],
        "made": {path: channel.shape[1] for path, channel in made.items()},
        "carried": {path: channel.shape[1] for path, channel in deltas.items()},
    }
    arrays = [channel.astype("<f4").tobytes() for channel in (*made.values(), *deltas.values())]
    # written over, bytes end at their first zero (Blender 5.0)
    if _MADE in action:
        del action[_MADE]
    # the keys of a motion don't get much smaller, so it is done fast
    action[_MADE] = zlib.compress(b"".join([json.dumps(about).encode(), b"\n", *arrays]), 1)


def remember_anew(action: bpy.types.Action, owner: bpy.types.Object, edits: Edits) -> None:
    """The same for a copy with other keys of Kinelift's: the edits of the original are carried over."""
    made = _made(action)
    if made is not None:
        remember(action, owner, made.own, made.frames, edits, made.clip)


@dataclass(frozen=True)
class _Made:
    """What `remember` has noted."""

    slot: int
    clip: str
    frames: Floats
    own: list[str]
    channels: Channels
    carried: Channels


def _made(action: bpy.types.Action) -> _Made | None:
    """What an action was made with; None if Kinelift didn't make it, or not with a note of that."""
    noted = action.get(_MADE)
    if noted is None:
        return None
    try:
        about, _, content = zlib.decompressobj().decompress(noted, _LARGEST).partition(b"\n")
        told = json.loads(about)
        count, at = int(told["count"]), 0
        groups: list[Channels] = []
        for shapes in (told["made"], told["carried"]):
            groups.append({})
            for path, parts in shapes.items():
                channel = np.frombuffer(content, "<f4", count * int(parts), 4 * at)
                groups[-1][path] = channel.reshape(count, int(parts)).astype(float)
                at += count * int(parts)
        frames = float(told["first"]) + np.arange(count, dtype=float)
        own = [path for path in told["own"] if path in groups[0]]
        return _Made(int(told["slot"]), str(told["clip"]), frames, own, *groups)
    except (zlib.error, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CaptureError(
            f"What {action.name} notes of the keys that it was made with is damaged, so edits can't be told: "
            f"delete its custom property {_MADE}, then try again."
        ) from error


def own_channels(action: bpy.types.Action) -> list[str]:
    """The channels that Kinelift keyed in an action."""
    made = _made(action)
    return made.own if made is not None else []


def edits_of(owner: bpy.types.Object, action: bpy.types.Action | None) -> Edits | None:
    """What was changed by hand in an action of an object; None: Kinelift didn't make it for that object.

    Raises
    ------
    CaptureError
        If what the action notes is damaged.
    """
    made = _made(action) if action is not None else None
    if action is None or made is None:
        return None
    # 0: made in a Blender without slots
    if made.slot not in (0, slot_handle(action, owner)):
        return None
    curves = curves_of(action, owner)
    frames = np.union1d(made.frames, _key_frames(curves, made.own))
    now = channels_of(curves, frames)
    deltas: Channels = {}
    changed: dict[str, Bools] = {}
    for path in made.own:
        before = _sampled(made.channels[path], made.frames, frames)
        delta = _between(path, before, _like(path, now.get(path), before))
        size = max(1.0, float(np.abs(before).max()))
        differs = (np.abs(delta - _rest(path, delta)) > _NOISE * size).any(axis=1)
        delta = np.where(differs[:, None], delta, _rest(path, delta))
        if differs.any():
            changed[path] = differs
        if path in made.carried:
            delta = combined(path, _sampled(made.carried[path], made.frames, frames), delta)
        deltas[path] = delta
    extras = [
        path
        for path in now.keys() - set(made.own)
        if path not in made.channels
        or np.abs(now[path] - _like(path, made.channels[path], now[path], made.frames, frames)).max() > _NOISE
    ]
    return Edits(frames, _changed_only(deltas), changed, tuple(sorted(extras)), made.clip)


def _like(path: str, channel: Floats | None, like: Floats, at: Any = None, frames: Any = None) -> Floats:
    """A channel with as many parts as another, at rest where it lacks some."""
    out = np.zeros_like(like) + _rest(path, like)
    if channel is not None:
        channel = channel if at is None else _sampled(channel, at, frames)
        parts = min(channel.shape[1], like.shape[1])
        out[:, :parts] = channel[:, :parts]
    return out


def _key_frames(curves: Mapping[tuple[str, int], Any], paths: Iterable[str]) -> Floats:
    """The frames of the first and last keys of some channels."""
    wanted = set(paths)
    found = [np.empty(0)]
    for (path, _), curve in curves.items():
        if path in wanted and len(curve.keyframe_points):
            found.append(keys_of(curve)[[0, -1], 0])
    return np.unique(np.concatenate(found))


def with_edits(motion: Motion, armature: bpy.types.Object, edits: Edits, frames: Floats) -> Motion:
    """A motion with edits of a captured armature's action.

    Parameters
    ----------
    motion : Motion
    armature : bpy.types.Object
    edits : Edits
    frames : (T,)
        The frames of the scene in which the armature plays the motion's frames.
    """
    rest = np.array([armature.data.bones[joint].matrix_local for joint in JOINTS], dtype=float)[:, :3, :3]
    rotations, root = motion.rotations.astype(float), motion.root.astype(float)
    for joint, bone in enumerate(JOINTS):
        if (path := f'pose.bones["{bone}"].rotation_quaternion') in edits.deltas:
            turn = _unit(edits.at(path, frames))
            turn[:, 1:] = turn[:, 1:] @ rest[joint].T
            rotations[:, joint] = quaternion_product(rotations[:, joint], turn)
    if (path := f'pose.bones["{JOINTS[0]}"].location') in edits.deltas:
        root += edits.at(path, frames) @ rest[0].T
    return replace(motion, rotations=rotations, root=root)
