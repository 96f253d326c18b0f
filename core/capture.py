"""`Capture`: a motion with the evidence for it, the one thing that crosses from the worker to Blender."""

from __future__ import annotations

import io
import json
import math
import reprlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from numbers import Integral
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from .arrays import Array, Bools, Floats
from .camera import Camera, Cameras, relative_poses
from .errors import CaptureError, UnsoundError
from .files import replacing
from .landmarks import COLUMNS, IN_SPACE, LANDMARKS, SPREAD, nothing_known
from .motion import Motion
from .npz import read_npz
from .option import options_of
from .options import MOST_PEOPLE, Settings, problems_of
from .skeleton import JOINTS, rest_offsets
from .sound import METRES, ROUNDING, SHARE, Part, check_number, checked, is_text

#: raised when a field changes its meaning
FORMAT_VERSION = 5
#: versions that `Capture.load` reads. In 1 the source lay among the settings; in 1 and 2 there was neither
#: spread nor presence; up to 3 there was no spread of the turns, up to 4 cameras stood still
_READ = (1, 2, 3, 4, 5)
#: bytes of a file and of its arrays: two hours of one person, or half an hour of six, at 60 frames per second
_LARGEST = 1 << 30
#: characters of a warning
_LONGEST_WARNING = 2000
#: how many warnings there may be
_MOST_WARNINGS = 100
#: characters of a file's name, and of a folder's path
_LONGEST_NAME, _LONGEST_PATH = 255, 4096
#: limits of landmarks, pixels: they may lie outside of the picture
_PIXELS = (-1e6, 1e6)
#: limits of landmarks from the hips on, metres
_REACH = (-100.0, 100.0)
#: limits of variances and covariances of landmarks, pixels squared
_VARIANCE, _COVARIANCE = (0.0, 1e12), (-1e12, 1e12)
#: limits of the spread of a turn, radians
_TURN = (0.0, math.pi)
#: limits of a zoom
_ZOOMS = (0.05, 20.0)
#: limits of bone lengths, metres
_LENGTHS = (1e-3, 10.0)


@dataclass(frozen=True)
class Source:
    """The video that a capture was made from.

    Attributes
    ----------
    video, folder : str
        Its file name, and the folder where it lay; empty: not known.
    turn : int
        Degrees, clockwise, by which the file says that its pictures have to be turned to stand upright ...
    mirrored : bool
        ... and whether left and right have to be exchanged afterwards.
    turned : int
        Degrees, clockwise, by which they were turned besides, against what the file says.
    warnings : tuple of str
        What is true of the video whoever is followed in it, a sentence each.
    """

    video: str = ""
    folder: str = ""
    turn: int = 0
    mirrored: bool = False
    turned: int = 0
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (is_text(self.video, _LONGEST_NAME) and Path(self.video).name == self.video != ".."):
            raise UnsoundError("the name of its video is no file name")
        # a capture may have been made on another system
        absolute = (kind(self.folder).is_absolute() for kind in (PurePosixPath, PureWindowsPath))
        if not is_text(self.folder, _LONGEST_PATH) or (self.folder and not any(absolute)):
            raise UnsoundError("the folder of its video is no whole path")
        for turn in (self.turn, self.turned):
            check_number("video's turn", turn, (0, 359), Integral)
        if not isinstance(self.mirrored, bool):
            raise UnsoundError("its video is neither mirrored nor not")
        _check_warnings(self.warnings)


@dataclass(frozen=True)
class Capture:
    """What a video tells of a person's motion, and the motion.

    Everything after detection can be solved again from it, without the video. What can't be a capture, from a
    file or from a stage of the pipeline, gets an `UnsoundError`.

    Attributes
    ----------
    motion : Motion
    camera : Camera
        The camera that filmed, in the motion's world. Where it moves, each frame's camera is told from it.
    confidence : (T, J)
        How much of each joint was seen, 0 (bridged or guessed) to 1.
    landmarks : (T, 33, 3)
        MediaPipe's landmarks of this person: x, y in pixels of the picture and visibility; NaN where nobody
        was found.
    world_landmarks : (T, 33, 3)
        MediaPipe's own 3D of this person (hips-centred, camera axes, metres); NaN likewise.
    spread : (T, 33, 3)
        Covariance of the error of each landmark in the picture: xx, xy, yy, pixels squared; NaN where it
        isn't known: in gaps, and in files of earlier versions.
    presence : (T, 33)
        Whether the picture shows where the landmark is, be it hidden or not, 0 to 1; NaN likewise.
    turn_spread : (T, J)
        How far off the lifter expects each joint's rotation to be: one standard deviation about each axis,
        radians. Most of it is depth, which the picture doesn't show. NaN where it isn't known: in shots
        without the person, and in files of earlier versions.
    camera_turns : (T, 4)
        How each frame's camera is turned: the quaternion that takes coordinates in the axes of the shot's
        camera to those in the axes of the frame's.
    camera_places : (T, 3)
        Where each frame's camera stands in the axes of the shot's camera, metres.
    camera_zooms : (T,)
        The focal length of each frame's camera, as a share of that of the shot's camera.
    others : (P, T, 33, 10)
        The other people of the video, to choose again: `landmarks.evidence_of` each of them.
    settings : dict
        What the capture was asked for: values of `options.Settings` by name.
    source : Source
    warnings : tuple of str
        What the artist should know, a sentence each.
    unsure_sides : tuple of (int, int)
        First and last frame of the stretches in which it is uncertain which side of the person is the left.
    contacts_given : bool
        Whether somebody said where feet stand, so that solving again doesn't look for contacts anew.
    later_cameras : tuple of Camera
        Those that filmed the shots after the first, each in the world of its shot: one for each of the
        motion's cuts.
    people : int
        How many people were captured, where the others have files beside this one (`files.everybodys`). Those
        and captures of one person say 1.
    """

    motion: Motion
    camera: Camera
    confidence: Array
    landmarks: Array
    world_landmarks: Array
    spread: Array
    presence: Array
    turn_spread: Array
    camera_turns: Array
    camera_places: Array
    camera_zooms: Array
    others: Array = field(default_factory=lambda: np.zeros((0, 0, len(LANDMARKS), COLUMNS)))
    settings: dict[str, Any] = field(default_factory=dict)
    source: Source = field(default_factory=Source)
    warnings: tuple[str, ...] = ()
    unsure_sides: tuple[tuple[int, int], ...] = ()
    contacts_given: bool = False
    later_cameras: tuple[Camera, ...] = ()
    people: int = 1

    def __post_init__(self) -> None:
        frames, people, motion = len(self.motion), len(self.others), self.motion
        seen, wide = (_PIXELS, _PIXELS, SHARE), (_VARIANCE, _COVARIANCE, _VARIANCE)
        checked(self, {
            "confidence": Part((frames, len(JOINTS)), SHARE),
            "landmarks": Part((frames, 33, 3), seen, gaps=True),
            "world_landmarks": Part((frames, 33, 3), _REACH, gaps=True),
            "spread": Part((frames, 33, 3), wide, gaps=True),
            "presence": Part((frames, 33), SHARE, gaps=True),
            "turn_spread": Part((frames, len(JOINTS)), _TURN, gaps=True),
            "camera_turns": Part((frames, 4), (-1, 1)), "camera_places": Part((frames, 3), METRES),
            "camera_zooms": Part((frames,), _ZOOMS),
            "others": Part(
                (people, frames if people else 0, 33, COLUMNS),
                (*seen, *[_REACH] * 3, *wide, SHARE),
                gaps=True,
            ),
        })  # fmt: skip
        for spread in (self.spread, self.others[..., SPREAD]):
            _check_covariance(spread)
        check_number("frame rate", motion.fps, options_of(Settings)["fps"].limits)
        for name, turns in (("rotations", motion.rotations), ("camera's turns", self.camera_turns)):
            if np.abs(np.linalg.norm(turns, axis=-1) - 1).max() > ROUNDING:
                raise UnsoundError(f"some of its {name} are no rotations")
        lengths = motion.lengths
        off = np.abs(rest_offsets(lengths) - motion.offsets).max()
        if not (_LENGTHS[0] <= lengths.min() and lengths.max() <= _LENGTHS[1] and off <= ROUNDING):
            raise UnsoundError("its skeleton isn't a person's")
        _check_warnings(self.warnings)
        next_one = 0
        for first, last in self.unsure_sides:
            check_number("stretch of unsure sides", first, (next_one, frames - 1), Integral)
            check_number("stretch of unsure sides", last, (first, frames - 1), Integral)
            next_one = last + 1
        if not isinstance(self.contacts_given, bool):
            raise UnsoundError("its contacts are neither given nor found")
        if len(self.later_cameras) != len(motion.cuts):
            raise UnsoundError("it hasn't a camera for each shot")
        check_number("number of people", self.people, (1, MOST_PEOPLE), Integral)

    def __len__(self) -> int:
        return len(self.motion)

    @property
    def camera_moves(self) -> bool:
        """Whether the camera turns, travels or zooms in some shot."""
        return bool(self.camera_aside.any() or (self.camera_zooms != 1).any())

    @property
    def camera_aside(self) -> Bools:
        """Where (T,) the camera has another place or direction than the shot's."""
        still = still_camera(len(self))
        turned = (self.camera_turns != still["camera_turns"]).any(1)
        return np.asarray(turned | (self.camera_places != still["camera_places"]).any(1))

    @cached_property
    def cameras(self) -> Cameras:
        """The camera of each frame, in the motion's world."""
        frames = [shot.stop - shot.start for shot in self.motion.shots]
        each = (self.camera, *self.later_cameras)
        focal = np.array([one.focal for one in each], np.float64)
        poses = np.repeat([np.asarray(one.camera_from_world, np.float64) for one in each], frames, axis=0)
        return Cameras(
            np.repeat(focal, frames) * self.camera_zooms,
            self.camera.size,
            relative_poses(self.camera_turns, self.camera_places) @ poses,
        )

    @property
    def eyes(self) -> Floats:
        """Where the camera of each frame stands (T, 3), in the world of a motion of one shot."""
        if self.camera_moves:
            return self.cameras.eyes
        return np.broadcast_to(self.camera.eye, (len(self), 3))

    def with_still_camera(self) -> Capture:
        """The same as a camera sees it that keeps its place, so that the person moves instead of the camera.

        The picture stays the same: each shot's camera is where `camera` says, and zooms as it did. Contacts
        are left out of shots in which it turned or travelled: nobody stands on a floor that moves.

        Returns
        -------
        Capture
            This very one, if the camera keeps its place.
        """
        moved = self.camera_aside
        if not moved.any():
            return self
        kept = replace(self, **still_camera(len(self)) | {"camera_zooms": self.camera_zooms})
        way = np.linalg.inv(kept.cameras.camera_from_world) @ self.cameras.camera_from_world
        contacts = self.motion.contacts.copy()
        for shot in self.motion.shots:
            if moved[shot].any():
                contacts[shot] = 0
        return replace(kept, motion=replace(self.motion.moved(way), contacts=contacts))

    @property
    def shots(self) -> list[Capture]:
        """Each shot as a capture of its own."""
        if not self.later_cameras:
            return [self]
        return [
            replace(self.part(frames), camera=camera)
            for frames, camera in zip(self.motion.shots, (self.camera, *self.later_cameras), strict=True)
        ]

    def part(self, frames: slice) -> Capture:
        """A stretch of it within one shot, which the first camera filmed."""
        # people are in one shot, or in some
        others = [one for one in self.others[:, frames] if np.isfinite(one).any()]
        return replace(
            self,
            motion=self.motion.part(frames),
            later_cameras=(),
            unsure_sides=tuple(
                (max(first - frames.start, 0), min(last, frames.stop - 1) - frames.start)
                for first, last in self.unsure_sides
                if first < frames.stop and last >= frames.start
            ),
            **{name: getattr(self, name)[frames] for name in _OF_FRAMES},
            others=np.stack(others) if others else np.zeros((0, 0, len(LANDMARKS), COLUMNS)),
        )

    def save(self, path: Path) -> None:
        """Write the .npz (no pickles); `path` appears whole or not at all."""
        arrays = {name: getattr(self.motion, name) for name in _OF_MOTION}
        arrays |= {name: getattr(self, name) for name in _OF_CAPTURE}
        header = {
            "version": FORMAT_VERSION, "joints": list(JOINTS), "fps": self.motion.fps,
            "start": self.motion.start, "slow_motion": self.motion.slow_motion,
            "focal": self.camera.focal, "size": list(self.camera.size),
            "shots": [
                {"first": cut, "focal": one.focal, "pose": np.asarray(one.camera_from_world).tolist()}
                for cut, one in zip(self.motion.cuts, self.later_cameras, strict=True)
            ],
            "unsure_sides": self.unsure_sides, "contacts_given": self.contacts_given,
            "people": self.people, "settings": self.settings, "source": asdict(self.source),
            "warnings": list(self.warnings),
        }  # fmt: skip
        if sum(array.nbytes for array in arrays.values()) > _LARGEST:
            raise CaptureError(f"{path} would be too large to be read again: capture a shorter stretch.")
        # in memory first: on a full disk, a zip file that is being written has more to say than our sentence
        content = io.BytesIO()
        np.savez_compressed(
            content,
            header=np.array(json.dumps(header, ensure_ascii=False)),
            camera_from_world=np.asarray(self.camera.camera_from_world, np.float64),
            **arrays,
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
            if not path.is_file():
                raise CaptureError(f"There is no motion file {path}.")
            header = json.loads(read_npz(path, ("header",), _LARGEST)["header"])
            if header["version"] not in _READ or header["joints"] != list(JOINTS):
                raise CaptureError(
                    f"{path} was written by another version of Kinelift (format "
                    f"{reprlib.repr(header['version'])}, this one reads {FORMAT_VERSION}); capture it again."
                )
            data = _arrays(path, header["version"])
            width, height = header["size"]
            settings, source = _settings_and_source(header)
            # earlier versions didn't tell shots apart
            shots = header.get("shots", [])
            cuts = tuple(shot["first"] for shot in shots)
            return Capture(
                motion=Motion(
                    header["fps"],
                    header["start"],
                    **{name: data[name] for name in _OF_MOTION},
                    cuts=cuts,
                    slow_motion=header.get("slow_motion", 1.0),
                ),
                later_cameras=tuple(
                    Camera(shot["focal"], (width, height), np.array(shot["pose"], np.float64))
                    for shot in shots
                ),
                camera=Camera(header["focal"], (width, height), data["camera_from_world"]),
                settings=settings,
                source=source,
                warnings=_warnings(header["warnings"]),
                unsure_sides=tuple((first, last) for first, last in header.get("unsure_sides", [])),
                contacts_given=header.get("contacts_given", False),
                people=header.get("people", 1),
                **{name: data[name] for name in _OF_CAPTURE},
            )
        except UnsoundError as error:
            raise CaptureError(f"{path} is damaged ({error}); capture it again.") from error
        except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise CaptureError(
                f"{path} is not a Kinelift motion file, or it is damaged; capture it again."
            ) from error


def joined(shots: Sequence[Capture]) -> Capture:
    """One capture of shots that follow each other, on the first one's skeleton; the opposite of `shots`."""
    first = shots[0]
    if len(shots) == 1:
        return first
    motions = [one.motion for one in shots]
    arrays = {
        name: np.concatenate([getattr(one, name) for one in motions])
        for name in ("rotations", "root", "contacts")
    }
    cuts = tuple(np.cumsum([len(one) for one in motions])[:-1].tolist())
    people = max(len(one.others) for one in shots)
    frames = sum(map(len, shots)) if people else 0
    others = np.full((people, frames, len(LANDMARKS), COLUMNS), np.nan, np.float32)
    for begin, one in zip((0, *cuts), shots, strict=True):
        if len(one.others):
            others[: len(one.others), begin : begin + len(one)] = one.others
    return replace(
        first,
        motion=replace(first.motion, cuts=cuts, **arrays),
        later_cameras=tuple(one.camera for one in shots[1:]),
        unsure_sides=tuple(
            (begin + first, begin + last)
            for begin, one in zip((0, *cuts), shots, strict=True)
            for first, last in one.unsure_sides
        ),
        others=others,
        warnings=tuple(dict.fromkeys(warning for one in shots for warning in one.warnings)),
        **{name: np.concatenate([getattr(one, name) for one in shots]) for name in _OF_FRAMES},
    )


_OF_MOTION = ("offsets", "rotations", "root", "contacts")
#: arrays of a capture with a row for each frame
_OF_FRAMES = (
    *("confidence", "landmarks", "world_landmarks", "spread", "presence", "turn_spread"),
    *("camera_turns", "camera_places", "camera_zooms"),
)
_OF_CAPTURE = (*_OF_FRAMES, "others")


def _arrays(path: Path, version: int) -> dict[str, Any]:
    """The arrays in a file of some version, with NaN for what wasn't known then."""
    known = _OF_FRAMES[: {1: 3, 2: 3, 3: 5, 4: 6}.get(version)]
    data = read_npz(path, ("camera_from_world", *_OF_MOTION, *known, "others"), _LARGEST)
    landmarks, others = data["landmarks"], data["others"]
    columns = COLUMNS if version > 2 else IN_SPACE.stop
    # what is added is as large as what was read, whatever an empty array says of its shape
    if landmarks.shape[1:] != (33, 3) or others.shape[2:] != (33, columns):
        raise UnsoundError(f"the shapes of its landmarks are {landmarks.shape} and {others.shape}")
    more = np.full((*others.shape[:-1], COLUMNS - columns), np.nan, np.float32)
    frames = len(landmarks)
    lacking = nothing_known(frames) | {"turn_spread": turns_not_known(frames)} | still_camera(frames)
    return lacking | data | {"others": np.concatenate([others, more], axis=-1)}


def turns_not_known(frames: int) -> Floats:
    """`Capture.turn_spread` where nothing is known of it."""
    return np.full((frames, len(JOINTS)), np.nan)


def still_camera(frames: int) -> dict[str, Any]:
    """`Capture.camera_turns`, `camera_places` and `camera_zooms` of a camera that stands still, by name."""
    return {
        "camera_turns": np.tile([1.0, 0.0, 0.0, 0.0], (frames, 1)),
        "camera_places": np.zeros((frames, 3)),
        "camera_zooms": np.ones(frames),
    }


def _check_covariance(spread: Array) -> None:
    """Refuse what can't be a covariance, or is known in part."""
    xx, xy, yy = np.moveaxis(spread[np.isfinite(spread).any(-1)].astype(np.float64), -1, 0)
    if not ((xx > 0) & (yy > 0) & (xy**2 <= xx * yy * (1 + ROUNDING))).all():
        raise UnsoundError("some of its spreads are no covariances")


def _settings_and_source(header: dict[str, Any]) -> tuple[dict[str, Any], Source]:
    told = dict(header["settings"])
    if header["version"] > 1:
        source = dict(header["source"])
    else:
        kept = {"video": "video", "folder": "folder", "video_warnings": "warnings"}
        source = {new: told[old] for old, new in kept.items() if old in told}
    source["warnings"] = _warnings(source.get("warnings", []))
    # other versions have other options
    settings = {name: told[name] for name in options_of(Settings) if name in told}
    for problem in problems_of(Settings, settings):
        raise UnsoundError(f"it {problem}")
    return settings, Source(**{f.name: source[f.name] for f in fields(Source) if f.name in source})


def _warnings(told: Any) -> tuple[str, ...]:
    if not isinstance(told, list):
        raise UnsoundError("its warnings are no list")
    return tuple(told)


def _check_warnings(warnings: tuple[str, ...]) -> None:
    if len(warnings) > _MOST_WARNINGS or not all(is_text(one, _LONGEST_WARNING) for one in warnings):
        raise UnsoundError("its warnings are no short texts")
