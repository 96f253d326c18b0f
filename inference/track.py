"""One person through the clip: the same one throughout, left kept left, gaps marked and bridged."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.contacts import runs
from ..core.errors import CaptureError
from ..core.landmarks import LANDMARK, MIRRORED
from ..core.options import Place, read_person
from .detect.people import Detections, Person, torso

Array = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

#: gaps up to this long are bridged, longer ones are left open and reported, seconds
BRIDGE_SECONDS = 1.0

# Distances are in torsos (`detect.torso`: about half a metre).
#: how far somebody may be from where they were expected, and how much more for every second unseen
_NEAR, _SPEED = 0.8, 8.0
#: what a wholly different look costs, where the edge of the gate costs 1; and what may be spent
_APPEARANCE_COST, _SIZE_COST, _LINK_LIMIT = 1.5, 0.3, 1.25
#: somebody unseen for longer has to be recognised by their look, at least this much alike
_PATIENCE, _ALIKE = 0.5, 0.8
#: people seen less than this share of the one seen most don't count as people
_EXTRA = 0.1
#: somebody picked in the picture: X,Y@SECONDS; found within that many seconds, and torsos of a landmark
_SAME_MOMENT, _AT = 0.5, 0.7


@dataclass(frozen=True)
class Track:
    """One person at the clip's steady rate.

    Attributes
    ----------
    landmarks : (T, 33, 3)
        x, y in pixels and visibility. Visibility is 0 in bridged gaps; all is NaN in long gaps.
    world_landmarks : (T, 33, 3)
        MediaPipe's own 3D, metres, hips-centred, camera axes; interpolated and NaN likewise.
    found : (T,) bool
        Where the person was found.
    warnings : tuple of str
        Those of the detections, and the long gaps.
    others : tuple of Track
        The other people who count, those seen most (long and large) first.
    """

    landmarks: Array
    world_landmarks: Array
    found: npt.NDArray[np.bool_]
    warnings: tuple[str, ...]
    others: tuple[Track, ...] = ()


def track(detections: Detections, person: str = "largest") -> Track:
    """Follow one person.

    Parameters
    ----------
    detections : Detections
    person : str
        As `options.read_person` takes it; a place without a time means the clip's start.

    Raises
    ------
    CaptureError
        If there is no person in the clip, or not the one asked for.
    """
    trails = _identities(detections)
    chosen = _choose(trails, detections, person)
    others = tuple(_followed(trail, detections) for trail in _people(trails) if trail is not chosen)
    return replace(_followed(chosen, detections), others=others)


def _followed(trail: _Trail, detections: Detections) -> Track:
    n = len(detections.times)
    landmarks, world = np.full((n, 33, 3), np.nan, np.float32), np.full((n, 33, 3), np.nan, np.float32)
    for index, one in trail.frames:
        landmarks[index], world[index] = one.landmarks, one.world_landmarks
    seen = np.array([index for index, _ in trail.frames])
    landmarks[seen], world[seen] = unswapped(detections.times[seen], landmarks[seen], world[seen])
    return _steady(detections, landmarks, world)


# --- who is who ---


@dataclass
class _Trail:
    """Somebody's detections, as far as they are known to be the same person's."""

    frames: list[tuple[int, Person]] = field(default_factory=list)
    #: where the torso was last, its size, and how fast it moved (pixels per second)
    middle: Floats = field(default_factory=lambda: np.zeros(2))
    size: float = 0.0
    velocity: Floats = field(default_factory=lambda: np.zeros(2))
    time: float = 0.0
    appearance: Array = field(default_factory=lambda: np.zeros(22, np.float32))

    def add(self, index: int, time: float, person: Person) -> None:
        middle, size = _torso(person)
        if self.frames and time > self.time:
            # half and half: one bad detection doesn't throw the expectation off
            self.velocity = 0.5 * self.velocity + 0.5 * (middle - self.middle) / (time - self.time)
        self.appearance = (
            0.9 * self.appearance + 0.1 * person.appearance if self.appearance.any() else person.appearance
        )
        self.size = 0.8 * self.size + 0.2 * size if self.frames else size
        self.middle, self.time = middle, time
        self.frames.append((index, person))

    def cost(self, time: float, person: Person) -> float:
        """How unlikely it is that `person` is the next of this trail; 1 is a lot."""
        middle, size = _torso(person)
        unseen = time - self.time
        expected = self.middle + self.velocity * min(unseen, 0.2)
        scale = max(self.size, size)
        far = np.linalg.norm(middle - expected).item() / (scale * (_NEAR + _SPEED * unseen))
        if far > 1:
            return np.inf
        resized = abs(float(np.log(size / self.size)))
        return (
            far + _SIZE_COST * resized + _APPEARANCE_COST * (1 - _alike(self.appearance, person.appearance))
        )


def _torso(person: Person) -> tuple[Floats, float]:
    """`detect.torso` of one person, at least a pixel large."""
    middle, size = torso(person.landmarks)
    return middle.astype(float), max(float(size), 1.0)


def _alike(a: Array, b: Array) -> float:
    """Likeness of two looks, 0 to 1; where one was not to be seen, neither alike nor not."""
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))) if a.any() and b.any() else _ALIKE


def _identities(detections: Detections) -> list[_Trail]:
    """Everybody's trail, those seen most (long and large) first."""
    done: list[_Trail] = []
    active: list[_Trail] = []
    for index, (time, people) in enumerate(zip(detections.times, detections.people, strict=True)):
        done += [trail for trail in active if time - trail.time > _PATIENCE]
        active = [trail for trail in active if time - trail.time <= _PATIENCE]
        pairs = sorted(
            (cost, i, j)
            for i, trail in enumerate(active)
            for j, person in enumerate(people)
            if (cost := trail.cost(time, person)) <= _LINK_LIMIT
        )
        taken_trails: set[int] = set()
        taken_people: set[int] = set()
        for _, i, j in pairs:
            if i not in taken_trails and j not in taken_people:
                taken_trails.add(i)
                taken_people.add(j)
                active[i].add(index, time, people[j])
        for j, person in enumerate(people):
            if j not in taken_people:
                active.append(_Trail())
                active[-1].add(index, time, person)
    return sorted(_reunited(done + active, detections.times), key=_weight, reverse=True)


def _weight(trail: _Trail) -> float:
    return sum(_torso(person)[1] for _, person in trail.frames)


def _reunited(trails: list[_Trail], times: Floats) -> list[_Trail]:
    """The trails of people who left, or were hidden, and came back joined: the most alike first.

    Nobody is in two places at once, and nobody comes back faster than they can walk.
    """
    if not trails:
        return []
    first, last = (np.array([trail.frames[end][0] for trail in trails]) for end in (0, -1))
    (came, came_size), (went, went_size) = (
        torso(np.stack([trail.frames[end][1].landmarks for trail in trails])) for end in (0, -1)
    )
    looks = [np.median([person.appearance for _, person in trail.frames], axis=0) for trail in trails]
    reach = np.maximum.outer(went_size, came_size) * (_NEAR + _SPEED * (times[first] - times[last][:, None]))
    possible = (last[:, None] < first) & (np.linalg.norm(went[:, None] - came, axis=-1) <= reach)
    candidates = sorted(
        ((_alike(looks[i], looks[j]), i, j) for i, j in zip(*np.nonzero(possible), strict=True)), reverse=True
    )
    groups = [[i] for i in range(len(trails))]  # shared by all members of a group
    for alike, i, j in candidates:
        a, b = groups[i], groups[j]
        coexist = any(first[k] <= last[m] and first[m] <= last[k] for k in a for m in b)
        if alike < _ALIKE or a is b or coexist:
            continue
        a += b
        for k in b:
            groups[k] = a
    return [
        _Trail(frames=sorted((frame for k in group for frame in trails[k].frames), key=lambda f: f[0]))
        for i, group in enumerate(groups)
        if i == min(group)
    ]


def _people(trails: list[_Trail]) -> list[_Trail]:
    """Those who are more than extras."""
    return [trail for trail in trails if _weight(trail) >= _EXTRA * _weight(trails[0])]


def _choose(trails: list[_Trail], detections: Detections, person: str) -> _Trail:
    if not trails:
        raise CaptureError(
            "There is no person to be found in the video; film one whole person, well lit and not too far "
            "away."
        )
    who = read_person(person)
    if isinstance(who, Place):
        time = detections.start if who.seconds is None else who.seconds
        return _at(trails, detections, (who.x, who.y), time)
    people = _people(trails)
    if who in ("leftmost", "rightmost"):
        across = [np.median([_torso(p)[0][0] for _, p in trail.frames]) for trail in people]
        return people[int(np.argmin(across) if who == "leftmost" else np.argmax(across))]
    number = who if isinstance(who, int) else 1
    if number > len(people):
        raise CaptureError(
            f"Person {number} was asked for, but there "
            + ("is only one." if len(people) == 1 else f"are only {len(people)}.")
        )
    return people[number - 1]


def _at(trails: list[_Trail], detections: Detections, place: tuple[float, float], time: float) -> _Trail:
    """Who is at a place of the picture, pixels, at about a time of the video."""
    best, nearest = np.inf, None
    for trail in trails:
        index, one = min(trail.frames, key=lambda frame: abs(detections.times[frame[0]] - time))
        if abs(detections.times[index] - time) > _SAME_MOMENT:
            continue
        off = np.linalg.norm(one.landmarks[:, :2] - place, axis=1).min() / _torso(one)[1]
        if off < best:
            best, nearest = off, trail
    if nearest is None or best > _AT:
        raise CaptureError(
            f"Nobody was found at {place[0]:.0f}, {place[1]:.0f} of the picture at {time:.2f} s; pick the "
            "person in a part of the video where they are seen well."
        )
    return nearest


# --- left and right ---

_FIRST_LEG = LANDMARK["hip.L"]
_MIRRORED = np.array(MIRRORED)
#: landmarks that tell left from right, by part: arms, legs
_PARTS = tuple(
    np.array([LANDMARK[f"{name}.{side}"] for name in names for side in "LR"])
    for names in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle", "foot_index"))
)
#: hypotheses: is the upper body swapped, is the lower
_SWAPS = ((False, False), (True, False), (False, True), (True, True))
#: costs in torsos per landmark and second: of being swapped, by part, and of the parts not agreeing
_SWAPPED_COST, _SPLIT_COST = 0.8, 2.0
#: a landmark further off than this is wrong in any case
_FAR = 1.5
#: how much of the last velocity is expected to go on
_MOMENTUM = 0.8
#: limbs don't move faster than this about the torso, torsos per second
_LIMB_SPEED = 8.0
#: continuity says less and less across a gap, seconds
_FORGET = 0.3
_TORSO_METRES = 0.5


def unswapped(times: Floats, landmarks: Array, world: Array) -> tuple[Array, Array]:
    """Repair the stretches where the detector took left for right.

    The most likely sequence of hypotheses (as detected, upper body swapped, lower body, both) over time: the
    landmarks move as they did before, and the detector is right more often than wrong.

    Parameters
    ----------
    times : (N,), seconds, increasing
    landmarks, world : (N, 33, 3)
        As in `Person`.

    Returns
    -------
    landmarks, world : (N, 33, 3)
        With left and right exchanged where they were swapped. MediaPipe's 3D keeps its depth when it swaps:
        exchanging the names is all it takes.
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


def _best_swaps(times: Floats, landmarks: Array, world: Array) -> npt.NDArray[np.intp]:
    """Which of `_SWAPS` holds in each frame (N,): Viterbi over pairs of frames, as a velocity needs two."""
    n = len(times)
    middle, size = torso(landmarks)
    # in torsos, about the torso: what the whole body does says nothing of left and right
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
            # when it swaps, the detector says something in between for a frame, which looks like a quick turn
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


def _step(costs: Floats, swaps: npt.NDArray[Any]) -> Floats:
    """Costs (4, 4, 4) of three successive hypotheses from those of the parts (2, 2, 2, 2)."""
    a, b, c = np.ix_(range(4), range(4), range(4))
    out: Floats = (
        costs[0][swaps[a, 0], swaps[b, 0], swaps[c, 0]] + costs[1][swaps[a, 1], swaps[b, 1], swaps[c, 1]]
    )
    return out


# --- steady rate, gaps ---


def _steady(detections: Detections, landmarks: Array, world: Array) -> Track:
    """The frames as filmed, interpolated at the clip's times; gaps bridged or left open."""
    times, count = detections.times, detections.frames
    grid = detections.start + np.arange(count) / detections.fps
    seen = np.flatnonzero(np.isfinite(landmarks[:, 0, 0]))
    nearest = np.searchsorted((times[1:] + times[:-1]) / 2, grid)
    found = np.isin(nearest, seen)

    known = times[seen]
    after = np.clip(np.searchsorted(known, grid), 1, max(len(known) - 1, 1))
    before, after = after - 1, np.minimum(after, len(known) - 1)
    # times are rounded in files: a frame within a tenth of a frame is that frame
    share = (grid - known[before]) / np.maximum(known[after] - known[before], 1e-9)
    near = 0.1 / (detections.fps * np.maximum(known[after] - known[before], 1e-9))
    share = np.where(share < near, 0.0, np.where(share > 1 - near, 1.0, share))
    share = np.clip(share, 0, 1)[:, None, None].astype(np.float32)
    out = [values[seen][before] * (1 - share) + values[seen][after] * share for values in (landmarks, world)]
    out[0][~found, :, 2] = 0

    warnings = list(detections.warnings)
    long = []
    for first, last in zip(*runs(~found), strict=True):
        if (last - first) / detections.fps > BRIDGE_SECONDS or first == 0 or last == count:
            for values in out:
                values[first:last] = np.nan
        if (last - first) / detections.fps > BRIDGE_SECONDS:
            long.append(f"{grid[first]:.1f} to {grid[first] + (last - first) / detections.fps:.1f} s")
    if long:
        warnings.append(
            f"The person is not to be seen from {', '.join(long[:5])}"
            + (f" and {len(long) - 5} more times" if len(long) > 5 else "")
            + "; the motion there is a guess."
        )
    return Track(out[0], out[1], found, tuple(warnings))
