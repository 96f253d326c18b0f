"""Tracking: follows one person through the detections, at a steady rate, with gaps bridged or marked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ..core.arrays import Array, Bools, Floats
from ..core.contacts import runs
from ..core.errors import CaptureError
from ..core.landmarks import COLUMNS, IN_PICTURE, LANDMARKS, SPREAD, evidence_of, fields_of
from ..core.options import Place, read_person
from .detect.appearance import alike
from .detect.people import Detections, Person, torso
from .left_right import unswapped

#: gaps up to this long are bridged; longer ones are left open and reported, seconds
BRIDGE_SECONDS = 1.0

#: a warning says that motion is bridged if that is more than this share of the clip, however short each gap
_BRIDGED = 0.1

# Distances are in torso sizes (`people.torso`: about half a metre).
#: how far from where somebody was lost they may be found again ...
_NEAR = 0.8
#: ... and how much farther for every second in between
_SPEED = 8.0
#: cost of a change of size, for each unit of its logarithm, against a wholly different appearance
_SIZE_COST = 0.1
#: two trails are one person's if that costs no more than this
_ALIKE_COST = 0.2
#: in so many frames somebody may have been found twice, while the follower took one trail for another
_BOTH = 3
#: people seen less than this share of the person seen most are passers-by, who don't count
_EXTRA = 0.1
#: somebody whose pose changes less than this may be a picture of somebody ...
_STILL = 0.02
#: ... and counts for so much
_PICTURED = 0.3
#: who grows or shrinks by this logarithm at once isn't who they were; a bend or a turn makes less
_RESIZED = 0.6
#: ... and at once means within this time, seconds
_AT_ONCE = 0.3
#: a part of a person that was taken for a whole one for longer than this would be that person, seconds
_MISTAKEN = 3.0
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
    spread, presence : (T, 33, 3), (T, 33)
        See `Person`; NaN in all gaps.
    found : (T,) bool
        Whether the person was detected.
    unsure : (T, 2) bool
        Where left and right remain uncertain, of the upper body and of the lower.
    warnings : tuple of str
        Those of the detections, and one about long gaps.
    others : tuple of Track
        The other people, without passers-by; who was seen longest and largest comes first.
    """

    landmarks: Array
    world_landmarks: Array
    spread: Array
    presence: Array
    found: Bools
    unsure: Bools
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
    trail = _without_parts(trail, detections.times)
    n = len(detections.times)
    evidence = np.full((n, len(LANDMARKS), COLUMNS), np.nan, np.float32)
    for one in trail.sights:
        evidence[one.index] = evidence_of(one.person)
    seen = np.array([one.index for one in trail.sights])
    unsure = np.zeros((n, 2), bool)
    evidence[seen], unsure[seen] = unswapped(detections.times[seen], evidence[seen])
    return _steady(detections, evidence, unsure)


def _without_parts(trail: _Trail, times: Floats) -> _Trail:
    """The trail without stretches in which a part of the person was taken for a whole, smaller one.

    The detector does so where somebody is too near to the camera to be seen whole.
    """
    sights, growth = trail.sights, _growth(trail, times)
    at = times[[one.index for one in sights]]
    keep = np.ones(len(sights), bool)
    jumps = np.flatnonzero(np.abs(growth) > _RESIZED)
    for before, after in pairwise(jumps.tolist()):
        shrinks = growth[before] < 0 < growth[after]
        if shrinks and keep[before] and at[after] - at[before] <= _MISTAKEN:
            keep[before + 1 : after + 1] = False
    return _Trail([one for one, good in zip(sights, keep.tolist(), strict=True) if good])


def _growth(trail: _Trail, times: Floats) -> Floats:
    """Logarithms (N - 1,) of how much larger each sight is than the one before; 0 after a while."""
    at, size = times[[one.index for one in trail.sights]], np.log([one.size for one in trail.sights])
    return np.where(np.diff(at) <= _AT_ONCE, np.diff(size), 0.0)


def _unbroken(trail: _Trail, times: Floats) -> list[_Trail]:
    """The parts of a trail within which nobody grows or shrinks at once: each may be somebody else.

    Without colours, in a capture, who is who was decided before.
    """
    if not trail.sights[0].person.appearance.any():
        return [trail]
    cuts = [0, *(np.flatnonzero(np.abs(_growth(trail, times)) > _RESIZED) + 1).tolist(), len(trail.sights)]
    return [_Trail(trail.sights[first:end]) for first, end in pairwise(cuts)]


# --- who is who ---


@dataclass(frozen=True)
class _Sight:
    """One detection: in which frame, of whom, and `people.torso` of it, at least a pixel large."""

    index: int
    person: Person
    middle: Floats
    size: float


@dataclass(frozen=True)
class _Trail:
    """Detections that are known to be of one person, in their order."""

    sights: list[_Sight]

    @property
    def weight(self) -> float:
        """How long and how large the person was seen."""
        seen = sum(one.size for one in self.sights)
        poses = [(one.person.landmarks[:, :2] - one.middle) / one.size for one in self.sights[::_THINNED]]
        moves = float(np.std(poses, axis=0).mean()) if len(poses) > 1 else _STILL
        return seen if moves >= _STILL else _PICTURED * seen


#: of how many detections one is looked at to see whether somebody moves at all
_THINNED = 5


def _sights(detections: Detections) -> list[_Sight]:
    """Everybody in every frame. All torsos at once: one by one they would take as long as all the rest."""
    everybody = [(index, one) for index, people in enumerate(detections.people) for one in people]
    if not everybody:
        return []
    middles, sizes = torso(np.stack([one.landmarks for _, one in everybody]))
    sizes = np.maximum(sizes, 1.0)
    return [
        _Sight(index, one, middle, size)
        for (index, one), middle, size in zip(everybody, middles.astype(float), sizes.tolist(), strict=True)
    ]


def _identities(detections: Detections) -> list[_Trail]:
    """One trail for each person; who was seen longest and largest comes first."""
    trails: dict[int, list[_Sight]] = {}
    for one in _sights(detections):
        trails.setdefault(one.person.trail, []).append(one)
    unbroken = [part for sights in trails.values() for part in _unbroken(_Trail(sights), detections.times)]
    reunited = _reunited(unbroken, detections.times)
    return sorted(reunited, key=lambda trail: trail.weight, reverse=True)


def _reunited(trails: list[_Trail], times: Floats) -> list[_Trail]:
    """Join the trails of people who left, or were hidden, and came back: over the whole clip, the best first.

    Trails that overlap in time, or lie farther apart than a person can walk in between, stay separate.
    """
    if not trails:
        return []
    ends = [[trail.sights[end] for trail in trails] for end in (0, -1)]
    first, last = (np.array([one.index for one in sights]) for sights in ends)
    came, went = (np.stack([one.middle for one in sights]) for sights in ends)
    came_size, went_size = (np.array([one.size for one in sights]) for sights in ends)
    worn = [np.median([one.person.appearance for one in trail.sights], axis=0) for trail in trails]
    between = np.maximum(times[first] - times[last][:, None], 0)
    reach = np.maximum.outer(went_size, came_size) * (_NEAR + _SPEED * between)
    later = (last[:, None] < first + _BOTH) & (first[:, None] < first)
    possible = later & (np.linalg.norm(went[:, None] - came, axis=-1) <= reach)
    resized = np.abs(np.log(went_size)[:, None] - np.log(came_size))
    candidates = sorted(
        (cost, i, j)
        for i, j in zip(*(at.tolist() for at in np.nonzero(possible)), strict=True)
        if (cost := 1 - alike(worn[i], worn[j]) + _SIZE_COST * resized[i, j]) <= _ALIKE_COST
    )
    groups = [[i] for i in range(len(trails))]  # shared by all members of a group
    begins, ends_at = first.tolist(), last.tolist()
    for _, i, j in candidates:
        a, b = groups[i], groups[j]
        if a is b or any(
            begins[k] + _BOTH <= ends_at[m] and begins[m] + _BOTH <= ends_at[k] for k in a for m in b
        ):
            continue
        a += b
        for k in b:
            groups[k] = a
    return [
        _Trail(sorted((one for k in group for one in trails[k].sights), key=lambda one: one.index))
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


def _steady(detections: Detections, evidence: Array, unsure: Bools) -> Track:
    """Interpolate the frames at the steady rate; bridge short gaps and leave long ones open."""
    times, count = detections.times, detections.frames
    grid = detections.start + np.arange(count) / detections.fps
    seen = np.flatnonzero(np.isfinite(evidence[:, 0, 0]))
    nearest = np.searchsorted((times[1:] + times[:-1]) / 2, grid)
    found = np.isin(nearest, seen)

    known = times[seen]
    after = np.clip(np.searchsorted(known, grid), 1, max(len(known) - 1, 1))
    before, after = after - 1, np.minimum(after, len(known) - 1)
    # files round their times: nearer than a tenth of a frame, take the frame itself
    share = (grid - known[before]) / np.maximum(known[after] - known[before], 1e-9)
    near = 0.1 / (detections.fps * np.maximum(known[after] - known[before], 1e-9))
    share = np.where(share < near, 0.0, np.where(share > 1 - near, 1.0, share))
    share = np.clip(share, 0, 1)
    # what isn't known in a frame doesn't matter where the frame doesn't
    before, after = np.where(share < 1, before, after), np.where(share > 0, after, before)
    share = share[:, None, None].astype(np.float32)
    out = evidence[seen][before] * (1 - share) + evidence[seen][after] * share
    out[~found, :, IN_PICTURE.stop - 1] = 0
    out[~found, :, SPREAD.start :] = np.nan

    warnings = list(detections.warnings)
    long = []
    for first, last in zip(*runs(~found), strict=True):
        if (last - first) / detections.fps > BRIDGE_SECONDS or first == 0 or last == count:
            out[first:last] = np.nan
        if (last - first) / detections.fps > BRIDGE_SECONDS:
            long.append(f"{grid[first]:.1f} to {grid[first] + (last - first) / detections.fps:.1f} s")
    if long:
        warnings.append(
            f"The person is not to be seen from {', '.join(long[:5])}"
            + (f" and {len(long) - 5} more times" if len(long) > 5 else "")
            + "; the motion there is a guess."
        )
    there = np.flatnonzero(found)
    bridged = 1 - found[there[0] : there[-1] + 1].mean()
    if bridged > _BRIDGED and not long:
        warnings.append(
            f"The person was found in {100 * (1 - bridged):.0f} % of the frames; the motion in between is "
            "bridged."
        )
    return Track(
        **fields_of(out),
        found=found,
        unsure=unsure[nearest] & found[:, None],
        warnings=tuple(warnings),
    )
