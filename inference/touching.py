"""Where people whom one camera filmed touch each other, and how far away what touches is then.

One picture hardly tells how far away hands are: those that hold each other come out apart in depth. Where the
picture shows for long that they are together, they are brought to one distance. That is a guess: one may be
behind the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations

import numpy as np

from ..core.arrays import Bools, Floats
from ..core.camera import WORLD_FROM_LEVEL_CAMERA
from ..core.capture import Capture
from ..core.contacts import keep_long, runs
from ..core.landmarks import LANDMARK
from ..core.rotations import unit
from ..core.skeleton import INDEX, STANDARD_HEIGHT
from .solve.problem import Touch

_HANDS = {
    INDEX[f"hand.{side}"]: [LANDMARK[f"{name}.{side}"] for name in ("wrist", "index", "pinky")]
    for side in "LR"
}
_TRUNK = [INDEX["hips"], INDEX["neck"]]
#: what is less visible than this isn't seen to touch anything
_SEEN = 0.5
#: hands that are nearer than this in the picture may hold each other, metres at their distance
_TOGETHER = 0.12
#: ... if they are nearer in depth than this: two arms' depths aren't known better, metres
_DEEP = 0.4
#: half of how thick a trunk is, metres at `STANDARD_HEIGHT`, and how much farther off upper arms are, metres
_THICK, _LOOSE = 0.12, 0.08
#: a hand is on a trunk if it is at most so far off it in the picture, and in depth, metres ...
_BESIDE, _DEEP_OFF = 0.06, 0.3
#: ... and moves with it: less than this along it, m/s ...
_STAYS = 0.3
#: ... and reaches out for it: farther than this from its own trunk, metres at `STANDARD_HEIGHT`
_REACHES = 0.32
#: hands and trunks touch for at least so long, seconds, with gaps up to so long
_LONG, _LONG_ON_TRUNK, _GAP = 0.4, 0.6, 0.25
#: how long a touch begins and ends, seconds
_SOFT = 0.2
#: warnings name so many times
_NAMED = 5


@dataclass
class _Aims:
    """How far before the camera joints of a person are to be: by joint sums of depths (T,) and of weights."""

    depth: dict[int, Floats] = field(default_factory=dict)
    weight: dict[int, Floats] = field(default_factory=dict)

    def add(self, joint: int, depth: Floats, weight: Floats) -> None:
        self.depth[joint] = self.depth.get(joint, 0.0) + weight * depth
        self.weight[joint] = self.weight.get(joint, 0.0) + weight


def touches(people: Sequence[Capture]) -> tuple[list[Touch | None], list[Bools]]:
    """Where people touch each other.

    Parameters
    ----------
    people : sequence of Capture
        Of one shot, in one world.

    Returns
    -------
    touches : list of (Touch or None)
        What that tells of each of them; None if nothing.
    when : list of (T,) bool
        When each of them touches somebody.
    """
    cameras = people[0].cameras
    joints = [cameras.seen(one.motion.joints) for one in people]
    aims = [_Aims() for _ in people]
    for a, b in permutations(range(len(people)), 2):
        fps = people[a].motion.life_fps
        for hand in _HANDS:
            held = np.zeros(len(people[a]), bool)
            for other in _HANDS:
                together = _together(people, joints, cameras.focal, (a, hand), (b, other))
                depth = (joints[a][:, hand, 2] + joints[b][:, other, 2]) / 2
                aims[a].add(hand, depth, _softly(together, fps))
                held |= together
            on, depth = _on_trunk(people, joints, (a, hand), b)
            aims[a].add(hand, depth, _softly(on & ~held, fps))
    found = [_touch(one, seen, aim) for one, seen, aim in zip(people, joints, aims, strict=True)]
    return found, [np.any(list(aim.weight.values()), axis=0) for aim in aims]


def _together(
    people: Sequence[Capture],
    joints: Sequence[Floats],
    focal: Floats,
    one: tuple[int, int],
    other: tuple[int, int],
) -> Bools:
    """Where (T,) the hand of a person is seen together with that of another one: (person, joint) each."""
    ends = [people[who].landmarks[:, _HANDS[hand]] for who, hand in (one, other)]
    depths = [joints[who][:, hand, 2] for who, hand in (one, other)]
    seen = np.min([end[:, 0, 2] for end in ends], axis=0) > _SEEN
    apart = np.linalg.norm(ends[0][..., :2].mean(1) - ends[1][..., :2].mean(1), axis=1)
    apart *= np.mean(depths, axis=0) / focal
    near = seen & (apart < _TOGETHER) & (np.abs(depths[0] - depths[1]) < _DEEP)
    return _lasting(near, _LONG, people[one[0]].motion.life_fps)


def _on_trunk(
    people: Sequence[Capture], joints: Sequence[Floats], one: tuple[int, int], other: int
) -> tuple[Bools, Floats]:
    """Where (T,) a hand, (person, joint), is seen on another one's trunk, and how far away that is there."""
    who, hand = one
    fps = people[who].motion.life_fps
    own, size = (people[n].motion.height / STANDARD_HEIGHT for n in (who, other))
    at = joints[who][:, hand]
    low, high = (joints[other][:, joint] for joint in _TRUNK)
    share = _along(at[:, :2] * ((low + high) / 2 / at)[:, 2:], low[:, :2], high[:, :2])
    middle = low + share[:, None] * (high - low)
    # as far away as the trunk's middle
    beside = at[:, :2] * (middle[:, 2] / at[:, 2])[:, None] - middle[:, :2]
    off = np.linalg.norm(beside, axis=1)
    thick = np.sqrt(np.maximum((_THICK * size) ** 2 - off**2, 0))
    behind = at[:, 2] - middle[:, 2]
    depth = middle[:, 2] + np.where(behind < 0, -1, 1) * np.clip(np.abs(behind), thick, thick + _LOOSE)
    place = np.column_stack([beside, share * np.linalg.norm(high - low, axis=1)])
    seen = people[who].landmarks[:, _HANDS[hand][0], 2] > _SEEN
    mine = joints[who][:, _TRUNK]
    nearest = _along(at, mine[:, 0], mine[:, 1])[:, None]
    reach = np.linalg.norm(at - mine[:, 0] - nearest * (mine[:, 1] - mine[:, 0]), axis=1)
    on = seen & (off < _THICK * size + _BESIDE) & (np.abs(depth - at[:, 2]) < _DEEP_OFF)
    on &= reach > _REACHES * own
    if len(on) > 1:
        step = max(round(_GAP * fps), 1)
        moved = np.linalg.norm(place[step:] - place[:-step], axis=1) * fps / step
        speed = np.interp(np.arange(len(on)), np.arange(len(moved)) + step / 2, moved)
        on &= speed < _STAYS
    return _lasting(on, _LONG_ON_TRUNK, fps), depth


def _along(points: Floats, low: Floats, high: Floats) -> Floats:
    """Shares (T,) of the ways from low to high (T, D) that are nearest to points (T, D)."""
    way = high - low
    return np.asarray(np.clip(((points - low) * way).sum(1) / (way**2).sum(1).clip(1e-9), 0, 1))


def _lasting(on: Bools, seconds: float, fps: float) -> Bools:
    """The same without short gaps, and then without what is shorter than so many seconds."""
    reach = round(_GAP * fps)
    closed = ~keep_long(~np.pad(on, reach)[:, None], reach + 1)[reach : len(on) + reach]
    return np.asarray(keep_long(closed, seconds * fps)[:, 0])


def _softly(on: Bools, fps: float) -> Floats:
    """Weights (T,), 0 to 1, that begin and end softly within the frames `on`."""
    weight, soft = on.astype(float), max(_SOFT * fps, 1)
    for first, end in zip(*runs(on), strict=True):
        frames = np.arange(first, end)
        begun = (frames - first + 1) / soft if first else np.inf
        left = (end - frames) / soft if end < len(on) else np.inf
        weight[first:end] = np.minimum(np.minimum(begun, left), 1)
    return weight


def _touch(person: Capture, joints: Floats, aims: _Aims) -> Touch | None:
    """What the aims tell of a person whose joints (T, J, 3) are in the axes of each frame's camera."""
    touched = [joint for joint, weight in aims.weight.items() if weight.any()]
    if not touched:
        return None
    weight = np.stack([aims.weight[joint] for joint in touched], axis=1)
    depth = np.stack([aims.depth[joint] for joint in touched], axis=1) / np.maximum(weight, 1e-9)
    seen = joints[:, touched]
    points = seen * (np.where(weight > 0, depth, seen[..., 2]) / seen[..., 2])[..., None]
    # from the axes of each frame's camera to the level ones of the shot's
    poses = person.cameras.camera_from_world
    back = person.camera.camera_from_world @ np.linalg.inv(poses)
    turns = WORLD_FROM_LEVEL_CAMERA @ back[:, :3, :3]
    along = unit(seen) @ np.swapaxes(turns, 1, 2)
    shift = back[:, None, :3, 3] @ WORLD_FROM_LEVEL_CAMERA.T
    places = points @ np.swapaxes(turns, 1, 2) + shift
    return Touch(tuple(touched), along, (along * places).sum(-1), np.minimum(weight, 1))


def touching_said(person: Capture, when: Bools) -> str:
    """A warning that says when (T,) a person's hands are brought to somebody, or somebody's to them."""
    motion = person.motion
    stretches = [
        f"{motion.start + first / motion.fps:.2f} to {motion.start + end / motion.fps:.2f}"
        for first, end in zip(*runs(when), strict=True)
    ]
    more = f" and {len(stretches) - _NAMED} more times" if len(stretches) > _NAMED else ""
    return (
        f"Hands seem to touch from {', '.join(stretches[:_NAMED])}{more} s: how far away they are there "
        "is a guess, so that they meet."
    )
