"""What an artist should look at in a captured world: long leans, bodies off the floor, nobody to be seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..core.arrays import Bools, Floats
from ..core.capture import Capture
from ..core.contacts import CONTACT_THRESHOLD, runs
from ..core.planting import floors_under
from ..core.quality import found_in
from ..core.skeleton import ANKLE_HEIGHT, INDEX, STANDARD_HEIGHT

#: a trunk leans by more than this, degrees ...
_LEANS = 18.0
#: ... over thighs that hang: cosine of their angle from straight down ...
_HANGS = 0.85
#: ... and legs that are seen: confidence of the shins
_SEEN = 0.3
#: who bows stands up again sooner, seconds
_LONG_LEAN = 1.0
#: hips this many times as high over the floor as of somebody who stands
_HIGH = 1.12
#: hips over soles that are off the floor are no lower than this share, where nobody sits with dangling legs
_UPRIGHT = 0.95
#: soles this far over the floor are in the air, metres
_OFF = 0.12
#: nobody is in the air for longer, seconds: jumps are shorter
_LONG_FLIGHT = 1.0
#: what is deeper than this is below the floor, metres: soles sink a little where contacts end
_DEEP = 0.15
#: ... for longer than this, seconds
_LONG_SUNK = 0.2
#: who is gone for a shorter time at an end isn't worth a word, seconds
_LONG_GONE = 0.1
#: stretches that are nearer to each other are one, seconds
_NEAR = 0.3
#: sentences name so many stretches
_NAMED = 5


def doubts(capture: Capture) -> tuple[str, ...]:
    """What an artist should look at in a captured world, a sentence each, with frames counted from 0.

    Parameters
    ----------
    capture : Capture
        Each shot is looked at for itself.

    Returns
    -------
    tuple of str
        About a trunk that leans towards the camera or away from it for long though the person stands, about a
        body that is in the air for longer than anybody can be, about one that is below the floor, and about
        one that rests because nobody is seen at an end of a shot.
    """
    leaning: list[tuple[int, int]] = []
    flying: list[tuple[int, int]] = []
    sunk: list[tuple[int, int]] = []
    gone: list[tuple[int, int]] = []
    degrees = []
    for frames, shot in zip(capture.motion.shots, capture.shots, strict=True):
        fps = shot.motion.life_fps
        lean = _lean(shot)
        in_the_air, below = _off_the_floor(shot)
        for out, on, least in (
            (leaning, (np.abs(lean) > _LEANS) & _stands(shot), _LONG_LEAN),
            (flying, in_the_air, _LONG_FLIGHT),
            (sunk, below, _LONG_SUNK),
            (gone, _gone(shot), _LONG_GONE),
        ):
            for first, end in _stretches(on, least * fps, _NEAR * fps):
                out.append((first + frames.start, end - 1 + frames.start))
                if out is leaning:
                    degrees.append(np.abs(lean[first:end]))
    said = []
    if leaning:
        least, most = np.percentile(np.concatenate(degrees), [5, 95])
        said.append(
            f"The trunk leans by {least:.0f} to {most:.0f} degrees towards the camera or away from it in "
            f"frames {_named(leaning, capture)} though the person stands, which a picture hardly shows: "
            "look from the side."
        )
    if flying:
        said.append(
            f"The body is in the air in frames {_named(flying, capture)}, longer than anybody can be: look "
            "where the floor is there."
        )
    if sunk:
        said.append(
            f"The body is below the floor in frames {_named(sunk, capture)}: a camera that moves, or feet "
            "that aren't seen, mislead about it."
        )
    if gone:
        said.append(f"Nobody is seen in frames {_named(gone, capture)}: the body only rests there.")
    return tuple(said)


def _gone(shot: Capture) -> Bools:
    """Where (T,) nobody has been seen yet, or any more; nowhere if nobody is seen at all."""
    found = found_in(shot)
    out = ~(np.maximum.accumulate(found) & np.maximum.accumulate(found[::-1])[::-1])
    return np.asarray(out & found.any())


def _lean(shot: Capture) -> Floats:
    """By how much (T,) the trunk leans along the line of sight, degrees; positive: away from the camera."""
    joints = shot.motion.joints
    trunk = joints[:, INDEX["neck"]] - joints[:, INDEX["hips"]]
    sight = (joints[:, INDEX["hips"]] - shot.camera.eye) * [1, 1, 0]
    sight /= np.maximum(np.linalg.norm(sight, axis=1, keepdims=True), 1e-9)
    return np.asarray(np.degrees(np.arctan2((trunk * sight).sum(1), trunk[:, 2])))


def _stands(shot: Capture) -> Bools:
    """Where (T,) both thighs hang, and legs are seen."""
    joints = shot.motion.joints
    thighs, shins = ([INDEX[f"{name}.{side}"] for side in "LR"] for name in ("thigh", "shin"))
    bones = joints[:, thighs] - joints[:, shins]
    hangs = bones[..., 2] > _HANGS * np.linalg.norm(bones, axis=-1)
    return np.asarray((hangs & (shot.confidence[:, shins] > _SEEN)).all(axis=1))


def _off_the_floor(shot: Capture) -> tuple[Bools, Bools]:
    """Where (T,) a body is in the air, and where it is below the floor."""
    motion = shot.motion
    scale, joints = motion.height / STANDARD_HEIGHT, motion.joints
    on = motion.contacts >= CONTACT_THRESHOLD
    soles = motion.sole_heights()
    floor = floors_under(soles, on, 0.0).min(axis=1)
    legs = [INDEX[f"{name}.L"] for name in ("thigh", "shin", "foot")]
    stands = ANKLE_HEIGHT * scale - float(motion.offsets[legs, 2].sum())
    hips = (joints[:, INDEX["hips"], 2] - floor) / stands
    lowest = np.minimum(soles.min(axis=1), joints[..., 2].min(axis=1)) - floor
    high = (hips > _HIGH) | ((lowest > _OFF * scale) & (hips > _UPRIGHT))
    return np.asarray(~on.any(axis=1) & high), np.asarray(lowest < -_DEEP * scale)


def _stretches(on: Bools, least: float, near: float) -> Iterator[tuple[int, int]]:
    """First frames, and frames after the last, of the stretches of true in (T,), but for short ones."""
    first, end = runs(on)
    apart = first[1:] - end[:-1] >= near
    for a, b in zip(
        first[np.r_[True, apart][: len(first)]], end[np.r_[apart, True][: len(end)]], strict=True
    ):
        if b - a >= least:
            yield int(a), int(b)


def _named(stretches: list[tuple[int, int]], capture: Capture) -> str:
    """Stretches in words: their frames, and when they are in the video."""
    fps, start = capture.motion.fps, capture.motion.start
    named = [
        f"{first} to {last} ({start + first / fps:.1f} to {start + (last + 1) / fps:.1f} s)"
        for first, last in stretches[:_NAMED]
    ]
    if len(stretches) > _NAMED:
        named.append(f"{len(stretches) - _NAMED} more stretches")
    return ", ".join(named)
