"""The takes of an armature: the actions that Kinelift made for it, and those that they replaced.

Replacing an action loses nothing: each take has a fake user, so that it is saved, and all takes of an
armature are known by a word that they share, whatever is renamed. What is noted on an overridden armature
isn't saved, so its takes have that word too.
"""

from __future__ import annotations

import uuid

import bpy

from ..core.errors import CaptureError
from .versions import assign_action

#: custom property of an armature and of its takes: the word that they share
_TAKES = "kinelift_takes"
#: custom property of a take: the action that was played before, which a file keeps so even if it is linked
_BEFORE = "kinelift_before"


def playing(owner: bpy.types.Object) -> bpy.types.Action | None:
    """The active action of an object."""
    return owner.animation_data.action if owner.animation_data is not None else None


def check_replaceable(owner: bpy.types.Object) -> None:
    """Refuse an object whose action can't be replaced now.

    Raises
    ------
    CaptureError
        If a strip of its NLA tracks is being tweaked.
    """
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
        The armature; it goes on playing what it plays.
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
    if owner.library is None:
        owner[_TAKES] = word
    if earlier is not None:
        take[_BEFORE] = earlier
        _keep(earlier, word)
    elif _BEFORE in take:
        del take[_BEFORE]
    return take


def takes_of(owner: bpy.types.Object) -> list[bpy.types.Action]:
    """The takes of an armature, by name; none if Kinelift has never given it an action."""
    word = _word(owner)
    if not word:
        return []
    takes = [action for action in bpy.data.actions if action.get(_TAKES) == word]
    before = [take[_BEFORE] for take in takes if take.get(_BEFORE)]
    return sorted({*takes, *before}, key=lambda take: take.name_full)


def use_take(owner: bpy.types.Object, take: bpy.types.Action) -> None:
    """Let an armature play one of its takes; the one that it played is kept.

    Raises
    ------
    CaptureError
        See `check_replaceable`.
    """
    check_replaceable(owner)
    earlier, word = playing(owner), _word(owner)
    if earlier is not None:
        _keep(earlier, word)
    assign_action(owner, take)


def _word(owner: bpy.types.Object) -> str:
    action = playing(owner)
    return str(owner.get(_TAKES) or (action.get(_TAKES) if action is not None else None) or "")


def _keep(action: bpy.types.Action, word: str) -> None:
    """Let a file keep an action, as a take unless it is another armature's; a linked one stays as it is."""
    if action.library is None:
        action.use_fake_user = True
        if _TAKES not in action:
            action[_TAKES] = word
