"""A cleaned action beside the raw one: feet planted where the contact curves say."""

from __future__ import annotations

from dataclasses import replace

import bpy

from ..core.errors import CaptureError
from ..core.foot_ik import clean_up, within_range
from ..core.motion import Motion
from ..core.options import CleanUp
from ..core.stances import heels_and_toes
from .action import animate, animate_shots, contact_points, every_frame
from .contacts import read_contacts
from .read import check_captured, current_action, keyed_frames, read_motion
from .versions import curves_of

#: custom property of a cleaned action: the action that it was cleaned from
_RAW = "kinelift_raw"
_RAW_SUFFIX = " raw"


def raw_name(name: str) -> str:
    """The name of the raw action beside a cleaned one of that name."""
    return name + _RAW_SUFFIX


def raw_action(action: bpy.types.Action) -> bpy.types.Action:
    """The action that a cleaned one was made from; for any other, the action itself."""
    return action.get(_RAW) or action


def stands(action: bpy.types.Action) -> bool:
    """Whether a foot stands anywhere in an action of `clean_action`."""
    return bool(contact_points(action).any())


def animate_cleaned(
    armature: bpy.types.Object, motion: Motion, name: str, fps: float, how: CleanUp
) -> bpy.types.Action:
    """Give `armature` actions of a raw motion and of the cleaned one; the latter is returned and assigned.

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


def _beside(raw: bpy.types.Action, cleaned: bpy.types.Action) -> bpy.types.Action:
    """The cleaned action, with a link to the raw one that keeps that in the file."""
    cleaned[_RAW] = raw
    if raw.library is None:
        raw.use_fake_user = True
    return cleaned


def clean_action(
    armature: bpy.types.Object,
    how: CleanUp,
    fps: float,
    frames: tuple[int, int] | None = None,
) -> bpy.types.Action:
    """Clean the raw motion of a captured armature by the contacts of its current action.

    Parameters
    ----------
    armature : bpy.types.Object
    how : CleanUp
        Its `first` and `last` don't count.
    fps : float
        The scene's frames per second.
    frames : (int, int), optional
        First and last frame of the scene to clean; outside, the motion of the current action remains.

    Returns
    -------
    bpy.types.Action
        A new one, assigned to `armature`. The raw and the current one stay as they are.

    Raises
    ------
    CaptureError
        If the armature wasn't captured or can't be animated, or curves are missing.
    """
    check_captured(armature)
    if armature.library is not None:
        raise CaptureError(
            f"{armature.name} is linked from another file: make a library override of it "
            "(Object > Library Override > Make) or append it."
        )
    current = current_action(armature)
    raw = raw_action(current)
    motion = read_motion(armature, raw, fps)
    at = keyed_frames(armature, raw)
    before = motion if current == raw else read_motion(armature, current, fps)
    if len(before) != len(motion) or keyed_frames(armature, current)[0] != at[0]:
        raise CaptureError(
            f"The actions {current.name} and {raw.name}, which it was cleaned from, have keys on different "
            f"frames: make {raw.name} the action of {armature.name} and clean again."
        )
    curves = curves_of(current, armature)
    try:
        standing = read_contacts(curves, at)
    except CaptureError:
        if current == raw:
            raise
        standing = read_contacts(curves_of(raw, armature), at)
    contacts = heels_and_toes(standing, before.contacts > 0, motion)
    cleaned = clean_up(replace(motion, contacts=contacts), replace(how, first=None, last=None))
    if frames is not None:
        first, last = (frame - int(at[0]) for frame in frames)
        if last < first or last < 0 or first >= len(motion):
            raise CaptureError(
                f"There is nothing to clean from frame {frames[0]} to {frames[1]}: {raw.name} has the frames "
                f"{at[0]:.0f} to {at[-1]:.0f}."
            )
        whole = replace(how, first=max(first, 0), last=min(last, len(motion) - 1))
        cleaned = within_range(replace(before, contacts=cleaned.contacts), cleaned, whole)
    name = raw.name.removesuffix(_RAW_SUFFIX)
    return _beside(raw, animate(armature, cleaned, name, fps, first=int(at[0]), base=raw))
