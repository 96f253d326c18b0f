"""Contact sheets: what was found in a clip over its pictures; what was captured, beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from kinelift.bench.score import LIMBS, similarity
from kinelift.core.camera import Camera
from kinelift.core.capture import Capture
from kinelift.core.colours import LEFT, LOW, MIDDLE, RIGHT
from kinelift.core.landmarks import LANDMARK
from kinelift.core.motion import Motion
from kinelift.core.skeleton import INDEX
from kinelift.inference.figure import Figure
from kinelift.inference.overlay import overlay
from kinelift.inference.video import VideoReader

Array = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]

#: moments on a sheet, and on a sheet of bodies
_MOMENTS, _BODIES = 6, 12
#: width of each, pixels
_WIDE = 220
#: colour of the true limbs, RGB
_TRUE = (150, 150, 150)
#: lines of the drawing, as pairs of joints
_LINES = [
    *((f"{a}.{s}", f"{b}.{s}") for s in "LR" for a, b in (("upper_arm", "forearm"), ("forearm", "hand"))),
    *((f"{a}.{s}", f"{b}.{s}") for s in "LR" for a, b in (("thigh", "shin"), ("shin", "foot"))),
    ("upper_arm.L", "upper_arm.R"), ("thigh.L", "thigh.R"),
    ("upper_arm.L", "thigh.L"), ("upper_arm.R", "thigh.R"),
]  # fmt: skip
#: lines between landmarks, those of one side without it
_SIDE_LINES = (
    ("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "index"), ("shoulder", "hip"), ("hip", "knee"),
    ("knee", "ankle"), ("ankle", "heel"), ("heel", "foot_index"),
)  # fmt: skip
#: how far away bodies are seen from, metres: so far that nothing is foreshortened
_AWAY = 40.0
#: how wide and high a picture of a body is, metres and pixels
_METRES, _PIXELS = 2.4, 200
#: colours of what is behind a body, and of the floor
_PAPER, _FLOOR = (250, 250, 250), (160, 160, 160)
#: longer side of a picture with landmarks, pixels
_LONG = 420
#: a landmark less visible than this is doubted
_DOUBTED = 0.5


def landmark_sheet(pictures: list[Picture], landmarks: Array, captions: list[str], out: Path) -> None:
    """Write a JPEG of RGB pictures of one size with the landmarks' skeleton, in as many columns as look well.

    Left is orange, right blue, doubted lines are thin; a picture without landmarks has a red frame.

    Parameters
    ----------
    pictures : list of (h, w, 3)
    landmarks : (N, 33, 3)
        x, y in pixels of the pictures, and visibility; NaN where nobody was found.
    captions : list of str
    out : Path

    Raises
    ------
    OSError
        If the file can't be written.
    """
    tiles = [_with_landmarks(*one) for one in zip(pictures, landmarks, captions, strict=True)]
    columns = 4 if tiles[0].shape[1] >= tiles[0].shape[0] else 6
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    rows = [np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)]
    _write(np.concatenate(rows), out)


def _with_landmarks(picture: Picture, landmarks: Array, caption: str) -> Picture:
    scale = _LONG / max(picture.shape[:2])
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    image = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    lines = [(f"{a}.{s}", f"{b}.{s}", at) for s, at in (("L", LEFT), ("R", RIGHT)) for a, b in _SIDE_LINES]
    lines += [("nose", f"ear.{s}", at) for s, at in (("L", LEFT), ("R", RIGHT))]
    lines += [(f"{name}.L", f"{name}.R", MIDDLE) for name in ("shoulder", "hip")]
    found = bool(np.isfinite(landmarks).all())
    for a, b, colour in lines if found else ():
        ends = landmarks[[LANDMARK[a], LANDMARK[b]]]
        (x, y), (u, v) = np.round(16 * scale * ends[:, :2]).astype(int).tolist()
        wide = 1 if ends[:, 2].min() < _DOUBTED else 2
        cv2.line(image, (x, y), (u, v), colour, wide, cv2.LINE_AA, 4)
    if not found:
        cv2.rectangle(image, (0, 0), (size[0] - 1, size[1] - 1), LOW, 5)
    for colour, wide in (((0, 0, 0), 3), (MIDDLE, 1)):
        cv2.putText(image, caption, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, wide, cv2.LINE_AA)
    return image


def _write(image: Picture, out: Path) -> None:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if not cv2.imwrite(str(out), bgr, [cv2.IMWRITE_JPEG_QUALITY, 82]):
        raise OSError(f"{out} can't be written")


def sheet(
    video: Path, capture: Capture, reference: Path, out: Path, views: Sequence[str] = ("side",)
) -> None:
    """Write a JPEG: the camera's view above, and the same moments from other sides below.

    Below, the captured limbs (left orange, right blue) lie over the true ones (grey), aligned as for
    `sa_mpjpe_mm`. From the side they are seen from the camera's right: limbs too near to the camera are too
    far to the left. From the top, the camera is below.

    Parameters
    ----------
    video : Path
    capture : Capture
    reference : Path
    out : Path
    views : sequence of str
        Rows below: ``side``, ``back`` or ``top``.
    """
    motion = capture.motion
    moments, above = _in_the_picture(video, capture, out, _MOMENTS)
    rows = [np.concatenate(above, axis=1)]
    high = above[0].shape[0]
    for view in views:
        captured, true = _from(view, motion, reference)
        row = np.concatenate([_drawn(captured[t], true[t], high) for t in moments if t < len(true)], axis=1)
        rows.append(np.pad(row, ((0, 0), (0, rows[0].shape[1] - row.shape[1]), (0, 0)), constant_values=255))
    _write(np.concatenate(rows), out)


def body_sheet(video: Path, capture: Capture, out: Path) -> None:
    """Write a JPEG of the body as an artist sees it: in the picture, from the side, behind and above.

    Each column is a moment. The side is the camera's right, as in `sheet`; "behind" looks towards the camera;
    above, the camera is at the bottom. The grey line is the floor.

    Parameters
    ----------
    video : Path
    capture : Capture
    out : Path
    """
    moments, above = _in_the_picture(video, capture, out, _BODIES, "body")
    look = capture.camera.camera_from_world[2, :3] * [1, 1, 0]
    away, up = look / np.linalg.norm(look), np.array([0.0, 0.0, 1.0])
    right = np.cross(away, up)
    rows = [np.concatenate([_padded(picture) for picture in above], axis=1)]
    for axes in ((away, up), (-right, up), (right, away)):
        rows.append(np.concatenate(_bodies(capture, moments, *axes), axis=1))
    _write(np.concatenate(rows), out)


def _bodies(capture: Capture, moments: list[int], right: Array, up: Array) -> list[Picture]:
    """Pictures of the body at some moments, with world directions that point right and up in them."""
    size = (_PIXELS, _PIXELS)
    motion = capture.motion
    # each moment above the origin, as high as it is above the floor
    level = up[2] > 0
    root = motion.root * [0, 0, 1] if level else np.zeros_like(motion.root)
    centred = replace(capture, motion=replace(motion, root=root.astype(motion.root.dtype)))
    turn = np.stack([right, -up, np.cross(right, -up)])
    pose = np.eye(4)
    pose[:3, :3] = turn
    pose[:3, 3] = -turn @ [0, 0, 0.4 * _METRES if level else 0.0] + [0, 0, _AWAY]
    camera = Camera(_PIXELS / _METRES * _AWAY, size, pose)
    figure = Figure(replace(centred, camera=camera))
    floor = round(camera.project(np.zeros((1, 3)))[0, 1])
    pictures = []
    for t in moments:
        picture = np.full((_PIXELS, _PIXELS, 3), _PAPER, np.uint8)
        if level:
            cv2.line(picture, (0, floor), (_PIXELS, floor), _FLOOR, 1)
        figure.draw(picture, t)
        cv2.putText(picture, str(t), (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
        pictures.append(picture)
    return pictures


def _padded(image: Picture) -> Picture:
    """A picture as wide and high as a picture of a body."""
    scale = _PIXELS / max(image.shape[:2])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    left, top = (_PIXELS - size[0]) // 2, (_PIXELS - size[1]) // 2
    around = [(top, _PIXELS - size[1] - top), (left, _PIXELS - size[0] - left), (0, 0)]
    return np.pad(np.asarray(small, np.uint8), around, constant_values=_PAPER[0])


def _in_the_picture(
    video: Path, capture: Capture, out: Path, count: int, style: str = "skeleton"
) -> tuple[list[int], list[Picture]]:
    """Moments of a capture, and the part of the video around the person at each, drawn on in a style."""
    drawn = out.with_suffix(".overlay.mp4")
    motion = capture.motion
    overlay(video, capture, drawn, style=style)
    moments = [int(t) for t in np.linspace(0, len(motion) - 1, count + 2)[1:-1]]
    pictures = {f.index: f.image for f in VideoReader(drawn, 0.0, None, motion.fps) if f.index in moments}
    drawn.unlink()
    moments = [t for t in moments if t in pictures]
    return moments, [_fitted(one) for one in _around(capture, moments, [pictures[t] for t in moments])]


def _around(capture: Capture, moments: list[int], pictures: list[Picture]) -> list[Picture]:
    """The part of each picture around the person at that moment; all have the same size."""
    size = np.array(pictures[0].shape[1::-1])
    pixels = capture.cameras.project(capture.motion.joints)[moments] * (size / capture.camera.size)
    low, high = np.nanmin(pixels, axis=1), np.nanmax(pixels, axis=1)
    part = np.maximum((high - low).max(0) * 1.3, 16)
    part = np.ceil(np.minimum(np.maximum(part, part[::-1] * [0.7, 1.0]), size)).astype(int)
    corners = np.clip((low + high) / 2 - part / 2, 0, size - part).astype(int)
    return [i[y : y + part[1], x : x + part[0]] for i, (x, y) in zip(pictures, corners, strict=True)]


def _fitted(image: Picture) -> Picture:
    high = round(image.shape[0] * _WIDE / image.shape[1])
    return np.asarray(cv2.resize(image, (_WIDE, high), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _from(view: str, motion: Motion, reference: Path) -> tuple[Array, Array]:
    """Captured and true limb joints (T, 12, 2) seen in a view of `sheet`: right and up, metres."""
    with np.load(reference, allow_pickle=False) as data:
        d = dict(data)
    names = [str(n) for n in d["joint_names"]]
    frames = np.round(np.arange(len(motion)) * float(d["fps"]) / motion.fps).astype(int)
    frames = frames[frames < len(d["joints_world"])]
    true = d["joints_world"][frames][:, [names.index(n) for n in LIMBS]].astype(float)
    captured = motion.joints[: len(frames), [INDEX[n] for n in LIMBS]]
    hips = [LIMBS.index(f"thigh.{s}") for s in "LR"]
    centred = [x - x[:, hips].mean(1, keepdims=True) for x in (captured, true)]
    scale, turn, _ = similarity(*(x.reshape(-1, 3) for x in centred))
    # where the camera isn't known: along the reference's second axis
    away = d["camera_from_world"][2, :3] * [1, 1, 0] if "camera_from_world" in d else np.array([0.0, 1, 0])
    away, up = away / np.linalg.norm(away), np.array([0.0, 0.0, 1.0])
    right = np.cross(away, up)
    axes = np.stack({"side": (away, up), "back": (-right, up), "top": (right, away)}[view], axis=1)
    return scale * centred[0] @ turn.T @ axes, centred[1] @ axes


def _drawn(captured: Array, true: Array, high: int) -> Picture:
    image = np.full((high, _WIDE, 3), 255, np.uint8)
    scale = min(_WIDE / 1.9, high / 2.1)
    at = {"L": LEFT, "R": RIGHT}

    def fixed(point: Array) -> tuple[int, int]:
        x, y = np.round(16 * (np.array([_WIDE / 2, high * 0.47]) + scale * point * [1, -1])).astype(int)
        return int(x), int(y)

    for points, own in ((true, False), (captured, True)):
        for a, b in _LINES:
            colour = (at[a[-1]] if a[-1] == b[-1] else tuple(c // 3 for c in MIDDLE)) if own else _TRUE
            ends = [fixed(points[LIMBS.index(n)]) for n in (a, b)]
            cv2.line(image, ends[0], ends[1], colour, 2 if own else 5, cv2.LINE_AA, 4)
    return image
