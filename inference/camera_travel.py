"""How a camera travels: structure from motion over background points that are followed through the frames.

Two frames with a wide parallax tell the first places of camera and points (Nister, "An efficient solution to
the five-point relative pose problem", 2004). Further key frames are resected from the points that are known,
and tell more of them; then all is adjusted, and the frames between are resected. The scale stays unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np

from ..core.arrays import Bools, Floats, Indices
from ..core.camera import DEFAULT_FOCAL_MM, FILM_WIDTH_MM
from ..core.rotations import matrix_from_6d, sixd_from_matrix
from .bundle import Bundle, Lens, Sightings, adjusted, resected
from .camera_turns import STRAY, Pair

#: points shift by this from key frame to key frame, as a share of the longer side, ...
_APART = 0.012
#: ... unless there were fewer key frames, or more
_FEWEST, _MOST = 40, 60
#: a frame is resected from so many points at least
_POINTS = 15
#: a point is known if its rays meet at this angle, radians; more than a multiple of it makes it no better
_MEET, _ENOUGH = np.radians(0.4), 12.0
#: the beginning is looked for in pairs of key frames with so many distances, each at so many places
_GAPS, _PLACES = 6, 4
#: at most so many samples of points are tried for each
_SAMPLES = 200
#: points are off by this at most between the two, as a share of the longer side
_OFF = 1.0 / 480
#: an unknown lens: video is often cropped
_LENS = Lens(float(np.log(1.2 * DEFAULT_FOCAL_MM / FILM_WIDTH_MM)), 0.3)
#: all is adjusted each time that so many times as many key frames are known
_GROWS = 1.3
#: most steps of an adjustment on the way, and of the last one
_STEPS, _LAST_STEPS = 4, 30


class Travel(NamedTuple):
    """How the camera moved, and how well that explains the background.

    Attributes
    ----------
    rotations : (T, 3, 3)
        From the axes of the first frame's camera to those of each frame.
    places : (T, 3)
        Where it is in the axes of the first frame's camera, in units of the path's extent.
    focal, spread : float
        Focal length as a share of the longer side, and the standard deviation of its logarithm.
    misfit, stray : (T,)
        As in `Turns`.
    """

    rotations: Floats
    places: Floats
    focal: float
    spread: float
    misfit: Floats
    stray: Floats


@dataclass(frozen=True)
class _Model:
    """Key frames and points, and which of them are known, (K,) and (P,)."""

    bundle: Bundle
    seen: Sightings
    known: Bools
    found: Bools


def travel_of(pairs: Sequence[Pair], focal: float | None) -> Travel | None:
    """How a camera travelled; None if the points don't tell.

    Parameters
    ----------
    pairs : sequence of Pair
        Of all frames but the first.
    focal : float, optional
        Focal length as a share of the longer side, if it is known.
    """
    seen, keys = _sightings(pairs), _key_frames(pairs)
    own = np.isin(seen.camera, keys)
    at_keys = Sightings(np.searchsorted(keys, seen.camera[own]), seen.point[own], seen.at[own])
    if len(np.unique(at_keys.camera)) < len(keys):  # somewhere, nothing is to be seen
        return None
    model = _begun(at_keys, float(np.exp(_LENS.mean)) if focal is None else focal)
    if model is None:
        return None
    model, spread = _adjusted(_grown(model), _LENS if focal is None else None, _LAST_STEPS)
    if not model.known.all():
        return None
    return _everywhere(model, seen, keys, spread)


def _sightings(pairs: Sequence[Pair]) -> Sightings:
    """All that is seen; its cameras are the frames, in a row."""
    first = pairs[0]._replace(frame=0, after=pairs[0].before)
    each = [first, *pairs]
    return Sightings(
        np.concatenate([np.full(len(one.numbers), one.frame) for one in each]),
        np.concatenate([one.numbers for one in each]),
        np.concatenate([one.after for one in each]).astype(np.float64),
    )


def _key_frames(pairs: Sequence[Pair]) -> Indices:
    """Frames between which the background shifts alike, the first and the last among them."""
    shift = np.zeros(len(pairs) + 1)
    numbers, places = pairs[0].numbers, pairs[0].before
    for pair in pairs:
        _, here, there = np.intersect1d(pair.numbers, numbers, return_indices=True)
        if len(here):
            shift[pair.frame] = np.median(np.linalg.norm(pair.after[here] - places[there], axis=1))
        numbers, places = pair.numbers, pair.after
    way = np.cumsum(shift)
    count = int(np.clip(way[-1] / _APART, _FEWEST, _MOST)) + 1
    frames = np.searchsorted(way, np.linspace(0, way[-1], count))
    return np.asarray(np.unique(np.clip(np.append(frames, [0, len(pairs)]), 0, len(pairs))))


def _shared(seen: Sightings, one: int, other: int) -> tuple[Indices, Floats, Floats]:
    """The points (M,) that two key frames see, and where, (M, 2) and (M, 2)."""
    here, there = seen.camera == one, seen.camera == other
    numbers, a, b = np.intersect1d(seen.point[here], seen.point[there], return_indices=True)
    return numbers, seen.at[here][a], seen.at[there][b]


def _begun(seen: Sightings, focal: float) -> _Model | None:
    """The two key frames from which most points are seen well apart, and those points; None if none are."""
    last = int(seen.camera.max())
    gaps = np.unique(np.geomspace(1, last, _GAPS).astype(int))
    tries = {(int(at * (last - gap)), int(gap)) for gap in gaps for at in np.linspace(0, 1, _PLACES)}
    best, most = None, 0.0
    for one, gap in sorted(tries):
        numbers, before, after = _shared(seen, one, one + gap)
        if len(numbers) < 2 * _POINTS:
            continue
        rays = np.stack([before, after], 1) / focal
        essential, inside = cv2.findEssentialMat(
            rays[:, 0], rays[:, 1], np.eye(3), cv2.RANSAC, 0.999, _OFF / focal, _SAMPLES
        )
        if essential is None or essential.shape != (3, 3):
            continue
        _, turn, shift, inside = cv2.recoverPose(essential, rays[:, 0], rays[:, 1], np.eye(3), mask=inside)
        good = np.ravel(inside) > 0
        rotations = np.stack([np.eye(3), turn])
        places = np.stack([np.zeros(3), -turn.T @ np.ravel(shift)])
        points, angles = _met(rotations, places, rays[good])
        wide = float(np.minimum(angles, _ENOUGH * _MEET).sum())
        if wide > most and (angles > _MEET).sum() >= _POINTS:
            well = angles > _MEET
            best, most = (one, one + gap, rotations, places, numbers[good][well], points[well]), wide
    return None if best is None else _model_of(seen, focal, *best)


def _model_of(
    seen: Sightings,
    focal: float,
    one: int,
    other: int,
    rotations: Floats,
    places: Floats,
    numbers: Indices,
    points: Floats,
) -> _Model:
    """The model in which two key frames and some points are known."""
    keys, count = int(seen.camera.max()) + 1, int(seen.point.max()) + 1
    bundle = Bundle(np.tile(np.eye(3), (keys, 1, 1)), np.zeros((keys, 3)), np.zeros((count, 3)), focal)
    known, found = np.zeros(keys, bool), np.zeros(count, bool)
    bundle.rotations[[one, other]], bundle.places[[one, other]] = rotations, places
    bundle.points[numbers] = points
    known[[one, other]], found[numbers] = True, True
    return _Model(bundle, seen, known, found)


def _met(rotations: Floats, places: Floats, rays: Floats) -> tuple[Floats, Floats]:
    """Where rays (N, 2, 2) of two cameras meet (N, 3), and their angles (N,): 0 where that is behind one."""
    along = np.concatenate([rays, np.ones((len(rays), 2, 1))], -1)
    along = np.einsum("kji,nkj->nki", rotations, along)
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    one, other = along[:, 0], along[:, 1]
    apart = places[1] - places[0]
    cosine = (one * other).sum(1)
    sine2 = np.maximum(1 - cosine**2, 1e-12)
    far = (one @ apart - cosine * (other @ apart)) / sine2
    farther = (cosine * (one @ apart) - other @ apart) / sine2
    middle = (places[0] + far[:, None] * one + places[1] + farther[:, None] * other) / 2
    return middle, np.where((far > 0) & (farther > 0), np.arcsin(np.sqrt(np.minimum(sine2, 1))), 0)


def _grown(model: _Model) -> _Model:
    """The model with all key frames that can be resected."""
    adjusted_with = int(model.known.sum())
    while True:
        counts = np.bincount(model.seen.camera[model.found[model.seen.point]], minlength=len(model.known))
        counts[model.known] = 0
        new = int(counts.argmax())
        if counts[new] < _POINTS:
            return model
        model = _more_points(_with_key(model, new), new)
        if model.known.sum() > _GROWS * adjusted_with:
            model, _ = _adjusted(model, None, _STEPS)
            adjusted_with = int(model.known.sum())


def _with_key(model: _Model, new: int) -> _Model:
    """The model with another key frame, resected from where the nearest known one is."""
    bundle, seen = model.bundle, model.seen
    others = np.flatnonzero(model.known)
    near = others[np.abs(others - new).argmin()]
    here = (seen.camera == new) & model.found[seen.point]
    start = bundle.rotations[near], bundle.places[near]
    turn, place, _ = resected(bundle.points[seen.point[here]], seen.at[here], bundle.focal, *start)
    rotations, places, known = bundle.rotations.copy(), bundle.places.copy(), model.known.copy()
    rotations[new], places[new], known[new] = turn, place, True
    return replace(model, bundle=replace(bundle, rotations=rotations, places=places), known=known)


def _more_points(model: _Model, new: int) -> _Model:
    """The model with the points that a key frame and others tell, the farthest away first."""
    bundle = model.bundle
    points, found = bundle.points.copy(), model.found.copy()
    others = np.flatnonzero(model.known)
    far = np.linalg.norm(bundle.places[others] - bundle.places[new], axis=1)
    for other in others[far.argsort()[:0:-1]]:
        numbers, before, after = _shared(model.seen, new, int(other))
        left = ~found[numbers]
        if not left.any():
            continue
        both = [new, int(other)]
        rays = np.stack([before[left], after[left]], 1) / bundle.focal
        met, angles = _met(bundle.rotations[both], bundle.places[both], rays)
        well = angles > _MEET
        points[numbers[left][well]], found[numbers[left][well]] = met[well], True
    return replace(model, bundle=replace(bundle, points=points), found=found)


def _adjusted(model: _Model, lens: Lens | None, steps: int) -> tuple[_Model, float]:
    """The model with what is known of it adjusted, see `adjusted`; points behind a camera are forgotten."""
    bundle, seen = model.bundle, model.seen
    use = model.known[seen.camera] & model.found[seen.point]
    use &= np.bincount(seen.point[use], minlength=len(model.found))[seen.point] > 1
    keys, camera = np.unique(seen.camera[use], return_inverse=True)
    numbers, point = np.unique(seen.point[use], return_inverse=True)
    part = Bundle(bundle.rotations[keys], bundle.places[keys], bundle.points[numbers], bundle.focal)
    part, spread = adjusted(part, Sightings(camera, point, seen.at[use]), lens, steps)
    rotations, places, points = (x.copy() for x in (bundle.rotations, bundle.places, bundle.points))
    rotations[keys], places[keys], points[numbers] = part.rotations, part.places, part.points
    ahead = ((part.points[point] - part.places[camera]) * part.rotations[camera, 2]).sum(1)
    found = model.found.copy()
    found[numbers[point[ahead <= 0]]] = False
    return replace(model, bundle=Bundle(rotations, places, points, part.focal), found=found), spread


def _everywhere(model: _Model, seen: Sightings, keys: Indices, spread: float) -> Travel:
    """The cameras of all frames: those between key frames are resected from the one before.

    Where too few points are seen for that, they are interpolated.
    """
    bundle, count = model.bundle, int(keys[-1]) + 1
    rotations, places = np.zeros((count, 3, 3)), np.zeros((count, 3))
    misfit, stray = np.full((2, count), np.nan)
    begins = np.searchsorted(seen.camera, np.arange(count + 1))
    turn, place = bundle.rotations[0], bundle.places[0]
    for frame in range(count):
        if frame in keys:
            key = int(np.searchsorted(keys, frame))
            turn, place = bundle.rotations[key], bundle.places[key]
        here = slice(begins[frame], begins[frame + 1])
        numbers, at = seen.point[here], seen.at[here]
        there = model.found[np.minimum(numbers, len(model.found) - 1)] & (numbers < len(model.found))
        if there.sum() >= _POINTS:
            points = bundle.points[numbers[there]]
            turn, place, off = resected(points, at[there], bundle.focal, turn, place)
            misfit[frame], stray[frame] = np.median(off), (off > STRAY).mean()
        rotations[frame], places[frame] = turn, place
    known = np.isfinite(misfit)
    rotations = matrix_from_6d(_between(sixd_from_matrix(rotations), known))
    places = _between(places, known)
    places = (places - places[0]) @ rotations[0].T
    return Travel(
        rotations @ rotations[0].T,
        places / np.ptp(places, axis=0).max(),
        bundle.focal,
        spread,
        misfit,
        stray,
    )


def _between(values: Floats, known: Bools) -> Floats:
    """Values (T, D) with those interpolated that aren't `known` (T,)."""
    frames = np.arange(len(values))
    return np.stack([np.interp(frames, frames[known], column[known]) for column in values.T], axis=1)
