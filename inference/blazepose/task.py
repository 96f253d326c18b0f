"""The files that the pose landmarkers come in: a zip of a network that finds people and one for landmarks."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

from ...core.errors import CaptureError

_MODELS = Path(__file__).parent.with_name("models")
#: the network that is right for most
FULL = _MODELS / "pose_landmarker_full.task"
#: takes three times as long, and errs less
HEAVY = _MODELS / "pose_landmarker_heavy.task"
#: checksums of the files that Kinelift was made with
_SHA256 = {
    FULL.name: "b78356254098a75f148e83c4fe0c7213982487abaf8fe2b3add653ffc46aaf28",
    HEAVY.name: "7e9d4d87612910b4020800c70f0f25c24de6f3ec484a2e6fc33d18f4346beed8",
}


def read_task(path: Path) -> bytes:
    """The content of `FULL` or `HEAVY`.

    Raises
    ------
    CaptureError
        If it is missing or isn't the one that Kinelift was made with.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CaptureError(f"The pose detector {path} is missing; install Kinelift again.") from error
    if hashlib.sha256(data).hexdigest() != _SHA256[path.name]:
        raise CaptureError(f"The pose detector {path} is damaged or was altered; install Kinelift again.")
    return data


def people_network(path: Path) -> bytes:
    """The TFLite file of the network that finds people, see `read_task`."""
    return _unpacked(path, "pose_detector.tflite")


def landmark_network(path: Path) -> bytes:
    """The TFLite file of the network that finds landmarks, see `read_task`."""
    return _unpacked(path, "pose_landmarks_detector.tflite")


def _unpacked(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(read_task(path))) as bundle:
        return bundle.read(name)
