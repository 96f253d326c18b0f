"""The solver: fits the body to the landmarks in all frames at once, so that it also moves as bodies do.

The lifter is good at depth and inexact in the picture; the landmarks are mostly exact in the picture and have
no depth. One robust least squares problem over all frames weighs them against each other:

- the distance in the picture of every landmark from its place on the body (`landmarks.PLACES`), weighted by
  the detector's confidence and standard deviation; outliers count for little (Geman and McClure 1987);
- the difference of every joint's rotation, and of the root, from the lifter's;
- angular acceleration of the bones and acceleration of the root, weakly, so that quick human motion remains;
  while nothing holds the body, it falls freely;
- what touches somebody else, which is as far away as they are;
- feet that stand: they don't move, and lie on a level floor; nothing lies below the lowest floor;
- knees and elbows that bend backwards.

Its unknowns are rotations and root of every frame, and what all frames share: the bone lengths, the direction
of gravity and the heights of the floors. `solve` finds the lengths, with feet that stand as far as the lifter
says so. From its answer it can be decided where feet stand (`core.contacts`), and `settle` solves the same
problem again with these contacts, the lengths being known. It finds gravity and the floors.

Gauss-Newton steps with reweighted residuals solve the problem. The limit from which on a landmark is an
outlier starts wide and narrows (graduated non-convexity: Blake and Zisserman 1987), so that a pose that the
lifter got wrong is found too; while it is wide, a part of the frames will do. Each frame is coupled to two
frames on either side, so a step solves a block-banded system in a time proportional to the number of frames.
Long motions are solved in overlapping stretches.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...core.arrays import Bools, Floats, Indices
from ...core.contacts import runs
from ...core.kinematics import joint_positions
from ...core.limits import HINGES, limit_spine_twist
from ...core.motion import CONTACT_JOINTS, SOLES_BELOW
from ...core.rotations import (
    matrix_from_6d,
    matrix_from_quaternion,
    mean_turn,
    rotation_between,
    sixd_from_matrix,
    unit,
)
from ...core.skeleton import STANDARD_HEIGHT, rest_offsets, standing_height
from ..detect.people import Progress
from ..lift import Estimate
from .placed import place
from .problem import (
    FLOORS,
    JOINT_COUNT,
    ROOT,
    SOLES,
    TURNS,
    Evidence,
    Known,
    Problem,
    Standing,
    State,
    likely_standing,
    moved_by,
    problem_of,
    root_position,
    shared_between,
    state_of,
)
from .terms import (
    BENT_BACK,
    OUTLIER,
    equations_of,
    landmark_residuals,
    turn_between,
)


class _Narrowing(NamedTuple):
    """How wide the robust limits are in each Gauss-Newton step.

    Attributes
    ----------
    coarse : tuple of float
        In the first steps, which are taken for a part of the frames.
    fine : tuple of float
        In those for all frames.
    """

    coarse: tuple[float, ...]
    fine: tuple[float, ...]


#: from the lifter's answer on
_FROM_LIFTER = _Narrowing((8.0, 4.0, 2.0), (2.0, 1.0, 1.0, 1.0))
#: in search of the lens: whatever the lifter got wrong with a lens tells against it
_FOR_LENS = _Narrowing((), (1.0,) * 4)
#: from an answer of `solve`: when exactly feet land, only all frames say
_FROM_SOLVED = _Narrowing((), (3.0, 2.0, 1.0, 1.0, 1.0))
#: if what the stretches share is solved for again
_ROUGHLY = _Narrowing((3.0, 2.0, 1.0), ())
#: once the floors are known
_FROM_SETTLED = _Narrowing((), (2.0, 1.0, 1.0))
#: so many frames a second are a part of the frames, ...
_COARSE = 15.0
#: ... if that makes more than this in all
_FEW = 10
#: it has converged once the joints turn by less than this in a step, radians on average
_DONE = 0.015
#: a joint turns by this at most in a step, radians
_LARGEST = 0.4
#: frames of a stretch
_STRETCH = 480
#: how long a stretch blends into the next, seconds
_OVERLAP = 1.5
#: how exact gravity is before the floor is known: standard deviation, radians
_SLOPE = np.radians(3.0)
#: gravity isn't farther off than this: tangent
_STEEP = 0.1
#: how exact the height of a stance is then, of a second: standard deviation, metres
_STANCE = 0.05
#: how often that is reweighted
_FITS = 10
#: a foot that stands this far from a floor stands on another one, metres
_OTHER_FLOOR = 0.1
#: nobody stands on a floor for a shorter time than this, seconds
_STOOD = 0.2


def solve(evidence: Evidence, progress: Progress | None = None) -> Estimate:
    """Fit the lifter's motion to the landmarks, with feet that stand as far as the lifter says so.

    Parameters
    ----------
    evidence : Evidence
    progress : callable, optional
        Called with ``solve``, how many frames are done, and their number.

    Returns
    -------
    Estimate
        With new lengths, rotations and root; `up` turns with the body on average; the rest is unchanged.
    """
    with _one_thread():
        standing = likely_standing(evidence.lifted)
        state = state_of(evidence.lifted, 0, evidence.tensor)
        state = _in_stretches(evidence, standing, state, Known(up=True), _FROM_LIFTER, progress)
        body = _body(evidence, state)
        # the lifter knows the body's tilt better than the camera's, so gravity turns with the body
        return replace(body, up=mean_turn(evidence.lifted.rotations, body.rotations) @ body.up)


def settle(
    evidence: Evidence,
    start: Estimate,
    contacts: Bools,
    flying: Bools,
    up_known: bool = False,
    floor: float | None = None,
    progress: Progress | None = None,
) -> tuple[Estimate, Floats]:
    """Fit a motion to the landmarks and to the feet that stand.

    Parameters
    ----------
    evidence : Evidence
        Its `lifted` has the bone lengths of `start`.
    start : Estimate
        An answer of `solve`, by a body with the lengths that the result has.
    contacts : (T, 4) bool
        Which of `motion.CONTACT_POINTS` stand.
    flying : (T,) bool
        Nothing holds the body.
    up_known : bool
        Whether the direction of gravity is that of `start`, and not to be found.
    floor : float, optional
        Height above the camera of the floor that feet stand on longest, metres, if it isn't to be found.
    progress : callable, optional
        See `solve`.

    Returns
    -------
    body : Estimate
        With new rotations, root and up.
    floors : (F,)
        Heights above the camera, along `up`, of the floors that feet stand on, metres: the one that is stood
        on longest comes first. Empty if no foot stands.
    """
    with _one_thread():
        state = state_of(start, 0, evidence.tensor)
        up, floors = start.up, _Floors(np.full(contacts.shape, -1), np.zeros(0))
        if contacts.any():
            soles = _soles(evidence, state)
            if up_known:
                floors = _floors(soles @ up, contacts, evidence.fps, floor)
            else:
                up, floors = _first_floors(soles, contacts, up, evidence.fps)
                evidence = replace(evidence, lifted=replace(evidence.lifted, up=up))
        state = replace(state, up=evidence.tensor(up), floors=evidence.tensor(floors.heights))
        several = bool(contacts.any()) and len(_stretches(evidence)) > 1
        for known, narrowing in (
            (
                Known(lengths=True, up=up_known or not contacts.any(), floors=floor is not None),
                _ROUGHLY if several else _FROM_SOLVED,
            ),
            (
                Known(lengths=True, up=up_known or several, floors=several or floor is not None),
                _FROM_SETTLED,
            ),
        ):
            standing = Standing.by(contacts, flying, floors.of, len(floors.heights))
            state = _in_stretches(evidence, standing, state, known, narrowing, progress)
            if not contacts.any():
                break
            before = len(floors.heights)
            heights = _soles(evidence, state) @ state.up.cpu().double().numpy()
            floors = _floors(heights, contacts, evidence.fps, floor)
            if len(floors.heights) == before and not several:
                break
            state = replace(state, floors=evidence.tensor(floors.heights))
        return _body(evidence, state), state.floors.cpu().double().numpy()


def misfit(evidence: Evidence) -> float:
    """How badly a lifter's motion and the landmarks fit together once they are solved, a mean over frames.

    The sum of squared residuals of landmarks and rotations, in their standard deviations. Of motions lifted
    from the same landmarks through different lenses, the one with the smallest misfit has the best lens. So
    the lifter's own spreads don't count: the lens through which it doubts most would win.
    """
    evidence = replace(evidence, lifted=replace(evidence.lifted, turn_spread=None))
    with _one_thread():
        standing, known = likely_standing(evidence.lifted), Known(lengths=True, up=True)
        problem = problem_of(evidence, standing, known, slice(None))
        solved, _ = _solved(problem, problem.prior, _FOR_LENS)
        left = landmark_residuals(problem, place(problem, solved)).off
        limit = OUTLIER**2
        square = (left**2).sum(-1)
        turned = turn_between(problem.prior.rotations, solved.rotations) / problem.turn_spread[..., None]
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


def _stretches(evidence: Evidence) -> list[slice]:
    """The stretches that are solved one after the other; each overlaps the next by `_OVERLAP`."""
    frames, overlap = len(evidence.rays), _overlap(evidence)
    firsts = range(0, max(frames - overlap, 1), _STRETCH)
    return [slice(first, min(frames, first + _STRETCH + overlap)) for first in firsts]


def _overlap(evidence: Evidence) -> int:
    return max(2, round(_OVERLAP * evidence.fps))


def _in_stretches(
    evidence: Evidence,
    standing: Standing,
    state: State,
    known: Known,
    narrowing: _Narrowing,
    progress: Progress | None,
) -> State:
    """The solution from `state` on; what all frames share is the mean over the stretches, by information."""
    frames, overlap = len(evidence.rays), _overlap(evidence)
    rotations, root = torch.zeros_like(state.rotations), torch.zeros_like(state.root)
    off = torch.zeros(FLOORS + standing.floors).to(root)
    information = torch.diag(off)
    for stretch in _stretches(evidence):
        if progress is not None:
            progress("solve", stretch.start, frames)
        problem = problem_of(evidence, standing, known, stretch)
        part = replace(state, rotations=state.rotations[stretch], root=state.root[stretch])
        solved, precision = _solved(problem, part, narrowing)
        share = torch.ones(len(solved.root)).to(root)
        if stretch.start:
            share[:overlap] = torch.linspace(0, 1, overlap)
        for before, new in ((rotations, solved.rotations), (root, solved.root)):
            s = share.reshape(-1, *[1] * (new.ndim - 1))
            before[stretch] = before[stretch] * (1 - s) + new * s
        off += precision @ shared_between(state, solved)
        information += precision
    if progress is not None:
        progress("solve", frames, frames)
    moved = moved_by(state, torch.linalg.solve(information, off))
    return replace(moved, rotations=matrix_from_6d(sixd_from_matrix(rotations)), root=root)


def _solved(problem: Problem, state: State, narrowing: _Narrowing) -> tuple[State, Tensor]:
    """Gauss-Newton steps from a state on; and the precision (G, G) of what all frames share."""
    coarse, fine = narrowing
    stride = round(problem.fps / _COARSE)
    if not coarse or stride < 2 or len(state.root) <= _FEW * stride:
        return _steps(problem, state, coarse + fine)
    part = replace(state, rotations=state.rotations[::stride], root=state.root[::stride])
    moved, precision = _steps(problem.every(stride), part, coarse)
    at = torch.arange(len(state.root)).to(state.root) / stride
    turns, root = (
        _interpolated(step, at)
        for step in (turn_between(part.rotations, moved.rotations), moved.root - part.root)
    )
    state = replace(moved, rotations=_turned(state.rotations, turns), root=state.root + root)
    return _steps(problem, state, fine) if fine else (state, precision)


def _steps(problem: Problem, state: State, narrowing: tuple[float, ...]) -> tuple[State, Tensor]:
    """Gauss-Newton steps for all frames of a problem, see `_solved`."""
    for wide in narrowing:
        step, shared, precision = equations_of(problem, state, wide).step(problem.free)
        turns = step[:, TURNS].unflatten(1, (JOINT_COUNT, 3))
        angle = torch.linalg.vector_norm(turns, dim=-1, keepdim=True)
        turns = turns * (_LARGEST / angle.clamp(min=_LARGEST))
        state = replace(
            moved_by(state, shared),
            rotations=_turned(state.rotations, turns),
            root=state.root + step[:, ROOT],
        )
        if angle.mean() < _DONE and wide == narrowing[-1]:
            break
    return state, precision


def _turned(rotations: Tensor, turns: Tensor) -> Tensor:
    """Rotations (..., 3, 3) that turn on by rotation vectors (..., 3), radians."""
    half = torch.linalg.vector_norm(turns, dim=-1, keepdim=True) / 2
    quaternion = torch.cat([half.cos(), turns / 2 * torch.sinc(half / np.pi)], -1)
    turned: Tensor = matrix_from_quaternion(quaternion) @ rotations
    return turned


def _interpolated(x: Tensor, at: Tensor) -> Tensor:
    """Values of x (T, ...) at fractional frames `at` (N,), linearly; the last one holds."""
    low = at.long().clamp(max=len(x) - 1)
    share = (at - low).reshape(-1, *[1] * (x.ndim - 1))
    return torch.lerp(x[low], x[(low + 1).clamp(max=len(x) - 1)], share)


def _body(evidence: Evidence, state: State) -> Estimate:
    """The motion of a state."""
    rotations, lengths, up, root = (
        x.cpu().double().numpy()
        for x in (state.rotations, state.lengths.exp(), state.up, root_position(state.root))
    )
    return replace(
        evidence.lifted,
        lengths=evidence.lifted.lengths * lengths,
        rotations=limit_spine_twist(_unbent(rotations)),
        root=root,
        up=up,
    )


def _soles(evidence: Evidence, state: State) -> Floats:
    """Soles (T, 4, 3) beneath `motion.CONTACT_POINTS` from the camera, metres."""
    lengths = evidence.tensor(evidence.lifted.lengths) * state.lengths.exp()
    joints = joint_positions(state.rotations, root_position(state.root), rest_offsets(lengths))
    scale = float(standing_height(lengths)) / STANDARD_HEIGHT
    points = (
        joints[:, CONTACT_JOINTS]
        + (state.rotations[:, CONTACT_JOINTS] @ evidence.tensor(scale * SOLES)[..., None])[..., 0]
    )
    soles: Floats = (points - evidence.tensor(scale * SOLES_BELOW)[:, None] * state.up).cpu().double().numpy()
    return soles


class _Floors(NamedTuple):
    """The floor (T, 4) that each sole stands on, -1 for none, and the floors' heights (F,), metres.

    The floor that is stood on longest comes first.
    """

    of: Indices
    heights: Floats


def _stances(contacts: Bools) -> list[tuple[slice, int]]:
    """The frames of each stance, and the number of its point."""
    return [
        (slice(first, end), point)
        for point in range(contacts.shape[1])
        for first, end in zip(*runs(contacts[:, point]), strict=True)
    ]


def _first_floors(soles: Floats, contacts: Bools, up: Floats, fps: float) -> tuple[Floats, _Floors]:
    """Gravity and floors of soles (T, 4, 3) that stand, before they are solved for.

    A level floor through all stances, by ridge regression that prefers the gravity that is known. If there is
    none, one through most of them: others count for little (Geman and McClure 1987), so that they don't tilt
    it, and stand on other floors.
    """
    level = rotation_between(up, np.array([0.0, 0.0, 1.0]))
    stances = _stances(contacts)
    middle = np.array([soles[frames, point].mean(0) for frames, point in stances]) @ level.T
    long = np.array([min(frames.stop - frames.start, fps) for frames, _ in stances]) / fps
    near = np.abs(middle[:, 2] - middle[:, 2:]) < _OTHER_FLOOR
    height = float(middle[(near * long).sum(1).argmax(), 2])
    columns = middle * [1, 1, 0] + [0, 0, 1]
    columns[:, :2] -= columns[:, :2].mean(0)
    prior = np.diag([1 / _SLOPE**2, 1 / _SLOPE**2, 0.0])

    def plane(weight: Floats) -> Floats:
        weighed = columns.T * weight / _STANCE**2
        return np.asarray(np.linalg.solve(weighed @ columns + prior, weighed @ middle[:, 2]))

    best = plane(long)
    one = np.abs(middle[:, 2] - columns @ best).max() < _OTHER_FLOOR and np.hypot(*best[:2]) < _STEEP
    if not one:
        best = np.array([0.0, 0.0, height])
        for _ in range(_FITS):
            off = middle[:, 2] - columns @ best
            best = plane(long * (_OTHER_FLOOR**2 / (_OTHER_FLOOR**2 + off**2)) ** 2)
    up = level.T @ unit(np.array([-best[0], -best[1], 1.0]))
    return up, _floors(soles @ up, contacts, fps)


def _floors(heights: Floats, contacts: Bools, fps: float, first: float | None = None) -> _Floors:
    """On which floors the soles stand: stances of much the same height share one.

    Parameters
    ----------
    heights : (T, 4)
        Of the soles above the camera, metres.
    contacts : (T, 4) bool
    fps : float
    first : float, optional
        Height of the floor that is stood on longest, if that is known.
    """
    stances = [
        (float(np.median(heights[frames, point])), frames.stop - frames.start)
        for frames, point in _stances(contacts)
    ]
    groups: list[list[tuple[float, int]]] = []
    for stance in sorted(stances):
        if groups and stance[0] - _level(groups[-1]) < _OTHER_FLOOR:
            groups[-1].append(stance)
        else:
            groups.append([stance])
    # a foot that is nowhere for long is a foot whose height is wrong
    groups.sort(key=lambda group: -sum(frames for _, frames in group))
    groups = [groups[0], *(g for g in groups[1:] if max(frames for _, frames in g) >= _STOOD * fps)]
    levels = np.array([_level(group) for group in groups])
    of = np.full(contacts.shape, -1)
    for frames, point in _stances(contacts):
        of[frames, point] = np.abs(np.median(heights[frames, point]) - levels).argmin()
    return _Floors(of, levels if first is None else levels + first - levels[0])


def _level(stances: list[tuple[float, int]]) -> float:
    """Mean height of stances (height, frames)."""
    heights, frames = zip(*stances, strict=True)
    return float(np.average(heights, weights=frames))


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
