"""How a camera turns and zooms: background points followed through the frames, and the turns they ask for.

A camera that turns about its own place, and zooms, moves all of the background alike, however far away it is:
a point in direction d of the first frame's axes is seen at f_t (R_t d). Where that explains the points, the
camera stood; where it doesn't, it travelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from ..core.arrays import Array, Bools, Floats, Image, Indices
from ..core.rotations import matrix_from_vector
from .camera_motion import APART, FEWEST, MOST, SIDE, CameraWatch, background_mask, corners_in, small_grey
from .detect.people import Person

#: a point that isn't found where it came from when it is followed back is lost, pixels of the small picture
_BACK = 0.7
#: following a point ends after so many steps, or with one that is smaller, pixels likewise
_UNTIL = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 20, 0.03)
#: points are looked for anew when fewer than this share of them are left ...
_LEFT = 0.6
#: ... or when they have moved by this, as a share of the picture's longer side
_FAR = 0.12
#: points that two stretches follow are the same if they are so near to each other, pixels likewise
_SAME = 1.5
#: differences larger than this count less and less (Cauchy), pixels of the small picture
ODD = 0.7
#: points that are off by more aren't explained, as a share of the picture's longer side
STRAY = 0.003
#: how exactly a point is followed, pixels of the small picture
NOISE = 0.3
#: most steps of the least squares for one frame
_STEPS = 8
#: a step smaller than this ends them, radians
_DONE = 1e-7
#: focal lengths among which the one that explains the turns best is searched, as shares of the longer side
_FOCALS: Floats = np.geomspace(0.5, 3.0, 25)


class Pair(NamedTuple):
    """Places of the same points (N, 2) in a key frame and in a later frame, as shares of the longer side.

    They are measured from the picture's middle. The points keep their `numbers` (N,) in all pairs.
    """

    key: int
    frame: int
    before: Floats
    after: Floats
    numbers: Indices


class CameraPoints:
    """Follows the background's points through the frames of a video.

    Parameters
    ----------
    size : (int, int)
        Width and height of the video's picture, pixels.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._frames = 0
        self._key = 0
        self._before: Image | None = None
        self._start = self._here = np.zeros((0, 2), np.float32)
        self._numbers: Indices = np.zeros(0, int)
        self._made = self._born = 0
        #: for each frame but the first: where the points of a key frame are
        self.pairs: list[Pair] = []

    def observe(self, grey: Image, people: Sequence[Person]) -> None:
        """Take the next frame, by `small_grey`, with these people in it."""
        before, self._before = self._before, grey
        frame, self._frames = self._frames, self._frames + 1
        if before is None:
            self._renew(grey, frame, people)
            return
        there, found = _followed(before, grey, self._here)
        self._start, self._here, self._numbers = self._start[found], there[found], self._numbers[found]
        middle = _middle(grey)
        places = (self._start - middle) / SIDE, (self._here - middle) / SIDE
        self.pairs.append(Pair(self._key, frame, *places, self._numbers))
        moved = np.linalg.norm(self._here - self._start, axis=1)
        if len(moved) < max(_LEFT * self._born, FEWEST) or np.median(moved) > _FAR * SIDE:
            self._renew(grey, frame, people)

    def go_on(self, later: CameraPoints) -> None:
        """Append what another one followed that began with the last frame of this one."""
        before = self._frames - 1
        numbers = np.arange(later._made) + self._made
        if later.pairs and self._before is not None and len(self._here):
            # points of both at much the same place are the same
            first = later.pairs[0].before * SIDE + _middle(self._before)
            apart = np.linalg.norm(first[:, None] - self._here, axis=-1)
            same = apart.min(axis=1) < _SAME
            numbers[later.pairs[0].numbers[same]] = self._numbers[apart.argmin(axis=1)[same]]
        self.pairs += [
            pair._replace(key=pair.key + before, frame=pair.frame + before, numbers=numbers[pair.numbers])
            for pair in later.pairs
        ]
        self._frames += later._frames - 1
        self._made += later._made
        self._here, self._numbers = later._here, numbers[later._numbers]

    def _renew(self, grey: Image, frame: int, people: Sequence[Person]) -> None:
        """Keep the points that lie on no one, and look for others."""
        mask = background_mask(grey, people, self._size)
        x, y = np.clip(self._here.T.astype(int), 0, np.array(grey.shape[::-1])[:, None] - 1)
        kept = mask[y, x] > 0
        for place in self._here[kept]:
            cv2.circle(mask, [round(float(c)) for c in place], APART, [0], -1)
        new = corners_in(grey, mask, max(MOST - int(kept.sum()), 1))
        self._start = self._here = np.concatenate([self._here[kept], new])
        self._numbers = np.append(self._numbers[kept], self._made + np.arange(len(new)))
        self._made += len(new)
        self._key, self._born = frame, len(self._here)


class Background:
    """What the background of a video, or of a stretch of it, says of the camera.

    Parameters
    ----------
    size : (int, int)
        Width and height of the video's picture, pixels.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.watch, self.points = CameraWatch(size), CameraPoints(size)

    def observe(self, image: Image, time: float, people: Sequence[Person], always: bool = False) -> None:
        """Take the next frame, RGB; see `CameraWatch.observe`."""
        grey = small_grey(image)
        self.watch.observe(grey, time, people, always)
        self.points.observe(grey, people)

    def go_on(self, later: Background) -> None:
        """Append what another one observed that began with the last frame of this one."""
        self.watch.go_on(later.watch)
        self.points.go_on(later.points)


def _middle(picture: Image) -> Floats:
    """The middle (2,) of a picture, pixels."""
    return np.array(picture.shape[::-1]) / 2


def _followed(before: Image, after: Image, points: Array) -> tuple[Array, Bools]:
    """Where points (N, 2) of a picture are in the next one, and which of them are there for sure."""
    if not len(points):
        return points, np.zeros(0, bool)
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, np.zeros_like(points), criteria=_UNTIL)
    back, again, _ = cv2.calcOpticalFlowPyrLK(after, before, there, np.array(there), criteria=_UNTIL)
    sure = (np.ravel(found) == 1) & (np.ravel(again) == 1)
    return there, sure & (np.linalg.norm(back - points, axis=1) < _BACK)


class Turns(NamedTuple):
    """How the camera turned and zoomed, and how well that explains the background.

    Attributes
    ----------
    rotations : (T, 3, 3)
        From the axes of the first frame's camera to those of each frame.
    zooms : (T,)
        Focal length, as a share of the first frame's.
    misfit : (T,)
        Median distance of the points from where they should be, as a share of the longer side; NaN where
        nothing is known: there, the camera keeps what it had.
    stray : (T,)
        Share of the points that are much farther from there; NaN likewise.
    """

    rotations: Floats
    zooms: Floats
    misfit: Floats
    stray: Floats


def turns_of(pairs: Sequence[Pair], focal: float) -> Turns:
    """The turns and zooms of a camera that stands in its place.

    Parameters
    ----------
    pairs : sequence of Pair
        Of all frames but the first.
    focal : float
        Focal length of the first frame, as a share of the longer side.
    """
    count = len(pairs) + 1
    rotations, zooms = np.tile(np.eye(3), (count, 1, 1)), np.ones(count)
    misfit, stray = np.full((2, count), np.nan)
    turn, zoom, key = np.eye(3), 0.0, -1
    for pair in pairs:
        if pair.key != key:
            key, turn, zoom = pair.key, np.eye(3), 0.0
        at = focal * zooms[key]
        if len(pair.before) >= FEWEST:
            turn, zoom, off = _fitted(pair, at, turn, zoom)
            misfit[pair.frame], stray[pair.frame] = np.median(off), (off > STRAY).mean()
        rotations[pair.frame] = turn @ rotations[key]
        zooms[pair.frame] = zooms[key] * np.exp(zoom)
    return Turns(rotations, zooms, misfit, stray)


def _fitted(pair: Pair, focal: float, turn: Floats, zoom: float) -> tuple[Floats, float, Floats]:
    """Turn (3, 3) and logarithm of the zoom from key to frame, and how far off the points are (N,)."""
    rays = np.column_stack([pair.before / focal, np.ones(len(pair.before))])
    off = np.zeros(len(rays))
    for _ in range(_STEPS):
        x, y, z = (rays @ turn.T).T
        scale = focal * np.exp(zoom)
        seen = scale * np.stack([x, y], 1) / z[:, None]
        left = pair.after - seen
        off = np.linalg.norm(left, axis=1)
        weight = 1 / (1 + (off * SIDE / ODD) ** 2)
        u, v = x / z, y / z
        # a turn by w moves the ray by w x ray
        slopes = np.stack(
            [
                np.stack([-scale * u * v, scale * (1 + u * u), -scale * v, seen[:, 0]], 1),
                np.stack([-scale * (1 + v * v), scale * u * v, scale * u, seen[:, 1]], 1),
            ],
            axis=1,
        )
        weighted = slopes * weight[:, None, None]
        step = np.linalg.solve(
            np.einsum("nij,nik->jk", weighted, slopes) + 1e-9 * np.eye(4),
            np.einsum("nij,ni->j", weighted, left),
        )
        turn = matrix_from_vector(step[:3]) @ turn
        zoom += float(step[3])
        if np.abs(step).max() < _DONE:
            break
    return turn, zoom, off


def focal_of(pairs: Sequence[Pair]) -> tuple[float, float]:
    """The focal length that explains a turning camera, as a share of the longer side, and how sure it is.

    Returns
    -------
    focal, spread : float
        The spread is the standard deviation of the logarithm; infinite if the camera turned too little to
        tell, or if what moved the background was no turn.
    """
    # in each stretch, the frame that is the farthest from the key
    last = {pair.key: pair for pair in pairs if len(pair.before) >= FEWEST}
    costs = np.array([sum(_cost(pair, focal) for pair in last.values()) for focal in _FOCALS])
    best = int(costs.argmin())
    if not 0 < best < len(costs) - 1:
        return float(_FOCALS[best]), np.inf
    step = np.log(_FOCALS[1] / _FOCALS[0])
    before, here, after = costs[best - 1 : best + 2]
    bend = (before - 2 * here + after) / step**2
    at = np.log(_FOCALS[best]) - (after - before) / (2 * step) / bend
    return float(np.exp(at)), float(1 / np.sqrt(bend))


def _cost(pair: Pair, focal: float) -> float:
    """How badly a focal length explains a pair: minus the logarithm of its likelihood, up to a constant."""
    off = _fitted(pair, focal, np.eye(3), 0.0)[2] * SIDE
    return float(0.5 * (ODD / NOISE) ** 2 * np.log1p((off / ODD) ** 2).sum())
