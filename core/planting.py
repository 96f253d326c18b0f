"""Planting of one foot: it stands on one spot while it is in contact, and blends into its own path around it.

A `Sole` describes the foot, of the captured skeleton or of an artist's character.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import Bools, Floats, Indices
from .banded import whittaker
from .contacts import runs
from .rotations import axis_angle, matrix_from_vector, rotation_between, rotation_vector

#: about how long a foot takes from its own path onto its planted one, seconds
BLEND = 0.25
# Weights of the frames in Whittaker's smoothing:
#: of a foot that stands flat
_FLAT = 1e6
#: of a foot that rolls
_ROLLING = 1e3
#: of a foot in the air, for its own path
_FREE = 5e-2
#: of a foot that isn't under the floor, against raising it
_RISING = 0.03
#: of a foot in the air that isn't turned, against turning it
_UNTURNED = 1e-2
#: of a foot that is about to land or has just lifted, for its spot: in the nearest frame
_HELD = 30.0
#: how long before it lands and after it lifts a foot is held near its spot, seconds
_HOLD = 0.1
#: a foot that is this far from its spot on its own path is held half as much, metres
_NEAR = 0.005
#: a foot that stands this far from where it stands longest stands on something else, metres
_OTHER_FLOOR = 0.06
#: rounds in which a smooth curve comes up to what it has to be
_ROUNDS = 12
#: rising by less than this doesn't matter, metres
_HARDLY = 1e-5


@dataclass(frozen=True)
class Sole:
    """Where a foot meets the floor, in the rest pose (flat on the floor, facing -Y), metres.

    Attributes
    ----------
    heel : (3,)
        Its point on the sole, from the ankle (the foot's joint).
    ball : (3,)
        The joint of the toes, from the ankle.
    tip : (3,)
        The end of the toes, from the joint of the toes.
    ball_height : float
        Of the joint of the toes above the floor.
    """

    heel: Floats
    ball: Floats
    tip: Floats
    ball_height: float


def floors_under(heights: Floats, contacts: Bools, floor: float) -> Floats:
    """Height of the floor under each foot (T, 2), metres.

    The level that is stood on longest is `floor`. Stances that are farther than `_OTHER_FLOOR` from it are on
    a stair, a box or a roof, as much higher or lower as they are; those that are nearer to each other share
    one. In the air it is the lower one of the levels before and after.

    Parameters
    ----------
    heights : (T, 4), metres
        Of the soles under `motion.CONTACT_POINTS`.
    contacts : (T, 4) bool
    floor : float, metres
    """
    feet = contacts[:, :2], contacts[:, 2:]
    ends = [runs(on.any(axis=1)) for on in feet]
    own = [
        np.array([np.median(part[a:b][on[a:b]]) for a, b in zip(*of, strict=True)])
        for on, part, of in zip(feet, (heights[:, :2], heights[:, 2:]), ends, strict=True)
    ]
    levels = np.concatenate(own)
    if not len(levels):
        return np.full((len(heights), 2), floor)
    long = np.concatenate([end - first for first, end in ends])
    above = np.split(_above_main(levels, long), [len(own[0])])
    out = np.full((len(heights), 2), floor)
    at = np.arange(len(heights))
    for foot, ((first, end), level) in enumerate(zip(ends, above, strict=True)):
        if len(level):
            under = floor + level
            after = np.minimum(np.searchsorted(end, at, side="right"), len(end) - 1)
            before = np.maximum(np.searchsorted(first, at, side="right") - 1, 0)
            out[:, foot] = np.minimum(under[before], under[after])
    return out


def _above_main(heights: Floats, frames: Indices) -> Floats:
    """How much higher than the level that is stood on longest each stance's level is (N,), metres.

    Parameters
    ----------
    heights : (N,), metres
        Of the stances.
    frames : (N,) int
        How long they are.
    """
    out = np.zeros(len(heights))
    rest = np.argsort(heights)
    main = None
    while len(rest):
        ascending, long = heights[rest], frames[rest]
        first, end = (np.searchsorted(ascending, ascending + way) for way in (-_OTHER_FLOOR, _OTHER_FLOOR))
        stood = np.concatenate([[0], np.cumsum(long)])
        longest = (stood[end] - stood[first]).argmax()
        near = slice(first[longest], end[longest])
        level = np.average(ascending[near], weights=long[near])
        main = level if main is None else main
        here = np.abs(ascending - level) < _OTHER_FLOOR
        out[rest[here]] = level - main
        rest = rest[~here]
    return out


def plant_foot(
    foot: Floats,
    toe: Floats,
    ankle: Floats,
    sole: Sole,
    contacts: Bools,
    fps: float,
    floor: Floats,
    lock_toes: bool = True,
) -> tuple[Floats, Floats, Floats]:
    """Plant one foot.

    Parameters
    ----------
    foot, toe : (T, 3, 3)
        Rotations away from the rest pose, in the world.
    ankle : (T, 3), metres
    sole : Sole
    contacts : (T, 2) bool
        Of the heel and of the ball.
    fps : float
    floor : (T,), metres
        Height of what the foot stands on, see `floors_under`.
    lock_toes : bool
        Whether the toes lie flat while the ball stands.

    Returns
    -------
    foot, toe, ankle
        The same, planted. The caller makes sure that the leg reaches that far.
    """
    foot = laid(foot, sole, contacts, fps)
    stances = _find_stances(foot, ankle, sole, contacts, fps, floor)
    foot, ankle = _set_down(foot, ankle, sole, stances, fps, floor)
    return foot, _set_toes(toe, foot, ankle, sole, contacts[:, 1], fps, floor, lock_toes), ankle


@dataclass(frozen=True)
class _Stances:
    """Where a foot stands, and how firmly.

    Attributes
    ----------
    contacts : (T, 2) bool
        Of the heel and of the ball.
    spot : (T, 3), metres
        Of the point that the foot turns about: the ball wherever that stands, else the heel.
    ankle : (T, 3), metres
        On a foot that stands there; its own path where the foot doesn't stand.
    weight : (T,)
        Of `ankle`.
    """

    contacts: Bools
    spot: Floats
    ankle: Floats
    weight: Floats

    @property
    def on(self) -> Bools:
        """Where the foot stands (T,)."""
        return np.asarray(self.contacts.any(axis=1))


def _find_stances(
    foot: Floats, ankle: Floats, sole: Sole, contacts: Bools, fps: float, floor: Floats
) -> _Stances:
    """The spots on which a foot stands, as near to its own path as possible.

    A stance is a run of frames in contact. Within it the point that the foot turns about may change from heel
    to ball and back.
    """
    points = np.stack([foot @ sole.heel, foot @ sole.ball])
    heights = np.stack([floor, floor + sole.ball_height])
    leads = contacts[:, 1].astype(int)
    spots, target, weight = ankle.copy(), ankle.copy(), np.full(len(ankle), _FREE)
    rolling = np.where(contacts.all(axis=1), _FLAT, _ROLLING)
    hold = max(1, round(_HOLD * fps))
    fading = _HELD * 10.0 ** (-2 * np.arange(hold) / hold)
    for first, end in zip(*runs(contacts.any(axis=1)), strict=True):  # over contacts, not frames
        stance = slice(first, end)
        cuts = first + 1 + np.flatnonzero(np.diff(leads[stance]))
        spot = np.zeros(3)
        for a, b in zip([first, *cuts], [*cuts, end], strict=True):
            if a > first:
                # as far from the old one as while both stand: what has left or hasn't landed is elsewhere
                old, new = leads[a - 1], leads[a]
                last = a if contacts[a, old] else a - 1
                begins = a - 1 if contacts[a - 1, new] else a
                spot = spot + (ankle[begins] + points[new, begins]) - (ankle[last] + points[old, last])
            spot[2] = heights[leads[a], a]
            spots[a:b] = spot
            target[a:b] = spot - points[leads[a], a:b]
        moved = (ankle[stance, :2] - target[stance, :2]).mean(axis=0)
        target[stance, :2] += moved
        spots[stance, :2] += moved
        weight[stance] = rolling[stance]
        for edge, frames in (
            (first, np.arange(first - 1, max(first - 1 - hold, -1), -1)),
            (end - 1, np.arange(end, min(end + hold, len(ankle)))),
        ):
            point = points[leads[edge]]
            away = np.linalg.norm(ankle[frames] + point[frames] - (ankle[edge] + point[edge]), axis=1)
            held = fading[: len(frames)] / (1 + (away / _NEAR) ** 4)
            free = held > weight[frames]
            weight[frames[free]] = held[free]
            target[frames[free]] = (spots[edge] - point[frames])[free]
    return _Stances(contacts, spots, target, weight)


def _set_down(
    foot: Floats, ankle: Floats, sole: Sole, stances: _Stances, fps: float, floor: Floats
) -> tuple[Floats, Floats]:
    """Rotation of the foot (T, 3, 3) and ankle (T, 3) that stand where `stances` says.

    The path of the ankle sets the pitch of a foot that rolls: it is smoother than a path that the pitch sets.
    """
    stiffness = (BLEND * fps / np.pi) ** 4
    shift = whittaker(stances.ankle - ankle, stances.weight, stiffness)
    on, by_ball = stances.on, stances.contacts[:, 1:]
    point = np.where(by_ball, sole.ball, sole.heel)
    flat = stances.contacts.all(axis=1)
    # a foot that rolls can already rise to where it has to be when it leaves
    moved = _above(ankle + shift, foot, sole, on, np.where(flat, _FLAT, _RISING), floor, stiffness)
    turn = rotation_between((foot @ point[..., None])[..., 0], stances.spot - moved)
    turn[flat] = np.eye(3)
    foot = _pitched(_blended(foot, turn @ foot, on, fps), sole, stances.contacts)
    moved = np.where(on[:, None], stances.spot - (foot @ point[..., None])[..., 0], moved)
    return foot, _above(moved, foot, sole, on, np.where(on, _FLAT, _RISING), floor, stiffness)


def _set_toes(
    toe: Floats,
    foot: Floats,
    ankle: Floats,
    sole: Sole,
    ball_on: Bools,
    fps: float,
    floor: Floats,
    lock: bool,
) -> Floats:
    """Rotation of the toes (T, 3, 3) of a planted foot, nowhere under the floor."""
    if lock:
        toe = _blended(toe, _level_toes(foot), ball_on, fps)
    return _bent_up(toe, ankle + foot @ sole.ball, sole, floor)


def laid(foot: Floats, sole: Sole, contacts: Bools, fps: float) -> Floats:
    """The foot's rotation (T, 3, 3), constant with heel and ball on the floor in each run of flat contact."""
    flat = contacts.all(axis=1)
    if not flat.any():
        return _pitched(foot, sole, contacts)
    heading = _run_means(foot.reshape(-1, 9), flat).reshape(-1, 3, 3)
    forward = -heading[:, :2, 1]  # the rest pose faces -Y
    angle = np.arctan2(forward[:, 0], -forward[:, 1])
    about_up = axis_angle(np.broadcast_to([0.0, 0, 1], (len(foot), 3)), angle)
    # heel and ball need not be level in the rest pose
    _, y, z = sole.ball - sole.heel
    pitch = np.arctan2(z, -y) - np.arcsin(np.clip(sole.ball_height / np.hypot(y, z), -1, 1))
    level = about_up @ axis_angle(np.array([1.0, 0, 0]), np.array(pitch))
    return _pitched(_blended(foot, level, flat, fps), sole, contacts)


def _pitched(foot: Floats, sole: Sole, contacts: Bools) -> Floats:
    """The foot's rotation (T, 3, 3), pitched so that no end is under the floor while the other stands."""
    along = foot @ (sole.ball - sole.heel)
    length = np.linalg.norm(sole.ball - sole.heel)
    level = np.arcsin(np.clip(sole.ball_height / length, -1, 1))
    needed = level - np.arcsin(np.clip(along[:, 2] / length, -1, 1))
    heel_on, ball_on = contacts.T
    needed = np.where(
        heel_on & ball_on,
        needed,
        np.where(ball_on, np.minimum(needed, 0), np.where(heel_on, np.maximum(needed, 0), 0)),
    )
    side = np.stack([along[:, 1], -along[:, 0], np.zeros(len(along))], axis=-1)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    return np.asarray(axis_angle(side, needed) @ foot)


def _level_toes(foot: Floats) -> Floats:
    """Rotations (T, 3, 3) of toes that lie flat on the floor, as the foot points."""
    up = np.array([0.0, 0, 1])
    right = foot[:, :, 0] * [1, 1, 0]
    right /= np.maximum(np.linalg.norm(right, axis=1, keepdims=True), 1e-6)
    return np.stack([right, np.cross(up, right), np.broadcast_to(up, right.shape)], -1)


def _above(
    ankle: Floats, foot: Floats, sole: Sole, on: Bools, firm: Floats, floor: Floats, stiffness: float
) -> Floats:
    """The ankle's path, raised where heel or ball would be under the floor while the foot isn't `on` it.

    `firm` (T,) is the weight against raising it in the other frames.
    """
    lowest = np.minimum((foot @ sole.heel)[:, 2], (foot @ sole.ball)[:, 2] - sole.ball_height)
    under = np.where(on, 0.0, np.maximum(0.0, floor - ankle[:, 2] - lowest))
    if not (under > 1e-6).any():
        return ankle
    out = ankle.copy()
    out[:, 2] += np.where(firm == _FLAT, 0.0, softly_over(under, firm, stiffness / 30))
    return out


def softly_over(need: Floats, free: Floats, stiffness: float) -> Floats:
    """A smooth curve (T,), nowhere below `need` (T,); `free` (T,) weighs it towards 0 where that is 0."""
    out = np.zeros_like(need)
    for _ in range(_ROUNDS):
        rest = np.maximum(need - out, 0)
        if rest.max() < _HARDLY:
            break
        out += whittaker(rest[:, None], np.where(rest > 0, 1.0, free), stiffness)[:, 0]
    return np.maximum(out, need)


def _bent_up(toe: Floats, ball: Floats, sole: Sole, floor: Floats) -> Floats:
    """The toes' rotation (T, 3, 3), bent up where their tips would be under the floor."""
    tip = toe @ sole.tip
    length = float(np.linalg.norm(sole.tip))
    lowest = np.clip((floor + sole.ball_height + sole.tip[2] - ball[:, 2]) / length, -1, 0.9)
    needed = np.maximum(0, np.arcsin(lowest) - np.arcsin(np.clip(tip[:, 2] / length, -1, 1)))
    side = np.stack([tip[:, 1], -tip[:, 0], np.zeros(len(tip))], axis=-1)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    return np.asarray(axis_angle(side, needed) @ toe)


def _run_means(values: Floats, on: Bools) -> Floats:
    """Values (T, C) replaced by their mean over each run of true; 0 elsewhere."""
    first, last = runs(on)
    out = np.zeros_like(values)
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    means = (sums[last] - sums[first]) / (last - first)[:, None]
    out[on] = np.repeat(means, last - first, axis=0)
    return out


def _blended(own: Floats, wanted: Floats, where: Bools, fps: float) -> Floats:
    """Rotations (T, 3, 3) that are `wanted` in the frames `where` (T,), and blend into `own` around them."""
    difference = rotation_vector(wanted @ np.swapaxes(own, -1, -2))
    difference[~where] = 0
    soft = whittaker(difference, np.where(where, _FLAT, _UNTURNED), (BLEND * fps / np.pi) ** 4 / 30)
    soft[where] = difference[where]
    return matrix_from_vector(soft) @ own
