"""What differs between the versions of Blender that Kinelift supports. No other module asks for a version."""

from __future__ import annotations

from typing import Any

import bpy

#: whether Blender turns videos upright by the note of how the phone was held
TURNS_VIDEOS = bpy.app.version >= (4, 4)


def assign_action(owner: bpy.types.ID, action: bpy.types.Action) -> Any:
    """Let an action animate an object.

    Returns
    -------
    The holder of the action's F-curves (`fcurves`) and groups (`groups`) for that object: a channelbag of its
    slot from Blender 4.4 on, the action itself before.
    """
    animation = owner.animation_data_create()
    animation.action = action
    if not hasattr(action, "slots"):
        return action
    slot = _slot(action, owner) or action.slots.new(id_type=owner.id_type, name=owner.name)
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    bag = strip.channelbag(slot, ensure=True)
    animation.action_slot = slot
    return bag


def curves_of(action: bpy.types.Action, owner: bpy.types.Object) -> dict[tuple[str, int], Any]:
    """The F-curves by data path and index that an action has for an object."""
    bag = action
    if hasattr(action, "slots"):
        slot = _slot(action, owner)
        bags = [b for layer in action.layers for strip in layer.strips for b in strip.channelbags]
        bag = next((b for b in bags if slot is not None and b.slot_handle == slot.handle), None)
    return {(c.data_path, c.array_index): c for c in bag.fcurves} if bag is not None else {}


def assign_strip_slot(strip: Any, owner: bpy.types.Object) -> None:
    """Let an NLA strip play what its action has for an object; Blender leaves the slot empty at times."""
    if hasattr(strip, "action_slot") and strip.action_slot is None:
        strip.action_slot = _slot(strip.action, owner)


def _slot(action: bpy.types.Action, owner: bpy.types.ID) -> Any:
    """The slot of an action that animates an object.

    That is the one it uses, or used in an action that this one is a copy of, or was made for, or the first.
    """
    animation = owner.animation_data
    if animation is not None and animation.action == action and animation.action_slot is not None:
        return animation.action_slot
    slots = [slot for slot in action.slots if slot.target_id_type in (owner.id_type, "UNSPECIFIED")]
    used = animation.last_slot_identifier if animation is not None else ""
    likely = (
        *(slot for slot in slots if slot.identifier == used),
        *(slot for slot in slots if slot.name_display == owner.name),
        *slots,
    )
    return next(iter(likely), None)


def slot_handle(action: bpy.types.Action, owner: bpy.types.ID) -> int:
    """What tells the slot that an action has for an object from its others; 0 before there were slots."""
    slot = _slot(action, owner) if hasattr(action, "slots") else None
    return int(slot.handle) if slot is not None else 0


def render_as_film(settings: bpy.types.ImageFormatSettings) -> None:
    """Make a scene's output a film. Blender 5 offers film formats only once the medium is video."""
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"


def strips_of(editor: bpy.types.SequenceEditor) -> Any:
    """The strips of the sequencer; they were called sequences up to Blender 4.3."""
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def current_window() -> bpy.types.Window:
    """The context's window, as its window manager has it.

    In Blender 4.2 it isn't the context's own: see `mend_context`.
    """
    named = bpy.context.window
    return next(window for window in bpy.context.window_manager.windows if window == named)


def mend_context() -> None:
    """Let the context belong to the scene that is there; Blender's glTF add-on sets the scene through it.

    Blender 4.2's context belongs to the scene in which somebody (Rigify does) last read its
    `layer_collection`, even when that scene is gone. Setting a property of what such a context gives marks
    the scene as changed: in memory that is something else by then.
    """
    _ = bpy.context.layer_collection
