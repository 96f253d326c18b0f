"""One person through the clip: the same one throughout, left kept left, gaps marked and bridged."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ..core.contacts import runs
from ..core.errors import CaptureError
from ..core.options import Place, read_person
from .detect.people import Detections, Person, torso
from .left_right import unswapped

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
