"""Feet that stand where the source's stand, on the target's own legs.

The hips take what they can, smoothly, so that the legs keep their directions; what is left, the legs do.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...inference.contacts import keep_long, runs
from ...inference.foot_ik import two_bone
from ...inference.kinematics import joint_positions
from ...inference.skeleton import INDEX
from ...inference.whittaker import whittaker
from .bones import Array
from .transfer import Body

#: contacts shorter than this are ignored; how long feet, and hips, take over it (seconds)
_SHORTEST, _BLEND, _HIPS = 0.08, 0.25, 0.5
#: weights of a frame that stands and of one that doesn't
_PINNED, _FREE = 1e6, 1e-3
#: a leg is never straighter than this share of its length
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
    joints = joint_positions(world, root, body.offsets)
    ankles = [joints[:, INDEX[f"foot.{s}"]] for s in "LR"]
    shifts, pinned = [], []
    for side, ankle in enumerate(ankles):
        shift, held = _to_spot(world, ankle, body, side, on[:, 2 * side : 2 * side + 2], floor)
        shifts.append(shift)
        pinned.append(held)
    count = pinned[0].astype(float) + pinned[1]
    carried = sum(shifts) / np.maximum(count, 1)[:, None]
    hips = np.zeros_like(root)
    if count.any():
        hips = whittaker(carried, np.where(count > 0, 1.0, _FREE), (_HIPS * fps / (2 * np.pi)) ** 4)
    targets = []
    for side, ankle in enumerate(ankles):
        rest = np.where(pinned[side][:, None], shifts[side] - hips, 0.0)
        eased = (
            whittaker(rest, np.where(pinned[side], _PINNED, _FREE), stiffness) if pinned[side].any() else rest
        )
        target = ankle + hips + np.where(pinned[side][:, None], rest, eased)
        targets.append(_above(target, world, body, side, floor, pinned[side], stiffness))
    root = _within_reach(root + hips, world, body, targets, fps)
    placed = joint_positions(world, root, body.offsets)
    world = world.copy()
    for side, target in zip("LR", targets, strict=True):
        thigh, shin, foot = (INDEX[f"{n}.{side}"] for n in ("thigh", "shin", "foot"))
        moved = np.linalg.norm(target - placed[:, foot], axis=1) > 1e-7
        if moved.any():
            world[moved, thigh], world[moved, shin] = two_bone(
                world[moved, thigh], world[moved, shin], placed[moved, thigh], target[moved],
                body.offsets[shin], body.offsets[foot],
            )  # fmt: skip
    return world, root


def _points(world: Array, body: Body, side: int) -> tuple[Array, Array, Array]:
    """Heel, ball and tip of the foot (N, 3) on the sole, from the ankle."""
    letter, sole = "LR"[side], body.soles[side]
    foot, toe = world[:, INDEX[f"foot.{letter}"]], world[:, INDEX[f"toe.{letter}"]]
    down = np.array([0.0, 0.0, -sole.ball_height])
    ball = foot @ body.offsets[INDEX[f"toe.{letter}"]]
    return foot @ sole.heel, ball + foot @ down, ball + toe @ (sole.tip + down)


def _to_spot(
    world: Array, ankle: Array, body: Body, side: int, on: npt.NDArray[np.bool_], floor: float
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """How far (N, 3) a foot is from where it ought to stand, and in which frames (N,) it stands at all."""
    heel, ball, _ = _points(world, body, side)
    by_ball = on[:, 1]
    by_heel = on[:, 0] & ~by_ball
    shift = np.zeros_like(ankle)
    spots: dict[int, Array] = {}
    for first, last in zip(*runs(by_ball), strict=True):  # over contacts, not frames
        spot = (ankle + ball)[first:last].mean(axis=0)
        spot[2] = floor
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
    return shift, by_ball | by_heel


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
    lowest = np.min([point[:, 2] for point in _points(world, body, side)], axis=0)
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
            step = way * np.maximum(0.0, 1 - longest / np.maximum(distance, 1e-9))
            further = np.linalg.norm(step, axis=1) > np.linalg.norm(need, axis=1)
            need[further] = step[further]
        far = np.linalg.norm(need, axis=1)
        if far.max() < 1e-5:
            break
        moved = moved + whittaker(need * 1.2, np.where(far > 1e-5, 1.0, 0.03), stiffness)
    return root + moved
