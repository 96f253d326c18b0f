"""The mannequin: a closed, smooth body of quads on the captured bones, with its bone weights.

A cage of rings surrounds the bones of the template skeleton: one half and its mirror image. It is subdivided
(Catmull and Clark 1978) together with its weights, then moved onto a captured skeleton's bone lengths. A
correction of the cage makes the smooth surface pass through the points that are written here.

The file is long because most of it is data: places and weights of the rings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .arrays import Array, Bools, Floats
from .errors import CaptureError
from .kinematics import joint_positions
from .skeleton import (
    INDEX,
    JOINTS,
    LENGTHS,
    MIRROR,
    STANDARD_HEIGHT,
    TEMPLATE_LENGTHS,
    TEMPLATE_OFFSETS,
    lengths_of,
    standing_height,
)

#: bones that move a vertex at most: the limit of game engines and of the viewport
MOST_BONES = 4
#: subdivisions of the cage
_LEVELS = 2
#: passes that move the smooth surface onto the points written here
_PASSES = 3
#: the share of the way that each pass goes
_STEP = 0.8
#: height of the template's hips above its soles, metres
_HIPS_HEIGHT = 0.895
#: a bone shorter than this, as a share of the template's, has no length
_SHORTEST = 0.02


@dataclass(frozen=True)
class Mannequin:
    """A body in the T-pose.

    Attributes
    ----------
    vertices : (V, 3)
        Metres, world axes, from the hips.
    faces : (F, 4)
        Corners of the quads, counter-clockwise from outside.
    weights : (V, J)
        How much each joint's bone moves each vertex: at most `MOST_BONES` of a row aren't 0; rows sum to 1.
    left : (F,) bool
        Faces of the person's left half.
    """

    vertices: Floats
    faces: npt.NDArray[np.int64]
    weights: Floats
    left: Bools


def mannequin(offsets: Array) -> Mannequin:
    """The mannequin for one skeleton.

    Parameters
    ----------
    offsets : (J, 3), metres
        Rest offsets of the joints in the T-pose (`Motion.offsets`).

    Raises
    ------
    CaptureError
        If a bone has no length.
    """
    offsets = np.asarray(offsets, dtype=float)
    lengths = lengths_of(offsets)
    ratios = dict(zip(LENGTHS, lengths / TEMPLATE_LENGTHS, strict=True))
    for name, ratio in ratios.items():
        if not ratio > _SHORTEST:  # not a number either
            raise CaptureError(
                f"The bone that ends at '{name}' has no length, so no body can be built around it; give the "
                "armature all of its bones back, or capture again."
            )
    body = _template()
    stretch = _stretch(ratios, float(standing_height(lengths)) / STANDARD_HEIGHT)
    before, after = rest_positions(TEMPLATE_OFFSETS), rest_positions(offsets)
    moved = np.zeros_like(body.vertices)
    for joint in range(len(JOINTS)):
        moved += body.weights[:, joint, None] * (
            after[joint] + stretch[joint] * (body.vertices - before[joint])
        )
    return Mannequin(moved, body.faces, body.weights, body.left)


def rest_positions(offsets: Array) -> Floats:
    """Positions (J, 3) of the joints in the T-pose, metres, from the hips."""
    still = np.broadcast_to(np.eye(3), (len(JOINTS), 3, 3))
    return np.asarray(joint_positions(still, np.zeros(3), np.asarray(offsets, dtype=float)))


def _stretch(ratios: dict[str, float], size: float) -> Floats:
    """Factors (J, 3) of width, depth and height for each bone's part of the body."""
    along = {
        "hips": (ratios["thigh"], size, ratios["spine"]),
        "spine": (size, size, ratios["chest"]),
        "chest": (ratios["upper_arm"], size, ratios["neck"]),
        "neck": (size, size, ratios["head"]),
        "shoulder": (ratios["upper_arm"], size, size),
        "upper_arm": (ratios["forearm"], size, size),
        "forearm": (ratios["hand"], size, size),
        "thigh": (size, size, ratios["shin"]),
        "shin": (size, size, ratios["foot"]),
        "foot": (size, ratios["toe"], size),
    }
    return np.array([along.get(name.split(".")[0], (size, size, size)) for name in JOINTS])


# --- the cage ---------------------------------------------------------------------------------------------

#: a share of each bone, by name without side: "chest .7 shoulder .3"
_Shares = str


class _Cage:
    """Points with shares of bones, and quads: the left half, points on the middle plane included."""

    def __init__(self) -> None:
        self.points: list[Floats] = []
        self.shares: list[_Shares] = []
        self.quads: list[tuple[int, int, int, int]] = []

    def add(self, points: Array, shares: _Shares | Sequence[_Shares]) -> list[int]:
        first = len(self.points)
        self.points.extend(np.asarray(points, dtype=float))
        self.shares.extend([shares] * len(points) if isinstance(shares, str) else shares)
        return list(range(first, len(self.points)))

    def strip(self, lower: Sequence[int], upper: Sequence[int], closed: bool) -> None:
        """Quads between two rows of points; the outside is on the right hand of who walks along `lower`."""
        count = len(lower)
        for i in range(count if closed else count - 1):
            k = (i + 1) % count
            self.quads.append((lower[i], lower[k], upper[k], upper[i]))

    def cap(self, ring: Sequence[int], middle: Array, shares: _Shares) -> None:
        """Close a ring of 8 with four quads around one point."""
        (centre,) = self.add(np.array([middle]), shares)
        for i in range(0, 8, 2):
            self.quads.append((ring[i], ring[i + 1], centre, ring[i - 1]))


def _round(angle: Array, square: float) -> tuple[Floats, Floats]:
    """Cosine and sine of a circle (`square` 1) on the way to a square (towards 0)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.sign(c) * np.abs(c) ** square, np.sign(s) * np.abs(s) ** square


_AROUND_TRUNK = np.linspace(0, np.pi, 7)


def _trunk_ring(
    front: tuple[float, float],
    side: tuple[float, float, float],
    back: tuple[float, float],
    square: float = 0.9,
) -> Floats:
    """Half a ring (7, 3) from the middle in front (y, z) over the side (x, y, z) to the back (y, z)."""
    c, s = _round(_AROUND_TRUNK, square)
    ahead = np.where(c >= 0, front[0] - side[1], side[1] - back[0])
    end = np.where(c >= 0, front[1], back[1])
    points = np.stack([side[0] * s, side[1] + ahead * c, side[2] + (end - side[2]) * np.abs(c)], -1)
    points[[0, 6], 0] = 0
    return np.asarray(points)


_AROUND_LEG = np.radians(-135 + 45 * np.arange(8))


def _leg_ring(z: float, y: float, wide: float, deep: float, x: float = 0.103) -> Floats:
    c, s = _round(_AROUND_LEG, 1.0)
    return np.stack([x + wide * c, y + deep * s, np.full(8, z)], -1)


def _foot_ring(top: tuple[float, float], bottom: tuple[float, float], wide: float, x: float) -> Floats:
    """A ring (8, 3) of the foot in the leg's order: what is in front there is the top, the back the sole."""
    c, s = _round(_AROUND_LEG, 0.8)
    share = (1 - s) / 2
    share[[4, 6]] *= 0.25  # the sole is flat
    y, z = (bottom[i] + (top[i] - bottom[i]) * share for i in (0, 1))
    return np.stack([x + wide * c, y, z], -1)


_AROUND_ARM = np.radians(90 + 45 * np.arange(8))


def _arm_ring(
    x: float, high: float, deep: float, y: float = -0.005, z: float = 1.372, square: float = 1.0
) -> Floats:
    """From the top over the front and the bottom to the back."""
    c, s = _round(_AROUND_ARM, square)
    return np.stack([np.full(8, x), y + deep * c, z + high * s], -1)


def _build_cage() -> _Cage:
    cage = _Cage()
    trunk = _build_trunk(cage)
    _build_leg(cage, trunk[0])
    _build_arm(cage, trunk)
    _build_head(cage, trunk[-1])
    return cage


def _build_trunk(cage: _Cage) -> list[list[int]]:
    """Rows of the trunk from the groin to the base of the neck, without the hole for the arm."""
    rows: list[tuple[Floats, _Shares | Sequence[_Shares]]] = [
        (
            _trunk_ring((-0.090, 0.850), (0.176, 0.005, 0.915), (0.108, 0.835)),
            ["hips .8 thigh .2", "hips .5 thigh .5", "hips .5 thigh .5", "hips .55 thigh .45",
             "hips .5 thigh .5", "hips .5 thigh .5", "hips .8 thigh .2"],
        ),
        (
            _trunk_ring((-0.097, 0.920), (0.168, 0.005, 0.968), (0.117, 0.915)),
            ["hips .95 spine .05", "hips .85 thigh .15", "hips .82 thigh .18", "hips .8 thigh .15 spine .05",
             "hips .85 thigh .15", "hips .85 thigh .15", "hips 1"],
        ),
        (_trunk_ring((-0.100, 0.985), (0.153, 0.005, 1.018), (0.104, 0.995)), "hips .62 spine .38"),
        (_trunk_ring((-0.096, 1.060), (0.134, 0.005, 1.075), (0.082, 1.070)), "hips .2 spine .8"),
        (_trunk_ring((-0.102, 1.135), (0.136, 0.005, 1.140), (0.082, 1.140)), "spine .82 chest .18"),
        (_trunk_ring((-0.118, 1.215), (0.150, 0.005, 1.210), (0.100, 1.215)), "spine .45 chest .55"),
        (
            _trunk_ring((-0.126, 1.285), (0.163, 0.002, 1.292), (0.118, 1.295)),
            ["spine .1 chest .9", "spine .1 chest .9", "spine .05 chest .87 upper_arm .08",
             "chest .72 upper_arm .28", "spine .05 chest .85 upper_arm .1", "spine .1 chest .9",
             "spine .1 chest .9"],
        ),
        (
            _trunk_ring((-0.112, 1.350), (0.160, 0.002, 1.372), (0.118, 1.375)),
            ["chest 1", "chest .95 shoulder .05", "chest .5 shoulder .3 upper_arm .2", "chest 1",
             "chest .5 shoulder .3 upper_arm .2", "chest .9 shoulder .1", "chest 1"],
        ),
        (
            _trunk_ring((-0.082, 1.400), (0.148, 0.000, 1.437), (0.098, 1.440)),
            ["chest 1", "chest .8 shoulder .2", "chest .4 shoulder .5 upper_arm .1",
             "chest .2 shoulder .65 upper_arm .15", "chest .4 shoulder .5 upper_arm .1",
             "chest .7 shoulder .3", "chest 1"],
        ),
        (
            _trunk_ring((-0.060, 1.428), (0.088, 0.008, 1.462), (0.080, 1.482)),
            ["chest .95 neck .05", "chest .75 shoulder .2 neck .05", "chest .5 shoulder .4 neck .1",
             "chest .4 shoulder .45 neck .15", "chest .5 shoulder .35 neck .15",
             "chest .7 shoulder .15 neck .15", "chest .85 neck .15"],
        ),
    ]  # fmt: skip
    placed = [cage.add(points, shares) for points, shares in rows]
    hole = placed[7][3]
    for lower, upper in pairwise(placed):
        cage.strip(lower, upper, closed=False)
    cage.quads = [quad for quad in cage.quads if hole not in quad]
    return placed


def _build_leg(cage: _Cage, top: list[int]) -> None:
    (crotch,) = cage.add(np.array([[0, 0.012, 0.805]]), "hips .7 thigh .3")
    ring = [*top, crotch]
    knee, calf = 0.495, "shin 1"
    rows: list[tuple[Floats, _Shares | Sequence[_Shares]]] = [
        (
            _leg_ring(0.790, 0.006, 0.083, 0.092, 0.099)
            + np.outer([0, 0, 0, 0.055, 0, -0.01, 0, -0.005], [0, 0, 1]),
            ["thigh .85 hips .15", "thigh .85 hips .15", "thigh .85 hips .15", "thigh .75 hips .25",
             "thigh .8 hips .2", "thigh .8 hips .2", "thigh .8 hips .2", "thigh .85 hips .15"],
        ),
        (_leg_ring(0.720, 0.003, 0.078, 0.085, 0.101), "thigh 1"),
        (_leg_ring(0.640, -0.001, 0.071, 0.077), "thigh 1"),
        (_leg_ring(0.570, -0.003, 0.061, 0.066), "thigh .97 shin .03"),
        (_leg_ring(knee + 0.038, -0.005, 0.055, 0.059), "thigh .82 shin .18"),
        (_leg_ring(knee, -0.006, 0.052, 0.056), "thigh .5 shin .5"),
        (_leg_ring(knee - 0.038, 0.002, 0.050, 0.054), "thigh .18 shin .82"),
        (_leg_ring(0.415, 0.014, 0.052, 0.060), "thigh .03 shin .97"),
        (_leg_ring(0.350, 0.020, 0.053, 0.062), calf),
        (_leg_ring(0.265, 0.017, 0.044, 0.051), calf),
        (_leg_ring(0.185, 0.010, 0.034, 0.040), calf),
        (_leg_ring(0.130, 0.006, 0.031, 0.039), "shin .85 foot .15"),
        (_foot_ring((-0.040, 0.103), (0.050, 0.082), 0.034, 0.103), "shin .4 foot .6"),
        (_foot_ring((-0.064, 0.090), (0.061, 0.030), 0.037, 0.103), "foot .95 shin .05"),
        (_foot_ring((-0.085, 0.077), (0.045, 0.000), 0.038, 0.104), "foot 1"),
        (_foot_ring((-0.107, 0.063), (-0.025, 0.001), 0.040, 0.106), "foot .9 toe .1"),
        (_foot_ring((-0.130, 0.050), (-0.095, 0.000), 0.045, 0.110), "foot .6 toe .4"),
        (_foot_ring((-0.154, 0.039), (-0.140, 0.000), 0.046, 0.112), "foot .1 toe .9"),
        (_foot_ring((-0.180, 0.030), (-0.178, 0.003), 0.036, 0.111), "toe 1"),
    ]  # fmt: skip
    for points, shares in rows:
        below = cage.add(points, shares)
        cage.strip(below, ring, closed=True)
        ring = below
    cage.cap(ring[:1] + ring[:0:-1], np.array([0.110, -0.192, 0.015]), "toe 1")


def _build_arm(cage: _Cage, trunk: list[list[int]]) -> None:
    below, middle, above = trunk[6:9]
    ring = [above[3], above[2], middle[2], below[2], below[3], below[4], middle[4], above[4]]
    elbow, wrist = 0.424, 0.669
    rows: list[tuple[Floats, _Shares | Sequence[_Shares]]] = [
        (
            _arm_ring(0.188, 0.060, 0.060, z=1.371) + np.outer([0, 0, 0, 0, 0.012, 0, 0, 0], [1, 0, 0]),
            ["upper_arm .5 shoulder .42 chest .08", "upper_arm .55 shoulder .33 chest .12",
             "upper_arm .6 shoulder .2 chest .2", "upper_arm .6 chest .35 shoulder .05",
             "upper_arm .6 chest .4", "upper_arm .6 chest .35 shoulder .05",
             "upper_arm .6 shoulder .2 chest .2", "upper_arm .55 shoulder .33 chest .12"],
        ),
        (
            _arm_ring(0.232, 0.055, 0.054),
            ["upper_arm .87 shoulder .13", "upper_arm .88 shoulder .12",
             "upper_arm .9 shoulder .08 chest .02", "upper_arm .9 chest .1",
             "upper_arm .88 chest .12", "upper_arm .9 chest .1",
             "upper_arm .9 shoulder .08 chest .02", "upper_arm .88 shoulder .12"],
        ),
        (_arm_ring(0.290, 0.048, 0.047), "upper_arm 1"),
        (_arm_ring(0.345, 0.043, 0.042), "upper_arm 1"),
        (_arm_ring(elbow - 0.034, 0.039, 0.038), "upper_arm .83 forearm .17"),
        (_arm_ring(elbow, 0.037, 0.037), "upper_arm .5 forearm .5"),
        (_arm_ring(elbow + 0.034, 0.038, 0.038), "upper_arm .17 forearm .83"),
        (_arm_ring(0.500, 0.038, 0.039), "forearm 1"),
        (_arm_ring(0.560, 0.033, 0.035), "forearm 1"),
        (_arm_ring(0.615, 0.026, 0.030), "forearm .93 hand .07"),
        (_arm_ring(0.650, 0.022, 0.028), "forearm .7 hand .3"),
        (_arm_ring(wrist + 0.008, 0.021, 0.029, square=0.9), "forearm .3 hand .7"),
        (_arm_ring(0.702, 0.021, 0.036, y=-0.008, square=0.8), "hand 1"),
        (_arm_ring(0.728, 0.020, 0.040, y=-0.008, z=1.371, square=0.75), "hand 1"),
        (_arm_ring(0.760, 0.017, 0.041, y=-0.005, z=1.369, square=0.75), "hand 1"),
        (_arm_ring(0.798, 0.014, 0.037, y=-0.004, z=1.365, square=0.75), "hand 1"),
        (_arm_ring(0.830, 0.011, 0.026, y=-0.004, z=1.360, square=0.8), "hand 1"),
    ]  # fmt: skip
    for number, (points, shares) in enumerate(rows):
        outer = cage.add(points, shares)
        cage.strip(ring, outer, closed=True)
        if number == 13:
            root = (ring[2], ring[3], outer[3], outer[2])
        ring = outer
    cage.cap(ring[1:] + ring[:1], np.array([0.842, -0.004, 1.358]), "hand 1")
    # the thumb grows out of the quad before and below, forwards and along the fingers
    cage.quads.remove(root)
    thumb = root
    for centre, degrees, thick in (
        ((0.720, -0.066, 1.361), 20, 0.0155), ((0.744, -0.084, 1.356), 36, 0.0135),
        ((0.767, -0.095, 1.353), 40, 0.0105),
    ):  # fmt: skip
        across = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), 0])
        up = np.array([0.0, 0.0, 1.0])
        corners = np.array([up - across, -up - across, across - up, across + up])
        outer = cage.add(centre + thick * corners, "hand 1")
        cage.strip(thumb, outer, closed=True)
        thumb = (outer[0], outer[1], outer[2], outer[3])
    cage.quads.append(thumb)


def _build_head(cage: _Cage, base: list[int]) -> None:
    rows: list[tuple[Floats, _Shares | Sequence[_Shares]]] = [
        (_trunk_ring((-0.055, 1.447), (0.060, 0.008, 1.482), (0.062, 1.508), 1.0), "neck .55 chest .45"),
        (_trunk_ring((-0.062, 1.475), (0.054, -0.008, 1.508), (0.046, 1.540), 1.0), "neck .9 head .1"),
        (_trunk_ring((-0.074, 1.497), (0.054, -0.020, 1.530), (0.043, 1.572), 1.0), "neck .6 head .4"),
        (_trunk_ring((-0.120, 1.492), (0.062, -0.035, 1.545), (0.050, 1.598), 1.0), "head .95 neck .05"),
        (_trunk_ring((-0.138, 1.512), (0.068, -0.040, 1.562), (0.056, 1.618), 1.0), "head 1"),
        (_trunk_ring((-0.143, 1.540), (0.072, -0.042, 1.585), (0.061, 1.635), 1.0), "head 1"),
        (_trunk_ring((-0.158, 1.568), (0.075, -0.043, 1.605), (0.063, 1.650), 1.0), "head 1"),
        (_trunk_ring((-0.143, 1.602), (0.076, -0.044, 1.628), (0.061, 1.664), 1.0), "head 1"),
        (_trunk_ring((-0.141, 1.630), (0.075, -0.044, 1.650), (0.056, 1.672), 1.0), "head 1"),
        (_trunk_ring((-0.129, 1.664), (0.068, -0.043, 1.677), (0.036, 1.694), 1.0), "head 1"),
        (_trunk_ring((-0.101, 1.692), (0.050, -0.042, 1.698), (0.004, 1.709), 1.0), "head 1"),
    ]  # fmt: skip
    # beside the middle the face is flat: chin, mouth, the nose's root, eyes
    for (points, _), depth in zip(rows[4:8], (-0.114, -0.122, -0.122, -0.121), strict=True):
        points[1, 1] = depth
    ring = base
    for points, shares in rows:
        above = cage.add(points, shares)
        cage.strip(ring, above, closed=False)
        ring = above
    crown = cage.add(np.array([[0, -0.078, 1.708], [0, -0.045, 1.717], [0, -0.018, 1.715]]), "head 1")
    cage.quads += [
        (ring[0], ring[1], ring[2], crown[0]), (crown[0], ring[2], ring[3], crown[1]),
        (crown[1], ring[3], ring[4], crown[2]), (crown[2], ring[4], ring[5], ring[6]),
    ]  # fmt: skip


# --- from the cage to the body ----------------------------------------------------------------------------


def _whole(cage: _Cage) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    """Points (N, 3), weights (N, J) and quads of both halves; middle points are shared."""
    points = np.array(cage.points)
    weights = np.zeros((len(points), len(JOINTS)))
    for row, shares in zip(weights, cage.shares, strict=True):
        words = shares.split()
        for name, share in zip(words[::2], words[1::2], strict=True):
            row[INDEX[name] if name in INDEX else INDEX[name + ".L"]] += float(share)
    weights /= weights.sum(1, keepdims=True)
    mirrored = weights[:, MIRROR]
    middle = points[:, 0] == 0
    weights[middle] = (weights[middle] + mirrored[middle]) / 2
    other = np.where(middle, np.arange(len(points)), len(points) + np.cumsum(~middle) - 1)
    half = np.array(cage.quads)
    points = np.concatenate([points, points[~middle] * [-1, 1, 1]])
    weights = np.concatenate([weights, mirrored[~middle]])
    # no face uses the points in the middle of the holes for the arms
    used, quads = np.unique(np.concatenate([half, other[half][:, ::-1]]), return_inverse=True)
    return points[used], weights[used], quads.reshape(-1, 4)


@cache
def _template() -> Mannequin:
    """The body on the template skeleton, which is made once."""
    points, weights, quads = _whole(_build_cage())
    wanted = points.copy()
    for _ in range(_PASSES):
        points += _STEP * (wanted - _limit(points, quads))
    values, half = np.concatenate([points, weights], 1), len(quads) // 2
    left = np.arange(len(quads)) < half
    for _ in range(_LEVELS):
        values, quads = _subdivided(values, quads)
        left = np.repeat(left, 4)
    vertices, weights = values[:, :3] - [0, 0, _HIPS_HEIGHT], values[:, 3:]
    return Mannequin(vertices, quads, largest(weights), left)


def largest(weights: Array) -> Floats:
    """Keep the `MOST_BONES` largest weights (V, J) of every vertex, and scale them to a sum of 1.

    If equal weights compete for the last place, none of them is kept, so that mirror images stay alike.
    """
    limit = np.partition(weights, -MOST_BONES - 1, axis=1)[:, -MOST_BONES - 1, None]
    out = np.where(weights > limit + 1e-9, weights, 0.0)
    return np.asarray(out / out.sum(1, keepdims=True))


def _edges(quads: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Edges (E, 2), and the edges (F, 4) of each quad: number i goes from its corner i to the next."""
    ends = np.sort(np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2), 1)
    edges, of = np.unique(ends, axis=0, return_inverse=True)
    return edges, of.reshape(quads.shape)


def _sums(where: npt.NDArray[np.int64], values: Floats, count: int) -> Floats:
    """Sums (count, K) of the rows (N, K) that belong to each number."""
    out = np.zeros((count, values.shape[1]))
    np.add.at(out, where, values)
    return out


def _subdivided(values: Floats, quads: npt.NDArray[np.int64]) -> tuple[Floats, npt.NDArray[np.int64]]:
    """One step of Catmull-Clark on a closed mesh: the values (N, K) of its points, and its quads."""
    count = len(values)
    edges, of = _edges(quads)
    centres = values[quads].mean(1)
    beside = _sums(of.ravel(), np.repeat(centres, 4, 0), len(edges))
    middles = values[edges].mean(1)
    on_edges = (2 * middles + beside) / 4
    valence = np.bincount(edges.ravel(), minlength=count)[:, None]
    around = _sums(quads.ravel(), np.repeat(centres, 4, 0), count) / valence
    along = _sums(edges.ravel(), np.repeat(middles, 2, 0), count) / valence
    points = (around + 2 * along + (valence - 3) * values) / valence
    edge, face = count + of, count + len(edges) + np.arange(len(quads))
    small = np.stack(
        [quads, edge, np.broadcast_to(face[:, None], quads.shape), np.roll(edge, 1, 1)], -1
    ).reshape(-1, 4)
    return np.concatenate([points, on_edges, centres]), small


def _limit(points: Floats, quads: npt.NDArray[np.int64]) -> Floats:
    """The limits of the points under infinite subdivision (Halstead, Kass and DeRose 1993)."""
    count = len(points)
    edges, _ = _edges(quads)
    valence = np.bincount(edges.ravel(), minlength=count)[:, None]
    beside = _sums(edges.ravel(), points[edges[:, ::-1].ravel()], count)
    across = _sums(quads.ravel(), points[np.roll(quads, 2, 1).ravel()], count)
    return np.asarray((valence**2 * points + 4 * beside + across) / (valence * (valence + 5)))
