"""MediaPipe's 33 pose landmarks by name."""

from __future__ import annotations

LANDMARKS: tuple[str, ...] = (
    "nose",
    "eye_inner.L", "eye.L", "eye_outer.L", "eye_inner.R", "eye.R", "eye_outer.R", "ear.L", "ear.R",
    "mouth.L", "mouth.R", "shoulder.L", "shoulder.R", "elbow.L", "elbow.R", "wrist.L", "wrist.R",
    "pinky.L", "pinky.R", "index.L", "index.R", "thumb.L", "thumb.R", "hip.L", "hip.R", "knee.L", "knee.R",
    "ankle.L", "ankle.R", "heel.L", "heel.R", "foot_index.L", "foot_index.R",
)  # fmt: skip
LANDMARK: dict[str, int] = {name: i for i, name in enumerate(LANDMARKS)}

#: landmark that each landmark becomes in the mirror
MIRRORED: tuple[int, ...] = tuple(
    LANDMARK[n[:-1] + {"L": "R", "R": "L"}[n[-1]]] if n[-2] == "." else LANDMARK[n] for n in LANDMARKS
)
#: shoulders and hips: their middle says where a person is, their extent how large
TORSO: tuple[int, ...] = tuple(LANDMARK[f"{n}.{s}"] for n in ("shoulder", "hip") for s in "LR")

#: landmarks that show each joint (without its side): a joint is known as well as they were seen
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
