"""Left and right: repairs the stretches where the detector took one side of a person for the other."""

from __future__ import annotations

import itertools

import numpy as np

from ..core.arrays import Array, Bools, Floats, Indices
from ..core.landmarks import IN_PICTURE, IN_SPACE, LANDMARK, MIRRORED
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
#: sides are uncertain where the other hypothesis costs less than this more, per landmark ...
_CLOSE = 0.3
#: ... the two hypotheses are farther apart than this on average ...
_APART = 0.3
#: ... and the landmarks are more visible than this on average
_SEEN = 0.3
#: the size of a torso, to compare MediaPipe's metres with the picture
_TORSO_METRES = 0.5


def unswapped(times: Floats, evidence: Array) -> tuple[Array, Bools]:
    """Exchange left and right where the detector swapped them.

    Finds the most likely sequence of hypotheses (as detected, upper body swapped, lower body swapped, both):
    landmarks keep moving as they did, and the detector is right more often than wrong.

    Parameters
    ----------
    times : (N,), seconds, increasing
    evidence : (N, 33, 6 or more)
        As in `Person`: landmarks, world landmarks, and what else is known of them.

    Returns
    -------
    evidence : (N, 33, 6 or more)
        With left and right exchanged where they were swapped. MediaPipe's depth is right even then, so
        exchanging the landmarks is enough.
    unsure : (N, 2) bool
        Where the sides of the upper body, and of the lower, remain uncertain: the other hypothesis costs
        hardly more, and it would make a difference.
    """
    unsure = np.zeros((len(times), len(_PARTS)), bool)
    if len(times) < 2:
        return evidence, unsure
    landmarks, world = evidence[..., IN_PICTURE], evidence[..., IN_SPACE]
    place = _places(landmarks, world)
    best, least = _best_swaps(times, place, landmarks[..., 2])
    swaps = np.array(_SWAPS)[best]
    for k, part in enumerate(_PARTS):
        other = np.where(np.array(_SWAPS)[:, k] != swaps[:, k : k + 1], least, np.inf).min(1)
        apart = np.linalg.norm(place[:, part] - place[:, _MIRRORED[part]], axis=-1).mean(1)
        seen = landmarks[:, part, 2].mean(1)
        unsure[:, k] = (other - least.min(1) < _CLOSE) & (apart > _APART) & (seen > _SEEN)
    upper, lower = swaps.T
    out = evidence.copy()
    for swapped, half in ((upper, slice(0, _FIRST_LEG)), (lower, slice(_FIRST_LEG, None))):
        out[swapped, half] = evidence[swapped][:, _MIRRORED[half]]
    return out, unsure


def _places(landmarks: Array, world: Array) -> Floats:
    """Where landmarks (N, 33, 3) are, in torso sizes.

    From the torso: the movement of the whole body doesn't tell left from right.
    """
    middle, size = torso(landmarks)
    flat = (landmarks[..., :2] - middle[:, None]) / np.maximum(size, 1.0)[:, None, None]
    return np.concatenate([flat, world[..., 2:] / _TORSO_METRES], axis=-1)


def _best_swaps(times: Floats, place: Floats, visibility: Array) -> tuple[Indices, Floats]:
    """The index (N,) of the likeliest of `_SWAPS` in each frame; the least cost of all with each (N, 4).

    Viterbi over pairs of frames, as a velocity needs two, forwards and backwards.
    """
    n = len(times)
    steps = np.diff(times)
    trust = np.exp(-np.maximum(steps - 2 * np.median(steps), 0) / _FORGET)
    reach = (_LIMB_SPEED * steps)[:, None]
    momentum = _MOMENTUM * np.clip(steps[1:] / steps[:-1], 0, 2) * trust[:-1]

    # costs[t, part, a, b, c]: of the part's hypotheses a, b, c (0 or 1) at t - 2, t - 1, t
    costs = np.zeros((n, 2, 2, 2, 2))
    for k, part in enumerate(_PARTS):
        both = np.stack([place[:, part], place[:, _MIRRORED[part]]], axis=1)  # (n, hypothesis, points, 3)
        seen = 0.1 + 0.9 * np.minimum(visibility[:, part], visibility[:, _MIRRORED[part]])
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
    # for each pair of hypotheses at t - 1 and t: the least cost up to t, after t, and the best one at t - 2
    until, after, came = np.zeros((n, 4, 4)), np.zeros((n, 4, 4)), np.zeros((n, 4, 4), np.intp)
    until[1] = own[:, None] + own[None, :] + _step(costs[1], swaps)[0]
    for t in range(2, n):
        total = until[t - 1][:, :, None] + _step(costs[t], swaps) + own
        came[t], until[t] = total.argmin(0), total.min(0)
    for t in range(n - 1, 1, -1):
        after[t - 1] = (_step(costs[t], swaps) + own + after[t]).min(2)
    path = np.zeros(n, np.intp)
    path[n - 2], path[n - 1] = np.unravel_index(until[-1].argmin(), (4, 4))
    for t in range(n - 1, 1, -1):
        path[t - 2] = came[t, path[t - 1], path[t]]
    whole = until[1:] + after[1:]
    return path, np.concatenate([whole[:1].min(2), whole.min(1)])


def _step(costs: Floats, swaps: Array) -> Floats:
    """Costs (4, 4, 4) of three successive hypotheses, from those of the two parts (2, 2, 2, 2)."""
    a, b, c = np.ix_(range(4), range(4), range(4))
    out: Floats = (
        costs[0][swaps[a, 0], swaps[b, 0], swaps[c, 0]] + costs[1][swaps[a, 1], swaps[b, 1], swaps[c, 1]]
    )
    return out
