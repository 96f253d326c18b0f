"""Tracking: follows one person through the detections, at a steady rate, with gaps bridged or marked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..core.arrays import Array, Bools, Floats
from ..core.contacts import runs
from ..core.errors import CaptureError
from ..core.options import Place, read_person
from .detect.people import Detections, Person, torso
from .left_right import unswapped

#: gaps up to this long are bridged; longer ones are left open and reported, seconds
BRIDGE_SECONDS = 1.0

# Distances are in torso sizes (`people.torso`: about half a metre).
#: how far somebody may be from where they were expected
_NEAR = 0.8
#: how much farther for every second since they were last seen
_SPEED = 8.0
#: cost of a wholly different appearance; being just within reach costs 1
_APPEARANCE_COST = 1.5
#: cost of a change of size, for each unit of its logarithm
_SIZE_COST = 0.3
#: a detection continues a trail if that costs no more than this
_LINK_LIMIT = 1.25
#: somebody who wasn't seen for longer than this has to be recognised by appearance, seconds
_PATIENCE = 0.5
#: appearances are the same person's if they are at least this much alike
_ALIKE = 0.8
#: people seen less than this share of the person seen most are passers-by, who don't count
_EXTRA = 0.1
#: a person picked in the picture was detected within this time of the given one, seconds
_SAME_MOMENT = 0.5
#: a person picked in the picture has a landmark this near to the given pixel
_AT = 0.7


@dataclass(frozen=True)
class Track:
    """One person at a steady rate.

    Attributes
    ----------
    landmarks : (T, 33, 3)
        x, y in pixels, and visibility, which is 0 in bridged gaps. Long gaps are NaN.
    world_landmarks : (T, 33, 3)
        MediaPipe's 3D landmarks in camera axes, metres, from the middle of the hips; gaps as above.
    found : (T,) bool
        Whether the person was detected.
    warnings : tuple of str
        Those of the detections, and one about long gaps.
    others : tuple of Track
        The other people, without passers-by; who was seen longest and largest comes first.
    """

    landmarks: Array
    world_landmarks: Array
    found: Bools
    warnings: tuple[str, ...]
    others: tuple[Track, ...] = ()


def track(detections: Detections, person: str = "largest") -> Track:
    """Follow one person.

    Parameters
    ----------
    detections : Detections
    person : str
        Whom to follow, see `options.read_person`; a place without a time means the start.

    Raises
    ------
    CaptureError
        If nobody was detected, or not the wanted person.
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
    """Detections that are known to be of one person."""

    frames: list[tuple[int, Person]] = field(default_factory=list)
    #: the torso's middle in the last detection, pixels
    middle: Floats = field(default_factory=lambda: np.zeros(2))
    #: the torso's size, smoothed, pixels
    size: float = 0.0
    #: the torso's velocity, smoothed, pixels per second
    velocity: Floats = field(default_factory=lambda: np.zeros(2))
    #: of the last detection, seconds
    time: float = 0.0
    #: smoothed
    appearance: Array = field(default_factory=lambda: np.zeros(22, np.float32))

    def add(self, index: int, time: float, person: Person) -> None:
        middle, size = _torso(person)
        if self.frames and time > self.time:
            # smoothed: one bad detection hardly changes where the person is expected
            self.velocity = 0.5 * self.velocity + 0.5 * (middle - self.middle) / (time - self.time)
        self.appearance = (
            0.9 * self.appearance + 0.1 * person.appearance if self.appearance.any() else person.appearance
        )
        self.size = 0.8 * self.size + 0.2 * size if self.frames else size
        self.middle, self.time = middle, time
        self.frames.append((index, person))

    def cost(self, time: float, person: Person) -> float:
        """How badly `person` continues this trail at `time`; 1 is bad."""
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
    """`people.torso` of one person, at least a pixel large."""
    middle, size = torso(person.landmarks)
    return middle.astype(float), max(float(size), 1.0)


def _alike(a: Array, b: Array) -> float:
    """Likeness of two appearances, 0 to 1; `_ALIKE` if one is unknown."""
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))) if a.any() and b.any() else _ALIKE


def _identities(detections: Detections) -> list[_Trail]:
    """One trail for each person; who was seen longest and largest comes first."""
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
    """Join the trails of people who left, or were hidden, and came back: the most alike first.

    Trails that overlap in time, or lie farther apart than a person can walk in between, stay separate.
    """
    if not trails:
        return []
    first, last = (np.array([trail.frames[end][0] for trail in trails]) for end in (0, -1))
    (came, came_size), (went, went_size) = (
        torso(np.stack([trail.frames[end][1].landmarks for trail in trails])) for end in (0, -1)
    )
    appearances = [np.median([person.appearance for _, person in trail.frames], axis=0) for trail in trails]
    reach = np.maximum.outer(went_size, came_size) * (_NEAR + _SPEED * (times[first] - times[last][:, None]))
    possible = (last[:, None] < first) & (np.linalg.norm(went[:, None] - came, axis=-1) <= reach)
    candidates = sorted(
        ((_alike(appearances[i], appearances[j]), i, j) for i, j in zip(*np.nonzero(possible), strict=True)),
        reverse=True,
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
    """The trails of all but passers-by."""
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
    """The trail of the person at a `place` in the picture, pixels, at about `time`, seconds."""
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


# --- steady rate, gaps ---


def _steady(detections: Detections, landmarks: Array, world: Array) -> Track:
    """Interpolate the frames at the steady rate; bridge short gaps and leave long ones open."""
    times, count = detections.times, detections.frames
    grid = detections.start + np.arange(count) / detections.fps
    seen = np.flatnonzero(np.isfinite(landmarks[:, 0, 0]))
    nearest = np.searchsorted((times[1:] + times[:-1]) / 2, grid)
    found = np.isin(nearest, seen)

    known = times[seen]
    after = np.clip(np.searchsorted(known, grid), 1, max(len(known) - 1, 1))
    before, after = after - 1, np.minimum(after, len(known) - 1)
    # files round their times: nearer than a tenth of a frame, take the frame itself
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
