"""Bundle adjustment: cameras and points that agree best with where the points are seen.

Gauss-Newton steps with damping, from which the points are eliminated first (Triggs et al., "Bundle
adjustment: a modern synthesis", 2000). Sightings that are far off count less and less.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..core.arrays import Array, Floats, Indices
from ..core.rotations import matrix_from_vector

#: sightings that are off by more than this count less and less (Cauchy), as a share of the longer side
_ODD = 0.2 / 480
#: standard deviation of a sighting, likewise
_NOISE = 0.3 / 480
#: so many sightings of a point are off alike, and count as one
_ALIKE = 10.0
#: most steps for a camera alone, and a gain as a share that ends them
_STEPS, _GAIN = 12, 1e-5
#: damping of the first step; a bad step's is so many times as large, a good one's so many times less
_DAMPING, _WORSE, _BETTER = 1e-3, 10.0, 5.0
_MOST_DAMPING = 1e4
#: a gain of the whole, as a share, that ends an adjustment
_LITTLE = 1e-5


class Sightings(NamedTuple):
    """Which camera (N,) sees which point (N,), and where (N, 2).

    Places are measured from the picture's middle, as shares of its longer side. A camera sees a point once.
    """

    camera: Indices
    point: Indices
    at: Floats


class Lens(NamedTuple):
    """What is known of the logarithm of the focal length: mean and standard deviation."""

    mean: float
    spread: float


@dataclass(frozen=True)
class Bundle:
    """Cameras and points.

    Attributes
    ----------
    rotations, places : (K, 3, 3), (K, 3)
        From the points' axes to the cameras', and where the cameras are.
    points : (P, 3)
    focal : float
        Focal length of all cameras, as a share of the longer side.
    """

    rotations: Floats
    places: Floats
    points: Floats
    focal: float


def resected(
    points: Floats, at: Floats, focal: float, turn: Floats, place: Floats
) -> tuple[Floats, Floats, Floats]:
    """The camera that sees points (N, 3) at places (N, 2), searched for from a rotation and a place.

    Returns
    -------
    turn, place : (3, 3), (3,)
    off : (N,)
        How far the points are from where they are seen, as a share of the longer side.
    """
    cost = np.inf
    best = turn, place, np.zeros(len(points))
    for _ in range(_STEPS):
        seen, slopes = _projected(np.broadcast_to(turn, (len(points), 3, 3)), points - place, focal)
        left = at - seen
        now = float(_costs(left).sum())
        if now >= cost:
            break
        done = now > cost * (1 - _GAIN)
        cost, best = now, (turn, place, np.linalg.norm(left, axis=1))
        if done:
            break
        weighted = slopes * _weights(left)[:, None, None]
        step = np.linalg.solve(
            np.einsum("nij,nik->jk", weighted, slopes) + 1e-9 * np.eye(6),
            np.einsum("nij,ni->j", weighted, left),
        )
        turn, place = matrix_from_vector(step[:3]) @ turn, place + step[3:]
    return best


def adjusted(bundle: Bundle, seen: Sightings, lens: Lens | None, steps: int) -> tuple[Bundle, float]:
    """Cameras and points that agree better with what is seen.

    Parameters
    ----------
    bundle : Bundle
    seen : Sightings
    lens : Lens, optional
        What is known of the focal length; it is kept if there is none.
    steps : int
        At most so many are made.

    Returns
    -------
    bundle : Bundle
    spread : float
        Standard deviation of the logarithm of the focal length; 0 if it is kept.
    """
    cost, damping = _cost(bundle, seen, lens), _DAMPING
    for _ in range(steps):
        normal = _normal(bundle, seen, lens)
        gain = 0.0
        while damping < _MOST_DAMPING:
            moved = _moved(bundle, *_solved(normal, damping))
            after = _cost(moved, seen, lens)
            if after < cost:
                gain, cost, bundle = (cost - after) / cost, after, moved
                damping /= _BETTER
                break
            damping *= _WORSE
        if gain < _LITTLE:
            break
    return bundle, 0.0 if lens is None else _lens_spread(_normal(bundle, seen, lens))


class _Normal(NamedTuple):
    """Normal equations: of cameras and lens (C, C), of points (P, 3, 3), of both (C, P, 3), right sides."""

    cameras: Floats
    points: Floats
    both: Floats
    by_cameras: Floats
    by_points: Floats


def _normal(bundle: Bundle, seen: Sightings, lens: Lens | None) -> _Normal:
    count, points = len(bundle.places), len(bundle.points)
    place, slopes = _seen(bundle, seen)
    left = seen.at - place
    weight = _weights(left)[:, None, None] / _NOISE**2
    own = np.concatenate([slopes, place[..., None]], -1)  # a longer lens moves all outwards
    of_point = -slopes[..., 3:]
    weighted, weighted_point = np.swapaxes(own * weight, 1, 2), np.swapaxes(of_point * weight, 1, 2)
    square, crossed = _sums(weighted @ own, seen.camera, count), weighted @ of_point
    pull = _sums((weighted @ left[..., None])[..., 0], seen.camera, count)
    wide = 6 * count + 1
    cameras = np.zeros((wide, wide))
    for camera, block in enumerate(square):
        here = slice(6 * camera, 6 * camera + 6)
        cameras[here, here] = block[:6, :6]
        cameras[here, -1] = cameras[-1, here] = block[6, :6]
    cameras[-1, -1] = square[:, 6, 6].sum()
    by_cameras = np.append(pull[:, :6].ravel(), pull[:, 6].sum())
    both = np.zeros((count, 6, points, 3))
    both[seen.camera, :, seen.point] = crossed[:, :6]
    by_lens = _sums(crossed[:, 6], seen.point, points)
    if lens is None:
        cameras[-1, -1] = np.inf
    else:
        cameras[-1, -1] += _ALIKE / lens.spread**2
        by_cameras[-1] -= _ALIKE * (np.log(bundle.focal) - lens.mean) / lens.spread**2
    return _Normal(
        cameras,
        _sums(weighted_point @ of_point, seen.point, points),
        np.concatenate([both.reshape(wide - 1, points, 3), by_lens[None]]),
        by_cameras,
        _sums((weighted_point @ left[..., None])[..., 0], seen.point, points),
    )


def _reduced(normal: _Normal, damping: float) -> tuple[Floats, Floats, Floats]:
    """Equations of the cameras alone, their right side, and the inverse of those of the points."""
    eye = np.eye(3)
    inverse = np.linalg.inv(normal.points + damping * normal.points * eye + 1e-9 * eye)
    wide = len(normal.cameras)
    through = np.einsum("cpi,pij->cpj", normal.both, inverse).reshape(wide, -1)
    diagonal = damping * np.diag(normal.cameras) + 1e-6
    kept = np.isinf(diagonal)
    matrix = np.where(np.isinf(normal.cameras), 0, normal.cameras) - through @ normal.both.reshape(wide, -1).T
    matrix[kept], matrix[:, kept] = 0, 0
    return (
        matrix + np.diag(np.where(kept, 1, diagonal)),
        np.where(kept, 0, normal.by_cameras - through @ normal.by_points.ravel()),
        inverse,
    )


def _solved(normal: _Normal, damping: float) -> tuple[Floats, Floats]:
    """Steps of cameras and lens (C,), and of points (P, 3)."""
    matrix, right, inverse = _reduced(normal, damping)
    step = np.linalg.solve(matrix, right)
    left = normal.by_points - np.einsum("cpi,c->pi", normal.both, step)
    return step, np.asarray((inverse @ left[..., None])[..., 0])


def _lens_spread(normal: _Normal) -> float:
    matrix, _, _ = _reduced(normal, 1e-7)
    return float(np.sqrt(_ALIKE * np.linalg.inv(matrix)[-1, -1]))


def _moved(bundle: Bundle, step: Floats, points: Floats) -> Bundle:
    each = step[:-1].reshape(-1, 6)
    return replace(
        bundle,
        rotations=matrix_from_vector(each[:, :3]) @ bundle.rotations,
        places=bundle.places + each[:, 3:],
        points=bundle.points + points,
        focal=float(bundle.focal * np.exp(step[-1])),
    )


def _cost(bundle: Bundle, seen: Sightings, lens: Lens | None) -> float:
    cost = float(_costs(seen.at - _seen(bundle, seen)[0]).sum())
    if lens is not None:
        cost += 0.5 * _ALIKE * ((np.log(bundle.focal) - lens.mean) / lens.spread) ** 2
    return cost


def _costs(left: Floats) -> Floats:
    """Minus the logarithm of the likelihood of differences (N, 2), up to a constant."""
    return np.asarray(0.5 * (_ODD / _NOISE) ** 2 * np.log1p((left**2).sum(1) / _ODD**2))


def _weights(left: Floats) -> Floats:
    return np.asarray(1 / (1 + (left**2).sum(1) / _ODD**2))


def _seen(bundle: Bundle, seen: Sightings) -> tuple[Floats, Floats]:
    """Where the points are seen, and how that changes, see `_projected`."""
    away = bundle.points[seen.point] - bundle.places[seen.camera]
    return _projected(bundle.rotations[seen.camera], away, bundle.focal)


def _projected(turns: Floats, away: Floats, focal: float) -> tuple[Floats, Floats]:
    """Where cameras see points that are `away` (N, 3) from them, and its slopes (N, 2, 6).

    By a turn of the camera about its own axes, and by its place; by the point's place it is the opposite.
    """
    x, y, z = np.einsum("nij,nj->in", turns, away)
    z = np.where(np.abs(z) < 1e-6, 1e-6, z)
    u, v = x / z, y / z
    none, scale = np.zeros_like(u), focal / z
    flat = np.stack([np.stack([scale, none, -scale * u], 1), np.stack([none, scale, -scale * v], 1)], 1)
    turned = np.stack([np.stack([-u * v, 1 + u * u, -v], 1), np.stack([-(1 + v * v), u * v, u], 1)], 1)
    return focal * np.stack([u, v], 1), np.concatenate([focal * turned, -flat @ turns], -1)


def _sums(values: Array, index: Indices, count: int) -> Floats:
    """Sums of values (N, ...) by their index (N,)."""
    columns = [np.bincount(index, column, count) for column in values.reshape(len(values), -1).T]
    return np.asarray(np.stack(columns, axis=-1), float).reshape(count, *values.shape[1:])
