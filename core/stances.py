"""Stances that an artist asks for: which foot stands when, as a file too, and whether a motion keeps them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import Bools
from .contacts import CONTACT_THRESHOLD, keep_long, runs
from .files import read_json, replacing
from .motion import CONTACT_POINTS, Motion
from .options import CleanUp
from .skeleton import STANDARD_HEIGHT

#: the feet in a file of stances, in the order of `feet`
_FEET = ("left", "right")
#: a heel or ball higher than the other by more than this is in the air, metres
RAISED = 0.03
#: a heel or ball that stands stays within this of its spot, metres
_SPOT = 0.03
#: what isn't kept for a shorter time isn't worth a word, seconds
_WORTH = 0.1
#: a sentence names so many stretches of a foot
_NAMED = 5


def feet(points: Bools) -> Bools:
    """Which feet (T, 2), left and right, stand on their heels or toes (T, 4)."""
    return np.asarray(points.reshape(len(points), 2, 2).any(axis=-1))


def heels_and_toes(standing: Bools, known: Bools, motion: Motion) -> Bools:
    """Contacts (T, 4) of `motion.CONTACT_POINTS` for feet that stand where the artist says.

    Parameters
    ----------
    standing : (T, 2)
        Which feet stand.
    known : (T, 4)
        Contacts of heels and toes before the artist edited them. They remain where the foot still stands, and
        the nearest ones hold where it stands longer. Where it didn't stand before, its pose decides.
    motion : Motion
    """
    out = np.zeros_like(known)
    heights = motion.sole_heights().reshape(-1, 2, 2)
    for side in range(len(CONTACT_POINTS) // 2):
        columns = slice(2 * side, 2 * side + 2)
        before = known[:, columns]
        for first, end in zip(*runs(standing[:, side]), strict=True):  # over contacts, not frames
            there = np.flatnonzero(before[first:end].any(axis=1)) + first
            if len(there):
                frames = np.arange(first, end)
                later = np.searchsorted(there, frames).clip(max=len(there) - 1)
                earlier = (later - 1).clip(min=0)
                nearer = frames - there[earlier] <= np.abs(there[later] - frames)
                nearest = there[np.where(nearer, earlier, later)]
                out[first:end, columns] = before[nearest]
            else:
                height = np.median(heights[first:end, side], axis=0)
                out[first:end, columns] = height <= height.min() + RAISED
    return out


def held(motion: Motion, how: CleanUp) -> Bools:
    """Which feet (T, 2) stand and, where a clean-up of all frames has planted them, stay on their spots."""
    points, contacts = motion.sole_points(), motion.contacts >= CONTACT_THRESHOLD
    if not how.feet:
        return feet(contacts)
    out = np.zeros(contacts.shape, bool)
    near = _SPOT * motion.height / STANDARD_HEIGHT
    for shot in motion.shots:
        for point in range(contacts.shape[1]):
            for first, end in zip(*runs(contacts[shot, point]), strict=True):
                stance = slice(shot.start + first, shot.start + end)
                path = points[stance, point]
                planted = end - first >= how.minimum * motion.life_fps
                away = np.linalg.norm(path - np.median(path, axis=0), axis=1)
                out[stance, point] = (away < near) | (not planted)
    return feet(out)


def not_kept(asked: Bools, kept: Bools, fps: float, first: int = 0) -> str:
    """A sentence about contacts that can't be kept; empty if all are.

    Parameters
    ----------
    asked, kept : (T, 2) bool
        Which feet were to stand, and which do.
    fps : float
        Frames for a second of life.
    first : int
        Number of the first frame.
    """
    lost = keep_long(asked & ~kept, max(_WORTH * fps, 1))
    said = []
    for foot, column in zip(_FEET, lost.T, strict=True):
        stretches = [f"{a + first} to {end - 1 + first}" for a, end in zip(*runs(column), strict=True)]
        if len(stretches) > _NAMED:
            stretches = [*stretches[:_NAMED], f"{len(stretches) - _NAMED} more stretches"]
        if stretches:
            said.append(f"the {foot} foot in frames {', '.join(stretches)}")
    if not said:
        return ""
    return f"Contacts can't be kept of {' and of '.join(said)}; there it has to move."


def read_stances(path: Path, known: Bools) -> Bools:
    """Which feet (T, 2) stand when, by a file.

    JSON with a list of stances for ``left`` and ``right``, each its first and its last frame, counted from 0,
    such as ``{"left": [[0, 14], [30, 44]]}``.

    Parameters
    ----------
    path : Path
    known : (T, 2) bool
        Which feet stand so far; a foot that the file doesn't name goes on like this.

    Raises
    ------
    CaptureError
        If the file can't be read or says something else.
    """
    return read_json(
        path,
        "contacts",
        f"lists of first and last frames, 0 to {len(known) - 1}, such as "
        '{"left": [[0, 14], [30, 44]], "right": [[12, 32]]}',
        lambda told: _standing(told, known),
    )


def _standing(told: Any, known: Bools) -> Bools:
    """Which feet (T, 2) stand when; raises one of `NOT_AS_TOLD` if it isn't told as it should be."""
    if not told.keys() <= set(_FEET):
        raise ValueError("other feet")
    out = known.copy()
    for foot, stances in told.items():
        column = _FEET.index(foot)
        out[:, column] = False
        for first, last in stances:
            if not (type(first) is type(last) is int and 0 <= first <= last < len(known)):
                raise ValueError("no frames")
            out[first : last + 1, column] = True
    return out


def write_stances(standing: Bools, edited: Bools, path: Path) -> None:
    """Write for `read_stances` which feet stand when; the file appears whole or not at all.

    Parameters
    ----------
    standing : (T, 2) bool
    edited : (2,) bool
        The feet to name.
    path : Path

    Raises
    ------
    CaptureError
        If it can't be written.
    """
    stances = {
        foot: [[int(first), int(end) - 1] for first, end in zip(*runs(on), strict=True)]
        for foot, on, named in zip(_FEET, standing.T, edited, strict=True)
        if named
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(stances) + "\n", encoding="utf-8")
