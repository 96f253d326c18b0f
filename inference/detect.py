"""MediaPipe's PoseLandmarker over a clip: everybody it finds, frame by frame."""

from __future__ import annotations

import hashlib
import itertools
import os
import queue
import sys
import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..core.errors import CaptureError
from ..core.landmarks import LANDMARK, MIRRORED, TORSO
from ..core.options import MAX_LOOKS, MAX_THREADS, default_threads
from .camera_motion import CameraWatch
from .video import Clip

Array = npt.NDArray[np.float32]
#: stage, frame, of how many
Progress = Callable[[str, int, int], None]

TASK = Path(__file__).with_name("models") / "pose_landmarker_full.task"
TASK_SHA256 = "b78356254098a75f148e83c4fe0c7213982487abaf8fe2b3add653ffc46aaf28"

#: at most so many people are told apart
CROWD = 6
#: a detection counts from here on: MediaPipe's own 0.5 misses people at a distance, and the landmark model
#: sorts out what is nobody
_CONFIDENCE = 0.35
#: one person alone is watched by the landmarker for one, at half the cost; how often to look for others
_LOOK_SECONDS, _LOOK_FRAMES = 1.0, 20
#: how long somebody has to be alone before that, and how much more often to look once there were others
_CALM_SECONDS, _WARY = 1.0, 4
#: a torso that moves by more than its own size from one frame to the next is perhaps somebody else's
_JUMP = 1.0

#: the second look is at a square of so many times the person's extent, of at most so many pixels a side; it
#: finds somebody else where it is farther off than this, in torsos
_ROOM, _MOST_PIXELS, _SAME = 2.0, 512, 0.8
#: frames by which it may be behind the first one
_BEHIND = 4

#: a long clip is looked at in stretches of at least so many frames
_STRETCH = 360
#: frames that a stretch begins before the last one ends: the detector has to settle
_OVERLAP = 15

_HUES, _GREYS = 8, 3


@dataclass(frozen=True)
class Person:
    """One person in one frame.

    Attributes
    ----------
    landmarks : (33, 3)
        x, y in pixels of the video's picture and visibility; visibility is 0 outside the picture, where
        MediaPipe guesses and doesn't say so.
    world_landmarks : (33, 3)
        MediaPipe's own 3D: metres, hips-centred, camera axes.
    look : (22,)
        Colours of the shirt and the trousers: square roots of two histograms, so that the dot product of two
        looks says how alike they are; zeros where neither is in the picture.
    """

    landmarks: Array
    world_landmarks: Array
    look: Array


@dataclass(frozen=True)
class Detections:
    """Everybody in a clip.

    Attributes
    ----------
    times : (N,)
        When each frame was filmed, seconds from the start of the video. No frame comes twice, so these are as
        uneven as the video is.
    people : tuple of N tuples of Person
        Who was found in each frame.
    frames : int
        Length of the clip at its steady rate: frame i is at ``start + i / fps``.
    fps, start : float
        Frames per second, and seconds.
    size : (int, int)
        Width and height of the picture, pixels.
    warnings : tuple of str
        What was wrong with the file.
    """

    times: npt.NDArray[np.float64]
    people: tuple[tuple[Person, ...], ...]
    frames: int
    fps: float
    start: float
    size: tuple[int, int]
    warnings: tuple[str, ...]


def torso(landmarks: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Where people are and how large: middle (..., 2), size (...) of the torsos of landmarks (..., 33, 2+).

    The size is that of the longest of spine, shoulders and hips (about 0.3 of the person's height), so that
    neither a bend nor a turn makes a person small.
    """
    corners = landmarks[..., TORSO, :2]
    left_shoulder, right_shoulder, left_hip, right_hip = np.moveaxis(corners, -2, 0)
    spine = (left_shoulder + right_shoulder - left_hip - right_hip) / 2
    edges = np.stack([spine, left_shoulder - right_shoulder, left_hip - right_hip])
    return corners.mean(-2), np.linalg.norm(edges, axis=-1).max(0)


def detect(
    clip: Clip, progress: Progress | None = None, threads: int | None = None, looks: int = MAX_LOOKS
) -> Detections:
    """Find the people in every frame of `clip`.

    A long clip is looked at in overlapping stretches, several at once. What is found doesn't depend on how
    many: MediaPipe never quite forgets how it began, so it begins anew with every stretch in any case.

    Parameters
    ----------
    clip : Clip
    progress : callable, optional
        Told how many frames are done.
    threads : int, optional
        How many stretches at once; None: what this computer's cores allow.
    looks : int
        How often to look at everybody: once (1), or once more in the mirror (2), which halves the speed.

    Raises
    ------
    CaptureError
        If the model is missing or altered, MediaPipe can't run here, or the clip can't be read.
    """
    news: queue.SimpleQueue[Future[_Found] | None] = queue.SimpleQueue()
    stop = threading.Event()
    frames = 0
    threads, cuts = threads or default_threads(), _cut(clip)
    with ThreadPoolExecutor(threads, "detect") as pool:
        second = _SecondLook(clip.size, looks > 1, beside=threads >= 2 * len(cuts))
        stretches = [
            pool.submit(_looked_through, clip, first, last, second, news, stop) for first, last in cuts
        ]
        for stretch in stretches:
            stretch.add_done_callback(news.put)
        running = len(stretches)
        try:
            while running:
                done = news.get()
                if done is not None:
                    running -= 1
                    done.result()
                    continue
                frames += 1
                if progress is not None:
                    progress("detect", frames, max(clip.frames, frames))
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
    return _joined([stretch.result() for stretch in stretches], clip)


def _cut(clip: Clip) -> list[tuple[int, int | None]]:
    """First and last frame (exclusive; None: the end) of the stretches; the more the longer the clip.

    They are a power of two and of one length: that shares out best.
    """
    count = 1
    while count < MAX_THREADS and clip.frames >= 2 * count * _STRETCH:
        count *= 2
    starts = [round(clip.frames * i / count) for i in range(count)]
    return list(itertools.zip_longest(starts, starts[1:]))


@dataclass
class _Found:
    """What was found in a stretch, and in the overlap before it."""

    camera: CameraWatch
    times: list[float] = field(default_factory=list)
    people: list[tuple[Person, ...]] = field(default_factory=list)
    #: where it ended, and whether that is where it should have
    frames: int = 0
    complete: bool = False
    warnings: list[str] = field(default_factory=list)


def _looked_through(
    clip: Clip,
    first: int,
    last: int | None,
    second: _SecondLook,
    news: queue.SimpleQueue[Any],
    stop: threading.Event,
) -> _Found:
    """Look at a stretch of `clip`, telling `news` of every frame, until told to `stop`."""
    found = _Found(CameraWatch(clip.size))
    part = clip.part(max(first - _OVERLAP, 0), last)
    # where the next stretch begins, which goes on from there
    meeting = None if last is None else last - _OVERLAP
    people: tuple[Person, ...] = ()
    with _watcher(clip) as watch, second.looking(found.people) as confirm:
        for frame in part:
            if stop.is_set():
                return found
            if not found.times or frame.time > found.times[-1]:
                found.times.append(frame.time)
                people = watch(frame.image, frame.time)
                confirm(frame.image, people)
            if meeting is None or frame.index <= meeting:
                found.camera.look(frame.image, frame.time, people, frame.index == meeting)
            found.frames = frame.index + 1
            if frame.index >= first:
                news.put(None)
    found.complete = found.frames == last
    found.warnings = part.warnings
    return found


def _joined(stretches: Sequence[_Found], clip: Clip) -> Detections:
    """One after the other, each from where it agrees best with the one before."""
    whole, *others = stretches
    for found in others:
        if not whole.complete or not found.times:  # the video breaks off here
            break
        overlap = bisect_left(whole.times, found.times[0])
        here = dict(zip(whole.times[overlap:], whole.people[overlap:], strict=True))
        both = [i for i, time in enumerate(found.times) if time in here]
        start = min(both, key=lambda i: (_unlike(here[found.times[i]], found.people[i]), -i), default=0)
        end = bisect_left(whole.times, found.times[start])
        whole.times[end:], whole.people[end:] = found.times[start:], found.people[start:]
        whole.camera.go_on(found.camera)
        whole.frames, whole.complete = found.frames, found.complete
        whole.warnings += found.warnings
    return Detections(
        times=np.array(whole.times), people=tuple(whole.people), frames=whole.frames, fps=clip.fps,
        start=clip.start, size=clip.size, warnings=(*whole.warnings, *whole.camera.warnings),
    )  # fmt: skip


def _unlike(some: tuple[Person, ...], others: tuple[Person, ...]) -> float:
    """How far apart the people of two views of one frame are, in torsos; infinite if they are not as many."""
    if len(some) != len(others):
        return np.inf
    return max(
        (
            min(_distance(one, other) for other in others) / max(float(torso(one.landmarks)[1]), 1.0)
            for one in some
        ),
        default=0.0,
    )


def _distance(one: Person, other: Person) -> float:
    """Mean distance of two people's landmarks, pixels."""
    off = one.landmarks[:, :2] - other.landmarks[:, :2]
    return float(np.linalg.norm(off, axis=1).mean())


def people_in(images: Sequence[npt.NDArray[np.uint8]], size: tuple[int, int]) -> list[tuple[Person, ...]]:
    """The people in each of some RGB pictures, which may lie far apart in a video of `size` (w, h).

    Raises
    ------
    CaptureError
        If the model is missing or altered, or MediaPipe can't run here.
    """
    with closing(_Landmarker(CROWD, size)) as crowd:
        return [_distinct(crowd.find(image, 10.0 * second)) for second, image in enumerate(images)]


@contextmanager
def _watcher(clip: Clip) -> Iterator[Callable[[npt.NDArray[np.uint8], float], tuple[Person, ...]]]:
    """A function that finds the people in the next frame of `clip`.

    It watches one person alone with the landmarker for one, and several with the one for many, which costs
    twice as much as it searches the whole picture every time. A look around with the latter comes every
    second, and whenever the person was lost, found or has jumped: the landmarker for one goes over to a
    bystander without a word.
    """
    look_every = max(_LOOK_SECONDS, _LOOK_FRAMES / clip.fps)
    looked = last_crowded = -np.inf
    before: tuple[Person, ...] = ()

    def watch(image: npt.NDArray[np.uint8], time: float) -> tuple[Person, ...]:
        nonlocal looked, last_crowded, before
        alone = time - last_crowded > _CALM_SECONDS
        people = single.find(image, time) if alone else ()
        due = looked + (look_every / _WARY if np.isfinite(last_crowded) else look_every)
        if not alone or time >= due or _changed(before, people):
            looked = time
            everybody = _distinct(crowd.find(image, time))
            if len(everybody) > 1:
                last_crowded = time
            if not alone or len(everybody) > len(people):
                people = everybody
        before = people
        return people

    with closing(_Landmarker(1, clip.size)) as single, closing(_Landmarker(CROWD, clip.size)) as crowd:
        yield watch


def _changed(before: tuple[Person, ...], now: tuple[Person, ...]) -> bool:
    """Whether the one person came, went or jumped."""
    if len(before) != len(now) or not now:
        return len(before) != len(now)
    (old, size), (new, _) = torso(before[0].landmarks), torso(now[0].landmarks)
    return bool(np.linalg.norm(new - old) > _JUMP * size)


def _distinct(people: tuple[Person, ...]) -> tuple[Person, ...]:
    """The same without those who lie on top of somebody seen better: one person found twice."""
    kept: list[Person] = []
    for person in sorted(people, key=lambda p: -float(p.landmarks[:, 2].sum())):
        size = torso(person.landmarks)[1]
        if all(_distance(person, other) > 0.5 * size for other in kept):
            kept.append(person)
    return tuple(kept)


@dataclass(frozen=True)
class _SecondLook:
    """Makes everybody found in a picture the mean of what two looks say.

    The detector errs otherwise in the mirror, and where it is led there by that picture alone rather than by
    the ones before: the mean of both errs less, in depth too (docs/model-card.md).

    Attributes
    ----------
    size : (int, int)
        Of the video's picture.
    wanted : bool
        Otherwise there is one look.
    beside : bool
        Whether there is a core for it while the first look goes on.
    """

    size: tuple[int, int]
    wanted: bool
    beside: bool

    @contextmanager
    def looking(
        self, out: list[tuple[Person, ...]]
    ) -> Iterator[Callable[[npt.NDArray[np.uint8], tuple[Person, ...]], None]]:
        """A function that takes pictures and who was found in each; what comes of it goes to `out`."""
        if not self.wanted:
            yield lambda image, people: out.append(people)
            return
        waiting: deque[Future[tuple[Person, ...]]] = deque()
        with (
            closing(_Landmarker(1, self.size, still=True)) as landmarker,
            ThreadPoolExecutor(1, "detect again") as pool,
        ):

            def both(image: npt.NDArray[np.uint8], people: tuple[Person, ...]) -> tuple[Person, ...]:
                return tuple(_confirmed(image, person, self.size, landmarker) for person in people)

            def confirm(image: npt.NDArray[np.uint8], people: tuple[Person, ...]) -> None:
                waiting.append(pool.submit(both, image, people))
                # no more pictures are kept than it takes
                if not self.beside or len(waiting) > _BEHIND:
                    out.append(waiting.popleft().result())

            yield confirm
            out.extend(one.result() for one in waiting)


def _confirmed(
    image: npt.NDArray[np.uint8], person: Person, size: tuple[int, int], landmarker: _Landmarker
) -> Person:
    """The mean of `person` and of who is found in the mirror image of the surroundings."""
    scale = image.shape[1] / size[0]
    inside = np.clip(person.landmarks[:, :2] * scale, 0, (image.shape[1], image.shape[0]))
    low, high = inside.min(0), inside.max(0)
    # in steps: what is found hardly depends on where exactly the person was thought to be
    side = 16 * round(2 ** (np.round(4 * np.log2(max(_ROOM * float((high - low).max()), 16.0))) / 4) / 16)
    step = side // 16
    corner = step * np.round((low + high - side) / 2 / step).astype(int)
    found = landmarker.seen(_cut_out(image, corner, side)[:, ::-1], 0.0)
    if not found:
        return person
    landmarks, world = (x[list(MIRRORED)] for x in found[0])
    landmarks[:, 0] = 1 - landmarks[:, 0]
    landmarks[:, :2] = (corner + side * landmarks[:, :2]) / scale
    world[:, 0] *= -1
    either = [(landmarks, world), (landmarks[list(MIRRORED)], world[list(MIRRORED)])]
    # which of them is right about left and right is told by the whole clip, later; here they have to agree
    landmarks, world = min(either, key=lambda one: float(np.abs(one[0] - person.landmarks)[:, :2].sum()))
    second = Person(landmarks, world, person.look)
    if _distance(person, second) > _SAME * torso(person.landmarks)[1]:
        return person
    mean = _seen_inside((person.landmarks + landmarks) / 2, size)
    return Person(mean, (person.world_landmarks + world) / 2, person.look)


def _seen_inside(landmarks: Array, size: tuple[int, int]) -> Array:
    """`landmarks` with visibility 0 outside a picture of that size."""
    landmarks[((landmarks[:, :2] < 0) | (landmarks[:, :2] >= size)).any(1), 2] = 0
    return landmarks


def _cut_out(image: npt.NDArray[np.uint8], corner: npt.NDArray[Any], side: int) -> npt.NDArray[np.uint8]:
    """The square of `side` pixels from `corner` on, black beyond the picture, in `_MOST_PIXELS` at most."""
    x, y = corner
    part: npt.NDArray[Any] = image[max(y, 0) : y + side, max(x, 0) : x + side]
    above, left = max(-y, 0), max(-x, 0)
    below, right = side - above - part.shape[0], side - left - part.shape[1]
    part = cv2.copyMakeBorder(part, above, below, left, right, cv2.BORDER_CONSTANT)
    if side > _MOST_PIXELS:
        part = cv2.resize(part, (_MOST_PIXELS, _MOST_PIXELS), interpolation=cv2.INTER_AREA)
    return np.asarray(part)


class _Landmarker:
    """A PoseLandmarker for so many people; its answers as `Person`.

    Where pictures are `still` nothing is known from one to the next, and time doesn't matter.
    """

    def __init__(self, people: int, size: tuple[int, int], still: bool = False) -> None:
        data = _task()
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision

            mode = vision.RunningMode.IMAGE if still else vision.RunningMode.VIDEO
            with _silence():
                self._landmarker = vision.PoseLandmarker.create_from_options(
                    vision.PoseLandmarkerOptions(
                        base_options=BaseOptions(model_asset_buffer=data),
                        running_mode=mode,
                        num_poses=people,
                        min_pose_detection_confidence=_CONFIDENCE,
                    )
                )
        except (ImportError, OSError, RuntimeError) as error:
            raise CaptureError(
                f"MediaPipe can't run here ({error}); on Debian and Ubuntu it needs the packages libegl1 and "
                "libgles2."
            ) from error
        self._image = mediapipe.Image
        self._format = mediapipe.ImageFormat.SRGB
        self._size, self._still = size, still
        self._last_ms = -1

    def seen(self, image: npt.NDArray[np.uint8], time: float) -> list[tuple[Array, Array]]:
        """Landmarks (33, 3), x and y as shares of the picture, and world landmarks (33, 3) of everybody.

        The picture is RGB, and the `time` in seconds never goes back.
        """
        picture = self._image(image_format=self._format, data=np.ascontiguousarray(image))
        with _silence(self._last_ms < 0):
            if self._still:
                self._last_ms = 0
                found = self._landmarker.detect(picture)
            else:
                self._last_ms = max(round(time * 1000), self._last_ms + 1)
                found = self._landmarker.detect_for_video(picture, self._last_ms)
        return [
            (
                np.array([(p.x, p.y, p.visibility) for p in here], np.float32),
                np.array([(p.x, p.y, p.z) for p in world], np.float32),
            )
            for here, world in zip(found.pose_landmarks, found.pose_world_landmarks, strict=True)
        ]

    def find(self, image: npt.NDArray[np.uint8], time: float) -> tuple[Person, ...]:
        """The people that are `seen`."""
        people = []
        for landmarks, world in self.seen(image, time):
            look = _look(image, landmarks)
            landmarks[:, :2] *= self._size
            people.append(Person(_seen_inside(landmarks, self._size), world, look))
        return tuple(people)

    def close(self) -> None:
        """Has to be called: a landmarker left to garbage collection may hang the process."""
        self._landmarker.close()


def _task() -> bytes:
    """The model bundle, known to be the one that Kinelift was made with."""
    try:
        data = TASK.read_bytes()
    except OSError as error:
        raise CaptureError(f"The pose detector {TASK} is missing; install Kinelift again.") from error
    if hashlib.sha256(data).hexdigest() != TASK_SHA256:
        raise CaptureError(f"The pose detector {TASK} is damaged or was altered; install Kinelift again.")
    return data


def _look(image: npt.NDArray[np.uint8], landmarks: Array) -> Array:
    """`Person.look` of somebody with `landmarks` (33, 3) in units of the picture."""
    points = landmarks[:, :2]
    looks = []
    for upper, lower in (("shoulder", "hip"), ("hip", "knee")):
        a, b, c, d = (points[LANDMARK[f"{name}.{side}"]] for name in (upper, lower) for side in "LR")
        down, across = _GRID
        grid = (1 - down) * ((1 - across) * a + across * b) + down * ((1 - across) * c + across * d)
        grid = grid[((grid >= 0) & (grid < 1)).all(1)]
        x, y = (grid * (image.shape[1], image.shape[0])).astype(int).T
        looks.append(_colours(image[y, x]))
    look = np.sqrt(np.concatenate(looks))
    return (look / max(float(np.linalg.norm(look)), 1e-6)).astype(np.float32)


#: a grid inside the quadrangle of a garment, away from its edges
_GRID = tuple(
    axis.reshape(-1, 1) for axis in np.meshgrid(np.linspace(0.1, 0.9, 14), np.linspace(0.2, 0.8, 10))
)


def _colours(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Histogram (11,) of the hues, as far as pixels (N, 3) are coloured, and of the greys otherwise."""
    if not len(rgb):
        return np.zeros(_HUES + _GREYS)
    hue, saturation, value = cv2.cvtColor(rgb[None], cv2.COLOR_RGB2HSV)[0].T.astype(float)
    coloured = saturation / 255 * np.minimum(value / 64, 1)
    # each pixel goes to the two nearest bins: a shade more or less makes no other look
    at, share = np.divmod(hue * _HUES / 180, 1)
    hues = np.bincount(at.astype(int), coloured * (1 - share), _HUES)
    hues += np.bincount((at.astype(int) + 1) % _HUES, coloured * share, _HUES)
    at, share = np.divmod(value * (_GREYS - 1) / 256, 1)
    greys = np.bincount(at.astype(int), (1 - coloured) * (1 - share), _GREYS)
    greys += np.bincount(at.astype(int) + 1, (1 - coloured) * share, _GREYS)
    return np.concatenate([hues, greys]) / len(rgb)


class _Silence:
    """Keeps what native code mutters at its start off the standard error: it is no news to an artist.

    Several threads may ask for it at once: the first turns it on, the last turns it off.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = 0
        self._saved = -1

    @contextmanager
    def __call__(self, on: bool = True) -> Iterator[None]:
        if not on:
            yield
            return
        with self._lock:
            if self._asked == 0:
                sys.stderr.flush()
                self._saved = os.dup(2)
                sink = os.open(os.devnull, os.O_WRONLY)
                os.dup2(sink, 2)
                os.close(sink)
            self._asked += 1
        try:
            yield
        finally:
            with self._lock:
                self._asked -= 1
                if self._asked == 0:
                    os.dup2(self._saved, 2)
                    os.close(self._saved)


_silence = _Silence()
