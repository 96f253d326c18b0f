"""The takes of an armature: the actions that Kinelift made for it, and those that they replaced.

Replacing an action loses nothing: each take has a fake user, so that it is saved, and all takes of an
armature are known by a word that they share, whatever is renamed. What is noted on an overridden armature
isn't saved, so its takes have that word too.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable
from typing import Any

import bpy

from ..core.errors import CaptureError
from .versions import assign_action, assign_strip_slot

#: custom property of an armature and of its takes: the word that they share
_TAKES = "kinelift_takes"
#: custom property of a take: the action that was played before, which a file keeps so even if it is linked
_BEFORE = "kinelift_before"
#: custom property of a take: the file of the captured motion that it was made from
_MOTION = "kinelift_motion"
#: custom property of a captured armature's data and of its takes: the rest offsets of the joints that its
#: bones have, or that the take was made for, as one list
OFFSETS = "kinelift_offsets"
#: custom property of a take that is a layer of edits: the action of the motion that lies below it
_BELOW = "kinelift_below"
#: custom property of takes that sliders made while they were moved: a word that those made at once share
_PREVIEW = "kinelift_preview"
#: how the NLA track that a layer lies above is called
_TRACK = "Kinelift Motion"


def playing(owner: bpy.types.Object) -> bpy.types.Action | None:
    """The active action of an object."""
    return owner.animation_data.action if owner.animation_data is not None else None


def below(action: bpy.types.Action | None) -> bpy.types.Action | None:
    """The motion that lies below a layer of edits; None for any other action."""
    return action.get(_BELOW) if action is not None else None


def motion_of(owner: bpy.types.Object) -> bpy.types.Action | None:
    """The action of the motion that an object plays: the active one, or what lies below that layer."""
    return below(playing(owner)) or playing(owner)


def layer_of(owner: bpy.types.Object) -> bpy.types.Action | None:
    """The layer of edits that an object plays above its motion; None: there is none."""
    action = playing(owner)
    return action if below(action) is not None else None


def check_replaceable(owner: bpy.types.Object) -> None:
    """Refuse an object whose action can't be replaced now.

    Raises
    ------
    CaptureError
        If it is linked, an override that isn't editable, or a strip of its NLA tracks is being tweaked.
    """
    if owner.library is not None:
        raise CaptureError(
            f"{owner.name} is linked from another file: make a library override of it "
            "(Object > Library Override > Make) or append it."
        )
    if owner.override_library is not None and owner.override_library.is_system_override:
        raise CaptureError(
            f"{owner.name} is a library override that is not editable: choose Object > Library Override > "
            "Make for it first."
        )
    if owner.animation_data is not None and owner.animation_data.use_tweak_mode:
        raise CaptureError(
            f"A strip of {owner.name} is being edited in the NLA editor, and Blender lets no other action be "
            "assigned meanwhile: leave tweak mode there (Tab), then try again."
        )


def new_take(owner: bpy.types.Object, name: str, base: bpy.types.Action | None = None) -> bpy.types.Action:
    """Make an action that is to replace what an armature plays, which is kept.

    Parameters
    ----------
    owner : bpy.types.Object
        The armature; until it gets the new one it plays what it plays, but no motion below that.
    name : str
        Of the action.
    base : bpy.types.Action, optional
        The new one is a copy of it; by default it is empty.

    Raises
    ------
    CaptureError
        See `check_replaceable`.
    """
    check_replaceable(owner)
    earlier = playing(owner)
    word = _word(owner) or uuid.uuid4().hex
    take = bpy.data.actions.new(name) if base is None else base.copy()
    take.name = name
    take.use_fake_user = True
    take[_TAKES] = word
    owner[_TAKES] = word
    if earlier is not None:
        take[_BEFORE] = earlier
        _keep(earlier, word)
    elif _BEFORE in take:
        del take[_BEFORE]
    if _PREVIEW in take:
        del take[_PREVIEW]
    offsets = noted_offsets(owner.data)
    if offsets is not None:
        take[OFFSETS] = offsets
    _lift(owner)
    return take


def takes_of(owner: bpy.types.Object) -> list[bpy.types.Action]:
    """The takes of an armature, by name; none if Kinelift has never given it an action."""
    word = _word(owner)
    if not word:
        return []
    takes = [action for action in bpy.data.actions if action.get(_TAKES) == word]
    before = [take[_BEFORE] for take in takes if take.get(_BEFORE)]
    return sorted({*takes, *before}, key=lambda take: take.name_full)


def mark_preview(takes: Iterable[bpy.types.Action]) -> None:
    """Note that takes are a preview: the next one replaces them."""
    word = uuid.uuid4().hex
    for take in takes:
        take[_PREVIEW] = word


def remove_preview(played: bpy.types.Action | None, made: Iterable[bpy.types.Action]) -> None:
    """Remove the preview that an armature played, if it was one, as `made` was made in its place."""
    word = played.get(_PREVIEW) if played is not None else None
    preview = [one for one in bpy.data.actions if word and one.library is None and one.get(_PREVIEW) == word]
    for take in made:
        while take.get(_BEFORE) in preview:
            before = take[_BEFORE].get(_BEFORE)
            if before is None:
                del take[_BEFORE]
            else:
                take[_BEFORE] = before
    for take in preview:
        bpy.data.actions.remove(take)


def note_motion(take: bpy.types.Action, path: str) -> None:
    """Note with a take the file of the captured motion that it was made from."""
    if take.library is None:
        take[_MOTION] = path


def noted_motion(take: bpy.types.Action) -> str:
    """The file of the captured motion that a take was made from; empty: it isn't known."""
    return str(take.get(_MOTION, ""))


def noted_offsets(block: bpy.types.ID) -> list[float] | None:
    """The `OFFSETS` that are noted with an armature's data or a take."""
    noted = block.get(OFFSETS)
    return None if noted is None else list(noted)


def note_offsets(owner: bpy.types.Object, offsets: list[float]) -> None:
    """Note the `OFFSETS` of the bones of an armature, before they move, with all takes that lack them."""
    now = playing(owner)
    for take in {*takes_of(owner), *([now] if now is not None else [])}:
        if take.library is None and OFFSETS not in take:
            take[OFFSETS] = offsets


def use_take(owner: bpy.types.Object, take: bpy.types.Action) -> None:
    """Let an armature play one of its takes; the one that it played is kept.

    Its bones may have been moved since the take was made: see `result.play_take`.

    Raises
    ------
    CaptureError
        See `check_replaceable`.
    """
    check_replaceable(owner)
    earlier, word = playing(owner), _word(owner)
    if earlier is not None:
        _keep(earlier, word)
    play(owner, take)


def put_above(owner: bpy.types.Object, layer: bpy.types.Action, motion: bpy.types.Action) -> None:
    """Let an armature play a take as a layer of edits above another one."""
    layer[_BELOW] = motion
    play(owner, layer)


def play(owner: bpy.types.Object, take: bpy.types.Action) -> None:
    """Let an armature play a take; if that is a layer of edits, combined with the motion below it."""
    _lift(owner)
    assign_action(owner, take)
    motion = below(take)
    if motion is None:
        return
    strip = add_strip(owner, motion, _TRACK, math.floor(motion.frame_range[0]))
    animation = owner.animation_data
    strip.blend_type, animation.action_blend_type = animation.action_blend_type, "COMBINE"
    animation.use_nla = True


def add_strip(owner: bpy.types.Object, action: bpy.types.Action, name: str, first: int) -> Any:
    """Put an action of an object into a strip on a new NLA track, from frame `first` on."""
    track = owner.animation_data_create().nla_tracks.new()
    track.name = name
    strip = track.strips.new(name, first, action)
    assign_strip_slot(strip, owner)
    return strip


def _lift(owner: bpy.types.Object) -> None:
    """Take the motion below a layer off the NLA tracks: the active action plays as if it were there."""
    animation = owner.animation_data
    for track in list(animation.nla_tracks) if animation is not None else ():
        if track.name.startswith(_TRACK) and len(track.strips) == 1:
            animation.action_blend_type = track.strips[0].blend_type
            animation.nla_tracks.remove(track)


def clip_of(owner: bpy.types.Object) -> str:
    """What an armature's motions are of: the word that its takes share, else its name."""
    return _word(owner) or owner.name


def _word(owner: bpy.types.Object) -> str:
    action = playing(owner)
    return str(owner.get(_TAKES) or (action.get(_TAKES) if action is not None else None) or "")


def _keep(action: bpy.types.Action, word: str) -> None:
    """Let a file keep an action, as a take unless it is another armature's; a linked one stays as it is."""
    if action.library is None:
        action.use_fake_user = True
        if _TAKES not in action:
            action[_TAKES] = word
