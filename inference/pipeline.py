"""Video to `Motion`, all of it: decode, detect, track, lift, stand on the floor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from .camera import DEFAULT_FOCAL_MM, Camera, focal_pixels
from .detect import Progress, detect
from .errors import CaptureError
from .kinematics import local_rotations
from .lift import bridge, joint_confidence, lift
from .lifters.weights import FOLDER, load_weights
from .motion import Motion
from .rotations import quaternion_from_matrix
from .skeleton import rest_offsets
from .track import track
from .video import Clip
from .world import of_height, to_world

WEIGHTS = FOLDER / "motionet.safetensors"
DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class Settings:
    """What a capture may be asked for.

    Attributes
    ----------
    start, end : float, seconds
        The stretch of the video; `end` None: to its end.
    fps : float, optional
        Frames per second of the motion; None: the video's own.
    focal : float, optional
        Focal length in mm, 35 mm equivalent; None: not known, a phone's is assumed.
    person : str
        Whom to follow, as `track.track` takes it.
    device : str
        Where the lifter runs: one of `DEVICES`; ``auto`` takes a GPU if there is one.
    height : float, optional
        The person's standing height, metres; None: not known, `skeleton.STANDARD_HEIGHT` is assumed.
    """

    start: float = 0.0
    end: float | None = None
    fps: float | None = None
    focal: float | None = None
    person: str = "largest"
    device: str = "auto"
    height: float | None = None


def capture(video: Path, settings: Settings, progress: Progress | None = None) -> Motion:
    """Capture one person of a video.

    Parameters
    ----------
    video : Path
    settings : Settings
    progress : callable, optional
        Told the stage, how many frames of it are done, and of how many.

    Raises
    ------
    CaptureError
        If the video can't be read, nobody is in it, or a setting can't be met.
    """
    # what can be refused at once is refused before minutes are spent on the video
    device = torch_device(settings.device)
    if settings.focal is not None and not 5 <= settings.focal <= 1000:
        raise CaptureError(
            f"A focal length of {settings.focal:g} mm won't do; choose 5 to 1000 mm, or leave it out."
        )
    if settings.height is not None and not 0.3 <= settings.height <= 3:
        raise CaptureError(f"A height of {settings.height:g} m won't do; choose 0.3 to 3 m, or leave it out.")
    model = load_weights(WEIGHTS, device)
    clip = Clip(video, settings.start, settings.end, settings.fps)
    detections = detect(clip, progress)
    person = track(detections, settings.person)

    count = len(person.landmarks)
    if progress is not None:
        progress("lift", 0, count)
    focal = focal_pixels(settings.focal or DEFAULT_FOCAL_MM, clip.size)
    lens = Camera(focal, clip.size, np.eye(4))
    rays, confidence = bridge(lens.rays(person.landmarks[..., :2])[..., :2], person.landmarks[..., 2])
    body = lift(rays, confidence, clip.fps, model)
    if settings.height is not None:
        body = of_height(body, settings.height)
    rotations, root, camera = to_world(body, focal, clip.size)
    if progress is not None:
        progress("lift", count, count)
    nobody = ~person.found[:, None, None]
    return Motion(
        fps=clip.fps,
        start=clip.start,
        offsets=rest_offsets(body.lengths),
        rotations=quaternion_from_matrix(local_rotations(rotations)),
        root=root,
        contacts=body.contacts,
        confidence=joint_confidence(confidence),
        camera=camera,
        landmarks=np.where(nobody, np.nan, person.landmarks),
        world_landmarks=np.where(nobody, np.nan, person.world_landmarks),
        settings={"video": video.name, **asdict(settings)},
        warnings=person.warnings,
    )


def torch_device(name: str) -> torch.device:
    """The device called `name`, one of `DEVICES`.

    Raises
    ------
    CaptureError
        If there is none here.
    """
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if there[kind]))
    if not there[name]:
        raise CaptureError(f"There is no {name} device on this computer; choose auto or cpu.")
    return torch.device(name)
