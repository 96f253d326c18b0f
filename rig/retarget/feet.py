"""Feet that stand where the source's stand, on the target's own legs.

The hips take what they can, smoothly, so that the legs keep their directions; what is left, the legs do.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...inference.contacts import keep_long, runs
from ...inference.foot_ik import two_bone
from ...inference.kinematics import joint_positions
from ...inference.rotations import axis_angle, rotation_between
from ...inference.skeleton import INDEX
from ...inference.whittaker import whittaker
from .bones import Array
from .transfer import Body

#: contacts shorter than this are ignored; how long feet, and hips, take over it (seconds)
_SHORTEST, _BLEND, _HIPS = 0.08, 0.25, 0.5
#: weights of a frame that stands and of one that doesn't
_PINNED, _FREE = 1e6, 1e-3
#: how far a foot is pitched at most to make up for its length (radians)
_PITCH = 0.5
#: feet that are this near to where they ought to be are there, metres
_SAME = 1e-5
#: a leg that is solved is never straighter than this share of its length
_REACH = 0.9995


def plant(
    world: Array, root: Array, body: Body, contacts: npt.NDArray[np.bool_], fps: float, floor: float
) -> tuple[Array, Array]:
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
    floor : float, metres

    Returns
    -------
    world, root
        With other thighs, shins and hips.
    """
    stiffness = (_BLEND * fps / np.pi) ** 4
    on = keep_long(contacts, _SHORTEST * fps)
    world = world.copy()
    joints = joint_positions(world, root, body.offsets)
    ankles = [joints[:, INDEX[f"foot.{s}"]] for s in "LR"]
    stands = [on[:, columns].any(axis=1) for columns in ([0, 1], [2, 3])]
    flat = [on[:, columns].all(axis=1) for columns in ([0, 1], [2, 3])]
    hips = np.zeros_like(root)
    shifts = [_to_spot(world, ankle, body, side, on, floor) for side, ankle in enumerate(ankles)]
    # heights are told by feet that lie flat; those that roll have another length of foot to make up for
    for axes, where in ((slice(0, 2), stands), (slice(2, 3), flat)):
        count = where[0].astype(float) + where[1]
        if count.any():
            wanted = sum(shift[:, axes] * here[:, None] for shift, here in zip(shifts, where, strict=True))
            wanted = wanted / np.maximum(count, 1)[:, None]
            hips[:, axes] = whittaker(
                wanted, np.where(count > 0, 1.0, _FREE), (_HIPS * fps / (2 * np.pi)) ** 4
            )
    targets = []
    for side, ankle in enumerate(ankles):
        moved = ankle + hips
        _roll(world, moved, body, side, on, floor, stiffness / 30)
        held = stands[side]
        rest = np.where(held[:, None], _to_spot(world, moved, body, side, on, floor), 0.0)
        eased = whittaker(rest, np.where(held, _PINNED, _FREE), stiffness) if held.any() else rest
        target = moved + np.where(held[:, None], rest, eased)
        targets.append(_above(target, world, body, side, floor, held, stiffness))
    root = _within_reach(root + hips, world, body, targets, fps)
    placed = joint_positions(world, root, body.offsets)
    for letter, target in zip("LR", targets, strict=True):
        thigh, shin, foot = (INDEX[f"{n}.{letter}"] for n in ("thigh", "shin", "foot"))
        moved = np.linalg.norm(target - placed[:, foot], axis=1) > _SAME
        if moved.any():
            world[moved, thigh], world[moved, shin] = two_bone(
                world[moved, thigh], world[moved, shin], placed[moved, thigh], target[moved],
                body.offsets[shin], body.offsets[foot],
            )  # fmt: skip
    return world, root


def _points(world: Array, body: Body, side: int) -> tuple[Array, Array, Array]:
    """Heel on the sole, joint of the toes and their tip (N, 3), from the ankle."""
    letter, sole = "LR"[side], body.soles[side]
    foot, toe = world[:, INDEX[f"foot.{letter}"]], world[:, INDEX[f"toe.{letter}"]]
    ball = foot @ body.offsets[INDEX[f"toe.{letter}"]]
    return foot @ sole.heel, ball, ball + toe @ sole.tip


def _roll(
    world: Array,
    ankle: Array,
    body: Body,
    side: int,
    on: npt.NDArray[np.bool_],
    floor: float,
    stiffness: float,
) -> None:
    """Pitch a foot (in place) until heel or ball are at the height that they ought to have.

    A foot that is long for its leg would otherwise push the whole leg up whenever it rolls over its ball.
    """
    letter, height = "LR"[side], body.soles[side].ball_height
    by_heel, by_ball = on[:, 2 * side], on[:, 2 * side + 1]
    heel, ball, _ = _points(world, body, side)
    ahead = ball[:, :2] / np.maximum(np.linalg.norm(ball[:, :2], axis=1, keepdims=True), 1e-9)
    room = floor - ankle[:, 2]
    pitch = np.zeros(len(ankle))
    for point, above, stands in ((heel, 0.0, by_heel), (ball, height, by_ball)):
        under = (point[:, 2] < room + above) & ~stands
        needed = _pitch(point, ahead, room + above)
        pitch = np.where(under & (np.abs(needed) > np.abs(pitch)), needed, pitch)
    # a heel is too near to its ankle to be set down so
    pitch = np.where(by_ball, _pitch(ball, ahead, room + height), pitch)
    pitch = np.clip(pitch, -_PITCH, _PITCH)
    weight = np.where(by_ball, 100.0, np.where(pitch != 0, 1.0, 0.1))
    pitch = whittaker(pitch[:, None], weight, stiffness)[:, 0]
    axis = np.stack([-ahead[:, 1], ahead[:, 0], np.zeros(len(ankle))], axis=1)
    world[:, INDEX[f"foot.{letter}"]] = axis_angle(axis, pitch) @ world[:, INDEX[f"foot.{letter}"]]
    # toes bend up where their tips would be under the floor
    _, ball, tip = _points(world, body, side)
    toe = tip - ball
    lowest = room + height + body.soles[side].tip[2] - ball[:, 2]
    length = np.linalg.norm(toe, axis=1)
    raised = toe.copy()
    raised[:, 2] = np.minimum(np.maximum(toe[:, 2], lowest), 0.9 * length)
    flat = np.linalg.norm(toe[:, :2], axis=1)
    raised[:, :2] *= (np.sqrt(np.maximum(length**2 - raised[:, 2] ** 2, 0)) / np.maximum(flat, 1e-9))[:, None]
    bent = raised[:, 2] > toe[:, 2] + 1e-9
    joint = INDEX[f"toe.{letter}"]
    world[bent, joint] = rotation_between(toe[bent], raised[bent]) @ world[bent, joint]


def _pitch(point: Array, ahead: Array, height: Array) -> Array:
    """Angles (N,) about the side axis that bring points (N, 3) to heights (N,)."""
    forward = (point[:, :2] * ahead).sum(axis=1)
    radius = np.hypot(forward, point[:, 2])
    now = np.arctan2(forward, point[:, 2])
    then = np.arccos(np.clip(height / np.maximum(radius, 1e-9), -1, 1))
    return np.asarray(np.where(now < 0, -then, then) - now)


def _to_spot(
    world: Array, ankle: Array, body: Body, side: int, on: npt.NDArray[np.bool_], floor: float
) -> Array:
    """How far (N, 3) a foot is from where it ought to stand, in the frames in which it does."""
    heel, ball, _ = _points(world, body, side)
    by_ball = on[:, 2 * side + 1]
    by_heel = on[:, 2 * side] & ~by_ball
    shift = np.zeros_like(ankle)
    spots: dict[int, Array] = {}
    for first, last in zip(*runs(by_ball), strict=True):  # over contacts, not frames
        spot = (ankle + ball)[first:last].mean(axis=0)
        spot[2] = floor + body.soles[side].ball_height
        shift[first:last] = spot - (ankle + ball)[first:last]
        spots[int(first)], spots[int(last) - 1] = shift[first], shift[last - 1]
    for first, last in zip(*runs(by_heel), strict=True):
        point = (ankle + heel)[first:last]
        spot = point.mean(axis=0)
        # a heel that rolls on to its ball, or off it, stands where the ball's place puts it
        for frame, edge in ((int(last), -1), (int(first) - 1, 0)):
            if frame in spots:
                spot = point[edge] + spots[frame]
                break
        spot[2] = floor
        shift[first:last] = spot - point
    return shift


def _above(
    ankle: Array,
    world: Array,
    body: Body,
    side: int,
    floor: float,
    pinned: npt.NDArray[np.bool_],
    stiffness: float,
) -> Array:
    """The ankle's path, raised where a part of the sole would be under the floor."""
    heel, ball, _ = (point[:, 2] for point in _points(world, body, side))
    height = body.soles[side].ball_height
    lowest = np.minimum(heel, ball - height)
    under = np.maximum(0.0, floor - ankle[:, 2] - lowest)
    under[pinned] = 0.0
    if not (under > 1e-6).any():
        return ankle
    weight = np.where(pinned, _PINNED, np.where(under > 0, 1.0, 0.05))
    soft = whittaker(under[:, None], weight, stiffness / 30)[:, 0]
    out = ankle.copy()
    out[:, 2] += np.where(pinned, 0.0, np.maximum(soft, under))
    return out


def _within_reach(root: Array, world: Array, body: Body, targets: list[Array], fps: float) -> Array:
    """The root's path, moved as little and as softly as lets both legs reach their ankles."""
    moved = np.zeros_like(root)
    stiffness = (_BLEND * fps / np.pi) ** 4 / 30
    joints = joint_positions(world, root, body.offsets)
    for _ in range(6):
        need = np.zeros_like(root)
        for side, target in zip("LR", targets, strict=True):
            thigh, shin, foot = (INDEX[f"{n}.{side}"] for n in ("thigh", "shin", "foot"))
            longest = _REACH * (np.linalg.norm(body.offsets[shin]) + np.linalg.norm(body.offsets[foot]))
            way = target - joints[:, thigh] - moved
            distance = np.linalg.norm(way, axis=1, keepdims=True)
            off = np.linalg.norm(target - joints[:, foot] - moved, axis=1, keepdims=True) > _SAME
            step = off * way * np.maximum(0.0, 1 - longest / np.maximum(distance, 1e-9))
            further = np.linalg.norm(step, axis=1) > np.linalg.norm(need, axis=1)
            need[further] = step[further]
        far = np.linalg.norm(need, axis=1)
        if far.max() < 1e-5:
            break
        moved = moved + whittaker(need * 1.2, np.where(far > 1e-5, 1.0, 0.03), stiffness)
    return root + moved
