"""A cleaned action beside the raw one: feet planted where the contact curves say."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

import bpy
import numpy as np

from ..core.arrays import Bools, Floats
from ..core.capture import Capture
from ..core.errors import CaptureError
from ..core.foot_ik import clean_up, within_range
from ..core.motion import Motion
from ..core.options import CARRY, LAYER, CleanUp
from ..core.stances import feet, heels_and_toes, held, not_kept
from .action import animate, animate_shots, contact_points, every_frame, slowness
from .contacts import read_contacts
from .edits import Edits, edits_of, with_edits
from .layer import lay_above
from .read import check_captured, current_motion, keyed_frames, read_motion
from .takes import check_replaceable, layer_of, motion_of, playing
from .versions import curves_of

#: custom property of a cleaned action: the action that it was cleaned from
_RAW = "kinelift_raw"
_RAW_SUFFIX = " raw"
#: how a raw action's name ends, also if Blender has numbered it
_RAW_END = re.compile(rf"{_RAW_SUFFIX}(\.\d+)?$")
#: how the name of a layer of edits ends
_LAYER_SUFFIX = " edits"


def raw_name(name: str) -> str:
    """The name of the raw action beside a cleaned one of that name."""
    return name + _RAW_SUFFIX


def raw_action(action: bpy.types.Action) -> bpy.types.Action:
    """The action that a cleaned one was made from; for any other, the action itself."""
    return action.get(_RAW) or action


def base_name(action: bpy.types.Action) -> str:
    """The name of what is made of an action: that of its raw one, without what marks it as raw."""
    return _RAW_END.sub("", raw_action(action).name)


def stands(action: bpy.types.Action) -> bool:
    """Whether a foot stands anywhere in an action of `clean_action`."""
    return bool(contact_points(action).any())


def animate_cleaned(
    armature: bpy.types.Object, motion: Motion, name: str, fps: float, how: CleanUp
) -> bpy.types.Action:
    """Give `armature` actions of a raw motion and of the cleaned one: see `animate_both`.

    Faster than `animate` and `clean_action`, which reads the motion back from its keys.

    Raises
    ------
    CaptureError
        If the range of frames of `how` is empty.
    """
    return animate_both(armature, motion, clean_up(every_frame(motion, fps), how), name, fps)


def animate_both(
    armature: bpy.types.Object, raw: Motion, cleaned: Motion, name: str, fps: float
) -> bpy.types.Action:
    """Give `armature` actions of a raw motion and of the cleaned one; the latter is returned and assigned."""
    raw_one = animate(armature, raw, raw_name(name), fps)
    animate_shots(armature, cleaned, name, fps)
    return _beside(raw_one, animate(armature, cleaned, name, fps))


def animate_again(
    armature: bpy.types.Object, motion: Motion, name: str, fps: float, how: CleanUp, first: int, way: str
) -> bpy.types.Action:
    """The same as `animate_cleaned` for another solve of what an armature plays.

    Curves of that which the motion doesn't have, such as those of bones that the artist added, come along.

    Parameters
    ----------
    armature, motion, name, fps, how
        See `animate_cleaned`.
    first : int
        Frame of the scene for the motion's first frame.
    way : str
        What becomes of the edits in what it plays: one of `options.EDITS`.
    """
    before, layer = motion_of(armature), layer_of(armature)
    raw_before = None if before is None else raw_action(before)
    kept, above = _sorted(edits_of(armature, before), None, way)
    raw = every_frame(motion, fps)
    frames = np.arange(len(raw)) + float(first)
    edited = raw if kept is None else with_edits(raw, armature, kept, frames)
    cleaned = clean_up(edited, how)
    # edits of the raw motion stay raw motion
    in_raw = before == raw_before
    made = animate(
        armature, edited if in_raw and kept is not None else motion, raw_name(name), fps, first, raw_before,
        kept if in_raw else None,
    )  # fmt: skip
    animate_shots(armature, cleaned, name, fps, first)
    action = animate(armature, cleaned, name, fps, first, before, None if in_raw else kept)
    _lay(armature, name, above, layer)
    return _beside(made, action)


def _sorted(
    found: Edits | None, frames: tuple[int, int] | None, way: str
) -> tuple[Edits | None, Edits | None]:
    """The edits that go into a new motion, and those that go onto a layer above it.

    Parameters
    ----------
    found : Edits, optional
    frames : (int, int), optional
        First and last frame of the scene to make anew; by default all.
    way : str
        One of `options.EDITS`.
    """
    if found is None:
        return None, None
    inside, outside = found.split(frames)
    return (found if way == CARRY else outside), (inside if way == LAYER and inside.deltas else None)


def _lay(armature: bpy.types.Object, name: str, above: Edits | None, layer: bpy.types.Action | None) -> None:
    """Lay edits, and the layer that there was, above the motion that an armature plays now."""
    if above is not None or layer is not None:
        lay_above(armature, name + _LAYER_SUFFIX, above, layer)


def _beside(raw: bpy.types.Action, cleaned: bpy.types.Action) -> bpy.types.Action:
    """The cleaned action, with a link to the raw one."""
    cleaned[_RAW] = raw
    return cleaned


class _Played:
    """What a captured armature plays: its current motion, and the raw one that this was cleaned from.

    Attributes
    ----------
    current, raw : bpy.types.Action
    layer : bpy.types.Action or None
        Edits that lie above.
    name : str
        Of what is made of it.
    at : (T,)
        Frames of the scene.
    motion, raw_motion : Motion
        Of the current and of the raw action.

    Raises
    ------
    CaptureError
        If the armature wasn't captured or can't be animated, or the actions have different frames.
    """

    def __init__(self, armature: bpy.types.Object, fps: float) -> None:
        check_captured(armature)
        check_replaceable(armature)
        self._armature, self.current = armature, current_motion(armature)
        self.raw, self.layer = raw_action(self.current), layer_of(armature)
        self.name = base_name(self.current)
        self.raw_motion = read_motion(armature, self.raw, fps)
        self.at = keyed_frames(armature, self.raw)
        same = self.current == self.raw
        self.motion = self.raw_motion if same else read_motion(armature, self.current, fps)
        first = keyed_frames(armature, self.current)[0]
        if len(self.motion) != len(self.raw_motion) or first != self.at[0]:
            raise CaptureError(
                f"The actions {self.current.name} and {self.raw.name}, which it was cleaned from, have keys "
                f"on different frames: make {self.raw.name} the action of {armature.name} and clean again."
            )

    def standing(self) -> Bools:
        """Which feet (T, 2) stand."""
        return _standing(self._armature, self.at)

    def within(self, how: CleanUp, frames: tuple[int, int] | None) -> CleanUp:
        """The same clean-up of a range of frames of the scene; None: of all.

        Raises
        ------
        CaptureError
            If the motion has none of them.
        """
        if frames is None:
            return replace(how, first=None, last=None)
        first, last = (frame - int(self.at[0]) for frame in frames)
        if last < first or last < 0 or first >= len(self.at):
            raise CaptureError(
                f"There is nothing to clean from frame {frames[0]} to {frames[1]}: {self.raw.name} has the "
                f"frames {self.at[0]:.0f} to {self.at[-1]:.0f}."
            )
        return replace(how, first=max(first, 0), last=min(last, len(self.at) - 1))


def _standing(armature: bpy.types.Object, frames: Floats) -> Bools:
    """Which feet (T, 2) stand in `frames` (T,) by what an armature plays.

    If that lacks the curves: by the motion below it, then by the raw one.
    """
    current = current_motion(armature)
    raw = raw_action(current)
    for action in (playing(armature), current):
        if action == raw:
            break
        try:
            return read_contacts(curves_of(action, armature), frames)
        except CaptureError:
            continue
    return read_contacts(curves_of(raw, armature), frames)


def edits_within(
    armature: bpy.types.Object, frames: tuple[int, int] | None, solved: bool = False
) -> Edits | None:
    """What an artist has edited since the motion that an armature plays was made, in a range of frames.

    None: nothing that is known, or nothing that can get lost: what is edited in a raw action goes into all
    that is made of it, unless it is `solved` again.
    """
    current = motion_of(armature)
    if current is None or (raw_action(current) == current and not solved):
        return None
    found = edits_of(armature, current)
    # what Kinelift doesn't key always goes into the new action
    return replace(found.split(frames)[0], extras=()) if found is not None else None


def clean_action(
    armature: bpy.types.Object,
    how: CleanUp,
    fps: float,
    frames: tuple[int, int] | None = None,
    way: str = CARRY,
) -> tuple[bpy.types.Action, str]:
    """Clean the raw motion of a captured armature by the contacts of its current action.

    What an artist has edited in the raw action itself is raw motion.

    Parameters
    ----------
    armature : bpy.types.Object
    how : CleanUp
        Its `first` and `last` don't count.
    fps : float
        The scene's frames per second.
    frames : (int, int), optional
        First and last frame of the scene to clean; outside, the motion of the current action remains.
    way : str
        What becomes of edits within these frames: one of `options.EDITS`.

    Returns
    -------
    action : bpy.types.Action
        A new one. `armature` plays it, below a layer if there are edits on one. The raw and the current one
        stay as they are, and so does an earlier layer: the new one is a copy of it.
    told : str
        A sentence about contacts that can't be kept; empty if all are.

    Raises
    ------
    CaptureError
        If the armature wasn't captured or can't be animated, or curves are missing.
    """
    played = _Played(armature, fps)
    how, within = replace(how, first=None, last=None), played.within(how, frames)
    standing, first = played.standing(), int(played.at[0])
    contacts = heels_and_toes(standing, played.motion.contacts > 0, played.raw_motion)
    found = None if played.current == played.raw else edits_of(armature, played.current)
    kept, above = _sorted(found, frames, way)
    raw = replace(played.raw_motion, contacts=contacts)
    cleaned = clean_up(raw if kept is None else with_edits(raw, armature, kept, played.at), how)
    asked = np.zeros_like(standing)
    asked[within.frames] = standing[within.frames]
    told = not_kept(asked, held(cleaned, how), cleaned.life_fps, first)
    cleaned = within_range(replace(played.motion, contacts=contacts), cleaned, within)
    action = animate(armature, cleaned, played.name, fps, first, base=played.current, carried=kept)
    _lay(armature, played.name, above, played.layer)
    return _beside(played.raw, action), told


def solved_action(
    armature: bpy.types.Object,
    solved: Motion,
    how: CleanUp,
    fps: float,
    frames: tuple[int, int],
    way: str = CARRY,
) -> bpy.types.Action:
    """Give a captured armature actions in which a range of frames was solved again, raw and cleaned.

    Parameters
    ----------
    armature : bpy.types.Object
    solved : Motion
        All of the motion, of which the range was solved again.
    how, fps, frames, way
        See `clean_action`.

    Returns
    -------
    bpy.types.Action
        The cleaned one, which `armature` plays. Outside of the range it plays what the armature played.

    Raises
    ------
    CaptureError
        See `clean_action`.
    """
    played = _Played(armature, fps)
    how, within = replace(how, first=None, last=None), played.within(how, frames)
    raw = every_frame(solved, fps)
    if len(raw) != len(played.at):
        raise CaptureError(_moved(played.raw))
    known = played.motion.contacts > 0
    standing = heels_and_toes(played.standing(), known, played.motion)
    known = played.raw_motion.contacts > 0
    kept, above = _sorted(edits_of(armature, played.current), frames, way)
    edited = raw if kept is None else with_edits(raw, armature, kept, played.at)
    # edits of the raw motion stay raw motion
    in_raw = played.current == played.raw
    made = []
    for before, contacts, after, name, base, carried in (
        (played.raw_motion, known, edited if in_raw else raw, raw_name(played.name), played.raw, in_raw),
        (played.motion, standing, clean_up(edited, how), played.name, played.current, not in_raw),
    ):
        contacts[within.frames] = raw.contacts[within.frames]
        motion = within_range(replace(before, contacts=contacts), after, within)
        made.append(animate(armature, motion, name, fps, int(played.at[0]), base, kept if carried else None))
    action = _beside(*made)
    _lay(armature, played.name, above, played.layer)
    return action


class Asked(NamedTuple):
    """Which feet stand by the curves of a captured armature.

    Attributes
    ----------
    standing : (T, 2) bool
        In each frame of the capture.
    edited : (2,) bool
        Whether the artist has changed that, for each foot.
    first, per_frame : float
        The frame of the scene with the capture's first one, and how many there are for each.
    """

    standing: Bools
    edited: Bools
    first: float
    per_frame: float


def asked_of(armature: bpy.types.Object, capture: Capture, fps: float) -> Asked | None:
    """Which feet stand by the curves of an armature in the frames of the capture that it was made from.

    None: it plays nothing that was made from a capture.

    Raises
    ------
    CaptureError
        If its keys aren't on the frames of the capture any more.
    """
    current = motion_of(armature)
    points = contact_points(raw_action(current)) if current is not None else np.zeros((0, 4), bool)
    if not len(points):
        return None
    raw = raw_action(current)
    at, per_frame = keyed_frames(armature, raw), fps / capture.motion.fps
    if len(at) != len(points) or abs(at[-1] - at[0] - (len(capture) - 1) * per_frame) > 1:
        raise CaptureError(_moved(raw))
    # whole frames of the scene, but for rounding, have to be those
    frames = np.round(at[0] + np.arange(len(capture)) * per_frame, 3)
    edited = (_standing(armature, at) != feet(points)).any(axis=0)
    return Asked(_standing(armature, frames), edited, float(at[0]), per_frame)


def not_kept_of(armature: bpy.types.Object, asked: Asked, frames: tuple[int, int] | None = None) -> str:
    """A sentence about edited contacts that a motion solved with them doesn't have; empty if it has all.

    Parameters
    ----------
    armature : bpy.types.Object
        It plays that motion.
    asked : Asked
    frames : (int, int), optional
        First and last frame of the scene that were solved; by default all.
    """
    action = current_motion(armature)
    kept, first = feet(contact_points(action)), round(action.frame_range[0])
    at = np.arange(len(kept))
    then = np.round(at / asked.per_frame).astype(int).clip(max=len(asked.standing) - 1)
    standing = asked.standing[then] & asked.edited
    if frames is not None:
        standing &= ((frames[0] <= at + first) & (at + first <= frames[1]))[:, None]
    render = bpy.context.scene.render
    return not_kept(standing, kept, render.fps / render.fps_base * slowness(action), first)


def _moved(raw: bpy.types.Action) -> str:
    return (
        f"The keys of {raw.name} are no longer on the frames of its capture: press From File in the panel "
        "Result for an armature whose keys are, and solve that again."
    )
