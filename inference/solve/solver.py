"""The solver: the whole clip at once; the body lies on the person in every frame and moves as bodies do.

The lifter knows the depth and is off in the picture; the landmarks are right in the picture, mostly, and
know no depth. Both are weighed against each other, frame by frame and over time, in one robust least squares
problem:

- every landmark's distance in the picture from its place on the body (`landmarks.PLACES`), by the detector's
  spread and confidence; one far off says nothing (Geman and McClure 1987);
- every joint's turn from the lifter's rotation, and the root from the lifter's;
- angular acceleration of the bones and acceleration of the root, so weak that what people can do passes;
- feet keep still while the lifter says that they stand;
- knees and elbows don't bend backwards.

Bone lengths stay the lifter's: freed, they fit the picture at the depth's cost. Solved by Gauss-Newton steps
with reweighted residuals. A frame is tied to two frames on either side, so a step is a block-banded Cholesky
factorisation: its time grows with the number of frames. Long clips are solved in overlapping stretches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ...core.limits import limit_spine_twist
from ...core.rotations import (
    matrix_from_6d,
    matrix_from_quaternion,
    mean_turn,
    rotation_between,
    sixd_from_matrix,
)
from ..lift import Estimate
from .placed import place
from .problem import JOINT_COUNT, ROOT, TURNS, Problem, State, problem_of, root_position
from .terms import BENT_BACK, HINGES, TURN_SPREAD, equations_of, landmarks_left, mistake, turn_between

Progress = Callable[[str, int, int], None]
#: steps, and the mean turn of a joint (radians) below which there is nothing left to do; the largest turn of
#: a step
_STEPS, _DONE, _LARGEST = 8, 0.015, 0.4
#: frames of a stretch, and seconds over which one goes over into the next
_STRETCH, _OVERLAP = 480, 1.5


def solve(
    estimate: Estimate,
    rays: npt.NDArray[Any],
    confidence: npt.NDArray[Any],
    fps: float,
    device: torch.device,
    progress: Progress | None = None,
) -> Estimate:
    """Bring the lifter's answer and the landmarks together.

    Parameters
    ----------
    estimate : Estimate
        What the lifter said.
    rays : (T, 33, 2)
        Landmarks as x / z and y / z in the camera frame (y down), bridged: finite everywhere.
    confidence : (T, 33)
        0 (not seen, the ray counts for nothing) to 1.
    fps : float
    device : torch.device
    progress : callable, optional
        Told ``solve``, how many frames are done, and of how many.

    Returns
    -------
    Estimate
        With rotations and root solved; `up` follows the body's mean turn; all else is the lifter's.
    """
    with _one_thread():
        return _in_stretches(estimate, rays, confidence, fps, device, progress)


def misfit(
    estimate: Estimate, rays: npt.NDArray[Any], confidence: npt.NDArray[Any], fps: float, device: torch.device
) -> float:
    """How badly a lifter's answer and the landmarks can be brought together, a mean over frames.

    Parameters as for `solve`. Squares of what is left of landmarks and turns, in their spreads: of answers to
    the same landmarks, seen through different lenses, the better one came through the better lens.
    """
    with _one_thread():
        problem = problem_of(estimate, rays, confidence, fps, device, slice(None))
        solved = _solved(problem)
        left, _ = landmarks_left(problem, place(problem, solved))
        limit = mistake(left)
        square = (left**2).sum(-1)
        turned = turn_between(problem.prior.rotations, solved.rotations) / TURN_SPREAD
        each = (problem.weight * square * limit / (limit + square)).sum(1) + (turned**2).sum((1, 2))
        return float(each.mean())


@contextmanager
def _one_thread() -> Iterator[None]:
    """The matrices are small: threads would wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _in_stretches(
    estimate: Estimate,
    rays: npt.NDArray[Any],
    confidence: npt.NDArray[Any],
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
    # how the body stands to gravity the lifter knows better than how the camera does: they turn together
    up = mean_turn(estimate.rotations, rotations) @ estimate.up
    return replace(estimate, rotations=rotations, root=root_position(out.root).double().numpy(), up=up)


def _solved(problem: Problem) -> State:
    """Gauss-Newton from the lifter's answer on."""
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


def _unbent(rotations: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The same (T, J, 3, 3) with no knee or elbow bent backwards by more than `BENT_BACK`."""
    out = rotations.copy()
    for joint, child, bone, towards in HINGES:
        along, hinge = out[:, child] @ bone, out[:, joint] @ towards
        beyond = np.maximum(BENT_BACK - (along * hinge).sum(-1, keepdims=True), 0)
        side = along - (along * hinge).sum(-1, keepdims=True) * hinge
        length = np.linalg.norm(side, axis=-1, keepdims=True)
        # bent all the way back there is no side to unbend to: the upper bone's own direction
        side = np.where(length > 1e-6, side / np.maximum(length, 1e-6), out[:, joint] @ bone)
        allowed = side * np.sqrt(1 - BENT_BACK**2) + BENT_BACK * hinge
        turn = np.asarray(rotation_between(along, np.where(beyond > 0, allowed, along)))
        out[:, child] = turn @ out[:, child]
    return out
