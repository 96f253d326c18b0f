"""Feet that stand where the source's stand, on legs that keep the directions of the source's.

On other proportions, legs that point as the source's put both feet in the wrong places: too far apart, too
high or too low. One least-squares problem for all frames corrects that. It weighs what an artist would see:
limbs that point elsewhere, feet that slide, hips that jerk, feet that are pitched. The hips may go wherever
the legs keep their directions. A foot that rolls may be pitched; one that stands flat may lift its heel if
its leg would otherwise bend by much.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...core.arrays import Bools, Floats, Indices
from ...core.banded import inverse, second_difference_bands, solve_banded
from ...core.foot_ik import two_bone
from ...core.kinematics import joint_positions
from ...core.planting import Sole, laid
from ...core.rotations import axis_angle, matrix_from_vector, rotation_between
from ...core.skeleton import INDEX
from .tpose import Body, leg_length

# Weights of squared errors: 1 is that of a limb that points elsewhere by a radian. Lengths are in lengths of
# the leg; steps and second differences of paths are those of 30 frames a second.
#: of a step by which a foot slides
_SLIDE = 5e3
#: of a standing foot's height above or below the floor
_STAND = 1e5
#: of another foot's depth under the floor
_UNDER = 1e4
#: of the pitch of a foot that stands flat, per radian
_PITCH_FLAT = 0.15
#: of the pitch of another foot, per radian
_PITCH = 0.01
#: of second differences in the paths of hips and ankles
_BENT = 20.0
#: of second differences in the pitch of a foot, per radian
_BENT_PITCH = 30.0
#: of the hips' way up or down
_HEIGHT = 1e-3
#: of a step by which the hips leave their path along the floor
_STEP = 1e-2
#: of the hips' way along the floor: keeps the equations solvable where no foot stands
_AWAY = 1e-7
#: limbs that are off by more than this weigh by the fourth power, radians
_OFF = np.radians(2.0)
#: keeps the weight of bending a straight leg finite, as a share of its length
_STRAIGHT = 0.02
#: how often the problem is linearised around the legs as they are
_ROUNDS = 4
#: how far a limb turns at most each time, radians
_TURN = 0.2
#: how far the pitch of a foot changes at most each time, radians
_ROLL = 0.2
#: feet this near above the floor are held above it, as a share of the leg
_NEAR = 1e-3
#: ankles this near to their place are there, as a share of the leg
_SAME = 1e-6
#: the highest that tips of toes are raised, as a share of the toes' length
_STEEPEST = 0.9
# Columns of the unknowns of a frame:
#: how far the hips move
_HIPS = slice(0, 3)
#: how far the ankles move, left and right
_ANKLES = (slice(3, 6), slice(6, 9))
#: pitch of the feet, left and right
_PITCHES = (9, 10)
#: how many there are
_UNKNOWNS = 11


@dataclass
class _Leg:
    """A leg and its foot; lengths are in lengths of the leg.

    Attributes
    ----------
    on : (N, 2) bool
        Heel and ball, whether they stand.
    sole : Sole
    foot : (N, 3, 3)
        Its rotation before it is pitched.
    side : (N, 3)
        The axis of its pitch.
    floor : (N,)
        Height of what it stands on.
    ankle : (N, 3)
        On a leg that points as the source's, under hips that stay where they are.
    own : tuple of (N, 3)
        Thigh and shin as the source's point.
    limbs : list of (N, 3)
        Thigh and shin now.
    price : list of (N,)
        Weights of the directions of thigh and shin.
    moved : (N, 3)
        How far the ankle has moved.
    pitch : (N,)
    """

    on: Bools
    sole: Sole
    foot: Floats
    side: Floats
    floor: Floats
    ankle: Floats
    own: tuple[Floats, Floats]
    limbs: list[Floats]
    price: list[Floats]
    moved: Floats
    pitch: Floats

    def pitched(self) -> Floats:
        """The foot's rotation (N, 3, 3) now."""
        return np.asarray(axis_angle(self.side, self.pitch) @ self.foot)

    def points(self) -> tuple[tuple[Floats, float], tuple[Floats, float]]:
        """Heel and ball from the ankle (N, 3) now, and how high above the floor each ought to be."""
        foot = self.pitched()
        return (foot @ self.sole.heel, 0.0), (foot @ self.sole.ball, self.sole.ball_height)

    def clearance(self) -> Floats:
        """How high (N, 2) heel and ball are above where they stand."""
        above = (self.ankle + self.moved)[:, 2] - self.floor
        return np.stack([above + point[:, 2] - height for point, height in self.points()], axis=1)


@dataclass
class _Equations:
    """Normal equations of a least-squares problem in which each frame is tied to two frames on either side.

    Attributes
    ----------
    frames : int
    within, after : (N, K, K)
        Blocks of the matrix: a frame with itself, and with the next one. `bends` isn't in them yet.
    bends : (K,)
        Weights of the second differences of each unknown.
    right : (N, K)
        The right-hand side.
    """

    frames: int
    within: Floats = field(init=False)
    after: Floats = field(init=False)
    bends: Floats = field(init=False)
    right: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.within, self.after = np.zeros((2, self.frames, _UNKNOWNS, _UNKNOWNS))
        self.right = np.zeros((self.frames, _UNKNOWNS))
        self.bends = np.zeros(_UNKNOWNS)

    def add(self, at: Indices, rows: Floats, price: Floats, value: Floats) -> None:
        """Add ``price * (rows @ x[at] - value) ** 2``: (n,), (n, M, K), (n, M, M) and (n, M)."""
        weighed = np.swapaxes(rows, 1, 2) @ price
        self.within[at] += weighed @ rows
        self.right[at] += (weighed @ value[..., None])[..., 0]

    def add_step(self, at: Indices, now: Floats, then: Floats, price: float, value: Floats) -> None:
        """Add ``price * (then @ x[at + 1] - now @ x[at] - value) ** 2``, as `add`; one price for all."""
        turned = np.swapaxes(then, 1, 2)
        self.within[at] += price * (np.swapaxes(now, 1, 2) @ now)
        self.within[at + 1] += price * (turned @ then)
        self.after[at] -= price * (np.swapaxes(now, 1, 2) @ then)
        self.right[at] -= price * (np.swapaxes(now, 1, 2) @ value[..., None])[..., 0]
        self.right[at + 1] += price * (turned @ value[..., None])[..., 0]

    def solve(self) -> Floats:
        """The unknowns (N, K)."""
        here, ahead, after = self.within.copy(), self.after.copy(), np.zeros_like(self.after)
        bands = second_difference_bands(np.tile(self.bends, (self.frames, 1)))
        each = np.arange(_UNKNOWNS)
        for blocks, band in zip((here, ahead, after), bands, strict=True):
            blocks[:, each, each] += band
        return solve_banded(here, ahead, after, self.right[..., None])[..., 0]


def plant(
    world: Floats, root: Floats, body: Body, contacts: Bools, fps: float, floors: Floats
) -> tuple[Floats, Floats]:
    """Plant a body's feet.

    Parameters
    ----------
    world : (N, J, 3, 3)
        Rotations of the joints, away from the T-pose.
    root : (N, 3), metres
        Midway between the hip joints.
    body : Body
    contacts : (N, 4) bool
        As in `motion.CONTACT_POINTS`.
    fps : float
    floors : (N, 2), metres
        Height of what each foot stands on, see `planting.floors_under`.

    Returns
    -------
    world, root
        With other legs, feet and hips. They stay as they are if no foot stands or gets under the floor.
    """
    size = leg_length(body.offsets)
    legs = [
        _read_leg(world, root, body, side, contacts[:, 2 * side : 2 * side + 2], floors[:, side], fps)
        for side in (0, 1)
    ]
    hips = np.zeros_like(root)
    stands = contacts.any() or any((leg.clearance() < 0).any() for leg in legs)
    for _ in range(_ROUNDS if stands else 0):
        hips = _improve(legs, fps / 30)
    root = root + size * hips
    world = world.copy()
    placed = joint_positions(world, root, body.offsets)
    for side, leg in enumerate(legs):
        letter, sole = "LR"[side], body.soles[side]
        thigh, shin, foot, toe = (INDEX[f"{n}.{letter}"] for n in ("thigh", "shin", "foot", "toe"))
        upper, lower = (
            rotation_between(own, now) @ world[:, joint]
            for own, now, joint in zip(leg.own, leg.limbs, (thigh, shin), strict=True)
        )
        ankle = size * (leg.ankle + leg.moved)
        off = np.linalg.norm(placed[:, foot] - ankle, axis=1) > _SAME * size
        world[off, thigh], world[off, shin] = two_bone(
            upper[off], lower[off], placed[off, thigh], ankle[off], body.offsets[shin], body.offsets[foot]
        )
        world[:, foot] = leg.pitched()
        world[:, toe] = _toes_up(world[:, toe], ankle + world[:, foot] @ sole.ball, sole, floors[:, side])
    return world, root


def _read_leg(
    world: Floats, root: Floats, body: Body, side: int, on: Bools, floor: Floats, fps: float
) -> _Leg:
    """A leg that points as the source's, from what `plant` gets, in lengths of the leg."""
    size = leg_length(body.offsets)
    thigh, shin, foot = (INDEX[f"{n}.{'LR'[side]}"] for n in ("thigh", "shin", "foot"))
    offsets, sole = body.offsets / size, body.soles[side]
    upper, lower = world[:, thigh] @ offsets[shin], world[:, shin] @ offsets[foot]
    hip = root / size + world[:, INDEX["hips"]] @ offsets[thigh]
    turned = laid(world[:, foot], sole, on, fps)
    ahead = -turned[:, :2, 1]  # the rest pose faces -Y
    ahead = ahead / np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    still = np.zeros(len(world))
    return _Leg(
        on=on,
        sole=Sole(sole.heel / size, sole.ball / size, sole.tip / size, sole.ball_height / size),
        foot=turned,
        side=np.stack([-ahead[:, 1], ahead[:, 0], still], axis=1),
        floor=floor / size,
        ankle=hip + upper + lower,
        own=(upper, lower),
        limbs=[upper, lower],
        price=[still + 1, still + 1],
        moved=np.zeros((len(world), 3)),
        pitch=still,
    )


def _improve(legs: list[_Leg], rate: float) -> Floats:
    """Solve the problem linearised around the legs as they are, and move them; returns the way of the hips.

    Parameters
    ----------
    legs : list of _Leg
        Left, right.
    rate : float
        Frames per second over 30.
    """
    frames = len(legs[0].on)
    every, steps = np.arange(frames), np.arange(frames - 1)
    equations = _Equations(frames)
    equations.bends[:] = _BENT * rate**4
    equations.bends[list(_PITCHES)] = _BENT_PITCH * rate**4
    apart = np.eye(_UNKNOWNS)[None, _HIPS]
    away = np.array([_AWAY, _AWAY, _HEIGHT])
    equations.add(every, apart, np.diag(away)[None], np.zeros((frames, 3)))
    along = apart[:, :2]
    equations.add_step(steps, along, along, _STEP * rate**2, np.zeros((frames - 1, 2)))
    shapes = [
        _add_leg(equations, leg, columns, pitch, rate)
        for leg, columns, pitch in zip(legs, _ANKLES, _PITCHES, strict=True)
    ]
    found = equations.solve()
    hips = found[:, _HIPS]
    for leg, columns, pitch, (slack, target) in zip(legs, _ANKLES, _PITCHES, shapes, strict=True):
        leg.moved = found[:, columns]
        leg.pitch = leg.pitch + np.clip(found[:, pitch] - leg.pitch, -_ROLL, _ROLL)
        pull = (slack @ (leg.moved - hips - target)[..., None])[..., 0]
        for part, own in enumerate(leg.own):
            now, price = leg.limbs[part], leg.price[part]
            turn = np.cross(now, pull) / price[:, None] - _turn_between(own, now)
            angle = np.linalg.norm(turn, axis=1, keepdims=True)
            turn *= np.minimum(1.0, _TURN / np.maximum(angle, 1e-9))
            leg.limbs[part] = (matrix_from_vector(turn) @ now[..., None])[..., 0]
            off = np.linalg.norm(_turn_between(own, leg.limbs[part]), axis=1)
            # the geometric mean with the last price: prices that follow the angles at once overshoot
            leg.price[part] = np.sqrt(price) * np.maximum(1.0, off / _OFF)
    return hips


def _add_leg(
    equations: _Equations, leg: _Leg, columns: slice, pitch: int, rate: float
) -> tuple[Floats, Floats]:
    """Add the terms of a leg and its foot.

    Thigh `a` and shin `b`, turned by small `s` and `t` away from the source's directions, move the ankle by
    ``s x a + t x b``. The smallest ``p |s|^2 + q |t|^2`` that moves it by `e` is ``e' A e`` with
    ``A^-1 = (|a|^2 - a a') / p + (|b|^2 - b b') / q``.

    Returns
    -------
    (N, 3, 3)
        `A`.
    (N, 3)
        What is subtracted from the ankle's way relative to the hips to get `e`.
    """
    frames = len(leg.on)
    every = np.arange(frames)
    ease = np.tile(_STRAIGHT**2 * np.eye(3), (frames, 1, 1))
    target = np.zeros((frames, 3))
    for own, now, price in zip(leg.own, leg.limbs, leg.price, strict=True):
        square = (now * now).sum(axis=1)[:, None, None] * np.eye(3) - now[:, :, None] * now[:, None, :]
        ease += square / price[:, None, None]
        target += now - own - np.cross(_turn_between(own, now), now)
    slack = inverse(ease)
    unknowns = np.eye(_UNKNOWNS)
    equations.add(every, unknowns[None, columns] - unknowns[None, _HIPS], slack, target)
    stands, flat = leg.on.any(axis=1), leg.on.all(axis=1)
    costs = np.where(flat, _PITCH_FLAT, _PITCH)[:, None, None]
    equations.add(every, unknowns[None, None, pitch], costs, np.zeros((frames, 1)))
    by_ball = leg.on[:, 1]
    for part, (point, height) in enumerate(leg.points()):
        turned = np.cross(leg.side, point)  # by a radian of pitch
        rows = np.broadcast_to(unknowns[columns], (frames, 3, _UNKNOWNS)).copy()
        rows[:, :, pitch] = turned
        place = leg.ankle + point - turned * leg.pitch[:, None]
        leads = by_ball if part else stands & ~by_ball
        stays = leg.on[1:] & leg.on[:-1]
        both = np.flatnonzero(stays[:, 1] if part else stays[:, 0] & ~stays[:, 1])
        now, then = rows[both, :2], rows[both + 1, :2]
        equations.add_step(both, now, then, _SLIDE * rate**2, (place[both] - place[both + 1])[:, :2])
        under = ~leads & (leg.clearance()[:, part] < _NEAR)
        held = np.flatnonzero(leads | under)
        costs = np.where(leads, _STAND, _UNDER)[held, None, None]
        equations.add(held, rows[held, 2:], costs, (leg.floor + height - place[:, 2])[held, None])
    return slack, target


def _turn_between(a: Floats, b: Floats) -> Floats:
    """Rotation vectors (N, 3), radians, of the smallest turns from directions `a` (N, 3) to `b` (N, 3)."""
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.arctan2(sine, (a * b).sum(axis=1, keepdims=True))
    return np.asarray(axis * (angle / np.maximum(sine, 1e-15)))


def _toes_up(toe: Floats, ball: Floats, sole: Sole, floor: Floats) -> Floats:
    """Rotations of the toes (N, 3, 3), bent up where their tips would be under the floor."""
    tip = toe @ sole.tip
    lowest = floor + sole.ball_height + sole.tip[2] - ball[:, 2]
    length = np.linalg.norm(tip, axis=1)
    raised = tip.copy()
    raised[:, 2] = np.minimum(np.maximum(tip[:, 2], lowest), _STEEPEST * length)
    flat = np.linalg.norm(tip[:, :2], axis=1)
    raised[:, :2] *= (np.sqrt(np.maximum(length**2 - raised[:, 2] ** 2, 0)) / np.maximum(flat, 1e-9))[:, None]
    bent = raised[:, 2] > tip[:, 2] + 1e-9
    out = toe.copy()
    out[bent] = rotation_between(tip[bent], raised[bent]) @ toe[bent]
    return out
