"""Whole-clip corrections: a solved motion is turned as the artist asks, and solved again from there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core.arrays import Floats
from ..core.banded import whittaker
from ..core.limits import HINGES
from ..core.options import PARTS, Corrections
from ..core.rotations import (
    axis_angle,
    matrix_from_6d,
    matrix_from_quaternion,
    quaternion_from_matrix,
    sixd_from_matrix,
    slerp,
)
from ..core.skeleton import INDEX, JOINTS
from .lift import Estimate, bent
from .solve.problem import Evidence

#: a joint that is turned otherwise counts so many times as much as what the lifter says of it, ...
_TURNED = 4.0
#: ... and one that is smoothed: the landmarks' noise doesn't come back, and what remains lies in the picture
_SMOOTHED = 40.0
#: share of the head's pitch that the neck takes part in
_NECK = 0.5


def _joints(*parts: str) -> list[int]:
    """The joints of some of the `PARTS`."""
    names = {name for part in parts for name in PARTS[part]}
    return [number for number, joint in enumerate(JOINTS) if joint.split(".")[0] in names]


#: what leans: all above the legs
_UPPER = _joints("hips", "spine", "head", "arms", "hands")
_KNEES = [hinge for hinge in HINGES if hinge[0] in _joints("legs")]


def corrected(evidence: Evidence, body: Estimate, how: Corrections) -> tuple[Evidence, Estimate] | None:
    """What to settle again, and from what motion, so that a settled motion becomes as the artist asks.

    What is asked counts for more than the lifter's answer, which is turned likewise, and the landmarks go on
    telling where the body is in the picture. So in depth, where they tell nothing, it follows the artist. If
    nothing is asked, the result is what it was: a wish pulls the body from there.

    Parameters
    ----------
    evidence : Evidence
        Of which `body` was settled.
    body : Estimate
    how : Corrections

    Returns
    -------
    evidence, body
        Gravity, the body's `up`, is to be kept. None if nothing is asked that turns anything.
    """
    smooth = _smoothness(how)
    turned = _turned(body.rotations, how)
    firm: Floats = np.zeros(len(JOINTS))
    firm[(turned != body.rotations).any(axis=(0, 2, 3))] = _TURNED
    firm[smooth > 0] = _SMOOTHED
    up = _tilted(body.up, how)
    if not firm.any() and (up == body.up).all():
        return None
    wish, answer = (
        _smoothed(turns, smooth * evidence.fps) for turns in (turned, _turned(evidence.lifted.rotations, how))
    )
    share = firm / (1 + firm)
    mixed = slerp(quaternion_from_matrix(answer), quaternion_from_matrix(wish), share[:, None])
    lifted = replace(evidence.lifted, rotations=matrix_from_quaternion(mixed), up=up)
    return replace(evidence, lifted=lifted, firmness=1 + firm), replace(body, rotations=wish, up=up)


def _turned(rotations: Floats, how: Corrections) -> Floats:
    """World rotations (T, J, 3, 3) of a body that holds itself as the artist asks."""
    out = rotations
    if how.straighten_knees:
        out = bent(out, _KNEES, lambda bend: bend * (1 - how.straighten_knees))
    for joints, around, degrees in (
        (_UPPER, "hips", how.lean),
        ([INDEX["neck"]], "neck", -_NECK * how.head_pitch),
        ([INDEX["head"]], "head", -how.head_pitch),
    ):
        if degrees:
            turn = _about(rotations[:, INDEX[around], :, 0], degrees)
            out = out.copy()
            out[:, joints] = turn[:, None] @ out[:, joints]
    return out


def _smoothness(how: Corrections) -> Floats:
    """Movements of each joint (J,) that are faster are to be smoothed out, seconds; 0: none."""
    out = np.zeros(len(JOINTS))
    for seconds, parts in (
        (how.smooth_arms, ("arms", "hands")),
        (how.smooth_legs, ("legs", "feet")),
        (how.smooth_trunk, ("hips", "spine")),
        (how.smooth_head, ("head",)),
    ):
        out[_joints(*parts)] = seconds
    return out


def _smoothed(rotations: Floats, frames: Floats) -> Floats:
    """World rotations (T, J, 3, 3) without movements of each joint that are faster than `frames` (J,)."""
    out = rotations.copy()
    for joint in np.flatnonzero(frames):
        stiff = (frames[joint] / (2 * np.pi)) ** 4
        out[:, joint] = matrix_from_6d(whittaker(sixd_from_matrix(out[:, joint]), np.ones(len(out)), stiff))
    return out


def _tilted(up: Floats, how: Corrections) -> Floats:
    """The direction against gravity (3,) over a floor that is tilted as the artist asks."""
    if not (how.floor_tilt or how.floor_roll):
        return up
    rise = _about(np.array([1.0, 0.0, 0.0]), how.floor_tilt)
    return np.asarray(_about(np.array([0.0, -1.0, 0.0]), how.floor_roll) @ rise @ up)


def _about(axis: Floats, degrees: float) -> Floats:
    """Rotations (..., 3, 3) about unit axes (..., 3)."""
    return np.asarray(axis_angle(axis, np.full(axis.shape[:-1], np.radians(degrees))))
