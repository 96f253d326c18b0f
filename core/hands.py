"""Hands that would be under the floor: they bend at the wrists, as hands do that are put on it."""

from __future__ import annotations

import numpy as np

from .arrays import Floats
from .contacts import runs
from .planting import BLEND, softly_over
from .rotations import axis_angle
from .skeleton import END_POINTS, INDEX

#: ends of a left hand from the wrist: fingers, thumb, and its other edge, metres at `STANDARD_HEIGHT`
_ENDS = np.array([END_POINTS["hand.L"], (0.095, -0.09, -0.02), (0.11, 0.035, -0.01)])
#: half the thickness of fingers, likewise
_THICK = 0.015
#: a wrist bends by this at most, radians
_FARTHEST = np.pi / 2
#: weight of a hand above the floor against bending it
_UNBENT = 0.03


def hands_up(world: Floats, joints: Floats, scale: float, floor: float, fps: float) -> Floats:
    """Rotations of the joints (T, J, 3, 3), with hands bent up where they would be under a floor.

    Parameters
    ----------
    world : (T, J, 3, 3)
        Rotations in the world.
    joints : (T, J, 3), metres
    scale : float
        Size of the body, in that of `STANDARD_HEIGHT`.
    floor : float, metres
    fps : float
    """
    out = world.copy()
    for side, sign in (("L", 1.0), ("R", -1.0)):
        hand = INDEX[f"hand.{side}"]
        along, across, back = sign * world[:, hand, :, 0], world[:, hand, :, 1], world[:, hand, :, 2]
        room = floor + scale * _THICK - joints[:, hand, 2]
        bend = _bend(along[:, 2], across[:, 2], back[:, 2], room, scale, fps)
        out[:, hand] = axis_angle(np.cross(along, back), bend) @ world[:, hand]
    return out


def _bend(along: Floats, across: Floats, back: Floats, room: Floats, scale: float, fps: float) -> Floats:
    """By how much (T,) a wrist bends towards the back of its hand, radians; negative: towards the palm.

    A hand bends to one side for as long as it has to, to the one that is nearer on the whole: where it points
    straight down, either is as near.

    Parameters
    ----------
    along, across, back : (T,)
        Heights of the ends of unit vectors to the fingers, away from the thumb, and out of the hand's back.
    room : (T,), metres
        How much higher than the wrist the hand has to be.
    scale, fps : float
        See `hands_up`.
    """
    x, y, z = scale * _ENDS.T[..., None]
    # heights of the ends over the wrist, bent by an angle: middle + radius cos(angle - top)
    radius, top = (
        np.hypot(along, back) * np.hypot(x, z),
        np.arctan2(x * back - z * along, x * along + z * back),
    )
    share = (room - y * across) / np.maximum(radius, 1e-9)
    within = np.arccos(np.clip(share, -1, 1))
    low = np.cos(top) < share
    backwards, forwards = (
        np.where(low, (sign * top - within) % (2 * np.pi), 0.0).max(axis=0) for sign in (1.0, -1.0)
    )
    out = np.zeros(len(room))
    stiffness = (BLEND * fps / np.pi) ** 4 / 30
    need = np.zeros((2, len(room)))
    for first, end in zip(*runs(low.any(axis=0)), strict=True):
        here = slice(first, end)
        nearer = int(forwards[here].sum() < backwards[here].sum())
        need[nearer, here] = np.minimum((backwards, forwards)[nearer][here], _FARTHEST)
    for sign, angle in zip((1.0, -1.0), need, strict=True):
        out += sign * softly_over(angle, np.full(len(room), _UNBENT), stiffness)
    return out
