"""The solver: fits the body to the landmarks in all frames at once, so that it also moves as bodies do.

The lifter is good at depth and inexact in the picture; the landmarks are mostly exact in the picture and have
no depth. One robust least squares problem over all frames weighs them against each other:

- the distance in the picture of every landmark from its place on the body (`landmarks.PLACES`), weighted by
  the detector's confidence and standard deviation; outliers count for little (Geman and McClure 1987);
- the difference of every joint's rotation, and of the root, from the lifter's;
- angular acceleration of the bones and acceleration of the root, weakly, so that quick human motion remains;
- movement of feet while the lifter says that they stand;
- knees and elbows that bend backwards.

Bone lengths stay as the lifter gave them: as unknowns, they would fit the picture at the expense of depth.
Gauss-Newton steps with reweighted residuals solve the problem. Each frame is coupled to two frames on either
side, so a step solves a block-banded system in a time proportional to the number of frames. Long motions are
solved in overlapping stretches.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch

from ...core.arrays import Array, Floats
from ...core.limits import limit_spine_twist
from ...core.rotations import (
    matrix_from_6d,
    matrix_from_quaternion,
    mean_turn,
    rotation_between,
    sixd_from_matrix,
)
from ..detect.people import Progress
from ..lift import Estimate
from .placed import place
from .problem import JOINT_COUNT, ROOT, TURNS, Problem, State, problem_of, root_position
from .terms import (
    BENT_BACK,
    HINGES,
    TURN_SPREAD,
    equations_of,
    landmark_residuals,
    outlier_distance,
    turn_between,
)

#: Gauss-Newton steps at most
_STEPS = 8
#: it has converged once the joints turn by less than this in a step, radians on average
_DONE = 0.015
#: a joint turns by this at most in a step, radians
_LARGEST = 0.4
#: frames of a stretch
_STRETCH = 480
#: how long a stretch blends into the next, seconds
_OVERLAP = 1.5


def solve(
    estimate: Estimate,
    rays: Array,
    confidence: Array,
    fps: float,
    device: torch.device,
    progress: Progress | None = None,
) -> Estimate:
    """Fit the lifter's motion to the landmarks.

    Parameters
    ----------
    estimate : Estimate
        The lifter's motion.
    rays : (T, 33, 2)
        Landmarks as x / z and y / z in the camera frame (y down), finite everywhere (gaps are bridged).
    confidence : (T, 33)
        0 (not seen, the ray counts for nothing) to 1.
    fps : float
    device : torch.device
    progress : callable, optional
        Called with ``solve``, how many frames are done, and their number.

    Returns
    -------
    Estimate
        With new rotations and root; `up` turns with the body on average; the rest is unchanged.
    """
    with _one_thread():
        return _in_stretches(estimate, rays, confidence, fps, device, progress)


def misfit(estimate: Estimate, rays: Array, confidence: Array, fps: float, device: torch.device) -> float:
    """How badly a lifter's motion and the landmarks fit together once they are solved, a mean over frames.

    The sum of squared residuals of landmarks and rotations, in their standard deviations. Of motions lifted
    from the same landmarks through different lenses, the one with the smallest misfit has the best lens.
    Parameters as for `solve`.
    """
    with _one_thread():
        problem = problem_of(estimate, rays, confidence, fps, device, slice(None))
        solved = _solved(problem)
        left, _ = landmark_residuals(problem, place(problem, solved))
        limit = outlier_distance(left)
        square = (left**2).sum(-1)
        turned = turn_between(problem.prior.rotations, solved.rotations) / TURN_SPREAD
        each = (problem.weight * square * limit / (limit + square)).sum(1) + (turned**2).sum((1, 2))
        return float(each.mean())


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run torch on one thread: the matrices are small, so several would wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _in_stretches(
    estimate: Estimate,
    rays: Array,
    confidence: Array,
    fps: float,
    device: torch.device,
    progress: Progress | None,
) -> Estimate:
    frames = len(estimate.root)
    overlap = max(2, round(_OVERLAP * fps))
    out = State(torch.zeros(frames, JOINT_COUNT, 3, 3), torch.zeros(frames, 3))
    first = 0
    while first == 0 or first < frames - overlap:
        last = min(frames, first + _STRETCH + overlap)
        if progress is not None:
            progress("solve", first, frames)
        solved = _solved(problem_of(estimate, rays, confidence, fps, device, slice(first, last)))
        share = torch.ones(last - first)
        if first:
            share[:overlap] = torch.linspace(0, 1, overlap)
        for before, new in ((out.rotations, solved.rotations), (out.root, solved.root)):
            s = share.reshape(-1, *[1] * (new.ndim - 1))
            before[first:last] = before[first:last] * (1 - s) + new.cpu().float() * s
        first += _STRETCH
    if progress is not None:
        progress("solve", frames, frames)
    rotations = limit_spine_twist(_unbent(matrix_from_6d(sixd_from_matrix(out.rotations)).double().numpy()))
    # the lifter is better at the body's tilt than at the camera's, so gravity turns with the body
    up = mean_turn(estimate.rotations, rotations) @ estimate.up
    return replace(estimate, rotations=rotations, root=root_position(out.root).double().numpy(), up=up)


def _solved(problem: Problem) -> State:
    """Gauss-Newton steps from the lifter's motion on."""
    state = problem.prior
    for _ in range(_STEPS):
        step = equations_of(problem, state).step()
        turns = step[:, TURNS].unflatten(1, (JOINT_COUNT, 3))
        angle = torch.linalg.vector_norm(turns, dim=-1, keepdim=True)
        turns = turns * (_LARGEST / angle.clamp(min=_LARGEST))
        quaternion = torch.nn.functional.normalize(torch.cat([torch.ones_like(angle), turns / 2], -1), dim=-1)
        state = State(matrix_from_quaternion(quaternion) @ state.rotations, state.root + step[:, ROOT])
        if angle.mean() < _DONE:
            break
    return state


def _unbent(rotations: Floats) -> Floats:
    """World rotations (T, J, 3, 3) in which knees and elbows bend backwards by `BENT_BACK` at most."""
    out = rotations.copy()
    for joint, child, bone, towards in HINGES:
        along, hinge = out[:, child] @ bone, out[:, joint] @ towards
        beyond = np.maximum(BENT_BACK - (along * hinge).sum(-1, keepdims=True), 0)
        side = along - (along * hinge).sum(-1, keepdims=True) * hinge
        length = np.linalg.norm(side, axis=-1, keepdims=True)
        # a limb folded all the way back has no side to unbend to: take the direction of the upper bone
        side = np.where(length > 1e-6, side / np.maximum(length, 1e-6), out[:, joint] @ bone)
        allowed = side * np.sqrt(1 - BENT_BACK**2) + BENT_BACK * hinge
        turn = np.asarray(rotation_between(along, np.where(beyond > 0, allowed, along)))
        out[:, child] = turn @ out[:, child]
    return out
