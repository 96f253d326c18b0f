"""Left and right: repairs the stretches where the detector took one side of a person for the other."""

from __future__ import annotations

import itertools

import numpy as np

from ..core.arrays import Array, Floats, Indices
from ..core.landmarks import LANDMARK, MIRRORED
from .detect.people import torso

# Distances are in torso sizes (`people.torso`: about half a metre).
#: the first landmark of the lower body
_FIRST_LEG = LANDMARK["hip.L"]
_MIRRORED = np.array(MIRRORED)
#: landmarks that tell left from right: of the upper body, of the lower
_PARTS = tuple(
    np.array([LANDMARK[f"{name}.{side}"] for name in names for side in "LR"])
    for names in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle", "foot_index"))
)
#: hypotheses: whether the upper body is swapped, whether the lower body is
_SWAPS = ((False, False), (True, False), (False, True), (True, True))
#: cost of a swapped part, per landmark and second
_SWAPPED_COST = 0.8
#: cost of one part being swapped and the other not, per landmark and second
_SPLIT_COST = 2.0
#: a landmark farther off than this is wrong under any hypothesis, so a larger distance costs no more
_FAR = 1.5
#: the share of the last velocity that is expected to continue
_MOMENTUM = 0.8
#: limbs don't move faster than this relative to the torso, per second
_LIMB_SPEED = 8.0
#: how fast continuity loses its weight across a gap: time constant, seconds
_FORGET = 0.3
#: the size of a torso, to compare MediaPipe's metres with the picture
_TORSO_METRES = 0.5


def unswapped(times: Floats, landmarks: Array, world: Array) -> tuple[Array, Array]:
    """Exchange left and right where the detector swapped them.

    Finds the most likely sequence of hypotheses (as detected, upper body swapped, lower body swapped, both):
    landmarks keep moving as they did, and the detector is right more often than wrong.

    Parameters
    ----------
    times : (N,), seconds, increasing
    landmarks, world : (N, 33, 3)
        As in `Person`.

    Returns
    -------
    landmarks, world : (N, 33, 3)
        With left and right exchanged where they were swapped. MediaPipe's depth is right even then, so
        exchanging the landmarks is enough.
    """
    if len(times) < 2:
        return landmarks, world
    upper, lower = np.array(_SWAPS)[_best_swaps(times, landmarks, world)].T
    out, out_world = landmarks.copy(), world.copy()
    for swapped, part in ((upper, slice(0, _FIRST_LEG)), (lower, slice(_FIRST_LEG, None))):
        mirrored = _MIRRORED[part]
        for result, source in ((out, landmarks), (out_world, world)):
            result[swapped, part] = source[swapped][:, mirrored]
    return out, out_world


def _best_swaps(times: Floats, landmarks: Array, world: Array) -> Indices:
    """The index (N,) of the likeliest of `_SWAPS` in each frame.

    Viterbi over pairs of frames, as a velocity needs two.
    """
    n = len(times)
    middle, size = torso(landmarks)
    # relative to the torso: the movement of the whole body doesn't tell left from right
    flat = (landmarks[..., :2] - middle[:, None]) / np.maximum(size, 1.0)[:, None, None]
    place = np.concatenate([flat, world[..., 2:] / _TORSO_METRES], axis=-1)

    steps = np.diff(times)
    trust = np.exp(-np.maximum(steps - 2 * np.median(steps), 0) / _FORGET)
    reach = (_LIMB_SPEED * steps)[:, None]
    momentum = _MOMENTUM * np.clip(steps[1:] / steps[:-1], 0, 2) * trust[:-1]

    # costs[t, part, a, b, c]: of the part's hypotheses a, b, c (0 or 1) at t - 2, t - 1, t
    costs = np.zeros((n, 2, 2, 2, 2))
    for k, part in enumerate(_PARTS):
        both = np.stack([place[:, part], place[:, _MIRRORED[part]]], axis=1)  # (n, hypothesis, points, 3)
        seen = 0.1 + 0.9 * np.minimum(landmarks[:, part, 2], landmarks[:, _MIRRORED[part], 2])
        weight = np.minimum(seen[1:], seen[:-1]) * trust[:, None] / len(part)
        for a, b, c in itertools.product(range(2), repeat=3):
            motion = both[1:-1, b] - both[:-2, a]
            speed = np.linalg.norm(motion, axis=-1) * momentum[:, None]
            expected = both[:-1, b].copy()
            expected[1:] += (
                motion * (momentum[:, None] * np.minimum(1, reach[1:] / np.maximum(speed, 1e-9)))[..., None]
            )
            off = np.minimum(np.linalg.norm(both[1:, c] - expected, axis=-1), _FAR)
            # as it swaps, the detector puts landmarks in between for a frame, which looks like a quick turn
            too_fast = np.linalg.norm(both[2:, c] - both[:-2, a], axis=-1) - reach[1:] - reach[:-1]
            off[1:] += np.clip(too_fast, 0, _FAR)
            costs[1:, k, a, b, c] = (off * weight).sum(1)

    swaps = np.array(_SWAPS, int)
    own = _SWAPPED_COST * swaps.sum(1) + _SPLIT_COST * (swaps[:, 0] != swaps[:, 1])
    own = np.median(steps) * own
    best = own[:, None] + own[None, :] + _step(costs[1], swaps)[0]
    came = np.zeros((n, 4, 4), np.intp)
    for t in range(2, n):
        total = best[:, :, None] + _step(costs[t], swaps) + own
        came[t] = total.argmin(0)
        best = total.min(0)
    path = np.zeros(n, np.intp)
    path[n - 2], path[n - 1] = np.unravel_index(best.argmin(), best.shape)
    for t in range(n - 1, 1, -1):
        path[t - 2] = came[t, path[t - 1], path[t]]
    return path


def _step(costs: Floats, swaps: Array) -> Floats:
    """Costs (4, 4, 4) of three successive hypotheses, from those of the two parts (2, 2, 2, 2)."""
    a, b, c = np.ix_(range(4), range(4), range(4))
    out: Floats = (
        costs[0][swaps[a, 0], swaps[b, 0], swaps[c, 0]] + costs[1][swaps[a, 1], swaps[b, 1], swaps[c, 1]]
    )
    return out
