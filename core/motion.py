"""`Motion`: how a person moves, on one symmetric skeleton."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from numbers import Integral

import numpy as np

from .arrays import Array, Floats
from .errors import UnsoundError
from .kinematics import attached_points, joint_positions, world_rotations
from .rotations import continuous_quaternions, matrix_from_quaternion, quaternion_from_matrix
from .skeleton import BALL_HEIGHT, HEEL_OFFSET, INDEX, JOINTS, STANDARD_HEIGHT, lengths_of, standing_height
from .sound import METRES, SHARE, Part, check_number, checked

#: the columns of `Motion.contacts`
CONTACT_POINTS: tuple[str, ...] = ("heel.L", "toe.L", "heel.R", "toe.R")
#: the joint that each of `CONTACT_POINTS` turns with
CONTACT_JOINTS = [INDEX[f"{name}.{side}"] for side in "LR" for name in ("foot", "toe")]
#: how far the soles are below `CONTACT_POINTS` (4,), metres at `STANDARD_HEIGHT`
SOLES_BELOW: Floats = np.array([0.0, BALL_HEIGHT] * 2)
#: for each of `CONTACT_POINTS`, which one is its mirror image
CONTACT_MIRROR = [CONTACT_POINTS.index(n[:-1] + {"L": "R", "R": "L"}[n[-1]]) for n in CONTACT_POINTS]
#: limits of frame rates, of scenes too
_RATES = (1e-3, 1e5)
#: limits of how many times slower than life a motion may be
_SLOWNESS = (0.01, 1000.0)
#: limits of times, seconds: eleven days
_SECONDS = (-1e6, 1e6)


@dataclass(frozen=True)
class Motion:
    """A person's motion on one symmetric skeleton, in Blender's world (Z up, metres, seconds).

    Every value is a number within reason: what makes a motion of others gets an `UnsoundError`.

    Attributes
    ----------
    fps : float
        Frames per second; frame i is at ``start + i / fps`` seconds of the video.
    start : float
        Time of the first frame in the video, seconds.
    offsets : (J, 3)
        Rest offsets of the joints from their parents, T-pose.
    rotations : (T, J, 4)
        Local rotations, quaternions w, x, y, z without sign flips.
    root : (T, 3)
        Position of the hips.
    contacts : (T, 4)
        How sure it is, 0 to 1, that each of `CONTACT_POINTS` stands on something.
    cuts : tuple of int
        First frames of the shots after the first: motion before a cut has nothing to do with motion after it.
    slow_motion : float
        How many times slower than life it is: a second of it shows so much less of life.
    """

    fps: float
    start: float
    offsets: Array
    rotations: Array
    root: Array
    contacts: Array
    cuts: tuple[int, ...] = ()
    slow_motion: float = 1.0

    def __post_init__(self) -> None:
        frames, joints = len(self.root), len(JOINTS)
        if not frames:
            raise UnsoundError("it has no frames")
        check_number("frame rate", self.fps, _RATES)
        check_number("start", self.start, _SECONDS)
        check_number("slow motion", self.slow_motion, _SLOWNESS)
        checked(self, {
            "offsets": Part((joints, 3), METRES), "rotations": Part((frames, joints, 4), (-1, 1)),
            "root": Part((frames, 3), METRES), "contacts": Part((frames, 4), SHARE),
        })  # fmt: skip
        for before, cut in pairwise((0, *self.cuts)):
            check_number("cut", cut, (before + 1, frames - 1), Integral)
        turns = continuous_quaternions(np.asarray(self.rotations, np.float64)).astype(np.float32)
        object.__setattr__(self, "rotations", turns)

    def __len__(self) -> int:
        return len(self.root)

    @property
    def life_fps(self) -> float:
        """Frames for a second of life, which is what bodies and feet keep to."""
        return self.fps * self.slow_motion

    @property
    def shots(self) -> list[slice]:
        """The frames of each shot."""
        return [slice(first, end) for first, end in pairwise((0, *self.cuts, len(self)))]

    def part(self, frames: slice) -> Motion:
        """A stretch of it within one shot, with the time at which that begins."""
        arrays = {name: getattr(self, name)[frames] for name in ("rotations", "root", "contacts")}
        return replace(self, start=self.start + frames.start / self.fps, cuts=(), **arrays)

    def moved(self, way: Floats) -> Motion:
        """The same after rigid transforms of the world: (4, 4), or one for each frame (T, 4, 4)."""
        turns, rotations = way[..., :3, :3], self.rotations.astype(np.float64)
        rotations[:, 0] = quaternion_from_matrix(turns @ matrix_from_quaternion(rotations[:, 0]))
        root = (turns @ self.root[..., None])[..., 0] + way[..., :3, 3]
        return replace(self, rotations=rotations, root=root)

    def shot_by_shot(self, change: Callable[[Motion], Motion]) -> Motion:
        """The motion with its rotations and root changed in each shot for itself."""
        if not self.cuts:
            return change(self)
        parts = [change(self.part(shot)) for shot in self.shots]
        rotations, root = (np.concatenate([getattr(p, n) for p in parts]) for n in ("rotations", "root"))
        return replace(self, rotations=rotations, root=root)

    @cached_property
    def world_rotations(self) -> Floats:
        """World rotations of the joints (T, J, 3, 3)."""
        return np.asarray(world_rotations(matrix_from_quaternion(self.rotations.astype(np.float64))))

    @cached_property
    def joints(self) -> Floats:
        """World positions of the joints (T, J, 3), metres."""
        root, offsets = self.root.astype(np.float64), self.offsets.astype(np.float64)
        return np.asarray(joint_positions(self.world_rotations, root, offsets))

    @property
    def lengths(self) -> Floats:
        """Symmetric bone lengths in metres, in the order of `skeleton.LENGTHS`."""
        return lengths_of(self.offsets.astype(np.float64))

    @property
    def height(self) -> float:
        """Standing height of the skeleton, metres."""
        return float(standing_height(self.lengths))

    def sole_points(self) -> Floats:
        """World positions (T, 4, 3) of `CONTACT_POINTS`: heels on the sole, balls at the toe joint."""
        heel = np.array(HEEL_OFFSET) * (self.height / STANDARD_HEIGHT)
        points = []
        for side in "LR":
            points.append(attached_points(self.world_rotations, self.joints, INDEX[f"foot.{side}"], heel))
            points.append(self.joints[:, INDEX[f"toe.{side}"]])
        return np.stack(points, axis=1)

    def sole_heights(self) -> Floats:
        """Heights (T, 4) of the soles under `CONTACT_POINTS`, metres."""
        return np.asarray(self.sole_points()[..., 2] - SOLES_BELOW * (self.height / STANDARD_HEIGHT))
