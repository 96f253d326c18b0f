"""Video to `Capture`, all of it: decode, detect, track, lift, solve, stand on the floor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..core.camera import DEFAULT_FOCAL_MM, Camera, focal_pixels
from ..core.capture import Capture, Source
from ..core.contacts import find_contacts
from ..core.errors import CaptureError
from ..core.landmarks import bridge
from ..core.option import options_of
from ..core.options import Settings, check_options, from_plain
from ..core.skeleton import INDEX
from .detect.detector import detect
from .detect.people import Detections, Person, Progress
from .lift import Estimate, joint_confidence, lift
from .lifters.lifter import Lifter
from .lifters.weights import FOLDER, load_weights
from .solve.solver import misfit, solve
from .track import Track, track
from .video import VideoReader
from .world import scaled_to_height, stand_on_floor, to_world

WEIGHTS = FOLDER / "motionet.safetensors"


def capture(
    video: Path, settings: Settings, progress: Progress | None = None, threads: int | None = None
) -> Capture:
    """Capture one person of a video.

    Parameters
    ----------
    video : Path
    settings : Settings
    progress : callable, optional
        Told the stage, how many frames of it are done, and of how many.
    threads : int, optional
        As `detect.detect` takes them: the result doesn't depend on it.

    Raises
    ------
    CaptureError
        If the video can't be read, nobody is in it, or a setting can't be met.
    """
    # what can be refused at once is refused before minutes are spent on the video
    model = _model(settings)
    reader = VideoReader(video, settings.start, settings.end, settings.fps)
    detections = detect(reader, progress, threads, settings.looks)
    source = Source(video.name, str(video.absolute().parent), reader.turn, detections.warnings)
    return _solved(detections, settings, model, source, progress)


def resolve(
    capture: Capture, changed: Mapping[str, Any] | None = None, progress: Progress | None = None
) -> Capture:
    """Solve again from the landmarks that a capture keeps, without its video: another lens, height or person.

    Parameters
    ----------
    capture : Capture
    changed : dict, optional
        Values of `Settings` that are other than in the capture, by name; None for an optional one: it is not
        known. Only those count that a re-solve may change.
    progress : callable, optional
        As for `capture`.

    Raises
    ------
    CaptureError
        If a setting can't be met, or it is no capture.
    """
    settings = _settings_again(capture, changed or {})
    model = _model(settings)
    everybody = [
        _whole(one)
        for one in (np.concatenate([capture.landmarks, capture.world_landmarks], axis=-1), *capture.others)
    ]
    nothing = np.zeros(22, np.float32)
    people = tuple(
        tuple(Person(one[t, :, :3], one[t, :, 3:], nothing) for one in everybody if np.isfinite(one[t, 0, 0]))
        for t in range(len(capture))
    )
    fps, start = capture.motion.fps, capture.motion.start
    detections = Detections(
        times=start + np.arange(len(capture)) / fps, people=people, frames=len(capture), fps=fps, start=start,
        size=capture.camera.size, warnings=capture.source.warnings,
    )  # fmt: skip
    return _solved(detections, settings, model, capture.source, progress)


def _whole(person: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Landmarks and world landmarks (T, 33, 6) with single missing ones filled in: not seen.

    Frames without anybody stay NaN.
    """
    found = np.isfinite(person).any((1, 2))
    out = person.copy()
    place, seen = bridge(person[found, :, :2], np.nan_to_num(person[found, :, 2]))
    solid, _ = bridge(person[found, :, 3:], seen)
    out[found] = np.concatenate([place, seen[..., None], solid], axis=-1)
    return out


def _settings_again(capture: Capture, changed: Mapping[str, Any]) -> Settings:
    """The settings of a capture, with others where a re-solve may change them."""
    if not capture.source.video or not {"start", "end", "fps"} <= capture.settings.keys():
        raise CaptureError(
            "This motion doesn't come from a video, so it can't be solved again; it can be cleaned."
        )
    options = options_of(Settings)
    known = {name: capture.settings[name] for name in options if name in capture.settings}
    # another computer may have other devices
    known["device"] = Settings.device
    # captures from before there was test-time augmentation don't say that they went without
    known.setdefault("looks", 1)
    return from_plain(Settings, known | {name: changed[name] for name in changed if options[name].in_resolve})


def _model(settings: Settings) -> Lifter:
    """The lifter on its device, if all settings can be met."""
    check_options(settings)
    device = torch_device(settings.device)
    return load_weights(WEIGHTS, device)


def _solved(
    detections: Detections,
    settings: Settings,
    model: Lifter,
    source: Source,
    progress: Progress | None,
) -> Capture:
    """From everybody's landmarks to one person's motion on the floor."""
    person = track(detections, settings.person)
    count = len(person.landmarks)
    told = progress or (lambda stage, frame, of: None)
    seen = _Seen(person, detections, model)
    told("lift", 0, count)
    focal_mm = settings.focal or _likely_focal(seen, lambda share: told("lift", int(share * count), count))
    rays, confidence, body = seen.through(focal_mm)
    told("lift", count, count)
    body = solve(body, rays, confidence, detections.fps, seen.device, progress)
    focal = focal_pixels(focal_mm, detections.size)
    if settings.height is not None:
        body = scaled_to_height(body, settings.height)
    motion, camera = to_world(body, detections.fps, detections.start, focal, detections.size)
    captured = Capture(
        motion=motion,
        camera=camera,
        confidence=joint_confidence(confidence),
        landmarks=_open(person)[..., :3],
        world_landmarks=_open(person)[..., 3:],
        others=np.stack([_open(other) for other in person.others]) if person.others else _NOBODY,
        settings=asdict(settings),
        source=source,
        warnings=person.warnings,
    )
    feet = captured.confidence[:, [INDEX["foot.L"], INDEX["foot.R"]]][person.found]
    if feet.mean() < _FEET_SEEN:
        captured = replace(captured, warnings=(*captured.warnings, _NO_FEET))
    contacts = find_contacts(captured)
    standing = stand_on_floor(captured, contacts)
    return replace(standing, motion=replace(standing.motion, contacts=contacts.astype(np.float32)))


@dataclass(frozen=True)
class _Seen:
    """One person's landmarks, to be lifted through one lens or another."""

    person: Track
    detections: Detections
    model: Lifter

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def through(self, focal_mm: float) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Estimate]:
        """Rays, their confidence, and what the lifter says of them."""
        person, size = self.person, self.detections.size
        lens = Camera(focal_pixels(focal_mm, size), size, np.eye(4))
        rays, confidence = bridge(lens.rays(person.landmarks[..., :2])[..., :2], person.landmarks[..., 2])
        hint = np.where(person.found[:, None, None], person.world_landmarks, np.nan)
        return rays, confidence, lift(rays, confidence, hint, self.detections.fps, self.model)


#: lenses that are tried where the lens isn't known, as shares of `DEFAULT_FOCAL_MM`; how others are spread
#: about it (mean and deviation of the logarithm; video is often cropped), and how much the logarithm of the
#: misfit counts against that. Chosen on detections held out from training
_LENSES = (0.8, 1.0, 1.3, 1.7, 2.2)
_LENS_MEAN, _LENS_SPREAD, _LENS_VOICE = 0.1, 0.3, 16.0
#: so many frames tell it
_LENS_FRAMES = 90


def _likely_focal(seen: _Seen, progress: Callable[[float], None]) -> float:
    """The focal length, mm, through which the lifter and the landmarks agree best."""
    step = max(1, len(seen.person.landmarks) // _LENS_FRAMES)
    costs = []
    for share in _LENSES:
        rays, confidence, body = seen.through(share * DEFAULT_FOCAL_MM)
        few = replace(
            body, rotations=body.rotations[::step], root=body.root[::step], contacts=body.contacts[::step]
        )
        off = misfit(few, rays[::step], confidence[::step], seen.detections.fps / step, seen.device)
        usual = (np.log(share) - _LENS_MEAN) / _LENS_SPREAD
        costs.append(_LENS_VOICE * np.log(max(off, 1e-3)) + usual**2 / 2)
        progress(len(costs) / (len(_LENSES) + 1))
    at = np.log(_LENSES)
    bend, slope, _ = np.polyfit(at, costs, 2)
    best = -slope / (2 * bend) if bend > 0 else at[np.argmin(costs)]
    return float(DEFAULT_FOCAL_MM * np.exp(np.clip(best, at[0], at[-1])))


_NOBODY = np.zeros((0, 0, 33, 6))
#: feet seen worse than this on the average stand where it is guessed
_FEET_SEEN = 0.3
_NO_FEET = "The feet are hardly in the picture: where they stand is guessed; film the whole person."


def _open(person: Track) -> npt.NDArray[np.float32]:
    """Landmarks and world landmarks (T, 33, 6), NaN in bridged gaps too: bridging is done again at need."""
    both = np.concatenate([person.landmarks, person.world_landmarks], axis=-1)
    return np.where(person.found[:, None, None], both, np.float32(np.nan))


def torch_device(name: str) -> torch.device:
    """The device that the option ``device`` of `Settings` names.

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
