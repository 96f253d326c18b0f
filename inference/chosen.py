"""Who is captured: the people in each shot, and whom the artist asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..core.errors import CaptureError
from ..core.landmarks import TORSO
from ..core.options import MOST_PEOPLE, Place, read_person
from .detect.people import Detections, torso
from .track import Track, track

#: a shoulder or a hip is seen from this visibility on
_SEEN = 0.3
#: a body is seen where so many of shoulders and hips are
_ENOUGH = 2
#: in this share of the frames, at least, the body is seen of somebody who can be captured
_BODY = 0.1
#: a warning names so many people
_NAMED = 5


def number_of(person: str, shots: Sequence[Detections], there: Sequence[Sequence[Track]]) -> int:
    """The place of a person among those who are `there` in each shot, from 0.

    Raises
    ------
    CaptureError
        If they aren't there, or are passing by.
    """
    at = _picked_in(shots, person)
    if at is None:
        at = next(number for number, bodies in enumerate(there) if bodies)
    chosen = _with_body(track(shots[at], person))
    same = [np.array_equal(one.landmarks, chosen.landmarks, equal_nan=True) for one in there[at]]
    if not any(same):
        raise CaptureError(
            f"Who is at {person} only passes by, too shortly or too small to be captured with others: leave "
            "them out, or capture them alone."
        )
    return same.index(True)


def bodies_of(shot: Detections) -> list[Track]:
    """Everybody in a shot who can be captured; who was seen longest and largest comes first."""
    people = [one for one in _tracks(shot) if _has_body(one)]
    return [replace(one, others=tuple(other for other in people if other is not one)) for one in people]


def _tracks(shot: Detections) -> list[Track]:
    """Everybody in a shot but passers-by; who was seen longest and largest comes first."""
    try:
        largest = track(shot)
    except CaptureError:
        return []
    return [replace(largest, others=()), *largest.others]


def own(shot: Detections) -> Track | None:
    """The person of a capture in its detections; None where they aren't."""
    own, others = (
        replace(
            shot, people=tuple(tuple(p for p in people if (p.trail == 0) == mine) for people in shot.people)
        )
        for mine in (True, False)
    )
    tracks = _tracks(own)
    return replace(tracks[0], others=tuple(_tracks(others))) if tracks else None


def the_rest(people: Sequence[tuple[Track, Detections]]) -> list[str]:
    """A warning that names people of shots who aren't captured, if there are any, by place and time."""
    if not people:
        return []
    named = []
    for one, shot in people[:_NAMED]:
        frame = int(np.flatnonzero(one.found)[0])
        x, y = torso(one.landmarks[frame])[0]
        named.append(f"{x:.0f},{y:.0f}@{shot.start + frame / shot.fps:.2f}")
    more = f" and {len(people) - _NAMED} more" if len(people) > _NAMED else ""
    return [
        f"At most {MOST_PEOPLE} people are captured at once: those at {', '.join(named)}{more} are left out; "
        "capture one of them alone by picking them."
    ]


def followed(shots: Sequence[Detections], person: str) -> list[Track | None]:
    """Whom to follow in each shot; None where nobody is found.

    A place in the picture names somebody in its shot; in others, and where somebody else is asked for than
    there is, it is the largest.

    Raises
    ------
    CaptureError
        If nobody is in any shot, or whoever is asked for in none.
    """
    at = _picked_in(shots, person)
    people: list[Track | None] = []
    wrong: list[tuple[bool, bool, int, CaptureError]] = []
    for number, shot in enumerate(shots):
        asked = at in (None, number)
        try:
            people.append(_with_body(track(shot, person if asked else "largest")))
        except CaptureError as error:
            wrong.append((not asked, not any(shot.people), number, error))
            people.append(_largest(shot) if asked else None)
    failed = sum(not elsewhere for elsewhere, *_ in wrong)
    if failed == (len(shots) if at is None else 1):
        raise min(wrong)[-1]
    return people


def _picked_in(shots: Sequence[Detections], person: str) -> int | None:
    """The shot in which a place in the picture names somebody; None if the person isn't named by a place."""
    who = read_person(person)
    if not isinstance(who, Place):
        return None
    if who.seconds is None:
        return 0
    return max((n for n, shot in enumerate(shots) if shot.start <= who.seconds), default=0)


def _largest(shot: Detections) -> Track | None:
    try:
        return _with_body(track(shot))
    except CaptureError:
        return None


def _with_body(person: Track) -> Track:
    """The same person.

    Raises
    ------
    CaptureError
        If shoulders and hips are hardly ever in the picture: the detector takes hands for a person.
    """
    if not _has_body(person):
        raise CaptureError(
            "Nobody's shoulders and hips are to be seen in the video, only parts such as hands or a face; "
            "film one whole person, well lit and not too far away."
        )
    return person


def _has_body(person: Track) -> bool:
    seen = (person.landmarks[person.found][:, TORSO, 2] > _SEEN).sum(1) >= _ENOUGH
    return bool(seen.mean() >= _BODY)
