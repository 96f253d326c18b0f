"""The lens: which focal length makes lifter and landmarks of people fit together best."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..core.arrays import Bools, Floats, Indices
from ..core.camera import DEFAULT_FOCAL_MM, Cameras, focal_pixels
from ..core.landmarks import bridge, evidence_of, fields_of
from .detect.people import Detections
from .lift import Estimate, lift
from .lifters.lifter import Lifter
from .solve.problem import CameraPath, Evidence
from .solve.solver import misfit
from .track import Track

# The likeliest lens has the best sum of a prior and of how well lifter and landmarks fit together. These
# constants were chosen on detections held out from training.
#: focal lengths that are tried, as multiples of `DEFAULT_FOCAL_MM`
_LENSES = (0.8, 1.0, 1.3, 1.7, 2.2)
#: prior: mean of the logarithm of that multiple (video is often cropped)
_LENS_MEAN = 0.2
#: prior: standard deviation of that logarithm
_LENS_SPREAD = 0.3
#: weight of the logarithm of the misfit against the prior
_MISFIT_WEIGHT = 16.0
#: the lens is sought in this many stretches, spread evenly over the frames in which the person was found ...
_LENS_STRETCHES = 6
#: ... of this many seconds: all of a clip that isn't longer than all of them together
_LENS_SECONDS = 4.0
#: the lifter looks this far beyond a stretch, seconds
_LENS_AROUND = 1.0
#: about this many frames are used
_LENS_FRAMES = 90


@dataclass(frozen=True)
class Seen:
    """The landmarks of one person, which can be lifted through different lenses."""

    person: Track
    detections: Detections
    model: Lifter
    #: frames for a second of life
    life_fps: float
    #: landmarks that don't count
    left_out: list[int]
    #: focal lengths (T,) as shares of that of the first frame
    zooms: Floats

    @property
    def device(self) -> torch.device:
        """Where the lifter is."""
        return next(self.model.parameters()).device

    def through(self, focal_mm: float, path: CameraPath | None = None) -> tuple[Floats, Floats, Estimate]:
        """The rays (T, 33, 2) of the landmarks, their confidence (T, 33), and the lifted motion.

        That is in the axes of each frame's camera, or in those of the shot's camera if its path is told.
        """
        person, size = self.person, self.detections.size
        poses = np.broadcast_to(np.eye(4), (len(self.zooms), 4, 4))
        lens = Cameras(focal_pixels(focal_mm, size) * self.zooms, size, poses)
        rays, confidence = bridge(lens.rays(person.landmarks[..., :2])[..., :2], person.landmarks[..., 2])
        confidence[:, self.left_out] = 0
        turns = None if path is None else path.rotations
        return rays, confidence, lift(rays, confidence, self.life_fps, self.model, turns)

    def spread(self, focal_mm: float) -> Floats:
        """xx, xy, yy (T, 33, 3) of the covariance of the rays' errors."""
        focal = focal_pixels(focal_mm, self.detections.size)
        return np.asarray(self.person.spread / focal**2 / self.zooms[:, None, None] ** 2)


def likely_focal(people: Sequence[Seen], progress: Callable[[float], None]) -> float:
    """The likeliest focal length, mm, of the one lens through which people were seen.

    Parameters
    ----------
    people : sequence of Seen
        Each tells a lens; their (geometric) mean is the likeliest.
    progress : callable
        Called with the share that is done.
    """
    told = []
    for number, seen in enumerate(people):

        def within(share: float, number: int = number) -> None:
            progress((number + share) / len(people))

        told.append(_focal_of(seen, within))
    return float(np.exp(np.mean(np.log(told))))


def _focal_of(seen: Seen, progress: Callable[[float], None]) -> float:
    """The likeliest focal length, mm, by one person alone."""
    around, used = _lens_frames(seen.person.found, seen.detections.fps)
    step = max(1, len(used) // _LENS_FRAMES)
    used = np.searchsorted(around, used)[::step]
    person = seen.person
    seen = replace(
        seen,
        person=replace(person, **fields_of(evidence_of(person)[around]), found=person.found[around]),
        zooms=seen.zooms[around],
    )
    costs = []
    for share in _LENSES:
        rays, confidence, lifted = seen.through(share * DEFAULT_FOCAL_MM)
        spread = seen.spread(share * DEFAULT_FOCAL_MM)[used]
        off = misfit(
            Evidence(lifted.at(used), rays[used], confidence[used], seen.life_fps / step, seen.device, spread)
        )
        usual = (np.log(share) - _LENS_MEAN) / _LENS_SPREAD
        costs.append(_MISFIT_WEIGHT * np.log(max(off, 1e-3)) + usual**2 / 2)
        progress(len(costs) / (len(_LENSES) + 1))
    at = np.log(_LENSES)
    bend, slope, _ = np.polyfit(at, costs, 2)
    best = -slope / (2 * bend) if bend > 0 else at[np.argmin(costs)]
    return float(DEFAULT_FOCAL_MM * np.exp(np.clip(best, at[0], at[-1])))


def _lens_frames(found: Bools, fps: float) -> tuple[Indices, Indices]:
    """The frames to lift in search of the lens, and those of them in which the landmarks count.

    `found` (T,) says where the person was found.
    """
    there = np.flatnonzero(found)
    middles = there[((np.arange(_LENS_STRETCHES) + 0.5) / _LENS_STRETCHES * len(there)).astype(int)]

    def within(seconds: float) -> Indices:
        reach = math.ceil(seconds * fps)
        near = middles[:, None] + np.arange(-reach, reach + 1)
        return np.asarray(np.unique(np.clip(near, 0, len(found) - 1)))

    return within(_LENS_SECONDS / 2 + _LENS_AROUND), within(_LENS_SECONDS / 2)
