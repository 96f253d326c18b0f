"""Conversions between representations of rotations, on numpy arrays and on torch tensors.

Matrices (..., 3, 3) act on column vectors. Quaternions (..., 4) are w, x, y, z and of unit length. The 6D
form (..., 6) is the first two columns of the matrix, one after the other (Zhou et al. 2019, arXiv
1812.07035). Gram-Schmidt makes a rotation of any six numbers, and does so continuously, which is why the
networks use it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import Array, library


def unit(v: Any) -> Any:
    """Vectors (..., N) at length 1; those without a length stay as they are."""
    length = (v * v).sum(-1)[..., None] ** 0.5
    return v / (length + 1e-12)


def _cross(a: Any, b: Any) -> Any:
    x, y, z = a[..., 0], a[..., 1], a[..., 2]
    u, v, w = b[..., 0], b[..., 1], b[..., 2]
    return library(a).stack([y * w - z * v, z * u - x * w, x * v - y * u], -1)


def matrix_from_6d(d6: Any) -> Any:
    """Gram-Schmidt: rotation matrices (..., 3, 3) from six numbers (..., 6)."""
    x = unit(d6[..., :3])
    y = d6[..., 3:]
    y = unit(y - (x * y).sum(-1)[..., None] * x)
    return library(d6).stack([x, y, _cross(x, y)], -1)


def sixd_from_matrix(m: Any) -> Any:
    """The first two columns (..., 6) of rotation matrices (..., 3, 3)."""
    return library(m).stack([m[..., i, j] for j in (0, 1) for i in (0, 1, 2)], -1)


def matrix_from_quaternion(q: Any) -> Any:
    """Rotation matrices (..., 3, 3) from unit quaternions (..., 4)."""
    w, x, y, z = (q[..., i] for i in range(4))
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return library(q).stack(rows, -1).reshape((*q.shape[:-1], 3, 3))


def quaternion_from_matrix(m: Any) -> Any:
    """Unit quaternions (..., 4) with w >= 0 from rotation matrices (..., 3, 3).

    Shepperd's method divides by the largest of four divisors, so that no angle is ill-conditioned.
    """
    xp = library(m)
    a, b, c = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    yz, zy = m[..., 2, 1] - m[..., 1, 2], m[..., 2, 1] + m[..., 1, 2]
    zx, xz = m[..., 0, 2] - m[..., 2, 0], m[..., 0, 2] + m[..., 2, 0]
    xy, yx = m[..., 1, 0] - m[..., 0, 1], m[..., 1, 0] + m[..., 0, 1]
    w, x, y, z = 1 + a + b + c, 1 + a - b - c, 1 - a + b - c, 1 - a - b + c
    by_w, by_x, by_y = w >= xp.maximum(x, xp.maximum(y, z)), x >= xp.maximum(y, z), y >= z

    def pick(if_w: Any, if_x: Any, if_y: Any, if_z: Any) -> Any:
        return xp.where(by_w, if_w, xp.where(by_x, if_x, xp.where(by_y, if_y, if_z)))

    parts = [pick(w, yz, zx, xy), pick(yz, x, yx, xz), pick(zx, yx, y, zy), pick(xy, xz, zy, z)]
    q = unit(xp.stack(parts, -1))
    return q * xp.where(q[..., :1] < 0, -xp.ones_like(q[..., :1]), xp.ones_like(q[..., :1]))


def continuous_quaternions(q: Array) -> Array:
    """The same rotations (T, ..., 4), with signs so that each step in time goes the short way round."""
    signs = np.ones(q.shape[:-1])
    signs[1:] = np.cumprod(np.where((q[1:] * q[:-1]).sum(-1) < 0, -1.0, 1.0), axis=0)
    return np.asarray(q * signs[..., None])


def axis_angle(axis: Any, angle: Any) -> Any:
    """Rotation matrices (..., 3, 3) about unit axes (..., 3) by angles (...) in radians (Rodrigues)."""
    xp = library(axis)
    half = angle[..., None] / 2
    return matrix_from_quaternion(xp.concatenate([xp.cos(half), xp.sin(half) * axis], -1))


def rotation_between(a: Any, b: Any) -> Any:
    """The smallest rotations (..., 3, 3) from directions `a` to directions `b`, both (..., 3)."""
    xp = library(a)
    a, b = unit(a), unit(b)
    w = 1 + (a * b).sum(-1)[..., None]
    # opposite directions: turn about any axis across a
    x = xp.stack([-a[..., 1], a[..., 0], xp.zeros_like(a[..., 0])], -1)
    y = xp.stack([xp.zeros_like(a[..., 0]), -a[..., 2], a[..., 1]], -1)
    across = xp.where(abs(a[..., 2:]) < 0.7, x, y)
    q = xp.concatenate([w, xp.where(w > 1e-6, _cross(a, b), across)], -1)
    return matrix_from_quaternion(unit(q))


def geodesic_angle(a: Any, b: Any) -> Any:
    """Angle in radians (...) of the rotation from `a` to `b`, both (..., 3, 3)."""
    xp = library(a)
    relative = a.swapaxes(-1, -2) @ b
    trace = relative[..., 0, 0] + relative[..., 1, 1] + relative[..., 2, 2]
    sine = ((a - b) ** 2).sum(-1).sum(-1) ** 0.5 / 8**0.5  # sin(angle / 2): exact for small angles
    cosine = (xp.clip(1 + trace, 0, 4)) ** 0.5 / 2
    return 2 * xp.arctan2(sine, cosine)


def rotation_vector(m: Array) -> Array:
    """Axis times angle (..., 3) of rotations (..., 3, 3)."""
    q = quaternion_from_matrix(m)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    return np.asarray(q[..., 1:] * angle / np.maximum(sine, 1e-12))


def matrix_from_vector(v: Array) -> Array:
    """Rotations (..., 3, 3) of axes times angles (..., 3)."""
    angle = np.linalg.norm(v, axis=-1)
    return np.asarray(axis_angle(v / np.maximum(angle, 1e-12)[..., None], angle))


def quaternion_product(a: Any, b: Any) -> Any:
    """Quaternions (..., 4) that turn as `b` does and then as `a` does."""
    w, v = a[..., :1], a[..., 1:]
    x, u = b[..., :1], b[..., 1:]
    return np.concatenate([w * x - (v * u).sum(-1, keepdims=True), w * u + x * v + _cross(v, u)], axis=-1)


def slerp(a: Array, b: Array, share: float | Array) -> Array:
    """Quaternions (..., 4) at a share of the way from `a` to `b`, the short way round."""
    dot = (a * b).sum(-1, keepdims=True)
    b = np.where(dot < 0, -b, b)
    angle = np.arccos(np.clip(np.abs(dot), 0, 1))
    sine = np.sin(angle)
    small = sine < 1e-6
    sine = np.where(small, 1, sine)
    mixed = np.where(small, 1 - share, np.sin((1 - share) * angle) / sine) * a
    mixed = mixed + np.where(small, share, np.sin(share * angle) / sine) * b
    return np.asarray(mixed / np.linalg.norm(mixed, axis=-1, keepdims=True))


def mean_turn(before: Array, after: Array) -> Array:
    """The rotation (3, 3) that turns rotations `before` (..., 3, 3) as nearly as possible into `after`.

    Least squares over the matrices' elements (Kabsch 1976).
    """
    sums = np.einsum("nab,ncb->ac", np.reshape(after, (-1, 3, 3)), np.reshape(before, (-1, 3, 3)))
    u, _, v = np.linalg.svd(sums)
    return np.asarray(u @ np.diag([1, 1, np.linalg.det(u @ v)]) @ v)
