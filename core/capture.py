"""`Capture`: a motion with the evidence for it, the one thing that crosses from the worker to Blender."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import Array
from .camera import Camera
from .errors import CaptureError
from .files import replacing
from .motion import Motion, checked
from .skeleton import JOINTS

#: raised when a field changes its meaning
FORMAT_VERSION = 2
#: versions that `Capture.load` reads. In 1 the source lay among the settings
_READ = (1, 2)


@dataclass(frozen=True)
class Source:
    """The video that a capture was made from.

    Attributes
    ----------
    video, folder : str
        Its file name, and the folder where it lay; empty: not known.
    turn : int
        Degrees, clockwise, by which the file says that its pictures have to be turned to stand upright; 0 as
        well for captures from before this was kept.
    warnings : tuple of str
        What is true of the video whoever is followed in it, a sentence each.
    """

    video: str = ""
    folder: str = ""
    turn: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Capture:
    """What a video tells of a person's motion, and the motion.

    Everything after detection can be solved again from it, without the video.

    Attributes
    ----------
    motion : Motion
    camera : Camera
        The camera that filmed, in the motion's world.
    confidence : (T, J)
        How much of each joint was seen, 0 (bridged or guessed) to 1.
    landmarks : (T, 33, 3)
        MediaPipe's landmarks of this person: x, y in pixels of the picture and visibility; NaN where nobody
        was found.
    world_landmarks : (T, 33, 3)
        MediaPipe's own 3D of this person (hips-centred, camera axes, metres); NaN likewise.
    others : (P, T, 33, 6)
        The other people of the video, to choose again: landmarks and world landmarks, likewise.
    settings : dict
        What the capture was asked for: values of `options.Settings` by name.
    source : Source
    warnings : tuple of str
        What the artist should know, a sentence each.
    """

    motion: Motion
    camera: Camera
    confidence: Array
    landmarks: Array
    world_landmarks: Array
    others: Array = field(default_factory=lambda: np.zeros((0, 0, 33, 6)))
    settings: dict[str, Any] = field(default_factory=dict)
    source: Source = field(default_factory=Source)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        frames, people = len(self.motion), len(self.others)
        checked(self, {
            "confidence": (frames, len(JOINTS)), "landmarks": (frames, 33, 3),
            "world_landmarks": (frames, 33, 3), "others": (people, frames if people else 0, 33, 6),
        })  # fmt: skip

    def __len__(self) -> int:
        return len(self.motion)

    def save(self, path: Path) -> None:
        """Write the .npz (no pickles); `path` appears whole or not at all."""
        header = {
            "version": FORMAT_VERSION, "joints": list(JOINTS), "fps": self.motion.fps,
            "start": self.motion.start, "focal": self.camera.focal, "size": list(self.camera.size),
            "settings": self.settings, "source": asdict(self.source), "warnings": list(self.warnings),
        }  # fmt: skip
        # in memory first: on a full disk, a zip file that is being written has more to say than our sentence
        content = io.BytesIO()
        np.savez_compressed(
            content,
            header=np.array(json.dumps(header, ensure_ascii=False)),
            camera_from_world=self.camera.camera_from_world,
            **{name: getattr(self.motion, name) for name in _OF_MOTION},
            **{name: getattr(self, name) for name in _OF_CAPTURE},
        )
        with replacing(path) as temporary:
            temporary.write_bytes(content.getbuffer())

    @staticmethod
    def load(path: Path) -> Capture:
        """Read a file that `save` wrote, or an earlier version of it.

        Raises
        ------
        CaptureError
            If it is missing, damaged, of another version or no such file at all.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                header = json.loads(str(data["header"]))
                motion = {name: data[name] for name in _OF_MOTION}
                evidence = {name: data[name] for name in _OF_CAPTURE}
                pose = data["camera_from_world"]
            if header["version"] not in _READ or header["joints"] != list(JOINTS):
                raise CaptureError(
                    f"{path} was written by another version of Kinelift (format {header['version']}, "
                    f"this one reads {FORMAT_VERSION}); capture it again."
                )
            width, height = header["size"]
            settings, source = _settings_and_source(header)
            return Capture(
                motion=Motion(fps=header["fps"], start=header["start"], **motion),
                camera=Camera(header["focal"], (width, height), pose),
                settings=settings,
                source=source,
                warnings=tuple(header["warnings"]),
                **evidence,
            )
        except FileNotFoundError as error:
            raise CaptureError(f"There is no motion file {path}.") from error
        except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise CaptureError(
                f"{path} is not a Kinelift motion file, or it is damaged; capture it again."
            ) from error


_OF_MOTION = ("offsets", "rotations", "root", "contacts")
_OF_CAPTURE = ("confidence", "landmarks", "world_landmarks", "others")


def _settings_and_source(header: dict[str, Any]) -> tuple[dict[str, Any], Source]:
    settings = dict(header["settings"])
    if header["version"] > 1:
        told = dict(header["source"])
    else:
        kept = {"video": "video", "folder": "folder", "video_warnings": "warnings"}
        told = {new: settings.pop(old) for old, new in kept.items() if old in settings}
    told["warnings"] = tuple(told.get("warnings", ()))
    return settings, Source(**{f.name: told[f.name] for f in fields(Source) if f.name in told})
