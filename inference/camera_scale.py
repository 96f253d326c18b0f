"""How far a camera travels in metres: as far as lets the feet of whom it films stand still.

What the background tells of a camera's path has no scale. The body has one, and is seen at some place before
each frame's camera. A foot that stands has one place in the room. Where no foot stands, the body still moves
more smoothly than a camera that is carried.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..core.arrays import Floats
from ..core.contacts import runs
from ..core.kinematics import joint_positions
from ..core.motion import CONTACT_JOINTS
from ..core.rotations import unit
from ..core.skeleton import STANDARD_HEIGHT, rest_offsets, standing_height
from .camera_path import CameraMotion
from .lift import Estimate
from .solve.problem import SOLES

#: a sole stands where the lifter says so with this probability, for so long at least, seconds
_STANDS, _LONG = 0.5, 0.2
#: how far off a standing sole is across the line of sight and along it, metres
_ACROSS, _ALONG = 0.02, 0.08
#: it is off alike for so long, seconds
_ALIKE = 0.3
#: hips are pushed by this, m/s^2, over such a time, seconds
_PUSH, _PUSHED = 3.0, 0.2
#: a stance that asks for a scale this many standard deviations away counts half
_ODD = 2.0
_FITS = 10
#: the scale is told if its standard deviation is less than this share of it
_TOLD = 0.35
#: a path that is shorter than this may be none, metres
_SMALL = 0.3
_OWN_WAY = (
    "What is behind the person moves on its own, as before a train's window: the path is solved as if the "
    "camera stood."
)
_NO_SIZE = (
    "The camera travels, but neither steps nor the person's way tell how far: the path is solved as if it "
    "stood; film the feet too."
)


class Scale(NamedTuple):
    """Metres for a unit of the camera's path, and the standard deviation; infinite if nothing tells it."""

    metres: float
    spread: float


def sized(motion: CameraMotion, body: Estimate, contacts: Floats, fps: float) -> tuple[CameraMotion, str]:
    """A camera's path as large as the body before it says, in metres.

    Parameters
    ----------
    motion : CameraMotion
    body, contacts, fps
        See `camera_scale`.

    Returns
    -------
    motion : CameraMotion
        The same, if the body doesn't tell how large it is.
    said : str
        If it isn't in metres then, a sentence for the artist that says why.
    """
    scale, spread = camera_scale(body, motion.path().positions, contacts, fps)
    if spread < _TOLD * scale:
        return motion.larger(scale), ""
    return motion, _OWN_WAY if spread < _SMALL and abs(scale) < 2 * spread else _NO_SIZE


def camera_scale(body: Estimate, eyes: Floats, contacts: Floats, fps: float) -> Scale:
    """How large the path of a camera is.

    Parameters
    ----------
    body : Estimate
        Its `root` (T, 3) is measured from the place of each frame's camera.
    eyes : (T, 3)
        The camera's path in the same axes, in any unit.
    contacts : (T, 4)
        How sure it is that each of `motion.CONTACT_POINTS` stands, 0 to 1.
    fps : float
        Frames for a second of life.
    """
    parts = [*_by_stances(body, eyes, contacts, fps), _by_pushes(body.root, eyes, fps)]
    asked, sure = np.array(parts).T
    there = sure > 1e-12
    if not there.any():
        return Scale(0.0, np.inf)
    asked, sure = asked[there] / sure[there], sure[there]
    weight = np.ones(len(sure))
    scale = 0.0
    for _ in range(_FITS):
        scale = float((weight * sure * asked).sum() / (weight * sure).sum())
        weight = 1 / (1 + sure * (asked - scale) ** 2 / _ODD**2)
    known = float((weight * sure).sum())
    scatter = float((weight * sure * (asked - scale) ** 2).sum() / max(weight.sum() - 1, 1))
    return Scale(scale, float(np.sqrt(max(scatter, 1.0) / known)))


def _by_stances(body: Estimate, eyes: Floats, contacts: Floats, fps: float) -> list[tuple[float, float]]:
    """The scale that each stance asks for times its precision, and its precision."""
    joints = joint_positions(body.rotations, body.root, rest_offsets(body.lengths))
    size = float(standing_height(body.lengths)) / STANDARD_HEIGHT
    offsets = (body.rotations[:, CONTACT_JOINTS] @ (size * SOLES)[..., None])[..., 0]
    soles = joints[:, CONTACT_JOINTS] + offsets
    found = []
    for point in range(soles.shape[1]):
        for first, end in zip(*runs(contacts[:, point] > _STANDS), strict=True):
            if end - first >= _LONG * fps:
                seen, eye = soles[first:end, point], eyes[first:end]
                sight = unit(seen)
                precise = np.eye(3) / _ACROSS**2 + (_ALONG**-2 - _ACROSS**-2) * (
                    sight[:, :, None] * sight[:, None, :]
                )
                eye = eye - eye.mean(0)
                pulled = np.einsum("tij,tj->ti", precise, eye) / (_ALIKE * fps)
                found.append((-float((pulled * (seen - seen.mean(0))).sum()), float((pulled * eye).sum())))
    return found


def _by_pushes(root: Floats, eyes: Floats, fps: float) -> tuple[float, float]:
    """The scale that the hips' smooth path asks for times its precision, and its precision."""
    gap = max(round(_PUSHED * fps), 1)
    if len(root) <= 2 * gap:
        return 0.0, 0.0
    body, camera = (x[2 * gap :] - 2 * x[gap:-gap] + x[: -2 * gap] for x in (root, eyes))
    precise = 1 / (_PUSH * _PUSHED**2) ** 2 / (2 * gap)
    return -float((camera * body).sum()) * precise, float((camera**2).sum()) * precise
