"""The terms of the least squares problem, linearised around the current solution."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...core.landmarks import LANDMARKS, PLACES
from ...core.skeleton import INDEX
from .equations import Equations
from .placed import Placed, place, skew
from .problem import JOINT_COUNT, SPREAD, UNKNOWNS, Problem, State

# The weights are inverse squares of the standard deviations below, which were chosen on detections held out
# from training.
#: a landmark this many standard deviations away is an outlier
_OUTLIER = 3.0
#: of the lifter's rotation of the hips, radians
_HIPS_TURN = np.radians(5.0)
#: of the lifter's rotations of the other joints, radians
TURN_SPREAD = np.radians(10.0)
#: of the lifter's root, sideways and up, metres
_ASIDE = 0.1
#: of the lifter's root, as a share of its distance
_DISTANCE = 0.3
#: rotations that change faster than this are noise rather than motion, Hz, ...
_QUICK = 8.5
#: ... if they turn a bone by this, radians
_QUICK_TURN = 0.06
#: movements of the root, sideways and up, faster than this are noise, Hz, ...
_QUICK_ASIDE = 3.0
#: ... and in depth, Hz, ...
_QUICK_DEPTH = 2.0
#: ... if they are this large, metres
_QUICK_ROOT = 0.03
#: how far a standing foot moves in a frame, metres
_STEP = 0.001
#: a foot that moves faster than this doesn't stand, m/s
_STANDING = 0.2
#: knees and elbows resist bending further backwards than this: cosine of the angle of bone and hinge
_STRAIGHT = -0.05
#: how firmly: standard deviation of that cosine
_FIRM = 0.03
#: knees and elbows never bend further backwards than this: cosine of the angle of bone and hinge
BENT_BACK = -0.09
#: joint, its child, the child's bone and the direction to which it bends, in the rest pose
HINGES = tuple(
    (INDEX[f"{joint}.{side}"], INDEX[f"{child}.{side}"], np.array(bone), np.array(towards))
    for side, sign in (("L", 1.0), ("R", -1.0))
    for joint, child, bone, towards in (
        ("thigh", "shin", (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
        ("upper_arm", "forearm", (sign, 0.0, 0.0), (0.0, -np.cos(np.radians(15)), np.sin(np.radians(15)))),
    )
)
#: joint at which each landmark lies
_AT = [INDEX[at] for at, _, _ in PLACES]
#: joint that carries each landmark
_BY = [INDEX[by] for _, by, _ in PLACES]


def landmark_residuals(problem: Problem, placed: Placed) -> tuple[Tensor, Tensor]:
    """Residuals (T, 33, 2) of the landmarks in the picture, in body heights; derivatives (T, 33, 2, N)."""
    points, jacobian = placed.attached(_AT, _BY, problem.places)
    forward = points[..., 1].clamp(min=0.2)
    seen = points[..., ::2] / forward[..., None]
    size = placed.root[:, 1] / problem.height
    slope = points.new_zeros(*points.shape[:2], 2, 3)
    slope[..., 0, 0] = slope[..., 1, 2] = 1
    slope[..., 1] = -seen
    slope = slope * (size[:, None] / forward)[..., None, None]
    return (seen - problem.rays) * size[:, None, None], slope @ jacobian


def outlier_distance(like: Tensor) -> Tensor:
    """The square of the distance (33,) from which on a landmark is an outlier, in body heights."""
    return _OUTLIER**2 * torch.tensor([SPREAD[n.split(".")[0]] ** 2 for n in LANDMARKS]).to(like)


def equations_of(problem: Problem, state: State) -> Equations:
    """The normal equations of all terms around a state."""
    rotations, fps = state.rotations, problem.fps
    placed = place(problem, state)
    root = placed.root
    frames = len(root)
    equations = Equations(root)

    # landmarks in the picture
    error, jacobian = landmark_residuals(problem, placed)
    limit = outlier_distance(error)
    weight = problem.weight * (limit / (limit + (error**2).sum(-1))) ** 2
    equations.add(jacobian.flatten(1, 2), error.flatten(1), weight[..., None].expand(-1, -1, 2).flatten(1))

    # the lifter's motion
    turned = turn_between(problem.prior.rotations, rotations).flatten(1)
    precision = turned.new_full((JOINT_COUNT, 3), TURN_SPREAD**-2)
    precision[INDEX["hips"]] = _HIPS_TURN**-2
    aside = (problem.distance / _ASIDE) ** 2
    of_root = torch.tensor([aside, _DISTANCE**-2, aside]).to(root)
    off = torch.cat([turned, state.root - problem.prior.root], 1)
    trust = torch.cat([precision.flatten(), of_root])
    equations.here.diagonal(dim1=1, dim2=2).add_(trust)
    equations.slope += trust * off

    # smooth: columns of the rotations, and the root
    if frames > 2:
        columns = rotations.transpose(-1, -2)
        stiffness = (fps / (2 * np.pi * _QUICK)) ** 4 / _QUICK_TURN**2
        equations.add_turns(
            -skew(columns).flatten(2, 3),
            columns.flatten(2),
            torch.full_like(root[:, :1], stiffness).expand(-1, JOINT_COUNT),
        )
        quick = torch.tensor([_QUICK_ASIDE, _QUICK_DEPTH, _QUICK_ASIDE]).to(root)
        stiff = (fps / (2 * np.pi * quick)) ** 4 * (problem.distance / _QUICK_ROOT) ** 2
        equations.add_root(state.root, stiff.expand(frames, 3))

    # feet that stand
    feet = [INDEX[f"{name}.{side}"] for side in "LR" for name in ("foot", "toe")]
    soles, moved = placed.attached(
        feet, feet, torch.stack([problem.heel, torch.zeros_like(problem.heel)]).repeat(2, 1)
    )
    speed = torch.zeros_like(problem.standing)
    speed[:-1] = torch.linalg.vector_norm(torch.diff(soles, dim=0), dim=-1) * fps
    still = problem.standing / _STEP**2 * (_STANDING**2 / (_STANDING**2 + speed**2)) ** 2
    equations.add_steps(moved.flatten(1, 2), soles.flatten(1), still[..., None].expand(-1, -1, 3).flatten(1))

    # knees and elbows
    jacobian, beyond = root.new_zeros(frames, len(HINGES), UNKNOWNS), root.new_zeros(frames, len(HINGES))
    for row, (joint, child, bone, towards) in enumerate(HINGES):
        along = rotations[:, child] @ torch.as_tensor(bone).to(root)
        hinge = rotations[:, joint] @ torch.as_tensor(towards).to(root)
        beyond[:, row] = (_STRAIGHT - (along * hinge).sum(-1)).clamp(min=0)
        across = torch.linalg.cross(along, hinge)
        jacobian[:, row, 3 * child : 3 * child + 3] = -across
        jacobian[:, row, 3 * joint : 3 * joint + 3] = across
    equations.add(jacobian, beyond, (beyond > 0).to(root) / _FIRM**2)
    return equations


def turn_between(before: Tensor, after: Tensor) -> Tensor:
    """Rotation vectors (..., 3), radians, of the rotations from `before` to `after`, both (..., 3, 3)."""
    turn = after @ before.transpose(-1, -2)
    # its length is 2 sin(angle)
    axis = torch.stack([turn[..., i, j] - turn[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0))], -1)
    sine = torch.linalg.vector_norm(axis, dim=-1) / 2
    cosine = (turn.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    scale: Tensor = torch.atan2(sine, cosine) / (2 * sine).clamp(min=1e-9)
    return axis * scale[..., None]
