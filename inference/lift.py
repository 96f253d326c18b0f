"""Lifting: from the landmarks of one person to a body before the camera, at any frame rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..core.arrays import Array, Floats
from ..core.landmarks import LANDMARK, SHOWN_BY, from_hips
from ..core.limits import limit_spine_twist
from ..core.rotations import matrix_from_6d, mean_turn, sixd_from_matrix
from ..core.skeleton import INDEX, JOINTS
from .lifters.lifter import LIFTER_FPS, Lifter
from .lifters.view import smooth


@dataclass(frozen=True)
class Estimate:
    """A body in motion as it was lifted or solved, in the axes of a level camera (x right, y forward, z up).

    Attributes
    ----------
    lengths : (len(LENGTHS),)
        Bone lengths, metres.
    rotations : (T, J, 3, 3)
        World rotations of the joints.
    root : (T, 3)
        Position of the hips from the camera, metres.
    contacts : (T, 4)
        Probability that each of `motion.CONTACT_POINTS` touches the floor.
    up : (3,)
        Unit vector against gravity. There is one for all frames: the camera is assumed to keep its tilt.
    """

    lengths: Floats
    rotations: Floats
    root: Floats
    contacts: Floats
    up: Floats


def lift(rays: Floats, confidence: Floats, hint: Floats, fps: float, model: Lifter) -> Estimate:
    """Lift one person's landmarks.

    Parameters
    ----------
    rays : (T, 33, 2)
        Landmarks as x / z and y / z in the camera frame (x right, y down), finite everywhere (gaps are
        bridged).
    confidence : (T, 33)
        0 (not seen) to 1.
    hint : (T, 33, 3), metres
        The detector's 3D landmarks, see `lifters.view.view`; NaN where it found nobody.
    fps : float
        Frame rate of the rays and of the result; the lifter itself works at `LIFTER_FPS`.
    model : Lifter
    """
    device = next(model.parameters()).device
    solid = np.isfinite(hint)
    columns = [rays, confidence[..., None], np.where(solid, from_hips(hint), 0), solid[..., :1]]
    joined = torch.as_tensor(np.concatenate(columns, -1), dtype=torch.float32)[None]
    if fps > LIFTER_FPS:  # frames between the lifter's lower its noise
        joined = smooth(joined.flatten(2), 0.4 * fps / LIFTER_FPS).unflatten(2, joined.shape[2:])
    frames = len(rays)
    count = max(1, round((frames - 1) * LIFTER_FPS / fps) + 1)
    # the lifter's frames, evenly spread over the same time
    there = torch.linspace(0, frames - 1, count)
    at = _interpolate(joined[0], there)[None].to(device)
    solid_there = torch.where(at[..., 6:] > _WHOLE, at[..., 3:6], torch.nan)
    place, seen = at[..., :2], at[..., 2].clamp(0, 1)
    with torch.no_grad():
        lifted = model(model.see(place, seen, solid_there), flip=True)
        plain = model(model.see(place, seen, torch.full_like(solid_there, torch.nan)), flip=True)
    back = torch.linspace(0, count - 1, frames)
    rotations = matrix_from_6d(_interpolate(sixd_from_matrix(lifted.rotations[0].cpu()), back))
    # the detector's 3D tells what is in front, but leans with the camera: a second pass without it gives the
    # body's tilt
    torso = [_numpy(one.rotations[0][:, _TORSO]) for one in (lifted, plain)]
    up = torch.nn.functional.normalize(plain.up[0].mean(0), dim=0)
    return Estimate(
        lengths=_numpy(lifted.lengths[0]),
        rotations=mean_turn(*torso) @ limit_spine_twist(_numpy(rotations)),
        root=_numpy(_interpolate(lifted.root[0].cpu(), back)),
        contacts=_numpy(torch.sigmoid(_interpolate(lifted.contacts[0].cpu(), back))),
        up=_numpy(up),
    )


#: joints whose rotations tell the body's tilt
_TORSO = [INDEX[name] for name in ("hips", "spine", "chest", "thigh.L", "thigh.R")]
#: an interpolated hint counts if at least this share of it comes from frames that have one
_WHOLE = 0.99


def joint_confidence(confidence: Array) -> Array:
    """Confidence of each joint (T, J): the mean over the landmarks (T, 33) that show it."""
    columns = []
    for joint in JOINTS:
        name, dot, side = joint.partition(".")
        shown = [LANDMARK[n + dot + side] if dot else LANDMARK[n] for n in SHOWN_BY[name]]
        columns.append(confidence[:, shown].mean(1))
    return np.stack(columns, 1)


def _interpolate(x: Tensor, at: Tensor) -> Tensor:
    """Values of x (T, ...) at fractional frames `at` (N,), by Catmull-Rom splines: smooth in speed too."""
    last = len(x) - 1
    low = at.floor().long().clamp(0, max(last - 1, 0))
    t = (at - low).reshape(-1, *[1] * (x.ndim - 1)).to(x.dtype)
    p0, p1, p2, p3 = (x[(low + k).clamp(0, last)] for k in (-1, 0, 1, 2))
    return p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))


def _numpy(x: Tensor) -> Floats:
    return x.detach().cpu().numpy().astype(np.float64)
