"""The terms of the least squares problem, linearised around the current solution."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...core.contacts import GRAVITY
from ...core.landmarks import AT, BY
from ...core.limits import HINGES
from ...core.motion import CONTACT_JOINTS
from ...core.rotations import mean_turn
from ...core.skeleton import INDEX
from .equations import Equations, Loose
from .placed import Attached, Placed, place, skew
from .problem import BALLS, FLOORS, JOINT_COUNT, SHAPE, UNKNOWNS, UP, Problem, State, Touching, across

# The weights are inverse squares of the standard deviations below, which were chosen on detections held out
# from training.
#: a landmark this many standard deviations away is an outlier
OUTLIER = 3.0
#: of the lifter's root, sideways and up, metres
_ASIDE = 0.1
#: of the lifter's root, as a share of its distance
_DISTANCE = 0.3
#: rotations that change faster than this are noise rather than motion, Hz; ...
_QUICK = 7.0
#: ... of the arms, which are quicker, faster than this, Hz, ...
_QUICK_ARMS = 10.0
#: ... if they turn a bone by this, radians
_QUICK_TURN = 0.06
#: bones that hardly accelerate are so much stiffer: what little they seem to move is noise, ...
_CALM = 3.0
#: ... up to about this angular acceleration, radians per second squared
_CALM_TURN = 12.0
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
#: a foot that is this far from its floor doesn't stand on it, metres
_OFF_FLOOR = 0.06
#: how far a standing foot is from its floor, metres
_ON_FLOOR = 0.005
#: how far what doesn't stand is below the lowest floor, metres
_BELOW_FLOOR = 0.01
#: how far the hips' acceleration is from gravity's, in flight, metres per second squared
_FALL = 3.0
#: how far in depth what touches somebody is from them, metres
_TOUCH = 0.01
#: knees and elbows resist bending further backwards than this: cosine of the angle of bone and hinge
_STRAIGHT = -0.05
#: how firmly: standard deviation of that cosine
_FIRM = 0.03
#: knees and elbows never bend further backwards than this: cosine of the angle of bone and hinge
BENT_BACK = -0.09
#: joints that `_QUICK_ARMS` is for
_ARMS = [INDEX[f"{name}.{side}"] for name in ("upper_arm", "forearm", "hand") for side in "LR"]
#: joint that carries each of the balls
_BALLS = [INDEX[joint] for joint, *_ in BALLS]


class _Seen(NamedTuple):
    """The landmarks' places on the body in the picture.

    Attributes
    ----------
    attached : Attached
    points : (T, 33, 3)
        In the camera's axes, metres.
    slope : (T, 33, 2, 3)
        Derivatives of `off` by them.
    off : (T, 33, 2)
        How far the landmarks are from them, in their standard deviations.
    """

    attached: Attached
    points: Tensor
    slope: Tensor
    off: Tensor


def landmark_residuals(problem: Problem, placed: Placed) -> _Seen:
    """How far the landmarks are from the body in the picture."""
    attached = placed.attached(AT, BY, problem.places)
    points, root = attached.points, placed.root
    if problem.camera is not None:
        into, at = problem.camera.into, problem.camera.positions
        points = (points - at[:, None]) @ into.mT
        root = (into @ (root - at)[..., None])[..., 0]
    forward = points[..., 1].clamp(min=0.2)
    seen = points[..., ::2] / forward[..., None]
    size = root[:, 1] / problem.height
    slope = points.new_zeros(*points.shape[:2], 2, 3)
    slope[..., ::2] = problem.whiten * (size[:, None] / forward)[..., None, None]
    slope[..., 1] = -(slope[..., ::2] * seen[..., None, :]).sum(-1)
    off = (problem.whiten * (seen - problem.rays)[..., None, :]).sum(-1) * size[:, None, None]
    return _Seen(attached, points, slope, off)


def equations_of(problem: Problem, state: State, wide: float) -> Equations:
    """The normal equations of all terms around a state; `wide` is how wide the robust limits are."""
    placed = place(problem, state)
    equations = Equations(placed.root, FLOORS + len(state.floors))
    _add_landmarks(equations, problem, placed, wide)
    _add_prior(equations, problem, state)
    if len(placed.root) > 2:
        _add_smoothness(equations, problem, state)
    _add_feet(equations, problem, state, placed, wide)
    if len(state.floors):
        _add_ground(equations, problem, state, placed)
    if problem.touching is not None:
        _add_touching(equations, problem.touching, placed)
    _add_hinges(equations, state)
    return equations


def _add_landmarks(equations: Equations, problem: Problem, placed: Placed, wide: float) -> None:
    """The landmarks in the picture."""
    seen = landmark_residuals(problem, placed)
    limit = (wide * OUTLIER) ** 2
    weight = problem.weight * (limit / (limit + (seen.off**2).sum(-1))) ** 2
    # both coordinates of all landmarks, one after the other
    slope = seen.slope.transpose(1, 2).float()
    loose = None
    if problem.camera is not None:
        turned = slope[:, :, :, None] @ skew(seen.points)[:, None].float()
        by_camera = torch.cat([turned[..., 0, :], -slope], -1)
        loose = Loose(by_camera.flatten(1, 2), problem.camera.precision)
        slope = slope @ problem.camera.into[:, None].float()
    shared = None
    if problem.free[SHAPE].any():
        shared = slope.new_zeros(*slope.shape[:3], equations.shared)
        shared[..., SHAPE] = (slope[..., None, :] @ placed.by_lengths()[:, None, AT].float())[..., 0, :]
        shared = shared.flatten(1, 2)
    equations.add(
        seen.attached.along(slope).flatten(1, 2),
        seen.off.mT.flatten(1),
        weight.repeat(1, 2),
        shared,
        loose,
    )


def _add_prior(equations: Equations, problem: Problem, state: State) -> None:
    """The lifter's motion, and what is known of what all frames share."""
    prior = problem.prior
    turned = turn_between(prior.rotations, state.rotations)
    precision = (problem.turn_spread**-2)[..., None].expand(turned.shape)
    aside = (problem.distance / _ASIDE) ** 2
    of_root = torch.tensor([aside, _DISTANCE**-2, aside]).to(state.root)
    moved = state.root - prior.root
    off = torch.cat([turned.flatten(1), moved], 1)
    trust = torch.cat([precision.flatten(1), problem.root_firm[:, None] * of_root], 1)
    equations.here.diagonal(dim1=1, dim2=2).add_(trust)
    equations.slope += trust * off
    equations.add_shared(problem.shared_precision, _shared_off(problem, state))


def _shared_off(problem: Problem, state: State) -> Tensor:
    """How far what all frames share is from its prior (G,): the lifter's answer; none has floors."""
    prior, up = problem.prior, torch.zeros_like(state.up[:2])
    if problem.free[UP].any():
        # the lifter knows the body's tilt better than the camera's, so gravity turns with the body
        body = mean_turn(prior.rotations.cpu().numpy(), state.rotations.cpu().numpy())
        up = across(state.up).T @ (state.up - torch.as_tensor(body).to(prior.up) @ prior.up)
    return torch.cat([state.lengths, up, torch.zeros_like(state.floors)])


def _add_smoothness(equations: Equations, problem: Problem, state: State) -> None:
    """Angular acceleration of the bones and acceleration of the root; who flies, falls freely."""
    fps, root = problem.fps, state.root
    quick = torch.full((JOINT_COUNT,), _QUICK).to(root)
    quick[_ARMS] = _QUICK_ARMS
    stiffness = (fps / (2 * np.pi * quick)) ** 4 / _QUICK_TURN**2
    # a matrix changes by the square root of 2 times its turn
    turning = torch.zeros(len(root), JOINT_COUNT).to(root)
    turning[1:-1] = (torch.diff(state.rotations, n=2, dim=0) ** 2).sum((-2, -1)) / 2 * fps**4
    calm = 1 + (_CALM - 1) / (1 + turning / _CALM_TURN**2) ** 2
    equations.add_turns(state.rotations, stiffness * calm)
    quick = torch.tensor([_QUICK_ASIDE, _QUICK_DEPTH, _QUICK_ASIDE]).to(root)
    stiff = (fps / (2 * np.pi * quick)) ** 4 * (problem.distance / _QUICK_ROOT) ** 2
    falling = -GRAVITY / fps**2 * state.up / root[:, 1:2].exp() * problem.flying[:, None]
    firm = torch.where(
        problem.flying[:, None], (problem.distance * fps**2 / _FALL) ** 2, stiff.expand(root.shape)
    )
    equations.add_root(root, falling, firm)


def _add_feet(equations: Equations, problem: Problem, state: State, placed: Placed, wide: float) -> None:
    """Soles that stand don't move and lie on their floor; nothing lies below the lowest one."""
    attached = placed.attached(CONTACT_JOINTS, CONTACT_JOINTS, problem.soles)
    soles = attached.points
    speed = torch.zeros_like(problem.firm)
    speed[:-1] = torch.linalg.vector_norm(torch.diff(soles, dim=0), dim=-1) * problem.fps
    slow = (wide * _STANDING) ** 2
    still = problem.firm / _STEP**2 * (slow / (slow + speed**2)) ** 2
    axes = torch.eye(3).to(soles)[:, None].expand(len(soles), 3, len(CONTACT_JOINTS), 3)
    equations.add_steps(attached.along(axes).flatten(1, 2), soles.mT.flatten(1), still.repeat(1, 3))
    if not len(state.floors):
        return
    stands = problem.floor >= 0
    on = torch.where(stands, problem.floor, state.floors.argmin())
    above = soles @ state.up - problem.under - state.floors[on]
    near = (wide * _OFF_FLOOR) ** 2
    firm = (near / (near + above**2)) ** 2 / (wide * _ON_FLOOR) ** 2
    weight = torch.where(stands, firm, torch.where(above < 0, _BELOW_FLOOR**-2, 0.0))
    shared = _shared_by_height(problem, state, placed, soles, CONTACT_JOINTS, on)
    equations.add(_upwards(state, attached), above, weight, shared)


def _add_ground(equations: Equations, problem: Problem, state: State, placed: Placed) -> None:
    """Nothing of the body lies below the lowest floor."""
    lowest = state.floors.argmin()
    middles = placed.joints[:, _BALLS] + (placed.rotations[:, _BALLS] * problem.balls[:, None]).sum(-1)
    above = middles @ state.up - problem.radii - state.floors[lowest]
    low = (above < 0).any(0).nonzero()[:, 0].tolist()
    if not low:
        return
    joints, above = [_BALLS[ball] for ball in low], above[:, low]
    attached = placed.attached(joints, joints, problem.balls[low])
    on = lowest.expand(above.shape)
    shared = _shared_by_height(problem, state, placed, attached.points, joints, on)
    equations.add(_upwards(state, attached), above, (above < 0).to(above) / _BELOW_FLOOR**2, shared)


def _upwards(state: State, attached: Attached) -> Tensor:
    """Derivatives (T, K, N) of the heights of points on the body."""
    return attached.along(state.up.expand(len(attached.points), 1, attached.points.shape[1], 3))[:, 0]


def _shared_by_height(
    problem: Problem, state: State, placed: Placed, points: Tensor, at: list[int], on: Tensor
) -> Tensor:
    """Derivatives (T, K, G) of how high points (T, K, 3) at joints are above floors `on` (T, K)."""
    out = points.new_zeros(*on.shape, FLOORS + len(state.floors))
    if problem.free[SHAPE].any():
        out[..., SHAPE] = state.up @ placed.by_lengths()[:, at]
    out[..., UP] = points @ across(state.up)
    out[..., FLOORS:] = -torch.nn.functional.one_hot(on, len(state.floors)).to(points)
    return out


def _add_touching(equations: Equations, touching: Touching, placed: Placed) -> None:
    """What touches somebody is as far away as they are."""
    joints = touching.joints
    attached = placed.attached(joints, joints, placed.joints.new_zeros(len(joints), 3))
    off = (attached.points * touching.along).sum(-1) - touching.far
    equations.add(attached.along(touching.along[:, None])[:, 0], off, touching.weight / _TOUCH**2)


def _add_hinges(equations: Equations, state: State) -> None:
    """Knees and elbows that bend backwards."""
    rotations = state.rotations
    frames = len(rotations)
    jacobian = torch.zeros(frames, len(HINGES), UNKNOWNS, device=rotations.device)
    beyond = rotations.new_zeros(frames, len(HINGES))
    for row, (joint, child, bone, towards) in enumerate(HINGES):
        along = rotations[:, child] @ torch.as_tensor(bone).to(rotations)
        hinge = rotations[:, joint] @ torch.as_tensor(towards).to(rotations)
        beyond[:, row] = (_STRAIGHT - (along * hinge).sum(-1)).clamp(min=0)
        side = torch.linalg.cross(along, hinge)
        of_child, of_joint = (slice(3 * j, 3 * j + 3) for j in (child, joint))
        jacobian[:, row, of_child], jacobian[:, row, of_joint] = -side.float(), side.float()
    equations.add(jacobian, beyond, (beyond > 0).to(rotations) / _FIRM**2)


def turn_between(before: Tensor, after: Tensor) -> Tensor:
    """Rotation vectors (..., 3), radians, of the rotations from `before` to `after`, both (..., 3, 3)."""
    turn = after @ before.transpose(-1, -2)
    # its length is 2 sin(angle)
    axis = torch.stack([turn[..., i, j] - turn[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0))], -1)
    sine = torch.linalg.vector_norm(axis, dim=-1) / 2
    cosine = (turn.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    scale: Tensor = torch.atan2(sine, cosine) / (2 * sine).clamp(min=1e-9)
    return axis * scale[..., None]
