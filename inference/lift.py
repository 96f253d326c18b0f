"""From one person's landmarks to a body before the camera: the lifter, at any frame rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..core.landmarks import LANDMARK, SHOWN_BY, from_hips
from ..core.limits import limit_spine_twist
from ..core.rotations import matrix_from_6d, mean_turn, sixd_from_matrix
from ..core.skeleton import INDEX, JOINTS
from .lifters.lifter import LIFTER_FPS, Lifter
from .lifters.view import smooth, view

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """What a lifter says of one clip, in the axes of a level camera (x right, y forward, z up), metres.

    Attributes
    ----------
    lengths : (len(LENGTHS),)
    rotations : (T, J, 3, 3)
        World rotations of the joints.
    root : (T, 3)
    contacts : (T, 4)
        Probabilities for `motion.CONTACT_POINTS`.
    up : (3,)
        Against gravity, one for the clip: the camera is taken to keep its tilt.
    """

    lengths: Array
    rotations: Array
    root: Array
    contacts: Array
    up: Array


def lift(rays: Array, confidence: Array, hint: Array, fps: float, model: Lifter) -> Estimate:
    """Lift one clip.

    Parameters
    ----------
    rays : (T, 33, 2)
        Landmarks as x / z and y / z in the camera frame (x right, y down), bridged: finite everywhere.
    confidence : (T, 33)
    hint : (T, 33, 3), metres
        The detector's own 3D landmarks, see `lifters.view.view`; NaN where it found nobody.
    fps : float
        Frame rate of the rays; the lifter works at its own, the answer comes back at this one.
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
    # the lifter's frames, evenly over the same time
    there = torch.linspace(0, frames - 1, count)
    at = _interpolate(joined[0], there)[None].to(device)
    solid_there = torch.where(at[..., 6:] > _WHOLE, at[..., 3:6], torch.nan)
    place, seen = at[..., :2], at[..., 2].clamp(0, 1)
    with torch.no_grad():
        lifted = model(view(place, seen, solid_there), flip=True)
        plain = model(view(place, seen, torch.full_like(solid_there, torch.nan)), flip=True)
    back = torch.linspace(0, count - 1, frames)
    rotations = matrix_from_6d(_interpolate(sixd_from_matrix(lifted.rotations[0].cpu()), back))
    # the detector's 3D knows what is in front, but leans with the camera: how all stands is said without it
    torso = [_numpy(one.rotations[0][:, _TORSO]) for one in (lifted, plain)]
    up = torch.nn.functional.normalize(plain.up[0].mean(0), dim=0)
    return Estimate(
        lengths=_numpy(lifted.lengths[0]),
        rotations=mean_turn(*torso) @ limit_spine_twist(_numpy(rotations)),
        root=_numpy(_interpolate(lifted.root[0].cpu(), back)),
        contacts=_numpy(torch.sigmoid(_interpolate(lifted.contacts[0].cpu(), back))),
        up=_numpy(up),
    )


#: by these it is told how a body stands
_TORSO = [INDEX[name] for name in ("hips", "spine", "chest", "thigh.L", "thigh.R")]


#: a hint counts where no more than this much of it is made of frames that have none
_WHOLE = 0.99


def joint_confidence(confidence: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """How well each joint (T, J) was seen, from the landmarks' confidence (T, 33)."""
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


def _numpy(x: Tensor) -> Array:
    return x.detach().cpu().numpy().astype(np.float64)
