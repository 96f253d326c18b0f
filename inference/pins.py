"""Pinned poses: what they tell of the lifter's and the detector's errors in the frames around them.

Errors last: where the lifter is off in a frame, it is off alike in the frames around, the more so the more
they resemble it. So its errors are taken for a Gaussian process of which pins tell some values, and what is
expected of it then (Rasmussen and Williams 2006, equation 2.25) is taken off the lifter's answer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core.arrays import Array, Floats, Indices
from ..core.kinematics import joint_positions
from ..core.landmarks import AT, BY, PLACE, landmarks_on
from ..core.pins import Pins
from ..core.rotations import matrix_from_vector, quaternion_from_matrix, rotation_vector
from ..core.skeleton import PARENTS, STANDARD_HEIGHT, rest_offsets, standing_height
from .lift import Estimate
from .solve.problem import Evidence

# Chosen on the worst frames of benchmark clips, and with landmarks that were moved elsewhere.
#: errors are alike for about so long, seconds, ...
_LASTS = 0.4
#: ... as long as the joint doesn't turn by more than this before the camera, radians
_ALIKE = 0.5
#: a landmark is wrong if a pinned body has it elsewhere by more than this, as a share of the body's height
_WRONG = 0.03
#: variance of a pin that counts as certain, as a share of that of the lifter's errors
_CERTAIN = 1e-6
#: a body is no nearer to the camera than this, metres
_NEAREST = 0.2


def pinned(evidence: Evidence, body: Estimate, pins: Pins) -> tuple[Evidence, Estimate]:
    """What to settle again, and from what motion, so that a settled motion passes through pins.

    Parameters
    ----------
    evidence : Evidence
        Of which `body` was settled.
    body : Estimate
    pins : Pins
        In the axes of both.
    """
    lifted, hips = evidence.lifted, body.rotations[:, 0]
    times = np.arange(len(hips)) / evidence.fps
    noise = 1 / pins.strength - 1 + _CERTAIN
    answer, wish = lifted.rotations.copy(), body.rotations.copy()
    firmness, root_firmness = np.ones(answer.shape[:2]), np.ones(len(answer))
    told = np.isfinite(pins.rotations).all((2, 3))
    for joint in np.flatnonzero(told.any(0)):
        own = told[:, joint]
        frames, turns = pins.frames[own], pins.rotations[own, joint]
        pose = quaternion_from_matrix(body.rotations[:, joint])
        weights = _weights(times, frames, noise[own], pose)
        for rotations in (answer, wish):
            rotations[:, joint] = _carried(rotations[:, joint], hips, frames, turns, weights)
        firmness[frames, joint] = np.maximum(1 / noise[own], 1)
    own = np.isfinite(pins.hips).all(1)
    frames = pins.frames[own]
    weights = _weights(times, frames, noise[own])
    root, start = (one + weights @ (pins.hips[own] - one[frames]) for one in (lifted.root, body.root))
    root_firmness[frames] = np.maximum(1 / noise[own], 1)
    wished = replace(body, rotations=wish, root=start)
    return replace(
        evidence,
        lifted=replace(lifted, rotations=answer, root=root),
        rays=_rays_with(evidence, wished, pins, told, noise),
        firmness=firmness,
        root_firmness=root_firmness,
    ), wished


def _weights(times: Floats, frames: Indices, noise: Floats, pose: Floats | None = None) -> Floats:
    """How much of each told error (P,) is expected in each frame (T, P).

    Parameters
    ----------
    times : (T,)
        Seconds.
    frames : (P,)
        In which errors are told.
    noise : (P,)
        Variances of what is told, as shares of that of the errors.
    pose : (T, 4), optional
        Quaternions: errors differ where these do.
    """
    alike = np.exp(-(((times[:, None] - times[frames]) / _LASTS) ** 2) / 2)
    if pose is not None:
        turned = 2 * np.arccos(np.minimum(np.abs(pose @ pose[frames].T), 1))
        alike *= np.exp(-((turned / _ALIKE) ** 2) / 2)
    return np.asarray(np.linalg.solve(alike[frames] + np.diag(noise), alike.T).T)


def _carried(rotations: Floats, hips: Floats, frames: Indices, turns: Floats, weights: Floats) -> Floats:
    """World rotations (T, 3, 3) of a joint that turn as pins ask, in the axes of the hips (T, 3, 3)."""
    back = np.swapaxes(hips, 1, 2)
    off = rotation_vector(back[frames] @ turns @ np.swapaxes(rotations[frames], 1, 2) @ hips[frames])
    return np.asarray(hips @ matrix_from_vector(weights @ off) @ back @ rotations)


def _rays_with(evidence: Evidence, body: Estimate, pins: Pins, told: Array, noise: Floats) -> Floats:
    """The landmarks' rays (T, 33, 2), without the errors of those that lie elsewhere on a pinned body."""
    times = np.arange(len(evidence.rays)) / evidence.fps
    seen = _rays_of(evidence, body, pins.frames)
    off = seen - evidence.rays[pins.frames]
    away = np.linalg.norm(off, axis=2) * evidence.distance(slice(None))[pins.frames, None]
    away = away / (_WRONG * float(standing_height(body.lengths)))
    off *= (away**2 / (1 + away**2))[..., None] ** 2
    rays = evidence.rays.copy()
    # a landmark tells of the joint that carries it, and of the one before it
    before = np.array(PARENTS)[AT]
    shown = told[:, BY] | told[:, before]
    for landmark in np.flatnonzero(shown.any(0)):
        own = shown[:, landmark]
        rays[:, landmark] += _weights(times, pins.frames[own], noise[own]) @ off[own, landmark]
    return np.asarray(rays)


def _rays_of(evidence: Evidence, body: Estimate, frames: Indices) -> Floats:
    """Where the landmarks of a body are seen in some frames, (P, 33, 2) as `Evidence.rays`."""
    rotations, root = body.rotations[frames], body.root[frames]
    scale = float(standing_height(body.lengths)) / STANDARD_HEIGHT
    joints = joint_positions(rotations, root, rest_offsets(body.lengths))
    points = landmarks_on(joints, rotations, PLACE * scale)
    if evidence.camera is not None:
        points = points - evidence.camera.positions[frames, None]
        points = points @ evidence.camera.rotations[frames]
    ahead = np.maximum(points[..., 1:2], _NEAREST)
    return np.asarray(points[..., [0, 2]] / ahead * [1, -1])
