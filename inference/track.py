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
    for one in trail.sights:
        landmarks[one.index], world[one.index] = one.person.landmarks, one.person.world_landmarks
    seen = np.array([one.index for one in trail.sights])
    landmarks[seen], world[seen] = unswapped(detections.times[seen], landmarks[seen], world[seen])
    return _steady(detections, landmarks, world)


# --- who is who ---


@dataclass(frozen=True)
class _Sight:
    """One detection: in which frame, of whom, and `people.torso` of it, at least a pixel large."""

    index: int
    person: Person
    middle: Floats
    size: float


@dataclass
class _Trail:
    """Detections that are known to be of one person."""

    sights: list[_Sight] = field(default_factory=list)
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

    def add(self, time: float, one: _Sight) -> None:
        if self.sights and time > self.time:
            # smoothed: one bad detection hardly changes where the person is expected
            self.velocity = 0.5 * self.velocity + 0.5 * (one.middle - self.middle) / (time - self.time)
        appearance = one.person.appearance
        self.appearance = 0.9 * self.appearance + 0.1 * appearance if self.appearance.any() else appearance
        self.size = 0.8 * self.size + 0.2 * one.size if self.sights else one.size
        self.middle, self.time = one.middle, time
        self.sights.append(one)

    def cost(self, time: float, one: _Sight) -> float:
        """How badly `one` continues this trail at `time`; 1 is bad."""
        unseen = time - self.time
        expected = self.middle + self.velocity * min(unseen, 0.2)
        scale = max(self.size, one.size)
        far = np.linalg.norm(one.middle - expected).item() / (scale * (_NEAR + _SPEED * unseen))
        if far > 1:
            return np.inf
        resized = abs(float(np.log(one.size / self.size)))
        unlike = 1 - _alike(self.appearance, one.person.appearance)
        return far + _SIZE_COST * resized + _APPEARANCE_COST * unlike

    @property
    def weight(self) -> float:
        """How long and how large the person was seen."""
        return sum(one.size for one in self.sights)


def _sights(detections: Detections) -> list[list[_Sight]]:
    """Everybody in every frame. All torsos at once: one by one they would take as long as all the rest."""
    everybody = [person.landmarks for people in detections.people for person in people]
    middles, sizes = torso(np.stack(everybody)) if everybody else (np.zeros((0, 2)), np.zeros(0))
    torsos = iter(zip(middles.astype(float), np.maximum(sizes, 1.0).tolist(), strict=True))
    return [
        [_Sight(index, person, *next(torsos)) for person in people]
        for index, people in enumerate(detections.people)
    ]


def _alike(a: Array, b: Array) -> float:
    """Likeness of two appearances, 0 to 1; `_ALIKE` if one is unknown."""
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))) if a.any() and b.any() else _ALIKE


def _identities(detections: Detections) -> list[_Trail]:
    """One trail for each person; who was seen longest and largest comes first."""
    done: list[_Trail] = []
    active: list[_Trail] = []
    for time, people in zip(detections.times.tolist(), _sights(detections), strict=True):
        done += [trail for trail in active if time - trail.time > _PATIENCE]
        active = [trail for trail in active if time - trail.time <= _PATIENCE]
        pairs = sorted(
            (cost, i, j)
            for i, trail in enumerate(active)
            for j, one in enumerate(people)
            if (cost := trail.cost(time, one)) <= _LINK_LIMIT
        )
        taken_trails: set[int] = set()
        taken_people: set[int] = set()
        for _, i, j in pairs:
            if i not in taken_trails and j not in taken_people:
                taken_trails.add(i)
                taken_people.add(j)
                active[i].add(time, people[j])
        for j, one in enumerate(people):
            if j not in taken_people:
                active.append(_Trail())
                active[-1].add(time, one)
    return sorted(_reunited(done + active, detections.times), key=lambda trail: trail.weight, reverse=True)


def _reunited(trails: list[_Trail], times: Floats) -> list[_Trail]:
    """Join the trails of people who left, or were hidden, and came back: the most alike first.

    Trails that overlap in time, or lie farther apart than a person can walk in between, stay separate.
    """
    if not trails:
        return []
    ends = [[trail.sights[end] for trail in trails] for end in (0, -1)]
    first, last = (np.array([one.index for one in sights]) for sights in ends)
    came, went = (np.stack([one.middle for one in sights]) for sights in ends)
    came_size, went_size = (np.array([one.size for one in sights]) for sights in ends)
    appearances = [np.median([one.person.appearance for one in t.sights], axis=0) for t in trails]
    reach = np.maximum.outer(went_size, came_size) * (_NEAR + _SPEED * (times[first] - times[last][:, None]))
    possible = (last[:, None] < first) & (np.linalg.norm(went[:, None] - came, axis=-1) <= reach)
    candidates = sorted(
        (
            (alike, i, j)
            for i, j in zip(*(at.tolist() for at in np.nonzero(possible)), strict=True)
            if (alike := _alike(appearances[i], appearances[j])) >= _ALIKE
        ),
        reverse=True,
    )
    groups = [[i] for i in range(len(trails))]  # shared by all members of a group
    begins, ends_at = first.tolist(), last.tolist()
    for _, i, j in candidates:
        a, b = groups[i], groups[j]
        if a is b or any(begins[k] <= ends_at[m] and begins[m] <= ends_at[k] for k in a for m in b):
            continue
        a += b
        for k in b:
            groups[k] = a
    return [
        _Trail(sights=sorted((one for k in group for one in trails[k].sights), key=lambda one: one.index))
        for i, group in enumerate(groups)
        if i == min(group)
    ]


def _people(trails: list[_Trail]) -> list[_Trail]:
    """The trails of all but passers-by."""
    enough = _EXTRA * trails[0].weight
    return [trail for trail in trails if trail.weight >= enough]


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
        across = [np.median([one.middle[0] for one in trail.sights]) for trail in people]
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
        one = min(trail.sights, key=lambda one: abs(detections.times[one.index] - time))
        if abs(detections.times[one.index] - time) > _SAME_MOMENT:
            continue
        off = np.linalg.norm(one.person.landmarks[:, :2] - place, axis=1).min() / one.size
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
