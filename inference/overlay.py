"""Writes the video with the captured skeleton, or a body, drawn on it."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

import cv2
import numpy as np

from ..core.arrays import Array, Image
from ..core.capture import Capture
from ..core.colours import CONTACT, LEFT, MIDDLE, RIGHT
from ..core.contacts import CONTACT_THRESHOLD
from ..core.errors import CaptureError
from ..core.files import replacing
from ..core.kinematics import attached_points
from ..core.skeleton import END_POINTS, INDEX, JOINTS, PARENTS, STANDARD_HEIGHT
from .detect.people import Progress
from .figure import FAINTEST, Figure
from .video import VideoReader

#: colour of the outlines of bones and contacts, sRGB
_OUTLINE = (20, 20, 20)
#: width of a bone, as a share of the picture's shorter side
_WIDTH = 0.005
#: fractional bits of the coordinates that OpenCV draws: sixteenths of a pixel
_SHIFT = 4


def overlay(
    video: Path, capture: Capture, out: Path, progress: Progress | None = None, style: str = "skeleton"
) -> None:
    """Write `video` with the motion of `capture` on it: left orange, right blue, green where feet stand.

    The MP4 (MPEG-4) appears whole or not at all. Pictures larger than `footage.MAX_SIDE` are scaled down.

    Parameters
    ----------
    video : Path
    capture : Capture
    out : Path
        An .mp4.
    progress : callable, optional
        Called with ``overlay``, how many frames are done, and their number.
    style : str
        One of `options.OVERLAY_STYLES`: lines for the bones, or the shaded mannequin.

    Raises
    ------
    CaptureError
        If the video can't be read, there is no codec to write one, or `out` can't be written.
    """
    if out.exists() and video.exists() and out.samefile(video):
        raise CaptureError(f"The overlay would replace the video {video} itself; choose another name for it.")
    if out.suffix.lower() != ".mp4":
        raise CaptureError(f"The overlay is an MP4 file; choose a name that ends in .mp4, not {out.name}.")
    motion = capture.motion
    reader = VideoReader(video, motion.start, motion.start + len(motion) / motion.fps, motion.fps)
    reader = reader.turned(capture.source.turned)
    kind = Figure if style == "body" else _Sketch
    firsts = [shot.start for shot in motion.shots]
    sketches = [kind(shot) for shot in capture.shots]
    written = 0
    with replacing(out) as temporary:
        writer: cv2.VideoWriter | None = None
        try:
            for frame in reader:
                if writer is None:
                    size = frame.image.shape[1::-1]
                    code = cv2.VideoWriter.fourcc(*"mp4v")
                    writer = cv2.VideoWriter(str(temporary.resolve()), cv2.CAP_FFMPEG, code, motion.fps, size)
                    if not writer.isOpened():
                        raise CaptureError(
                            f"Can't write the overlay {out.name}: this OpenCV has no MPEG-4 encoder; install "
                            "opencv-contrib-python from its wheel."
                        )
                image = frame.image.copy()
                shot = bisect_right(firsts, frame.index) - 1
                sketches[shot].draw(image, frame.index - firsts[shot])
                writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
                written = frame.index + 1
                if progress is not None:
                    progress("overlay", written, len(motion))
        finally:
            if writer is not None:
                writer.release()
        # the encoder doesn't report a full disk
        if _frames_in(temporary) != written:
            raise CaptureError(f"The overlay {out} can't be read back; is the disk full?")


def _frames_in(path: Path) -> int:
    capture = cv2.VideoCapture(str(path.resolve()), cv2.CAP_FFMPEG)
    try:
        return int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.read()[0] else 0
    finally:
        capture.release()


class _Sketch:
    """Draws the skeleton: a line for every bone, from its joint to the next one or to the end of the limb."""

    def __init__(self, capture: Capture) -> None:
        motion, cameras = capture.motion, capture.cameras
        scale = motion.height / STANDARD_HEIGHT
        children = [joint for joint, parent in enumerate(PARENTS) if parent >= 0]
        last = [INDEX[name] for name in END_POINTS]
        ends = [
            attached_points(motion.world_rotations, motion.joints, joint, np.array(offset) * scale)
            for joint, offset in zip(last, END_POINTS.values(), strict=True)
        ]
        points = np.concatenate([motion.joints, np.stack(ends, axis=1)], axis=1)
        starts = [PARENTS[joint] for joint in children] + last
        tips = children + list(range(len(JOINTS), points.shape[1]))
        pixels, middles = cameras.project(points), (points[:, starts] + points[:, tips]) / 2
        depth = cameras.seen(middles)[..., 2]

        self._size = cameras.size
        self._lines = np.stack([pixels[:, starts], pixels[:, tips]], axis=2)  # (T, bones, 2, 2)
        self._order = np.argsort(-depth, axis=1)  # far ones first
        sides = {"L": LEFT, "R": RIGHT}
        # a bone has the colour of the joint that carries it: pelvis and collar bones belong to the spine
        carriers = [JOINTS[start] for start in starts]
        self._colours = [sides[name[-1]] if name[-2] == "." else MIDDLE for name in carriers]
        seen = np.minimum(capture.confidence[:, starts], capture.confidence[:, children + last])
        self._alpha = FAINTEST + (1 - FAINTEST) * np.clip(seen, 0, 1)
        self._soles = cameras.project(motion.sole_points())
        self._contacts = np.where(motion.contacts >= CONTACT_THRESHOLD, motion.contacts, 0)

    def draw(self, image: Image, index: int) -> None:
        """Draw frame `index` into the RGB `image`."""
        scale = image.shape[1] / self._size[0]
        width = max(_WIDTH * min(image.shape[:2]), 1.0)
        lines, soles = self._lines[index] * scale, self._soles[index] * scale
        # draw colours and opacity apart, then blend them over the picture at once
        box = _box(np.concatenate([lines.reshape(-1, 2), soles]), 4 * width, image.shape)
        if box is None:
            return
        part = image[box]
        origin = np.array([box[1].start, box[0].start])
        colour, cover = np.zeros_like(part), np.zeros(part.shape[:2], np.uint8)

        def fixed(point: Array) -> tuple[int, int]:
            x, y = np.round((point - origin) * (1 << _SHIFT)).astype(int)
            return int(x), int(y)

        for bone in self._order[index]:
            if not np.isfinite(lines[bone]).all() or np.abs(lines[bone]).max() > 1e5:
                continue
            a, b = fixed(lines[bone, 0]), fixed(lines[bone, 1])
            alpha = (255 * float(self._alpha[index, bone]),)
            for rgb, thick in ((_OUTLINE, 1.8 * width), (self._colours[bone], width)):
                cv2.line(colour, a, b, rgb, round(thick), cv2.LINE_AA, _SHIFT)
            cv2.line(cover, a, b, alpha, round(1.8 * width), cv2.LINE_AA, _SHIFT)
        for sole, sure in zip(soles, self._contacts[index], strict=True):
            if sure and np.isfinite(sole).all() and np.abs(sole).max() <= 1e5:
                for rgb, radius in ((_OUTLINE, 1.6 * width), (CONTACT, 1.2 * width)):
                    cv2.circle(
                        colour, fixed(sole), round(radius * (1 << _SHIFT)), rgb, -1, cv2.LINE_AA, _SHIFT
                    )
                cv2.circle(
                    cover, fixed(sole), round(1.6 * width * (1 << _SHIFT)), (255 * float(sure),), -1,
                    cv2.LINE_AA, _SHIFT,
                )  # fmt: skip
        share = cover[..., None].astype(np.uint16)
        part[:] = (part * (255 - share) + colour * share) // 255


def _box(points: Array, margin: float, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Rows and columns of the picture around the points (N, 2); None if they are outside."""
    points = points[np.isfinite(points).all(1)]
    if not len(points):
        return None
    low = np.clip(points.min(0) - margin, 0, shape[1::-1]).astype(int)
    high = np.clip(points.max(0) + margin + 1, 0, shape[1::-1]).astype(int)
    return (slice(low[1], high[1]), slice(low[0], high[0])) if (high > low).all() else None
