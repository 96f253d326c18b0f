"""Limits of the body: where knees and elbows bend, and how far spine and neck can twist."""

from __future__ import annotations

import numpy as np

from .arrays import Array, Floats
from .rotations import matrix_from_vector, rotation_vector
from .skeleton import INDEX

#: joint, its child, the child's bone and the direction to which it bends, in the rest pose
HINGES = tuple(
    (INDEX[f"{joint}.{side}"], INDEX[f"{child}.{side}"], np.array(bone), np.array(towards))
    for side, sign in (("L", 1.0), ("R", -1.0))
    for joint, child, bone, towards in (
        ("thigh", "shin", (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
        ("upper_arm", "forearm", (sign, 0.0, 0.0), (0.0, -np.cos(np.radians(15)), np.sin(np.radians(15)))),
    )
)
#: lower joint, joint between, upper joint, and how far the upper one turns against the lower one at most,
#: radians: fewer than one in a thousand frames of the mocap go farther
_SPANS = (("hips", "spine", "chest", np.radians(80.0)), ("chest", "neck", "head", np.radians(85.0)))
#: the joint between stays near half the turn from lower to upper: up to this far from it, it is left alone,
#: radians
_KEPT = np.radians(40.0)
#: from this far on it is set to half the turn, with a smooth transition, radians
_REPLACED = np.radians(90.0)


def limit_spine_twist(rotations: Array) -> Floats:
    """World rotations (T, J, 3, 3) with spine, chest, neck and head turned no farther than a body can."""
    out = np.array(rotations, np.float64)
    for lower, between, upper, most in _SPANS:
        base, middle, end = (out[:, INDEX[name]] for name in (lower, between, upper))
        turn = rotation_vector(np.swapaxes(base, -1, -2) @ end)
        angle = np.linalg.norm(turn, axis=-1, keepdims=True)
        turn = turn * np.minimum(1.0, most / np.maximum(angle, 1e-9))
        far = angle[:, 0] > most
        out[far, INDEX[upper]] = (base @ matrix_from_vector(turn))[far]
        half = base @ matrix_from_vector(turn / 2)
        off = rotation_vector(np.swapaxes(half, -1, -2) @ middle)
        angle = np.linalg.norm(off, axis=-1, keepdims=True)
        kept = np.clip((_REPLACED - angle) / (_REPLACED - _KEPT), 0, 1)
        strange = angle[:, 0] > _KEPT
        out[strange, INDEX[between]] = (half @ matrix_from_vector(off * kept))[strange]
    return out
