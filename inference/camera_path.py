"""What the camera of a shot did: it stood, it turned and zoomed about its own place, or it travelled."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..core.arrays import Floats
from ..core.camera import DEFAULT_FOCAL_MM, FILM_WIDTH_MM, WORLD_FROM_LEVEL_CAMERA
from ..core.capture import Capture
from ..core.rotations import geodesic_angle, matrix_from_quaternion, quaternion_from_matrix
from .camera_motion import FEWEST
from .camera_travel import travel_of
from .camera_turns import Background, Pair, Turns, focal_of, turns_of
from .solve.problem import CameraPath

#: a camera stands if its background shifts by less in pictures that are compared now and then, as a share of
#: the picture's longer side, ...
_MOVED = 0.006
#: ... unless the turns of a camera that turns too fast for that shift it by this, and ...
_SURELY = 0.02
#: ... by this for each time that its points were looked for anew: errors add up
_DRIFT = 0.001
#: where turns and zooms explain a background, half of its points are nearer to where they should be, as such
#: a share, ...
_EXPLAINED = 0.0015
#: ... and a smaller share of them strays: what comes nearer looks like a zoom but for things in front, ...
_STRAYS = 0.2
#: ... in this share of the frames at least
_KNOWN = 0.9
#: half of the points are so near to where turns put them that the camera hasn't travelled ...
_WELL = 0.0005
#: ... or at most so many times as far as from where a travelling camera sees them
_BETTER = 2.3
#: nobody zooms by more: logarithm of the focal length's ratio
_MOST_ZOOM = np.log(10.0)
#: a background that can be followed in a smaller share of the frames shows too little
_SOME = 0.5
#: a camera that turns by more can't be solved with: the body has to stay before the shot's camera, degrees
_WIDEST = 130.0
#: a turn tells the lens if the logarithm of the focal length is as sure as this
_SURE = 0.06
#: of the camera's turns about each axis, radians, and of its place along each, metres
_TURN_SPREAD, _PLACE_SPREAD = np.radians(0.05), 0.005
#: a zoom by a smaller share isn't worth a word
_ZOOMED = 0.03
#: ... and turns by less, degrees
_TURNED = 1.5
#: a grid of points in the picture from its middle, as shares of the longer side
_GRID: Floats = np.stack(np.meshgrid(np.linspace(-0.4, 0.4, 9), np.linspace(-0.25, 0.25, 6)), -1).reshape(
    -1, 2
)


@dataclass(frozen=True)
class CameraMotion:
    """How the camera of a shot turns, zooms and travels.

    Attributes
    ----------
    rotations : (T, 3, 3)
        From the axes of the shot's camera, which looks along the middle of the turn, to those of each
        frame's (OpenCV axes).
    places : (T, 3)
        Where it is in the axes of the shot's camera. The shot's camera is as far back as any.
    zooms : (T,)
        Focal lengths, as shares of the first frame's.
    focal_mm : float
        Focal length of the first frame that the turns were found with, a 35 mm equivalent.
    told : bool
        Whether that is the focal length, unless somebody says otherwise.
    metric : bool
        Whether places are in metres; else, in units of the path's extent.
    otherwise : CameraMotion, optional
        Turns and zooms that explain the background too, if not as well, for a path whose extent nobody tells.
    """

    rotations: Floats
    places: Floats
    zooms: Floats
    focal_mm: float
    told: bool
    metric: bool
    otherwise: CameraMotion | None = None

    @property
    def travels(self) -> bool:
        """Whether it leaves its place."""
        return bool(self.places.any())

    def larger(self, scale: float) -> CameraMotion:
        """The same with a path that is so many times as large, in metres."""
        return replace(self, places=self.places * scale, metric=True)

    def through(self, focal_mm: float) -> CameraMotion:
        """The turns that look the same in the picture through a lens of another focal length, mm."""
        if np.isclose(focal_mm, self.focal_mm, rtol=1e-4):
            return self
        turns = turns_of(self._seen(), focal_mm / FILM_WIDTH_MM)
        middle = int(geodesic_angle(self.rotations, np.eye(3)).argmin())
        rotations = turns.rotations @ turns.rotations[middle].T @ self.rotations[middle]
        return replace(self, rotations=rotations, focal_mm=focal_mm)

    def path(self) -> CameraPath:
        """The same as the solver takes it."""
        frames = len(self.zooms)
        level = WORLD_FROM_LEVEL_CAMERA
        return CameraPath(
            level @ np.swapaxes(self.rotations, 1, 2) @ level.T,
            self.places @ level.T,
            np.full(frames, _TURN_SPREAD),
            np.full(frames, _PLACE_SPREAD),
        )

    def fields(self) -> dict[str, Floats]:
        """`Capture.camera_turns`, `camera_places` and `camera_zooms`, by name."""
        return {
            "camera_turns": quaternion_from_matrix(self.rotations),
            "camera_places": self.places,
            "camera_zooms": self.zooms,
        }

    def said(self) -> str:
        """What it does, a sentence for the artist."""
        turns = self.rotations
        end = turns[geodesic_angle(turns, turns[0]).argmax()]
        turned = np.degrees(geodesic_angle(turns, end).max())
        zoomed = float(self.zooms.max() / self.zooms.min())
        does = [f"travels by {self._way():.1f} m"] if self.travels else []
        does += [f"turns by {turned:.0f} degrees"] if turned >= _TURNED else []
        does += [f"zooms by a factor of {zoomed:.2f}"] if zoomed >= 1 + _ZOOMED else []
        return f"The camera {' and '.join(does) or 'is shaken a little'}: the path is solved with it."

    def _way(self) -> float:
        """How far it gets from where it was, metres."""
        return float(np.linalg.norm(self.places[:, None] - self.places[::10], axis=-1).max())

    def _seen(self) -> list[Pair]:
        """Where a grid of points of each frame is in the next one."""
        focal = self.focal_mm / FILM_WIDTH_MM * self.zooms[:, None]
        steps = self.rotations[1:] @ np.swapaxes(self.rotations[:-1], 1, 2)
        pairs = []
        for frame, step in enumerate(steps, 1):
            rays = np.column_stack([_GRID / focal[frame - 1], np.ones(len(_GRID))]) @ step.T
            seen = focal[frame] * rays[:, :2] / rays[:, 2:]
            pairs.append(Pair(frame - 1, frame, _GRID, seen, np.arange(len(_GRID))))
        return pairs


def motion_in(capture: Capture) -> CameraMotion | None:
    """How the camera moves in a capture of one shot; None if it stands still.

    Nobody can tell any more how sure the lens was, so it stays.
    """
    if not capture.camera_moves:
        return None
    turns = matrix_from_quaternion(capture.camera_turns.astype(np.float64))
    places, zooms = (x.astype(np.float64) for x in (capture.camera_places, capture.camera_zooms))
    return CameraMotion(turns, places, zooms, capture.camera.focal_mm, True, True)


def camera_motion(
    background: Background, frames: int, focal_mm: float | None
) -> tuple[CameraMotion | None, tuple[str, ...]]:
    """What the camera of a shot did, and what to say about it, a sentence each.

    Parameters
    ----------
    background : Background
    frames : int
        Of the shot.
    focal_mm : float, optional
        Focal length of the first frame if it is known, a 35 mm equivalent.

    Returns
    -------
    motion : CameraMotion or None
        None if it stands still, or if what it did can't be told: then the path is solved as if it stood.
    said : tuple of str
        Nothing about a camera that travels: how far isn't known yet.
    """
    watch, pairs = background.watch, background.points.pairs
    if not pairs:
        return None, ()
    if np.mean([len(pair.before) >= FEWEST for pair in pairs]) < _SOME:
        return None, (
            "The background shows too little to tell whether the camera moves: the path is solved as if it "
            "stood.",
        )
    lens, told = focal_mm, False
    if lens is None:
        share, spread = focal_of(pairs)
        told = spread < _SURE
        lens = FILM_WIDTH_MM * share if told else DEFAULT_FOCAL_MM
    turns = turns_of(pairs, lens / FILM_WIDTH_MM)
    sure = max(_SURELY, _DRIFT * len({pair.key for pair in pairs}))
    if watch.shift <= _MOVED and _shift(turns, lens / FILM_WIDTH_MM) <= sure:
        return None, watch.warnings
    turned = _explains(turns.misfit, turns.stray) and np.abs(np.log(turns.zooms)).max() < _MOST_ZOOM
    stood, said = None, watch.warnings
    if turned:
        nowhere = np.zeros((len(turns.zooms), 3))
        stood, said = _motion(turns.rotations, nowhere, turns.zooms, frames, lens, told)
        if np.nanmedian(turns.misfit) < _WELL:
            return stood, said
    travel = travel_of(pairs, None if focal_mm is None else focal_mm / FILM_WIDTH_MM)
    if travel is not None and _explains(travel.misfit, travel.stray):
        better = np.nanmedian(turns.misfit) > _BETTER * np.nanmedian(travel.misfit)
        if better or not turned:
            ones = np.ones(len(travel.places))
            lens = FILM_WIDTH_MM * travel.focal
            motion, said = _motion(travel.rotations, travel.places, ones, frames, lens, True)
            return motion and replace(motion, otherwise=stood), said
    return stood, said


def _motion(
    rotations: Floats, places: Floats, zooms: Floats, frames: int, lens: float, told: bool
) -> tuple[CameraMotion | None, tuple[str, ...]]:
    """The motion from the axes of the first frame's camera, and what to say about it."""
    rotations, places, zooms = (_as_long(of, frames) for of in (rotations, places, zooms))
    # ahead, in the axes of the first frame
    ahead = rotations[:, 2]
    one = ahead[(ahead @ ahead[0]).argmin()]
    other = ahead[(ahead @ one).argmin()]
    wide = float(np.degrees(np.arccos(np.clip(one @ other, -1, 1))))
    if wide > _WIDEST:
        return None, (
            f"The camera turns by {wide:.0f} degrees, and no more than {_WIDEST:.0f} can be solved with: the "
            "path through the scene can't be trusted, the poses can; capture a part of the turn.",
        )
    middle = int((ahead @ (one + other)).argmax())
    places = (places - places[middle]) @ rotations[middle].T
    places = places - [0, 0, places[:, 2].min()]
    motion = CameraMotion(rotations @ rotations[middle].T, places, zooms, lens, told, False)
    return motion, () if motion.travels else (motion.said(),)


def _explains(misfit: Floats, stray: Floats) -> bool:
    """Whether a motion explains what the background did, see `Turns`."""
    known = np.isfinite(misfit)[1:]
    if known.mean() < _KNOWN:
        return False
    strays = np.quantile(stray[1:][known], _KNOWN)
    return bool(np.nanmedian(misfit) < _EXPLAINED and strays < _STRAYS)


def _shift(turns: Turns, focal: float) -> float:
    """How far turns and zooms shift the background at most, as a share of the picture's longer side."""
    turned = geodesic_angle(turns.rotations, np.eye(3))
    return float((focal * turned + np.abs(turns.zooms - 1) / 2).max())


def _as_long(values: Floats, frames: int) -> Floats:
    """As many rows as there are frames; the last one holds."""
    return np.asarray(values[np.minimum(np.arange(frames), len(values) - 1)])
