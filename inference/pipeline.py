"""The whole way from a video to a `Capture`: decode, detect, track, lift, solve, stand on the floor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ..core.arrays import Array, Bools, Floats
from ..core.camera import focal_pixels
from ..core.capture import Capture, Source, joined, still_camera, turns_not_known
from ..core.contacts import (
    CONTACT_THRESHOLD,
    find_contacts,
    in_flight,
    keep_long,
    runs,
    without_sliding,
)
from ..core.errors import CaptureError
from ..core.foot_ik import within_range
from ..core.landmarks import (
    COLUMNS,
    IN_SPACE,
    LANDMARK,
    LANDMARKS,
    bridge,
    evidence_of,
    fields_of,
    joint_confidence,
    nothing_known,
)
from ..core.motion import CONTACT_JOINTS
from ..core.option import options_of
from ..core.options import (
    ALL,
    AND,
    MOST_PEOPLE,
    PARTS,
    TRIM,
    UPPER,
    CleanUp,
    Settings,
    check_options,
    from_plain,
    several,
)
from ..core.pins import Pins, not_met
from ..core.quality import found_in
from ..core.skeleton import INDEX, standing_height
from .camera_path import CameraMotion, camera_motion, motion_in
from .camera_scale import sized
from .chosen import bodies_of, followed, number_of, own, the_rest
from .corrections import corrected
from .detect.detector import detect
from .detect.people import Detections, Person, Progress
from .doubts import doubts
from .lens import Seen, likely_focal
from .lift import Estimate
from .lifters.lifter import Lifter
from .lifters.weights import FOLDER, load_weights
from .pins import pinned
from .shots import shots_of
from .sideways import stood_up
from .solve.problem import Evidence, Touch
from .solve.solver import settle, solve
from .together import as_seen_by, beside, up_of
from .touching import touches, touching_said
from .track import Track
from .unseen import LEGS, above_floor, at_rest, rested, unseen, without_contacts
from .video import VideoReader
from .world import by_lengths, level_from_world, to_world

#: the lifter that captures use
WEIGHTS = FOLDER / "pose.safetensors"


def capture(
    video: Path, settings: Settings, progress: Progress | None = None, threads: int | None = None
) -> Capture:
    """Capture one person of a video: the first of `captures`, whose parameters and errors these are."""
    return captures(video, settings, progress, threads)[0]


def captures(
    video: Path, settings: Settings, progress: Progress | None = None, threads: int | None = None
) -> list[Capture]:
    """Capture the person of a video, or several of its people, in one world.

    Parameters
    ----------
    video : Path
    settings : Settings
        Its `person` may ask for `options.several` people, or for everybody who counts: who was seen at least
        a tenth as long and large as the one seen most, at most `MOST_PEOPLE`. Who of those asked for was
        seen longest and largest comes first, has the asked height, and says where camera and floor are; the
        others are as tall as puts their feet on that floor.
    progress : callable, optional
        Called with a stage, how many frames of it are done, and their number.
    threads : int, optional
        See `detector.detect`; the result doesn't depend on it.

    Raises
    ------
    CaptureError
        If the video can't be read, nobody is in it, or a setting can't be met.
    """
    # refuse wrong settings before minutes are spent on the video
    if several(settings.person) and settings.unseen == TRIM:
        raise CaptureError(
            "Everybody's motions keep time together, so none is trimmed: choose to hold or to fade where "
            "somebody is unseen, or capture one person."
        )
    model, device = _model(settings), torch_device(settings.device)
    reader, said = stood_up(VideoReader(video, settings.start, settings.end, settings.fps), settings.turn)
    shots = shots_of(reader, progress)
    detections, done = [], 0
    for shot in shots:
        report = _after(done, reader.frames, progress)
        detections.append(detect(shot, report, threads, settings.quality, device))
        done += detections[-1].frames
    if progress is not None:  # a container's length and its frames may differ
        progress("detect", done, max(done, 1))
    if len(shots) > 1:
        times = ", ".join(f"{shot.start:.2f}" for shot in shots[1 : 1 + _NAMED])
        more = f" and {len(shots) - 1 - _NAMED} more times" if len(shots) > 1 + _NAMED else ""
        said = (
            *said,
            f"{video.name} cuts to another shot at {times}{more} s: each shot is captured for itself.",
        )
    known = []
    for one in detections:
        motion, found = _camera_of(one, settings)
        known.append(_Known(motion=motion))
        said = (*said, *one.warnings, *found)
    source = Source(
        reader.path.name, str(reader.path.absolute().parent), reader.turn, reader.mirrored, reader.turned_by,
        tuple(dict.fromkeys(said)),
    )  # fmt: skip
    if several(settings.person):
        return _everybody(detections, settings, model, source, progress, known)
    people = followed(detections, settings.person)
    return [_solved(people, detections, settings, model, source, progress, known)]


def _camera_of(shot: Detections, settings: Settings) -> tuple[CameraMotion | None, tuple[str, ...]]:
    """How the camera of a shot moves, and what to say about it."""
    if shot.background is None:
        return None, ()
    return camera_motion(shot.background, shot.frames, settings.focal)


def _after(done: int, of: int, progress: Progress | None) -> Progress | None:
    """Progress of a shot becomes that of the whole, of which so many frames are done."""
    if progress is None or not of:
        return progress
    return lambda stage, frame, _: progress(stage, done + frame, max(of, done + frame))


def resolve(
    capture: Capture,
    changed: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    contacts: Bools | None = None,
    pins: Pins | None = None,
) -> Capture:
    """Solve again from the landmarks in a capture, without its video: another lens, height or correction.

    Parameters
    ----------
    capture : Capture
    changed : dict, optional
        New values of `Settings` by name; None if the value of an optional one isn't known. Those that a
        re-solve can't change are ignored.
    progress : callable, optional
        See `capture`.
    contacts : (T, 4) bool, optional
        Which of `motion.CONTACT_POINTS` stand; the result has them but for those that the landmarks move all
        the same. By default they are those of the capture if somebody said them then, else they are found
        anew.
    pins : Pins, optional
        How the body is in some frames, in the world of the capture, whose camera stays where it is.

    Raises
    ------
    CaptureError
        If a setting can't be met, or the capture doesn't come from a video.
    """
    settings = _settings_again(capture, changed or {})
    if contacts is None and capture.contacts_given:
        contacts = capture.motion.contacts >= CONTACT_THRESHOLD
    said: tuple[str, ...] = ()
    if contacts is not None and settings.person != capture.settings.get("person", Settings.person):
        contacts, said = None, (_SOMEBODY_ELSE,)
    # one of several people keeps the world that they share
    shared = several(settings.person)
    solved = _solved_again(capture, settings, progress, contacts, pins, upright=shared or pins is not None)
    if pins is not None:
        solved = _shifted(
            solved, [b.camera.eye - a.camera.eye for a, b in zip(solved.shots, capture.shots, strict=True)]
        )
        said = (*said, *filter(None, [not_met(pins, solved.motion)]))
    elif shared:
        solved = _shifted(
            solved,
            [b.motion.root[0] - a.motion.root[0] for a, b in zip(solved.shots, capture.shots, strict=True)],
        )
    return replace(solved, warnings=(*solved.warnings, *said))


def _shifted(solved: Capture, shifts: Iterable[Floats]) -> Capture:
    """A capture whose shots are moved along the floor, metres, with their cameras."""
    shots = []
    for one, way in zip(solved.shots, shifts, strict=True):
        shift = way * [1, 1, 0]
        pose = np.array(one.camera.camera_from_world, np.float64)
        pose[:3, 3] -= pose[:3, :3] @ shift
        motion = replace(one.motion, root=one.motion.root + shift)
        shots.append(replace(one, motion=motion, camera=replace(one.camera, camera_from_world=pose)))
    return joined(shots)


def resolve_range(
    capture: Capture,
    how: CleanUp,
    contacts: Bools | None,
    progress: Progress | None = None,
    device: str = Settings.device,
    pins: Pins | None = None,
) -> Capture:
    """Solve a range of frames again; outside of it nothing changes, and at its ends the motion blends.

    Lens, height, gravity and bone lengths remain.

    Parameters
    ----------
    capture : Capture
    how : CleanUp
        Its `first` and `last` say which frames.
    contacts : (T, 4) bool, optional
        Which of `motion.CONTACT_POINTS` stand; outside of the range they don't count. By default it is those
        of the capture.
    progress, device
        See `capture` and `Settings`.
    pins : Pins, optional
        See `resolve`.

    Raises
    ------
    CaptureError
        If the range is empty, or the capture doesn't come from a video.
    """
    within_range(capture.motion, capture.motion, how)  # an empty range is refused before minutes are spent
    settings = _settings_again(capture, {"focal": None, "height": None, "device": device})
    standing = capture.motion.contacts >= CONTACT_THRESHOLD
    if contacts is not None:
        standing[how.frames] = contacts[how.frames]
    solved = _solved_again(capture, settings, progress, standing, pins, upright=True)
    shots = [
        as_seen_by(one.motion, one.camera, other.camera)
        for one, other in zip(solved.shots, capture.shots, strict=True)
    ]
    after = replace(
        solved.motion,
        rotations=np.concatenate([shot.rotations for shot in shots]),
        root=np.concatenate([shot.root for shot in shots]),
    )
    kept = capture.motion.contacts.copy()
    kept[how.frames] = after.contacts[how.frames]
    before = replace(capture.motion, contacts=kept)
    motion = within_range(before, after, how)
    said = not_met(pins, motion) if pins is not None else ""
    return replace(
        capture, motion=motion, contacts_given=True, warnings=(*capture.warnings, *[said] * bool(said))
    )


def _solved_again(
    capture: Capture,
    settings: Settings,
    progress: Progress | None,
    contacts: Bools | None,
    pins: Pins | None,
    upright: bool,
) -> Capture:
    """A capture solved again; if `upright`, with its own gravity, and lens and height if none is asked."""
    model = _model(settings)
    shots = capture.shots
    # nobody asked for the legs of an upper body, so they stand on nothing
    given = contacts is not None and settings.body != UPPER
    known = [
        _Known(
            contacts[frames] if given and contacts is not None else None,
            up_of(shot.camera) if upright else None,
            motion_in(shot),
            shot.camera.focal_mm if upright and settings.focal is None else None,
            # who is pinned in the world stands on its floor
            floor=-float(shot.camera.eye[2]) if pins is not None else None,
            pins=pins.within(frames).moved(level_from_world(shot.camera)) if pins is not None else None,
        )
        for frames, shot in zip(capture.motion.shots, shots, strict=True)
    ]
    detections = [_detections_of(shot) for shot in shots]
    asked = settings
    if upright:
        # what was asked for is the height of the first of several
        anew = settings.height != capture.settings.get("height")
        settings = replace(
            settings,
            height=settings.height if anew and settings.height else capture.motion.height,
            floor_tilt=settings.floor_tilt - capture.settings.get("floor_tilt", 0.0),
            floor_roll=settings.floor_roll - capture.settings.get("floor_roll", 0.0),
        )
    people: Sequence[Track | None]
    if several(settings.person):
        people = [own(shot) for shot in detections]
    else:
        people = followed(detections, settings.person)
    solved = _solved(people, detections, settings, model, capture.source, progress, known)
    return replace(solved, settings=asdict(asked))


class _Known(NamedTuple):
    """What is known of a shot besides its landmarks.

    Contacts (T, 4), up (3,) in level axes, how the camera moves if it does, its lens, where the person
    touches others, the height of the floor above the camera, metres, and pins in level axes.
    """

    contacts: Bools | None = None
    up: Floats | None = None
    motion: CameraMotion | None = None
    focal_mm: float | None = None
    touch: Touch | None = None
    floor: float | None = None
    pins: Pins | None = None

    @property
    def path_stays(self) -> bool:
        """Whether the camera's path is as large as it was, in a world that stays."""
        return self.up is not None and self.motion is not None and self.motion.metric


def _detections_of(capture: Capture) -> Detections:
    """What was detected in a shot, from its capture."""
    everybody = [_whole(one) for one in (evidence_of(capture), *capture.others)]
    nothing = np.zeros(22, np.float32)
    people = tuple(
        tuple(
            Person(**fields_of(one[t]), appearance=nothing, trail=trail)
            for trail, one in enumerate(everybody)
            if np.isfinite(one[t, 0, 0])
        )
        for t in range(len(capture))
    )
    fps, start = capture.motion.fps, capture.motion.start
    return Detections(
        times=start + np.arange(len(capture)) / fps, people=people, frames=len(capture), fps=fps, start=start,
        size=capture.camera.size, warnings=(),
    )  # fmt: skip


def _whole(person: Array) -> Array:
    """What is known of landmarks (T, 33, `COLUMNS`), with single missing ones interpolated, at visibility 0.

    Frames in which the person wasn't found stay NaN.
    """
    found = np.isfinite(person[..., : IN_SPACE.stop]).any((1, 2))
    out = person.copy()
    place, seen = bridge(person[found, :, :2], np.nan_to_num(person[found, :, 2]))
    solid, _ = bridge(person[found, :, IN_SPACE], seen)
    out[found, :, : IN_SPACE.stop] = np.concatenate([place, seen[..., None], solid], axis=-1)
    return out


def _settings_again(capture: Capture, changed: Mapping[str, Any]) -> Settings:
    """The settings of a capture, with those changed that a re-solve can change."""
    if not capture.source.video or not {"start", "end", "fps"} <= capture.settings.keys():
        raise CaptureError(
            "This motion doesn't come from a video, so it can't be solved again; it can be cleaned."
        )
    options = options_of(Settings)
    known = {name: capture.settings[name] for name in options if name in capture.settings}
    if several(changed.get("person", Settings.person)):  # each of them is solved again alone
        changed = {name: value for name, value in changed.items() if name != "person"}
    # another computer may have other devices
    known["device"] = Settings.device
    return from_plain(Settings, known | {name: changed[name] for name in changed if options[name].in_resolve})


def _model(settings: Settings) -> Lifter:
    """Check the settings and load the lifter on its device."""
    check_options(settings)
    device = torch_device(settings.device)
    return load_weights(WEIGHTS, device)


def _everybody(
    shots: Sequence[Detections],
    settings: Settings,
    model: Lifter,
    source: Source,
    progress: Progress | None,
    known: Sequence[_Known],
) -> list[Capture]:
    """The captures of everybody who is asked for, in the world of the first one.

    In shots, who is who is told by how long and large they are seen.
    """
    there = [bodies_of(shot) for shot in shots]
    if not any(there):
        followed(shots, "largest")  # says why
    if settings.person == ALL:
        numbers = list(range(min(max(map(len, there)), MOST_PEOPLE)))
        rest = the_rest(
            [(one, shot) for bodies, shot in zip(there, shots, strict=True) for one in bodies[MOST_PEOPLE:]]
        )
        source = replace(source, warnings=(*source.warnings, *rest))
    else:
        numbers = sorted({number_of(one, shots, there) for one in settings.person.split(AND)})
    people = [[bodies[number] if number < len(bodies) else None for bodies in there] for number in numbers]
    known = [
        _through_one_lens([one[number] for one in people], shot, settings, model, also, progress)
        for number, (shot, also) in enumerate(zip(shots, known, strict=True))
    ]
    lifted = [_lifted_shots(people[0], shots, settings, model, progress, known)]
    first = _captured(lifted[0], shots, settings, source, known)
    known = [
        also._replace(up=up_of(shot.camera), focal_mm=shot.camera.focal_mm)
        for also, shot in zip(known, first.shots, strict=True)
    ]
    # the first one's height and gravity are those that are asked for, and the others follow
    upright = replace(settings, height=None, floor_tilt=0.0, floor_roll=0.0)
    lifted += [_lifted_shots(person, shots, upright, model, progress, known) for person in people[1:]]

    def together(each: Sequence[Capture]) -> list[Capture]:
        beside_first = [each[0], *(beside(one, each[0]) for one in each[1:])]
        return [replace(one, settings=asdict(settings)) for one in beside_first]

    apart = together([first, *(_captured(one, shots, upright, source, known) for one in lifted[1:])])
    touching = [touches(shot) for shot in zip(*(one.shots for one in apart), strict=True)]
    if not any(touch for each, _ in touching for touch in each):
        return apart
    meeting = list(apart)
    for number, one in enumerate(apart):
        own = [each[number] for each, _ in touching]
        if not any(own):
            continue
        # everybody stays where they stand and as tall as they are: what touches moves
        also = [
            k._replace(touch=touch, floor=-float(shot.camera.eye[2]))
            for k, touch, shot in zip(known, own, one.shots, strict=True)
        ]
        said = touching_said(one, np.concatenate([when[number] for _, when in touching]))
        told = replace(source, warnings=(*source.warnings, said))
        tall = replace(upright, height=one.motion.height)
        meeting[number] = replace(_captured(lifted[number], shots, tall, told, also), source=source)
    return together(meeting)


def _through_one_lens(
    people: Sequence[Track | None],
    shot: Detections,
    settings: Settings,
    model: Lifter,
    known: _Known,
    progress: Progress | None,
) -> _Known:
    """What is known of a shot, with the lens through which all of its people fit best."""
    there = [one for one in people if one is not None]
    if len(there) < 2 or _focal_told(settings, known) is not None:
        return known

    def told(share: float) -> None:
        if progress is not None:
            progress("lift", int(share * shot.frames), shot.frames)

    seen = [_seen(one, shot, settings, model, known.motion) for one in there]
    return known._replace(focal_mm=likely_focal(seen, told))


def _solved(
    people: Sequence[Track | None],
    shots: Sequence[Detections],
    settings: Settings,
    model: Lifter,
    source: Source,
    progress: Progress | None,
    known: Sequence[_Known],
) -> Capture:
    """The capture of one person, whom the tracks show in each shot; None where they aren't."""
    bodies = _lifted_shots(people, shots, settings, model, progress, known)
    return _captured(bodies, shots, settings, source, known)


def _lifted_shots(
    people: Sequence[Track | None],
    shots: Sequence[Detections],
    settings: Settings,
    model: Lifter,
    progress: Progress | None,
    known: Sequence[_Known],
) -> list[_Shot | None]:
    """The motion of one person in each shot; None where they aren't."""
    return [
        _lifted(person, shot, settings, model, also, progress) if person is not None else None
        for person, shot, also in zip(people, shots, known, strict=True)
    ]


def _captured(
    solved: Sequence[_Shot | None],
    shots: Sequence[Detections],
    settings: Settings,
    source: Source,
    known: Sequence[_Known],
) -> Capture:
    """The capture of one person, from their motion in each shot; there is one."""
    there = [one for one in solved if one is not None]
    # one skeleton for all shots: what is seen for longer counts for more
    seen = np.array([one.person.found.sum() for one in there])
    lengths = np.average([one.body.lengths for one in there], axis=0, weights=seen)
    captures: list[Capture | None] = [
        one.captured(lengths, settings, source, also) if one is not None else None
        for one, also in zip(solved, known, strict=True)
    ]
    first = next(one for one in captures if one is not None)
    if settings.unseen == TRIM:
        known_in = [number for number, one in enumerate(captures) if one is not None]
        within = slice(known_in[0], known_in[-1] + 1)
        captures, shots = captures[within], shots[within]
    nobody = [
        f"{shot.start:.2f} to {shot.start + shot.frames / shot.fps:.2f} s"
        for shot, one in zip(shots, captures, strict=True)
        if one is None
    ]
    parts = [one or _waiting(first, shot) for shot, one in zip(shots, captures, strict=True)]
    if settings.unseen == TRIM:
        parts = _trimmed(parts)
    whole = joined(parts)
    if nobody:
        said = (
            f"Nobody is to be found in the shot from {', '.join(nobody[:_NAMED])}; there the body only waits."
        )
        whole = replace(whole, warnings=(*whole.warnings, said))
    warnings = (*source.warnings, *whole.warnings, *doubts(whole))
    return replace(whole, warnings=tuple(dict.fromkeys(warnings)))


def _trimmed(shots: list[Capture]) -> list[Capture]:
    """Shots that begin with the first frame in which the person is found, and end with the last one."""
    last = int(np.flatnonzero(found_in(shots[-1]))[-1])
    shots = [*shots[:-1], shots[-1].part(slice(0, last + 1))]
    first = int(np.flatnonzero(found_in(shots[0]))[0])
    return [shots[0].part(slice(first, len(shots[0]))), *shots[1:]]


def _waiting(capture: Capture, shot: Detections) -> Capture:
    """The person of a capture in a shot in which they aren't: the first pose, without any evidence."""
    motion, count = capture.motion, shot.frames
    rotations, root = (np.repeat(part[:1], count, axis=0) for part in (motion.rotations, motion.root))
    return replace(
        capture,
        motion=replace(
            motion, start=shot.start, rotations=rotations, root=root, contacts=np.zeros((count, 4))
        ),
        confidence=np.zeros((count, capture.confidence.shape[1])),
        **nothing_known(count),
        turn_spread=turns_not_known(count),
        **still_camera(count),
        others=_NOBODY,
        warnings=(),
        unsure_sides=(),
    )


def _seen(
    person: Track, detections: Detections, settings: Settings, model: Lifter, motion: CameraMotion | None
) -> Seen:
    """The landmarks of a person before a camera that moves, perhaps."""
    left_out = LEGS if settings.body == UPPER else []
    zooms = np.ones(len(person.landmarks)) if motion is None else motion.zooms
    return Seen(person, detections, model, detections.fps * settings.slow_motion, left_out, zooms)


def _focal_told(settings: Settings, known: _Known) -> float | None:
    """The focal length of a shot, mm, by what is known of it, by the settings, or by the camera's turns."""
    motion = known.motion
    turned = motion.focal_mm if motion is not None and motion.told else None
    return known.focal_mm or settings.focal or turned


def _lifted(
    person: Track,
    detections: Detections,
    settings: Settings,
    model: Lifter,
    known: _Known,
    progress: Progress | None,
) -> _Shot:
    """The motion of one person in a shot; the lens is sought if it isn't known."""
    count = len(person.landmarks)
    report = progress or (lambda stage, frame, of: None)
    motion = known.motion
    seen = _seen(person, detections, settings, model, motion)
    report("lift", 0, count)
    focal_mm = _focal_told(settings, known)
    focal_mm = focal_mm or likely_focal([seen], lambda share: report("lift", int(share * count), count))
    motion = None if motion is None else motion.through(focal_mm)
    path = None if motion is None else motion.path()
    rays, confidence, estimate = seen.through(focal_mm, path)
    if motion is not None and path is not None and motion.travels:
        if known.path_stays and settings.height is not None:
            motion, said = motion.larger(float(standing_height(estimate.lengths)) / settings.height), ""
        else:
            motion, said = sized(motion, estimate, estimate.contacts, seen.life_fps)
        if not motion.metric:
            instead = motion.otherwise
            said = said if instead is None else instead.said()
            person = replace(person, warnings=(*person.warnings, said))
            return _lifted(person, detections, settings, model, known._replace(motion=instead), progress)
        path = motion.path()
        estimate = replace(estimate, root=estimate.root + path.positions)
    report("lift", count, count)
    gone = unseen(confidence, seen.life_fps)
    focal = focal_pixels(focal_mm, detections.size)
    evidence = Evidence(
        without_contacts(estimate, gone),
        rays,
        confidence,
        seen.life_fps,
        seen.device,
        seen.spread(focal_mm),
        path,
    )
    body = solve(evidence, progress)
    hips = confidence[:, _HIPS].max(1)
    body = rested(body, gone, hips, seen.life_fps, standing=settings.body == UPPER)
    return _Shot(person, detections, evidence, gone, body, focal, motion)


@dataclass(frozen=True)
class _Shot:
    """A solved shot: the body before its camera, with its own bone lengths.

    Attributes
    ----------
    person : Track
    detections : Detections
    evidence : Evidence
    gone : (T, J) bool
        Joints that nobody sees, which rest.
    body : Estimate
    focal : float
        Pixels.
    motion : CameraMotion, optional
        How the camera moves, if it does.
    """

    person: Track
    detections: Detections
    evidence: Evidence
    gone: Bools
    body: Estimate
    focal: float
    motion: CameraMotion | None

    def captured(self, lengths: Floats, settings: Settings, source: Source, known: _Known) -> Capture:
        """The capture, by a body with these bone lengths or as tall as asked for."""
        if settings.height is not None:
            lengths = lengths * (settings.height / float(standing_height(lengths)))
        body, lifted = (by_lengths(one, lengths) for one in (self.body, self.evidence.lifted))
        if known.up is not None:
            body = replace(body, up=known.up)
        shot = self._sized_by(lengths)
        before = shot._capture(body, None, settings, source)
        # nothing stands by feet that nobody saw, unless somebody says so
        contacts = known.contacts
        if contacts is None:
            contacts = find_contacts(before) & ~self.gone[:, CONTACT_JOINTS]
        if not known.path_stays:
            shot, body, lifted = shot._standing_still(body, lifted, contacts)
        # what nobody sees goes on resting
        turns = np.where(self.gone[..., None, None], body.rotations, lifted.rotations)
        root = np.where(self.gone[:, :1], body.root, lifted.root)
        lifted = replace(lifted, rotations=turns, root=root, up=body.up)
        evidence = replace(shot.evidence, lifted=lifted, touch=known.touch)
        flying = in_flight(before.motion, contacts)
        body, floors = settle(evidence, body, contacts, flying, known.up is not None, known.floor)
        again = corrected(evidence, body, settings)
        if again is not None:
            evidence, start = again
            body, floors = settle(evidence, start, contacts, flying, True, known.floor)
        if known.pins is not None and len(known.pins.frames):
            again = pinned(evidence, body, known.pins)
            body, floors = settle(*again, contacts, flying, True, known.floor)
        standing = shot._capture(body, floors, settings, source)
        standing = replace(standing, contacts_given=known.contacts is not None)
        contacts = without_sliding(standing.motion, contacts, standing.contacts_given)
        motion = replace(standing.motion, contacts=contacts.astype(np.float32))
        if contacts.any():  # without any, nothing says where the floor is
            motion = above_floor(motion, self.gone)
        return replace(standing, motion=at_rest(motion, self.person.found, settings.unseen))

    def _sized_by(self, lengths: Floats) -> _Shot:
        """The same with a camera's path as it is beside a body with these bone lengths."""
        if self.motion is None or not self.motion.travels:
            return self
        larger = float(standing_height(lengths)) / float(standing_height(self.body.lengths))
        return self._with(self.motion.larger(larger))

    def _standing_still(
        self, body: Estimate, lifted: Estimate, contacts: Bools
    ) -> tuple[_Shot, Estimate, Estimate]:
        """The same, solved and lifted, with a camera's path that lets feet stand still where contacts are."""
        if self.motion is None or not self.motion.travels:
            return self, body, lifted
        before = self.motion.path().positions
        own = replace(body, root=body.root - before)
        motion, _ = sized(self.motion, own, contacts.astype(float), self.evidence.fps)
        moved = motion.path().positions - before
        body, lifted = (replace(one, root=one.root + moved) for one in (body, lifted))
        return self._with(motion), body, lifted

    def _said(self) -> tuple[str, ...]:
        """How far the camera travels, which nobody knows before the body is known."""
        return (self.motion.said(),) if self.motion is not None and self.motion.travels else ()

    def _with(self, motion: CameraMotion) -> _Shot:
        return replace(self, motion=motion, evidence=replace(self.evidence, camera=motion.path()))

    def _capture(self, body: Estimate, floors: Floats | None, settings: Settings, source: Source) -> Capture:
        """The capture of a body that stands on the first of the floors, if there are any."""
        person, detections = self.person, self.detections
        floor = float(floors[0]) if floors is not None and len(floors) else None
        motion, camera = to_world(body, detections.fps, detections.start, self.focal, detections.size, floor)
        unsure = keep_long(person.unsure, _SHORT * detections.fps)
        first, end = runs(unsure.any(1))
        captured = Capture(
            motion=replace(motion, slow_motion=settings.slow_motion),
            camera=camera,
            confidence=self._joint_confidence(unsure),
            **fields_of(_open(person)),
            turn_spread=self._turn_spread(),
            **(still_camera(len(motion)) if self.motion is None else self.motion.fields()),
            others=np.stack([_open(other) for other in person.others]) if person.others else _NOBODY,
            settings=asdict(settings),
            source=source,
            warnings=(*person.warnings, *self._said()),
            unsure_sides=tuple(zip(first.tolist(), (end - 1).tolist(), strict=True)),
        )
        feet = captured.confidence[:, [INDEX["foot.L"], INDEX["foot.R"]]][person.found]
        if feet.mean() < _FEET_SEEN and settings.body != UPPER:
            captured = replace(captured, warnings=(*captured.warnings, _NO_FEET))
        return captured

    def _turn_spread(self) -> Floats:
        """The lifter's spread of its turns (T, J), radians; NaN if it tells none."""
        told = self.evidence.lifted.turn_spread
        return turns_not_known(len(self.gone)) if told is None else np.minimum(told, np.pi)

    def _joint_confidence(self, unsure: Bools) -> Floats:
        """Confidence of the joints (T, J): less where sides are `unsure` (T, 2), none where they rest."""
        out = joint_confidence(self.evidence.confidence)
        for limbs, where in zip((_ARMS, _LEGS), unsure.T, strict=True):
            out[:, limbs] *= np.where(where, _EITHER_SIDE, 1.0)[:, None]
        return np.where(self.gone, 0.0, out)


#: left and right that are uncertain for a shorter time aren't worth a word, seconds
_SHORT = 0.1
#: factor on the confidence of limbs that may be those of the other side
_EITHER_SIDE = 0.7
_ARMS, _LEGS = (
    [INDEX[f"{name}.{side}"] for part in parts for name in PARTS[part] for side in "LR"]
    for parts in (("arms", "hands"), ("legs", "feet"))
)
#: warnings name so many shots, or people
_NAMED = 5
_HIPS = [LANDMARK["hip.L"], LANDMARK["hip.R"]]
#: `Capture.others` if there is nobody else
_NOBODY = np.zeros((0, 0, len(LANDMARKS), COLUMNS))
#: a warning says that feet are guessed if their mean confidence is less than this
_FEET_SEEN = 0.3
_SOMEBODY_ELSE = "The contacts were set for another person, so where this one's feet stand was found anew."
_NO_FEET = (
    "The feet are hardly in the picture: where they stand is guessed; film the whole person, or capture only "
    "the upper body."
)


def _open(person: Track) -> Array:
    """What is known of landmarks, NaN in bridged gaps too: a re-solve bridges them again."""
    return np.where(person.found[:, None, None], evidence_of(person), np.float32(np.nan))


def torch_device(name: str) -> torch.device:
    """The device that the option ``device`` of `Settings` names.

    Raises
    ------
    CaptureError
        If this computer doesn't have it.
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
