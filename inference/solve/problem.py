"""What the solver knows about a stretch of the motion, and its current state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ...core.arrays import Array, Bools, Floats, Indices
from ...core.landmarks import LANDMARKS, PLACE, joint_confidence
from ...core.motion import SOLES_BELOW
from ...core.skeleton import (
    HEEL_OFFSET,
    JOINTS,
    LENGTHS,
    STANDARD_HEIGHT,
    standing_height,
)
from ..lift import Estimate

JOINT_COUNT = len(JOINTS)
#: unknowns of a frame: a rotation vector for every joint, and the root
UNKNOWNS = 3 * JOINT_COUNT + 3
#: where the joints' rotation vectors are among the unknowns
TURNS = slice(0, 3 * JOINT_COUNT)
#: where the root is among the unknowns
ROOT = slice(3 * JOINT_COUNT, UNKNOWNS)
#: standard deviation of the detector's error for a fully visible landmark, as a share of the person's height:
#: medians over detections of rendered bodies
SPREAD = {
    "nose": 0.013, "eye_inner": 0.012, "eye": 0.012, "eye_outer": 0.012, "ear": 0.010, "mouth": 0.0125,
    "shoulder": 0.0125, "elbow": 0.016, "wrist": 0.0155, "pinky": 0.0165, "index": 0.017, "thumb": 0.017,
    "hip": 0.0155, "knee": 0.013, "ankle": 0.011, "heel": 0.0145, "foot_index": 0.016,
}  # fmt: skip
#: no landmark is known better than this, as a share of the person's height: where it lies on the body isn't
_SHARPEST = 0.007
#: weight of landmarks whose errors are correlated, so that a group of them counts about as much as one
_GROUP_WEIGHT = {
    "nose": 0.3, "eye_inner": 0.1, "eye": 0.1, "eye_outer": 0.1, "ear": 0.4, "mouth": 0.1,
    "pinky": 0.33, "index": 0.33, "thumb": 0.33, "heel": 0.6, "foot_index": 0.6,
}  # fmt: skip
#: `motion.CONTACT_POINTS` from their joints in the rest pose (4, 3), metres at `STANDARD_HEIGHT`
SOLES = np.array([HEEL_OFFSET, (0.0, 0.0, 0.0)] * 2)

#: the body as balls: the joint that carries one, its middle from that joint in the rest pose, and its radius;
#: metres at `STANDARD_HEIGHT`
BALLS: tuple[tuple[str, tuple[float, float, float], float], ...] = (
    ("hips", (0.0, 0.0, 0.0), 0.10),
    ("chest", (0.0, 0.0, 0.0), 0.09),
    ("head", (0.0, 0.0, 0.05), 0.09),
    *((f"upper_arm.{side}", (0.0, 0.0, 0.0), 0.06) for side in "LR"),
    *((f"forearm.{side}", (0.0, 0.0, 0.0), 0.04) for side in "LR"),
    *((f"hand.{side}", (0.0, 0.0, 0.0), 0.02) for side in "LR"),
    *((f"shin.{side}", (0.0, 0.0, 0.0), 0.05) for side in "LR"),
    # backs of the heels
    *((f"foot.{side}", (0.0, 0.035, -0.06), 0.025) for side in "LR"),
)
#: the hips are at least this far from the camera, metres
_NEAREST = 0.2
# What all frames share, in this order: logarithms of the lengths, up along two directions across it, and the
# heights of the floors.
#: where the lengths are among it
SHAPE = slice(0, len(LENGTHS))
#: where up is
UP = slice(len(LENGTHS), len(LENGTHS) + 2)
#: where the floors begin
FLOORS = len(LENGTHS) + 2
#: standard deviation of the lifter's rotations about each axis, degrees, of joints that are hardly seen and
#: of those that are well seen: by `python -m training evaluate`. Guesses: the trunk, which its truth doesn't
#: know, and hidden shins and toes, which it has too few of
_TURNS = {
    "hips": (6.0, 6.0), "spine": (10.0, 10.0), "chest": (10.0, 10.0), "neck": (10.0, 10.0),
    "head": (11.0, 11.0), "shoulder": (10.0, 10.0), "upper_arm": (15.0, 13.0), "forearm": (16.0, 11.5),
    "hand": (24.0, 17.0), "thigh": (10.0, 8.0), "shin": (12.0, 7.0), "foot": (20.0, 8.5), "toe": (12.0, 8.5),
}  # fmt: skip
#: confidence of a joint that is hardly seen, and of one that is well seen
_HARDLY, _WELL = 0.3, 0.9
#: factor on it where landmarks see the joint: filmed people differ more from what the lifter has learnt than
#: the bodies on which its errors were measured
_FILMED = 1.3
#: the same factor on the spreads that the lifter tells, which hold on drawn bodies
_TOLD = 2.0
#: of the logarithms of the lifter's bone lengths
_LENGTH = 0.006
#: of the lifter's direction of gravity against the body, radians
_TILT = 0.003
#: of the standing height's logarithm: one camera can't see how tall somebody is
_HEIGHT = 1e-4
#: of a floor's height, metres
_ANYWHERE = 10.0
#: step of numerical derivatives
_LITTLE = 1e-3


@dataclass(frozen=True)
class CameraPath:
    """Where the camera is in each frame, in the level axes of the shot's camera (x right, y forward, z up).

    The body has to stay before the shot's camera.

    Attributes
    ----------
    rotations : (T, 3, 3)
        From the axes of each frame's camera to those of the shot's.
    positions : (T, 3)
        Metres.
    turn_spread, spread : (T,)
        Standard deviations of the rotation about each axis, radians, and of each coordinate of the position,
        metres.
    """

    rotations: Floats
    positions: Floats
    turn_spread: Floats
    spread: Floats


@dataclass(frozen=True)
class Moving:
    """`CameraPath` in a stretch: rotations into each frame's axes, positions, and precisions (T, 6)."""

    into: Tensor
    positions: Tensor
    precision: Tensor

    def at(self, frames: slice) -> Moving:
        """The same in some of the frames."""
        return Moving(self.into[frames], self.positions[frames], self.precision[frames])


@dataclass(frozen=True)
class Touch:
    """How far away joints are because they touch somebody, in the level axes of the shot's camera.

    Attributes
    ----------
    joints : tuple of K int
    along : (T, K, 3)
        Lines of sight, unit vectors ...
    far : (T, K)
        ... and how far along them the joints are, metres.
    weight : (T, K)
        0 (they don't touch) to 1.
    """

    joints: tuple[int, ...]
    along: Floats
    far: Floats
    weight: Floats


@dataclass(frozen=True)
class Touching:
    """`Touch` in a stretch."""

    joints: tuple[int, ...]
    along: Tensor
    far: Tensor
    weight: Tensor

    def at(self, frames: slice) -> Touching:
        """The same in some of the frames."""
        return Touching(self.joints, self.along[frames], self.far[frames], self.weight[frames])


@dataclass(frozen=True)
class Evidence:
    """What is known of a motion before it is solved.

    Attributes
    ----------
    lifted : Estimate
        The lifter's answer, in the axes of the shot's camera.
    rays : (T, 33, 2)
        Landmarks as x / z and y / z in the camera frame (y down), finite everywhere (gaps are bridged).
    confidence : (T, 33)
        0 (not seen, the ray counts for nothing) to 1.
    fps : float
        Frames for a second of life.
    device : torch.device
    spread : (T, 33, 3), optional
        xx, xy, yy of the covariance of the rays' errors; NaN where it isn't known.
    camera : CameraPath, optional
        How the camera moves; it stands still if there is none.
    firmness : (J,) or (T, J), optional
        How many times as much as usual the lifter's rotation of each joint counts; by default once.
    touch : Touch, optional
        Where the body touches somebody else's.
    root_firmness : (T,), optional
        The same of the lifter's root.
    """

    lifted: Estimate
    rays: Array
    confidence: Array
    fps: float
    device: torch.device
    spread: Array | None = None
    camera: CameraPath | None = None
    firmness: Floats | None = None
    touch: Touch | None = None
    root_firmness: Floats | None = None

    def moving(self, stretch: slice) -> Moving | None:
        """The camera's motion in a stretch, None if it stands still."""
        if self.camera is None:
            return None
        sure = np.stack([self.camera.turn_spread, self.camera.spread], 1)[stretch] ** -2.0
        return Moving(
            self.tensor(np.swapaxes(self.camera.rotations[stretch], 1, 2)),
            self.tensor(self.camera.positions[stretch]),
            self.tensor(np.repeat(sure, 3, axis=1)),
        )

    def touching(self, stretch: slice) -> Touching | None:
        """Where the body touches somebody else's in a stretch, None if it doesn't."""
        if self.touch is None:
            return None
        parts = (self.touch.along, self.touch.far, self.touch.weight)
        return Touching(self.touch.joints, *(self.tensor(part[stretch]) for part in parts))

    def distance(self, stretch: slice) -> Floats:
        """How far the hips are before each frame's camera (T,), metres, as lifted."""
        root = self.lifted.root[stretch]
        if self.camera is not None:
            ahead = self.camera.rotations[stretch][:, :, 1]
            root = ((root - self.camera.positions[stretch]) * ahead).sum(1, keepdims=True) * [0, 1, 0]
        return np.maximum(root[:, 1], _NEAREST)

    def tensor(self, x: Array) -> Tensor:
        """An array on the device, as precise as that can be."""
        precise = torch.float32 if self.device.type == "mps" else torch.float64  # Metal has no double
        return torch.as_tensor(np.ascontiguousarray(x), dtype=precise, device=self.device)


@dataclass(frozen=True)
class Known:
    """What all frames share and is not to be found."""

    lengths: bool = False
    up: bool = False
    floors: bool = False

    def free(self, floors: int) -> Bools:
        """What of it (G,) is to be found."""
        known = [self.lengths] * len(LENGTHS) + [self.up] * 2 + [self.floors] * floors
        return ~np.array(known)


def shared_precision(lengths: Array, floors: int) -> Floats:
    """Precision (G, G) of what all frames share, around the lifter's answer."""
    out = np.zeros((FLOORS + floors, FLOORS + floors))
    one_longer = lengths * (1 + _LITTLE * np.eye(len(lengths)))
    taller = (standing_height(one_longer) / standing_height(lengths) - 1) / _LITTLE
    out[SHAPE, SHAPE] = np.eye(len(lengths)) / _LENGTH**2 + np.outer(taller, taller) / _HEIGHT**2
    out[UP, UP] = np.eye(2) * _TILT**-2
    out[FLOORS:, FLOORS:] = np.eye(floors) * _ANYWHERE**-2
    return out


@dataclass(frozen=True)
class Standing:
    """Which of `motion.CONTACT_POINTS` stands, and on what.

    Attributes
    ----------
    firm : (T, 4)
        0 to 1: how sure it is that each point stands still from this frame to the next.
    floor : (T, 4) int
        The floor that it stands on; -1: none that is known.
    flying : (T,) bool
        Nothing holds the body: it falls freely.
    floors : int
        How many floors there are.
    """

    firm: Floats
    floor: Indices
    flying: Bools
    floors: int

    @classmethod
    def by(cls, contacts: Bools, flying: Bools, floor: Indices, floors: int) -> Standing:
        """What is known once contacts (T, 4) are decided."""
        lasts = contacts & np.append(contacts[1:], contacts[-1:], axis=0)
        return cls(lasts.astype(float), floor, flying, floors)


def likely_standing(lifted: Estimate) -> Standing:
    """Feet stand as far as the lifter says so, on floors that aren't known."""
    contacts = np.append(lifted.contacts, lifted.contacts[-1:], axis=0)
    firm = (contacts[1:] * contacts[:-1]) ** 2
    return Standing(firm, np.full(firm.shape, -1), np.zeros(len(firm), bool), 0)


def turn_spread(confidence: Array) -> Floats:
    """Standard deviation (T, J) of the lifter's rotations, radians, by the landmarks' confidence (T, 33)."""
    hardly, well = np.radians([_TURNS[joint.split(".")[0]] for joint in JOINTS]).T
    seen = np.clip((joint_confidence(confidence) - _HARDLY) / (_WELL - _HARDLY), 0, 1)
    return np.asarray(hardly + (_FILMED * well - hardly) * seen)


@dataclass(frozen=True)
class State:
    """The current solution.

    Attributes
    ----------
    rotations : (T, J, 3, 3)
        World rotations of the joints.
    root : (T, 3)
        x / y, log y and z / y of the hips.
    lengths : (len(LENGTHS),)
        Logarithms of the bone lengths against the lifter's.
    up : (3,)
        Unit vector against gravity.
    floors : (F,)
        Heights of the floors above the camera, metres.
    """

    rotations: Tensor
    root: Tensor
    lengths: Tensor
    up: Tensor
    floors: Tensor


def moved_by(state: State, shared: Tensor) -> State:
    """The state after a step (G,) of what all frames share."""
    up = torch.nn.functional.normalize(state.up + across(state.up) @ shared[UP], dim=0)
    return replace(state, lengths=state.lengths + shared[SHAPE], up=up, floors=state.floors + shared[FLOORS:])


def shared_between(before: State, after: State) -> Tensor:
    """The step (G,) of what all frames share from one state to another."""
    return torch.cat(
        [
            after.lengths - before.lengths,
            across(before.up).T @ (after.up - before.up),
            after.floors - before.floors,
        ]
    )


def across(up: Tensor) -> Tensor:
    """Two unit vectors (3, 2) across a direction (3,) and across each other."""
    other = torch.eye(3).to(up)[up.abs().argmin()]
    first = torch.nn.functional.normalize(torch.linalg.cross(up, other), dim=0)
    return torch.stack([first, torch.linalg.cross(up, first)], 1)


@dataclass(frozen=True)
class Problem:
    """What is known about a stretch of the motion.

    Attributes
    ----------
    prior : State
        The lifter's answer.
    turn_spread : (T, J)
        Standard deviation of the lifter's rotations about each axis, radians.
    free : (G,) bool
        What of what all frames share is to be found.
    shared_precision : (G, G)
        Of the prior on it.
    lengths : (len(LENGTHS),)
        The lifter's bone lengths, metres.
    places, soles : (33, 3), (4, 3)
        Landmarks and `motion.CONTACT_POINTS` from their joints in the rest pose, metres.
    under : (4,)
        How far the soles are below those points, metres.
    balls, radii : (B, 3), (B,)
        The body's `BALLS`, metres.
    rays : (T, 33, 2)
        Landmarks as x / y and z / y in level axes.
    whiten : (T, 33, 2, 2)
        Errors in body heights, times this, have a standard deviation of 1.
    weight : (T, 33)
        Of each landmark.
    height : float
        Standing height of the person, metres.
    firm, floor, flying : (T, 4), (T, 4), (T,)
        See `Standing`.
    fps, distance : float
        Frames per second; the root's mean distance, metres.
    root_firm : (T,)
        How many times as much as usual the lifter's root counts.
    camera : Moving, optional
    touching : Touching, optional
    """

    prior: State
    turn_spread: Tensor
    free: Tensor
    shared_precision: Tensor
    lengths: Tensor
    places: Tensor
    soles: Tensor
    under: Tensor
    balls: Tensor
    radii: Tensor
    rays: Tensor
    whiten: Tensor
    weight: Tensor
    height: float
    firm: Tensor
    floor: Tensor
    flying: Tensor
    fps: float
    distance: float
    root_firm: Tensor
    camera: Moving | None
    touching: Touching | None

    def every(self, stride: int) -> Problem:
        """The problem of every so many-th frame."""
        part = slice(None, None, stride)
        # a point stands on until the next frame that counts if it does all the way, and moves more meanwhile
        last = torch.ones_like(self.firm[:1]).expand(-len(self.firm) % stride, -1)
        firm = torch.cat([self.firm, last]).unflatten(0, (-1, stride)).amin(1) / stride**2
        return replace(
            self,
            prior=replace(self.prior, rotations=self.prior.rotations[part], root=self.prior.root[part]),
            firm=firm,
            fps=self.fps / stride,
            camera=None if self.camera is None else self.camera.at(part),
            touching=None if self.touching is None else self.touching.at(part),
            **{
                name: getattr(self, name)[part]
                for name in ("turn_spread", "rays", "whiten", "weight", "floor", "flying", "root_firm")
            },
        )


def problem_of(evidence: Evidence, standing: Standing, known: Known, stretch: slice) -> Problem:
    """The problem of the frames `stretch`."""
    lifted, tensor = evidence.lifted, evidence.tensor
    height = float(standing_height(lifted.lengths))
    scale = height / STANDARD_HEIGHT
    group = np.array([_GROUP_WEIGHT.get(n.split(".")[0], 1.0) for n in LANDMARKS])
    confidence = np.clip(evidence.confidence[stretch], 0, 1)
    part = lifted.at(stretch)
    turns = turn_spread(confidence) if part.turn_spread is None else _TOLD * part.turn_spread
    frames = len(evidence.rays)
    if evidence.firmness is not None:
        firm = np.broadcast_to(evidence.firmness, (frames, JOINT_COUNT))
        turns = turns / np.sqrt(firm[stretch])
    root_firm = np.ones(frames) if evidence.root_firmness is None else evidence.root_firmness
    return Problem(
        prior=state_of(part, standing.floors, tensor),
        turn_spread=tensor(turns),
        free=torch.as_tensor(known.free(standing.floors), device=evidence.device),
        shared_precision=tensor(shared_precision(lifted.lengths, standing.floors)),
        lengths=tensor(lifted.lengths),
        places=tensor(PLACE * scale),
        soles=tensor(scale * SOLES),
        under=tensor(scale * SOLES_BELOW),
        balls=tensor(scale * np.array([middle for _, middle, _ in BALLS])),
        radii=tensor(scale * np.array([radius for *_, radius in BALLS])),
        rays=tensor(evidence.rays[stretch] * [1, -1]),
        whiten=tensor(_whiten(evidence, stretch, height)),
        weight=tensor(confidence * group),
        height=height,
        firm=tensor(standing.firm[stretch]),
        floor=torch.as_tensor(standing.floor[stretch], device=evidence.device),
        flying=torch.as_tensor(standing.flying[stretch], device=evidence.device),
        fps=evidence.fps,
        distance=float(np.maximum(lifted.root[:, 1], _NEAREST).mean()),
        root_firm=tensor(root_firm[stretch]),
        camera=evidence.moving(stretch),
        touching=evidence.touching(stretch),
    )


def _whiten(evidence: Evidence, stretch: slice, height: float) -> Floats:
    """`Problem.whiten` (T, 33, 2, 2), from the landmarks' own spreads or else those of their kinds."""
    usual = np.array([SPREAD[n.split(".")[0]] for n in LANDMARKS]) ** 2 * np.ones(
        (len(evidence.rays[stretch]), 1)
    )
    if evidence.spread is None:
        return np.asarray(np.eye(2) / np.sqrt(usual)[..., None, None])
    size = evidence.distance(stretch) / height
    xx, xy, yy = np.moveaxis(evidence.spread[stretch] * size[:, None, None] ** 2, -1, 0)
    known = np.isfinite(xx)
    floor = _SHARPEST**2
    # up is against the picture's y
    covariance = np.stack([xx + floor, -xy, -xy, yy + floor], axis=-1).reshape(*xx.shape, 2, 2)
    covariance = np.where(known[..., None, None], covariance, usual[..., None, None] * np.eye(2))
    return np.asarray(np.linalg.inv(np.linalg.cholesky(covariance)))


def state_of(body: Estimate, floors: int, tensor: Callable[[Array], Tensor]) -> State:
    """A body's motion as a state, in which so many floors lie at the camera's height."""
    forward = np.maximum(body.root[:, 1:2], _NEAREST)
    root = np.concatenate([body.root[:, :1] / forward, np.log(forward), body.root[:, 2:] / forward], 1)
    return State(
        tensor(body.rotations),
        tensor(root),
        tensor(np.zeros(len(LENGTHS))),
        tensor(body.up),
        tensor(np.zeros(floors)),
    )


def root_position(root: Tensor) -> Tensor:
    """Position (T, 3) of the hips from x / y, log y, z / y."""
    forward = root[:, 1].exp()
    return torch.stack([root[:, 0] * forward, forward, root[:, 2] * forward], -1)
