"""Edits as an action of their own, which plays combined with the motion below it."""

from __future__ import annotations

import bpy
import numpy as np

from ..core.arrays import Bools, Floats
from ..core.motion import Motion
from .action import Curves
from .contacts import CONTACT_CURVES
from .edits import Channels, Edits, channels_of, combined, is_transform, with_edits
from .read import current_motion, keyed_frames, read_motion
from .sampled import keys_of
from .takes import layer_of, new_take, put_above
from .versions import curves_of

#: a key that differs from what lies between its neighbours by less is left out
_STRAIGHT = 1e-6


def lay_above(
    owner: bpy.types.Object, name: str, edits: Edits | None, layer: bpy.types.Action | None = None
) -> bpy.types.Action:
    """Lay edits above the motion that an armature plays.

    Parameters
    ----------
    owner : bpy.types.Object
    name : str
        Of the layer.
    edits : Edits, optional
        None: only what `layer` has.
    layer : bpy.types.Action, optional
        An earlier layer; the new one is a copy of it.

    Returns
    -------
    bpy.types.Action
        It is played, above the motion; it has the contact curves too, so that they can be edited.
    """
    motion = current_motion(owner)
    under = curves_of(motion, owner)
    take = new_take(owner, name, layer)
    curves = Curves(take, owner)
    deltas = edits.deltas if edits is not None else {}
    above = channels_of(curves_of(take, owner), edits.frames) if edits is not None else {}
    for path, delta in deltas.items():
        # switches can't be combined: the motion has them
        if edits is None or not is_transform(path):
            continue
        values = combined(path, delta, above[path]) if path in above else delta
        keys = _bends(values)
        group = next((c.group.name for (p, _), c in under.items() if p == path and c.group), "Edits")
        for part in range(values.shape[1]):
            curves.add(path, part, group, edits.frames[keys], values[keys, part], "LINEAR")
    for path, index in CONTACT_CURVES.values():
        curve = under.get((path, index))
        if curve is None:
            continue
        if layer is None:
            points = keys_of(curve)
            curves.add(path, index, "Contacts", points[:, 0], points[:, 1], "CONSTANT")
        # they would be added up
        curve.mute = True
    put_above(owner, take, motion)
    return take


def _bends(values: Floats) -> Bools:
    """Which of values (T, parts) don't lie on the line between their neighbours."""
    keys = np.ones(len(values), dtype=bool)
    off = np.abs(values[1:-1] - (values[:-2] + values[2:]) / 2).max(axis=1, initial=0.0)
    keys[1:-1] = off > _STRAIGHT
    return keys


def read_played(armature: bpy.types.Object, fps: float) -> Motion:
    """What a captured armature plays: its motion, and the edits on a layer above.

    Parameters, errors
    ------------------
    See `read_motion`.
    """
    layer, action = layer_of(armature), current_motion(armature)
    motion = read_motion(armature, action, fps)
    if layer is None:
        return motion
    frames = keyed_frames(armature, action)
    above: Channels = channels_of(curves_of(layer, armature), frames)
    return with_edits(motion, armature, Edits(frames, above), frames)
