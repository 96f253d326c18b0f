"""MediaPipe's PoseLandmarker: finds the people in a picture."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import numpy as np

from ...core.arrays import Array, Image
from ...core.errors import CaptureError
from ..blazepose.task import FULL, read_task
from .appearance import appearance
from .people import CROWD, Person, distinct, seen_inside

#: which of MediaPipe's models finds people
TASK = FULL
#: detections less confident than this don't count. MediaPipe's default of 0.5 misses people at a distance,
#: and its landmark model rejects what is not a person
_CONFIDENCE = 0.35


def people_in(images: Sequence[Image], size: tuple[int, int]) -> list[tuple[Person, ...]]:
    """The people in each of some RGB pictures, which may lie far apart in a video of `size` (w, h), pixels.

    Raises
    ------
    CaptureError
        If the model is missing or altered, or MediaPipe can't run here.
    """
    with closing(Landmarker(CROWD, size)) as crowd:
        return [distinct(crowd.find(image, 10.0 * second)) for second, image in enumerate(images)]


class Landmarker:
    """A PoseLandmarker whose results are `Person`.

    Parameters
    ----------
    people : int
        How many it finds at most.
    size : (int, int)
        Width and height of the video's picture, pixels.
    still : bool
        Whether pictures are independent of each other; otherwise it follows people from one to the next.

    Raises
    ------
    CaptureError
        If the model is missing or altered, or MediaPipe can't run here.
    """

    def __init__(self, people: int, size: tuple[int, int], still: bool = False) -> None:
        data = read_task(TASK)
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

    def seen(self, image: Image, time: float) -> list[tuple[Array, Array]]:
        """Landmarks (33, 3) and world landmarks (33, 3) of everybody in an RGB picture.

        x and y of the landmarks are shares of the picture's width and height. Successive times, in seconds,
        must not decrease; `still` ignores them.
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

    def find(self, image: Image, time: float) -> tuple[Person, ...]:
        """The people in an RGB picture filmed at `time`, see `seen`."""
        people = []
        for landmarks, world in self.seen(image, time):
            worn = appearance(image, landmarks)
            landmarks[:, :2] *= self._size
            people.append(Person(seen_inside(landmarks, self._size), world, worn))
        return tuple(people)

    def close(self) -> None:
        """Release it. Must be called: a landmarker left to garbage collection may hang the process."""
        self._landmarker.close()


class _Silence:
    """Discards what native code prints on the standard error: an artist can't use it.

    Several threads may enter it at once: the first turns it on, the last turns it off.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._saved = -1

    @contextmanager
    def __call__(self, on: bool = True) -> Iterator[None]:
        if not on:
            yield
            return
        with self._lock:
            if self._users == 0:
                sys.stderr.flush()
                self._saved = os.dup(2)
                sink = os.open(os.devnull, os.O_WRONLY)
                os.dup2(sink, 2)
                os.close(sink)
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    os.dup2(self._saved, 2)
                    os.close(self._saved)


_silence = _Silence()
