"""`Motion`: the one thing that crosses from the worker to Blender, and its file."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .camera import Camera
from .errors import CaptureError
from .files import replacing
from .kinematics import attached_points, joint_positions, world_rotations
from .rotations import continuous_quaternions, matrix_from_quaternion
from .skeleton import HEEL_OFFSET, INDEX, JOINTS, STANDARD_HEIGHT, lengths_of, standing_height

Array = npt.NDArray[Any]

#: raised whenever a field changes its meaning; older files are refused with a sentence
FORMAT_VERSION = 1
#: the columns of `Motion.contacts`
CONTACT_POINTS: tuple[str, ...] = ("heel.L", "toe.L", "heel.R", "toe.R")


@dataclass(frozen=True)
class Motion:
    """A person's motion on one symmetric skeleton, in Blender's world (Z up, metres, seconds).

    Attributes
    ----------
    fps : float
        Frames per second; frame i is at ``start + i / fps`` seconds of the video.
    start : float
        Time of the first frame in the video, seconds.
    offsets : (J, 3)
        Rest offsets of the joints from their parents, T-pose.
    rotations : (T, J, 4)
        Local rotations, quaternions w, x, y, z without sign flips.
    root : (T, 3)
        Position of the hips.
    contacts : (T, 4)
        How sure it is, 0 to 1, that each of `CONTACT_POINTS` stands on something.
    confidence : (T, J)
        How much of each joint was seen, 0 (bridged or guessed) to 1.
    camera : Camera
        The camera that filmed, in the same world.
    landmarks : (T, 33, 3)
        MediaPipe's landmarks of this person: x, y in pixels of the picture and visibility; NaN where nobody
        was found.
    world_landmarks : (T, 33, 3)
        MediaPipe's own 3D of this person (hips-centred, camera axes, metres); NaN likewise.
    others : (P, T, 33, 6)
        The other people of the video, to choose again: landmarks and world landmarks, likewise.
    settings : dict
        What the capture was asked for, and from which file.
    warnings : tuple of str
        What the artist should know, a sentence each.
    """

    fps: float
    start: float
    offsets: Array
    rotations: Array
    root: Array
    contacts: Array
    confidence: Array
    camera: Camera
    landmarks: Array
    world_landmarks: Array
    others: Array = field(default_factory=lambda: np.zeros((0, 0, 33, 6)))
    settings: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        t, j = len(self.root), len(JOINTS)
        people = len(self.others)
        shapes = {
            "offsets": (j, 3), "rotations": (t, j, 4), "root": (t, 3), "contacts": (t, 4),
            "confidence": (t, j), "landmarks": (t, 33, 3), "world_landmarks": (t, 33, 3),
            "others": (people, t if people else 0, 33, 6),
        }  # fmt: skip
        for name, shape in shapes.items():
            value = np.asarray(getattr(self, name), dtype=np.float64 if name == "rotations" else np.float32)
            if value.shape != shape:
                raise ValueError(f"Motion.{name} has the shape {value.shape}, expected {shape}")
            if name == "rotations":
                value = continuous_quaternions(value).astype(np.float32)
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.root)

    @cached_property
    def world_rotations(self) -> npt.NDArray[np.float64]:
        """World rotations of the joints (T, J, 3, 3)."""
        return np.asarray(world_rotations(matrix_from_quaternion(self.rotations.astype(np.float64))))

    @cached_property
    def joints(self) -> npt.NDArray[np.float64]:
        """World positions of the joints (T, J, 3), metres."""
        root, offsets = self.root.astype(np.float64), self.offsets.astype(np.float64)
        return np.asarray(joint_positions(self.world_rotations, root, offsets))

    @property
    def lengths(self) -> npt.NDArray[np.float64]:
        """Symmetric bone lengths in metres, in the order of `skeleton.LENGTHS`."""
        return lengths_of(self.offsets.astype(np.float64))

    @property
    def height(self) -> float:
        """Standing height of the skeleton, metres."""
        return float(standing_height(self.lengths))

    def sole_points(self) -> npt.NDArray[np.float64]:
        """World positions (T, 4, 3) of `CONTACT_POINTS`: heels on the sole, balls at the toe joint."""
        heel = np.array(HEEL_OFFSET) * (self.height / STANDARD_HEIGHT)
        points = []
        for side in "LR":
            points.append(attached_points(self.world_rotations, self.joints, INDEX[f"foot.{side}"], heel))
            points.append(self.joints[:, INDEX[f"toe.{side}"]])
        return np.stack(points, axis=1)

    def save(self, path: Path) -> None:
        """Write the .npz (no pickles); `path` appears whole or not at all."""
        header = {
            "version": FORMAT_VERSION, "joints": list(JOINTS), "fps": self.fps, "start": self.start,
            "focal": self.camera.focal, "size": list(self.camera.size), "settings": self.settings,
            "warnings": list(self.warnings),
        }  # fmt: skip
        content = (
            io.BytesIO()
        )  # on a full disk, a zip file that is being written has more to say than our sentence
        np.savez_compressed(
            content,
            header=np.array(json.dumps(header, ensure_ascii=False)),
            camera_from_world=self.camera.camera_from_world,
            **{name: getattr(self, name) for name in _ARRAYS},
        )
        with replacing(path) as temporary:
            temporary.write_bytes(content.getbuffer())

    @staticmethod
    def load(path: Path) -> Motion:
        """Read a file that `save` wrote.

        Raises
        ------
        CaptureError
            If it is missing, damaged, of another version or no such file at all.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                header = json.loads(str(data["header"]))
                arrays = {name: data[name] for name in _ARRAYS}
                pose = data["camera_from_world"]
            if header["version"] != FORMAT_VERSION or header["joints"] != list(JOINTS):
                raise CaptureError(
                    f"{path} was written by another version of Kinelift (format {header['version']}, "
                    f"this one reads {FORMAT_VERSION}); capture it again."
                )
            width, height = header["size"]
            return Motion(
                fps=header["fps"],
                start=header["start"],
                camera=Camera(header["focal"], (width, height), pose),
                settings=header["settings"],
                warnings=tuple(header["warnings"]),
                **arrays,
            )
        except FileNotFoundError as error:
            raise CaptureError(f"There is no motion file {path}.") from error
        except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise CaptureError(
                f"{path} is not a Kinelift motion file, or it is damaged; capture it again."
            ) from error


_ARRAYS = ("offsets", "rotations", "root", "contacts", "confidence", "landmarks", "world_landmarks", "others")
