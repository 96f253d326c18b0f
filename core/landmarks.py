"""MediaPipe's 33 pose landmarks: names, places on the body, and bridging of gaps."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from .arrays import Array, Floats
from .skeleton import INDEX, JOINTS

LANDMARKS: tuple[str, ...] = (
    "nose",
    "eye_inner.L", "eye.L", "eye_outer.L", "eye_inner.R", "eye.R", "eye_outer.R", "ear.L", "ear.R",
    "mouth.L", "mouth.R", "shoulder.L", "shoulder.R", "elbow.L", "elbow.R", "wrist.L", "wrist.R",
    "pinky.L", "pinky.R", "index.L", "index.R", "thumb.L", "thumb.R", "hip.L", "hip.R", "knee.L", "knee.R",
    "ankle.L", "ankle.R", "heel.L", "heel.R", "foot_index.L", "foot_index.R",
)  # fmt: skip
LANDMARK: dict[str, int] = {name: i for i, name in enumerate(LANDMARKS)}

#: the landmark that each landmark becomes in a mirror
MIRRORED: tuple[int, ...] = tuple(
    LANDMARK[n[:-1] + {"L": "R", "R": "L"}[n[-1]]] if n[-2] == "." else LANDMARK[n] for n in LANDMARKS
)
#: columns of what is known of a landmark in a frame, side by side: x, y in the picture and visibility; ...
IN_PICTURE = slice(0, 3)
#: ... its place in space; ...
IN_SPACE = slice(3, 6)
#: ... xx, xy, yy of the covariance of its error in the picture; ...
SPREAD = slice(6, 9)
#: ... and presence
PRESENCE = 9
#: how many they are
COLUMNS = 10
#: shoulders and hips: their middle is where a person is, their extent is the person's size
TORSO: tuple[int, ...] = tuple(LANDMARK[f"{n}.{s}"] for n in ("shoulder", "hip") for s in "LR")

#: landmarks that show each joint (without its side): their mean confidence is the joint's
SHOWN_BY: dict[str, tuple[str, ...]] = {
    "hips": ("hip.L", "hip.R"),
    "spine": ("hip.L", "hip.R", "shoulder.L", "shoulder.R"),
    "chest": ("shoulder.L", "shoulder.R"),
    "neck": ("shoulder.L", "shoulder.R", "ear.L", "ear.R"),
    "head": ("nose", "ear.L", "ear.R"),
    "shoulder": ("shoulder",),
    "upper_arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
    "hand": ("wrist", "index", "pinky"),
    "thigh": ("hip", "knee"),
    "shin": ("knee", "ankle"),
    "foot": ("ankle", "heel", "foot_index"),
    "toe": ("foot_index",),
}

#: where each landmark (left or middle) lies on the body: the joint at which it lies, the joint with which it
#: turns, and its offset from the first in the rest pose, metres at `skeleton.STANDARD_HEIGHT`. Fitted to
#: detections of rendered bodies (`training.detected.fit_detector`): a landmark isn't the joint of its name.
_PLACED = {
    "nose": ("head", "head", (0.0, -0.091, 0.019)),
    "eye_inner": ("head", "head", (0.013, -0.072, 0.049)),
    "eye": ("head", "head", (0.023, -0.068, 0.049)),
    "eye_outer": ("head", "head", (0.033, -0.063, 0.049)),
    "ear": ("head", "head", (0.047, -0.024, 0.031)),
    "mouth": ("head", "head", (0.016, -0.078, -0.014)),
    "shoulder": ("upper_arm", "hips", (-0.006, 0.003, 0.030)),
    "elbow": ("forearm", "forearm", (0.006, -0.020, 0.009)),
    "wrist": ("hand", "hand", (0.005, -0.003, -0.002)),
    "pinky": ("hand", "hand", (0.070, 0.006, -0.021)),
    "index": ("hand", "hand", (0.075, -0.016, -0.022)),
    "thumb": ("hand", "hand", (0.053, -0.022, -0.020)),
    "hip": ("thigh", "hips", (-0.011, -0.025, -0.002)),
    "knee": ("shin", "shin", (-0.001, 0.018, -0.006)),
    "ankle": ("foot", "foot", (0.004, -0.011, 0.017)),
    "heel": ("foot", "foot", (0.002, 0.034, -0.041)),
    "foot_index": ("toe", "toe", (-0.013, -0.047, 0.004)),
}


def _place(landmark: str) -> tuple[str, str, tuple[float, float, float]]:
    base, dot, side = landmark.partition(".")
    at, by, (x, y, z) = _PLACED[base]
    at, by = (name if name in ("head", "hips") else name + dot + side for name in (at, by))
    return at, by, (-x if side == "R" else x, y, z)


#: joint, carrying joint and offset of each of `LANDMARKS`
PLACES: tuple[tuple[str, str, tuple[float, float, float]], ...] = tuple(_place(name) for name in LANDMARKS)
#: number of the joint at which each landmark lies, and of the one with which it turns
AT, BY = [INDEX[at] for at, _, _ in PLACES], [INDEX[by] for _, by, _ in PLACES]
#: where it lies from the first in the rest pose (33, 3), metres at standard height
PLACE = np.array([place for _, _, place in PLACES])


def landmarks_on(joints: Array, rotations: Array, places: Array) -> Floats:
    """Where (T, 33, 3) the landmarks lie on a body.

    Parameters
    ----------
    joints, rotations : (T, J, 3), (T, J, 3, 3)
        Positions and world rotations of the joints.
    places : (33, 3)
        From the joints at which they lie, in the rest pose: `PLACE` at the body's size.
    """
    return np.asarray(joints[:, AT] + (rotations[:, BY] @ places[..., None])[..., 0])


def joint_confidence(confidence: Array) -> Array:
    """Confidence of each joint (T, J): the mean over the landmarks (T, 33) that show it."""
    columns = []
    for joint in JOINTS:
        name, dot, side = joint.partition(".")
        shown = [LANDMARK[n + dot + side] if dot else LANDMARK[n] for n in SHOWN_BY[name]]
        columns.append(confidence[:, shown].mean(1))
    return np.stack(columns, 1)


class Seen(Protocol):
    """What has landmarks: a person in a frame, or in T of them."""

    @property
    def landmarks(self) -> Array:
        """(..., 33, 3): x, y in pixels of the picture, and visibility."""

    @property
    def world_landmarks(self) -> Array:
        """(..., 33, 3): places in space."""

    @property
    def spread(self) -> Array:
        """(..., 33, 3): xx, xy, yy of the covariance of the error in the picture, pixels squared."""

    @property
    def presence(self) -> Array:
        """(..., 33): 0 to 1."""


def evidence_of(seen: Seen) -> Array:
    """All that is known of landmarks (..., 33, `COLUMNS`)."""
    return np.concatenate(
        [seen.landmarks, seen.world_landmarks, seen.spread, seen.presence[..., None]], axis=-1
    )


def fields_of(evidence: Array) -> dict[str, Any]:
    """The opposite of `evidence_of`: the parts by their names."""
    return {
        "landmarks": evidence[..., IN_PICTURE],
        "world_landmarks": evidence[..., IN_SPACE],
        "spread": evidence[..., SPREAD],
        "presence": evidence[..., PRESENCE],
    }


def nothing_known(frames: int) -> dict[str, Any]:
    """The same for frames in which nobody was found: NaN."""
    return fields_of(np.full((frames, len(LANDMARKS), COLUMNS), np.nan, np.float32))


def bridge(places: Array, confidence: Array) -> tuple[Floats, Floats]:
    """Interpolate landmarks over time where they weren't found, with confidence 0.

    Parameters
    ----------
    places : (T, K, D)
        NaN where a landmark wasn't found.
    confidence : (T, K)

    Returns
    -------
    places : (T, K, D)
        Finite everywhere, unless there is no landmark at all.
    confidence : (T, K)
    """
    known = np.isfinite(places).all(-1)
    t = np.arange(len(places))
    filled = np.zeros(places.shape)
    for landmark in np.flatnonzero(known.any(0)):
        at = np.flatnonzero(known[:, landmark])
        for axis in range(places.shape[2]):
            filled[:, landmark, axis] = np.interp(t, at, places[at, landmark, axis])
    never = ~known.any(0)
    if never.any() and not never.all():  # the middle of the others is the best guess
        filled[:, never] = filled[:, ~never].mean(1, keepdims=True)
    return filled, np.where(known, confidence, 0.0)
