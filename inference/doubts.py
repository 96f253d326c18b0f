"""What an artist should look at in a captured world: long leans, bodies off the floor, nobody to be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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
#: nobody is in the air for longer, seconds: who jumps by 0.6 m is
_LONG_FLIGHT = 0.7
#: a floor this far over or under the one that is stood on longest is a stair's or a roof's, if it is, metres
_OTHER_STOREY = 0.5
#: what is deeper than this is below the floor, metres: soles sink a little where contacts end
_DEEP = 0.15
#: ... for longer than this, seconds
_LONG_SUNK = 0.2
#: who is gone for a shorter time at an end isn't worth a word, seconds
_LONG_GONE = 0.1
#: stretches that are nearer to each other are one, seconds; of a lean: walkers raise a thigh for longer
_NEAR = 0.1
_STRIDE = 0.3
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
        body that is in the air for longer than anybody can be, about one that is below the floor, about
        feet that stand much higher or lower than elsewhere, and about a body that rests because nobody is
        seen at an end of a shot.
    """
    shots = list(zip(capture.motion.shots, capture.shots, strict=True))

    def where(of: Callable[[Capture], Bools], least: float, near: float = _NEAR) -> list[tuple[int, int]]:
        return [
            (first + frames.start, end - 1 + frames.start)
            for frames, shot in shots
            for first, end in _stretches(of(shot), least * shot.motion.life_fps, near * shot.motion.life_fps)
        ]

    leaning = where(_leans, _LONG_LEAN, _STRIDE)
    flying = where(_in_the_air, _LONG_FLIGHT)
    sunk = where(_below, _LONG_SUNK)
    climbing = where(_on_another_storey, _LONG_SUNK)
    gone = where(_gone, _LONG_GONE)
    said = []
    if leaning:
        lean = np.abs(np.concatenate([_lean(shot) for _, shot in shots]))
        least, most = np.percentile(np.concatenate([lean[a : b + 1] for a, b in leaning]), [5, 95])
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
    if climbing:
        said.append(
            f"The feet stand more than {_OTHER_STOREY:g} m higher or lower than elsewhere in frames "
            f"{_named(climbing, capture)}: that is so on stairs and roofs only; a camera that tilts misleads "
            "about it."
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
    sight = (joints[:, INDEX["hips"]] - shot.eyes) * [1, 1, 0]
    sight /= np.maximum(np.linalg.norm(sight, axis=1, keepdims=True), 1e-9)
    return np.asarray(np.degrees(np.arctan2((trunk * sight).sum(1), trunk[:, 2])))


def _leans(shot: Capture) -> Bools:
    """Where (T,) the trunk leans in depth over thighs that hang, of legs that are seen."""
    joints = shot.motion.joints
    thighs, shins = ([INDEX[f"{name}.{side}"] for side in "LR"] for name in ("thigh", "shin"))
    bones = joints[:, thighs] - joints[:, shins]
    hangs = bones[..., 2] > _HANGS * np.linalg.norm(bones, axis=-1)
    stands = (hangs & (shot.confidence[:, shins] > _SEEN)).all(axis=1)
    return np.asarray(stands & (np.abs(_lean(shot)) > _LEANS))


def _floors(shot: Capture) -> Floats:
    """Height of the floor under each foot (T, 2), metres at standard height."""
    motion = shot.motion
    floors = floors_under(motion.sole_heights(), motion.contacts >= CONTACT_THRESHOLD, 0.0)
    return floors * (STANDARD_HEIGHT / motion.height)


def _above_floor(shot: Capture, heights: Floats) -> Floats:
    """Heights (T,) in the world, metres, over the lower floor: metres at standard height."""
    return np.asarray(heights * (STANDARD_HEIGHT / shot.motion.height) - _floors(shot).min(axis=1))


def _lowest(shot: Capture) -> Floats:
    """Height (T,) of what is lowest over the floor, metres at standard height."""
    motion = shot.motion
    lowest = np.minimum(motion.sole_heights().min(axis=1), motion.joints[..., 2].min(axis=1))
    return _above_floor(shot, lowest)


def _in_the_air(shot: Capture) -> Bools:
    """Where (T,) no foot stands, and the hips are too high for that."""
    motion = shot.motion
    legs = [INDEX[f"{name}.L"] for name in ("thigh", "shin", "foot")]
    stands = ANKLE_HEIGHT - float(motion.offsets[legs, 2].sum()) * STANDARD_HEIGHT / motion.height
    hips = _above_floor(shot, motion.joints[:, INDEX["hips"], 2]) / stands
    high = (hips > _HIGH) | ((hips > _UPRIGHT) & (_lowest(shot) > _OFF))
    return np.asarray(high & ~(motion.contacts >= CONTACT_THRESHOLD).any(axis=1))


def _below(shot: Capture) -> Bools:
    """Where (T,) something of the body is below the floor."""
    return np.asarray(_lowest(shot) < -_DEEP)


def _on_another_storey(shot: Capture) -> Bools:
    """Where (T,) a foot stands much higher or lower than on the main floor."""
    standing = (shot.motion.contacts >= CONTACT_THRESHOLD).reshape(-1, 2, 2).any(axis=-1)
    return np.asarray((standing & (np.abs(_floors(shot)) > _OTHER_STOREY)).any(axis=1))


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
