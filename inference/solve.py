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
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..core.banded import banded_product, second_difference_bands, solve_banded
from ..core.landmarks import LANDMARKS, PLACES
from ..core.limits import unwrung
from ..core.rotations import (
    matrix_from_6d,
    matrix_from_quaternion,
    mean_turn,
    rotation_between,
    sixd_from_matrix,
)
from ..core.skeleton import (
    HEEL_OFFSET,
    INDEX,
    JOINTS,
    PARENTS,
    STANDARD_HEIGHT,
    rest_offsets,
    standing_height,
)
from .lift import Body

Progress = Callable[[str, int, int], None]

_J = len(JOINTS)
#: unknowns of a frame: a turn of every joint, and the root
_N = 3 * _J + 3
_TURNS, _ROOT = slice(0, 3 * _J), slice(3 * _J, _N)

#: spread of the detector's errors, as a share of the person's height, of a wholly visible landmark: medians
#: of what it said of rendered bodies
_SPREAD = {
    "nose": 0.013, "eye_inner": 0.012, "eye": 0.012, "eye_outer": 0.012, "ear": 0.010, "mouth": 0.0125,
    "shoulder": 0.0125, "elbow": 0.016, "wrist": 0.0155, "pinky": 0.0165, "index": 0.017, "thumb": 0.017,
    "hip": 0.0155, "knee": 0.013, "ankle": 0.011, "heel": 0.0145, "foot_index": 0.016,
}  # fmt: skip
#: landmarks that err together share one voice
_VOICE = {
    "nose": 0.3, "eye_inner": 0.1, "eye": 0.1, "eye_outer": 0.1, "ear": 0.4, "mouth": 0.1,
    "pinky": 0.33, "index": 0.33, "thumb": 0.33, "heel": 0.6, "foot_index": 0.6,
}  # fmt: skip
#: so many spreads away a landmark is a mistake
_MISTAKE = 3.0
#: spread of the lifter's rotations, radians: of the hips, of the other joints
_HIPS_TURN, _TURN = np.radians(5.0), np.radians(10.0)
#: spread of the lifter's root: sideways in metres, and as a share of its distance
_ASIDE, _DISTANCE = 0.1, 0.3
#: movements quicker than this, Hz, are noise rather than motion where their size is that of the spreads: of
#: bones (radians); of the root sideways and in depth (metres). Chosen with the rest on detections held out
#: from training
_QUICK, _QUICK_TURN = 8.5, 0.06
_QUICK_ASIDE, _QUICK_DEPTH, _QUICK_ROOT = 3.0, 2.0, 0.03
#: a standing foot moves less than this a frame, metres; faster than this (m/s) it isn't standing
_STEP, _STANDING = 0.001, 0.2
#: how far knees and elbows may bend backwards: in the solver (cosine of bone and hinge; spread), and at all
_STRAIGHT, _FIRM, _BENT_BACK = -0.05, 0.03, -0.09
#: joint, its child, the child's bone and the direction that it bends to, in the rest pose
_HINGES = tuple(
    (INDEX[f"{joint}.{side}"], INDEX[f"{child}.{side}"], np.array(bone), np.array(towards))
    for side, sign in (("L", 1.0), ("R", -1.0))
    for joint, child, bone, towards in (
        ("thigh", "shin", (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
        ("upper_arm", "forearm", (sign, 0.0, 0.0), (0.0, -np.cos(np.radians(15)), np.sin(np.radians(15)))),
    )
)
#: steps, and the mean turn of a joint (radians) below which there is nothing left to do; the largest turn of
#: a step
_STEPS, _DONE, _LARGEST = 8, 0.015, 0.4
#: frames of a stretch, and seconds over which one goes over into the next
_STRETCH, _OVERLAP = 480, 1.5

_CARRIER = [max(parent, 0) for parent in PARENTS]  # of the bone that ends at each joint
_AT = [INDEX[at] for at, _, _ in PLACES]
_BY = [INDEX[by] for _, by, _ in PLACES]


def _moves() -> npt.NDArray[np.float64]:
    """(J, J, J): 1 where the place of joint i has the bone that ends at j in it, which joint k carries."""
    out = np.zeros((_J, _J, _J))
    for joint in range(_J):
        bone = joint
        while PARENTS[bone] >= 0:
            out[joint, bone, PARENTS[bone]] = 1
            bone = PARENTS[bone]
    return out


_MOVES = _moves()


@dataclass
class _State:
    """Where the solver stands: world rotations (T, J, 3, 3), and the root (T, 3) as x / y, log y, z / y."""

    rotations: Tensor
    root: Tensor


@dataclass(frozen=True)
class _Clip:
    """What is known of a stretch.

    Attributes
    ----------
    prior : _State
        The lifter's answer.
    offsets : (J, 3)
        Rest offsets of the joints, metres.
    places, heel : (33, 3), (3,)
        Landmarks and heel from their joints in the rest pose, metres.
    rays, weight : (T, 33, 2), (T, 33)
        Landmarks as z / y and x / y in level axes, and their precision, per body height squared.
    height : float
        The person's, metres.
    standing : (T, 4)
        How sure it is that each sole point stands from this frame to the next.
    fps, distance : float
        Frames per second; the root's mean distance, metres.
    """

    prior: _State
    offsets: Tensor
    places: Tensor
    heel: Tensor
    rays: Tensor
    weight: Tensor
    height: float
    standing: Tensor
    fps: float
    distance: float


def solve(
    body: Body,
    rays: npt.NDArray[Any],
    confidence: npt.NDArray[Any],
    fps: float,
    device: torch.device,
    progress: Progress | None = None,
) -> Body:
    """Bring the lifter's answer and the landmarks together.

    Parameters
    ----------
    body : Body
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
    Body
        With rotations and root solved; `up` follows the body's mean turn; all else is the lifter's.
    """
    with _one_thread():
        return _in_stretches(body, rays, confidence, fps, device, progress)


def misfit(
    body: Body, rays: npt.NDArray[Any], confidence: npt.NDArray[Any], fps: float, device: torch.device
) -> float:
    """How badly a lifter's answer and the landmarks can be brought together, a mean over frames.

    Parameters as for `solve`. Squares of what is left of landmarks and turns, in their spreads: of answers to
    the same landmarks, seen through different lenses, the better one came through the better lens.
    """
    with _one_thread():
        clip = _clip(body, rays, confidence, fps, device, slice(None))
        solved = _solved(clip)
        left, _ = _landmarks_left(clip, _placed(clip, solved))
        limit = _mistake(left)
        square = (left**2).sum(-1)
        turned = _turn_between(clip.prior.rotations, solved.rotations) / _TURN
        each = (clip.weight * square * limit / (limit + square)).sum(1) + (turned**2).sum((1, 2))
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
    body: Body,
    rays: npt.NDArray[Any],
    confidence: npt.NDArray[Any],
    fps: float,
    device: torch.device,
    progress: Progress | None,
) -> Body:
    frames = len(body.root)
    overlap = max(2, round(_OVERLAP * fps))
    out = _State(torch.zeros(frames, _J, 3, 3), torch.zeros(frames, 3))
    first = 0
    while first == 0 or first < frames - overlap:
        last = min(frames, first + _STRETCH + overlap)
        if progress is not None:
            progress("solve", first, frames)
        solved = _solved(_clip(body, rays, confidence, fps, device, slice(first, last)))
        share = torch.ones(last - first)
        if first:
            share[:overlap] = torch.linspace(0, 1, overlap)
        for before, new in ((out.rotations, solved.rotations), (out.root, solved.root)):
            s = share.reshape(-1, *[1] * (new.ndim - 1))
            before[first:last] = before[first:last] * (1 - s) + new.cpu().float() * s
        first += _STRETCH
    if progress is not None:
        progress("solve", frames, frames)
    rotations = unwrung(_unbent(matrix_from_6d(sixd_from_matrix(out.rotations)).double().numpy()))
    # how the body stands to gravity the lifter knows better than how the camera does: they turn together
    up = mean_turn(body.rotations, rotations) @ body.up
    return replace(body, rotations=rotations, root=_root(out.root).double().numpy(), up=up)


def _clip(
    body: Body,
    rays: npt.NDArray[Any],
    confidence: npt.NDArray[Any],
    fps: float,
    device: torch.device,
    part: slice,
) -> _Clip:
    precise = torch.float32 if device.type == "mps" else torch.float64  # Metal has no double

    def tensor(x: npt.NDArray[Any]) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(x), dtype=precise, device=device)

    height = float(standing_height(body.lengths))
    scale = height / STANDARD_HEIGHT
    spread = np.array([_SPREAD[n.split(".")[0]] for n in LANDMARKS])
    voice = np.array([_VOICE.get(n.split(".")[0], 1.0) for n in LANDMARKS])
    contacts = np.concatenate([body.contacts, body.contacts[-1:]])
    forward = np.maximum(body.root[:, 1:2], 0.2)
    root = np.concatenate([body.root[:, :1] / forward, np.log(forward), body.root[:, 2:] / forward], 1)
    return _Clip(
        prior=_State(tensor(body.rotations[part]), tensor(root[part])),
        offsets=tensor(rest_offsets(body.lengths)),
        places=tensor(np.array([place for _, _, place in PLACES]) * scale),
        heel=tensor(np.array(HEEL_OFFSET) * scale),
        rays=tensor(rays[part] * [1, -1]),
        weight=tensor(np.clip(confidence[part], 0, 1) * voice / spread**2),
        height=height,
        standing=tensor((contacts[1:] * contacts[:-1])[part] ** 2),
        fps=fps,
        distance=float(forward.mean()),
    )


def _root(root: Tensor) -> Tensor:
    """Position (T, 3) of the hips from x / y, log y, z / y."""
    forward = root[:, 1].exp()
    return torch.stack([root[:, 0] * forward, forward, root[:, 2] * forward], -1)


def _skew(v: Tensor) -> Tensor:
    """Matrices (..., 3, 3) whose product with a vector is v (..., 3) times it."""
    x, y, z = v.unbind(-1)
    o = torch.zeros_like(x)
    return torch.stack([o, -z, y, z, o, -x, -y, x, o], -1).reshape(*v.shape, 3)


class _Equations:
    """A Gauss-Newton step's normal equations: symmetric, each frame tied to two on either side.

    Attributes
    ----------
    here, next, after : (T, N, N)
        Blocks of the matrix: a frame with itself, with the next one, and with the one after that.
    slope : (T, N)
        Half the gradient.
    """

    def __init__(self, like: Tensor) -> None:
        frames = len(like)
        self.here, self.next, self.after = (like.new_zeros(frames, _N, _N) for _ in range(3))
        self.slope = like.new_zeros(frames, _N)

    def add(self, jacobian: Tensor, residual: Tensor, weight: Tensor) -> None:
        """Weighted squares of residuals (T, R) with their derivatives (T, R, N)."""
        weighed = (jacobian * weight[..., None]).transpose(1, 2)
        self.here += weighed @ jacobian
        self.slope += (weighed @ residual[..., None])[..., 0]

    def add_turns(self, jacobian: Tensor, values: Tensor, weight: Tensor) -> None:
        """Accelerations of values (T, J, R) that only the joint's own turn changes, (T, J, R, 3)."""
        bands = second_difference_bands(weight)
        for block, band, step in zip((self.here, self.next, self.after), bands, (0, 1, 2), strict=True):
            count = len(values) - step
            pairs = jacobian[:count].transpose(-1, -2) @ jacobian[step:]
            of_joint = block[:count, _TURNS, _TURNS].unflatten(1, (_J, 3)).unflatten(3, (_J, 3))
            of_joint.diagonal(dim1=1, dim2=3).add_((band[:count, :, None, None] * pairs).permute(0, 2, 3, 1))
        pull = banded_product(bands, values)
        self.slope[:, _TURNS] += (jacobian.transpose(-1, -2) @ pull[..., None])[..., 0].flatten(1)

    def add_root(self, root: Tensor, weight: Tensor) -> None:
        """Accelerations of the root's parameters (T, 3)."""
        bands = second_difference_bands(weight)
        for block, band in zip((self.here, self.next, self.after), bands, strict=True):
            block[:, _ROOT, _ROOT].diagonal(dim1=1, dim2=2).add_(band)
        self.slope[:, _ROOT] += banded_product(bands, root)

    def add_steps(self, jacobian: Tensor, values: Tensor, weight: Tensor) -> None:
        """Weighted squares of how far values (T, R), derivatives (T, R, N), move to the next frame."""
        weight = torch.cat([weight[:-1], torch.zeros_like(weight[:1])])
        before = torch.cat([torch.zeros_like(weight[:1]), weight[:-1]])
        bands = (weight + before, -weight, torch.zeros_like(weight))
        self.here += (jacobian * bands[0][..., None]).transpose(1, 2) @ jacobian
        self.next[:-1] += (jacobian[:-1] * bands[1][:-1, :, None]).transpose(1, 2) @ jacobian[1:]
        self.slope += (jacobian.transpose(1, 2) @ banded_product(bands, values)[..., None])[..., 0]

    def step(self) -> Tensor:
        """The step (T, N) that they ask for."""
        self.here.diagonal(dim1=1, dim2=2).mul_(1 + 1e-5)
        blocks = (x.cpu().double().numpy() for x in (self.here, self.next, self.after))
        step = solve_banded(*blocks, -self.slope.cpu().double().numpy()[..., None])[..., 0]
        return torch.from_numpy(step).to(self.slope)


def _solved(clip: _Clip) -> _State:
    """Gauss-Newton from the lifter's answer on."""
    state = clip.prior
    for _ in range(_STEPS):
        step = _equations(clip, state).step()
        turns = step[:, _TURNS].unflatten(1, (_J, 3))
        angle = torch.linalg.vector_norm(turns, dim=-1, keepdim=True)
        turns = turns * (_LARGEST / angle.clamp(min=_LARGEST))
        quaternion = torch.nn.functional.normalize(torch.cat([torch.ones_like(angle), turns / 2], -1), dim=-1)
        state = _State(matrix_from_quaternion(quaternion) @ state.rotations, state.root + step[:, _ROOT])
        if angle.mean() < _DONE:
            break
    return state


@dataclass(frozen=True)
class _Placed:
    """The body where the solver stands, and what moves it.

    Attributes
    ----------
    root, joints : (T, 3), (T, J, 3)
    by_turns, by_root : (T, J, 3, J, 3), (T, 3, 3)
        Derivatives of the joints by the turns, and of all that by the root's parameters.
    """

    rotations: Tensor
    root: Tensor
    joints: Tensor
    by_turns: Tensor
    by_root: Tensor

    def attached(self, at: list[int], by: list[int], place: Tensor) -> tuple[Tensor, Tensor]:
        """Points (T, K, 3) at `place` (K, 3) from their joints, and their derivatives (T, K, 3, N)."""
        arm = (self.rotations[:, by] @ place[..., None])[..., 0]
        turned = self.by_turns[:, at]
        turned[:, torch.arange(len(at)), :, by] -= _skew(arm).transpose(0, 1)
        root = self.by_root[:, None].expand(-1, len(at), 3, 3)
        return self.joints[:, at] + arm, torch.cat([turned.flatten(3), root], -1)


def _placed(clip: _Clip, state: _State) -> _Placed:
    root = _root(state.root)
    bones = (state.rotations[:, _CARRIER] @ clip.offsets[..., None])[..., 0]
    moves = torch.as_tensor(_MOVES).to(root)
    by_root = root.new_zeros(len(root), 3, 3)
    by_root[:, 0, 0] = by_root[:, 2, 2] = root[:, 1]
    by_root[:, :, 1] = root
    return _Placed(
        rotations=state.rotations,
        root=root,
        joints=root[:, None] + torch.einsum("ij,tja->tia", moves.sum(2), bones),
        # a bone b turned by a small w moves its end by w x b
        by_turns=torch.einsum("ijk,tjab->tiakb", moves, -_skew(bones)),
        by_root=by_root,
    )


def _landmarks_left(clip: _Clip, placed: _Placed) -> tuple[Tensor, Tensor]:
    """How far the landmarks (T, 33, 2) lie from the body, in heights, and the derivatives (T, 33, 2, N)."""
    points, jacobian = placed.attached(_AT, _BY, clip.places)
    forward = points[..., 1].clamp(min=0.2)
    seen = points[..., ::2] / forward[..., None]
    size = placed.root[:, 1] / clip.height
    slope = points.new_zeros(*points.shape[:2], 2, 3)
    slope[..., 0, 0] = slope[..., 1, 2] = 1
    slope[..., 1] = -seen
    slope = slope * (size[:, None] / forward)[..., None, None]
    return (seen - clip.rays) * size[:, None, None], slope @ jacobian


def _mistake(like: Tensor) -> Tensor:
    """The square of the distance (33,) at which a landmark is a mistake."""
    return _MISTAKE**2 * torch.tensor([_SPREAD[n.split(".")[0]] ** 2 for n in LANDMARKS]).to(like)


def _equations(clip: _Clip, state: _State) -> _Equations:
    """All that is asked of the motion, around where it is."""
    rotations, fps = state.rotations, clip.fps
    placed = _placed(clip, state)
    root = placed.root
    frames = len(root)
    equations = _Equations(root)

    # landmarks in the picture
    error, jacobian = _landmarks_left(clip, placed)
    limit = _mistake(error)
    weight = clip.weight * (limit / (limit + (error**2).sum(-1))) ** 2
    equations.add(jacobian.flatten(1, 2), error.flatten(1), weight[..., None].expand(-1, -1, 2).flatten(1))

    # what the lifter said
    turned = _turn_between(clip.prior.rotations, rotations).flatten(1)
    precision = turned.new_full((_J, 3), _TURN**-2)
    precision[INDEX["hips"]] = _HIPS_TURN**-2
    aside = (clip.distance / _ASIDE) ** 2
    of_root = torch.tensor([aside, _DISTANCE**-2, aside]).to(root)
    off = torch.cat([turned, state.root - clip.prior.root], 1)
    trust = torch.cat([precision.flatten(), of_root])
    equations.here.diagonal(dim1=1, dim2=2).add_(trust)
    equations.slope += trust * off

    # smooth: columns of the rotations, and the root
    if frames > 2:
        columns = rotations.transpose(-1, -2)
        stiffness = (fps / (2 * np.pi * _QUICK)) ** 4 / _QUICK_TURN**2
        equations.add_turns(
            -_skew(columns).flatten(2, 3),
            columns.flatten(2),
            torch.full_like(root[:, :1], stiffness).expand(-1, _J),
        )
        quick = torch.tensor([_QUICK_ASIDE, _QUICK_DEPTH, _QUICK_ASIDE]).to(root)
        stiff = (fps / (2 * np.pi * quick)) ** 4 * (clip.distance / _QUICK_ROOT) ** 2
        equations.add_root(state.root, stiff.expand(frames, 3))

    # feet that stand
    feet = [INDEX[f"{name}.{side}"] for side in "LR" for name in ("foot", "toe")]
    soles, moved = placed.attached(
        feet, feet, torch.stack([clip.heel, torch.zeros_like(clip.heel)]).repeat(2, 1)
    )
    speed = torch.zeros_like(clip.standing)
    speed[:-1] = torch.linalg.vector_norm(torch.diff(soles, dim=0), dim=-1) * fps
    still = clip.standing / _STEP**2 * (_STANDING**2 / (_STANDING**2 + speed**2)) ** 2
    equations.add_steps(moved.flatten(1, 2), soles.flatten(1), still[..., None].expand(-1, -1, 3).flatten(1))

    # knees and elbows
    for joint, child, bone, towards in _HINGES:
        along = rotations[:, child] @ torch.as_tensor(bone).to(root)
        hinge = rotations[:, joint] @ torch.as_tensor(towards).to(root)
        beyond = (_STRAIGHT - (along * hinge).sum(-1)).clamp(min=0)
        across = torch.linalg.cross(along, hinge)
        jacobian = root.new_zeros(frames, 1, _N)
        jacobian[:, 0, 3 * child : 3 * child + 3] = -across
        jacobian[:, 0, 3 * joint : 3 * joint + 3] = across
        equations.add(jacobian, beyond[:, None], (beyond[:, None] > 0).to(root) / _FIRM**2)
    return equations


def _turn_between(before: Tensor, after: Tensor) -> Tensor:
    """Rotation vectors (..., 3), radians, of the turns from one to the other, both (..., 3, 3)."""
    turn = after @ before.transpose(-1, -2)
    # 2 sin(angle) long
    axis = torch.stack([turn[..., i, j] - turn[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0))], -1)
    sine = torch.linalg.vector_norm(axis, dim=-1) / 2
    cosine = (turn.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    scale: Tensor = torch.atan2(sine, cosine) / (2 * sine).clamp(min=1e-9)
    return axis * scale[..., None]


def _unbent(rotations: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The same (T, J, 3, 3) with no knee or elbow bent backwards by more than `_BENT_BACK`."""
    out = rotations.copy()
    for joint, child, bone, towards in _HINGES:
        along, hinge = out[:, child] @ bone, out[:, joint] @ towards
        beyond = np.maximum(_BENT_BACK - (along * hinge).sum(-1, keepdims=True), 0)
        side = along - (along * hinge).sum(-1, keepdims=True) * hinge
        length = np.linalg.norm(side, axis=-1, keepdims=True)
        # bent all the way back there is no side to unbend to: the upper bone's own direction
        side = np.where(length > 1e-6, side / np.maximum(length, 1e-6), out[:, joint] @ bone)
        allowed = side * np.sqrt(1 - _BENT_BACK**2) + _BENT_BACK * hinge
        turn = np.asarray(rotation_between(along, np.where(beyond > 0, allowed, along)))
        out[:, child] = turn @ out[:, child]
    return out
