"""The sidebar's part about retargeting, and what the artist can set there."""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    PointerProperty,
    StringProperty,
)

from ..operators.retarget import (
    KINELIFT_OT_detect_bones,
    KINELIFT_OT_load_bone_map,
    KINELIFT_OT_preview_retarget,
    KINELIFT_OT_retarget,
    KINELIFT_OT_save_bone_map,
    KINELIFT_OT_swap_sides,
    retarget_settings,
)
from ..rig.retarget import PREVIEW

#: a bone that is less certain gets a question mark
_CERTAIN = 0.9
_PARTS = {
    "hips": "Hips, and the way through space",
    "spine": "Spine and chest",
    "head": "Neck and head",
    "arms": "Shoulders, upper arms and forearms",
    "hands": "Hands",
    "legs": "Thighs and shins",
    "feet": "Feet and toes",
}


def _armature(_settings: bpy.types.PropertyGroup, obj: bpy.types.Object) -> bool:
    return bool(obj.type == "ARMATURE")


def _edited(row: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    row.certainty = 1.0


class BoneRow(bpy.types.PropertyGroup):
    """A joint (the name) and its bone."""

    bone: StringProperty(
        name="Bone", description="Bone of the character that moves as this joint", update=_edited
    )
    certainty: FloatProperty(description="How sure it is that this is the bone, 0 to 1")


class RetargetSettings(bpy.types.PropertyGroup):
    """How Retarget works, and the bone map of the character that it was last used for."""

    source: PointerProperty(
        name="Source",
        description="Armature whose motion the character gets; empty: the captured one",
        type=bpy.types.Object,
        poll=_armature,
    )
    target: PointerProperty(type=bpy.types.Object, description="Character that the bone map belongs to")
    bones: CollectionProperty(type=BoneRow, description="Which bone is which")
    map_name: StringProperty(description="Where the bone map comes from")
    properties_json: StringProperty(description="Switches of the rig that the bone map asks for, as JSON")
    show_bones: BoolProperty(name="Bone Map", description="Show which bone is which")
    parts: EnumProperty(
        name="Body",
        description="Parts of the body that get the motion; the others keep theirs",
        items=tuple((part, part.capitalize(), what) for part, what in _PARTS.items()),
        options={"ENUM_FLAG"},
        default=set(_PARTS),
    )
    root_motion: EnumProperty(
        name="Path",
        description="What carries the character through space",
        items=(
            ("hips", "Hips", "The hips move through space"),
            ("root", "Root Bone", "The root bone moves along the floor, the hips above it"),
            ("in-place", "In Place", "The character stays where it is"),
        ),
    )
    posed: BoolProperty(
        name="Pose is Rest",
        description="The character's pose as it is now is taken for the T-pose, not its rest pose",
    )
    plant: BoolProperty(
        name="Plant Feet",
        description="Plant the feet on the character's floor where the source's feet stand",
        default=True,
    )
    strip: BoolProperty(
        name="As NLA Strip", description="Put the result into an NLA strip; the active action stays"
    )


class KINELIFT_PT_retarget(bpy.types.Panel):
    """Onto a character."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Kinelift"
    bl_label = "Retarget"
    bl_order = 6
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """An armature is active."""
        return context.active_object is not None and context.active_object.type == "ARMATURE"

    def draw(self, context: bpy.types.Context) -> None:
        """The source, the settings, the button, then the bone map."""
        layout, chosen = self.layout, retarget_settings(context)
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(chosen, "source")
        layout.prop(chosen, "root_motion")
        column = layout.column(align=True)
        for name in ("plant", "posed", "strip"):
            column.prop(chosen, name)
        column = layout.column(align=True)
        column.use_property_split = False  # it would put each part's name before its button, too
        column.label(text=chosen.bl_rna.properties["parts"].name)
        grid = column.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
        for part in _PARTS:
            grid.prop_enum(chosen, "parts", part)
        runs = PREVIEW in context.scene
        layout.operator(
            KINELIFT_OT_preview_retarget.bl_idname, icon="PAUSE" if runs else "PLAY", depress=runs
        )
        row = layout.row()
        row.scale_y = 1.4
        row.operator(KINELIFT_OT_retarget.bl_idname, icon="ARMATURE_DATA")
        self._bones(context)

    def _bones(self, context: bpy.types.Context) -> None:
        layout, chosen, target = self.layout, retarget_settings(context), context.active_object
        known = chosen.target == target and len(chosen.bones) > 0
        icon = "DISCLOSURE_TRI_DOWN" if chosen.show_bones else "DISCLOSURE_TRI_RIGHT"
        row = layout.row(align=True)
        row.use_property_split = False
        row.prop(chosen, "show_bones", icon=icon, emboss=False)
        row.operator(KINELIFT_OT_detect_bones.bl_idname, icon="VIEWZOOM")
        if not chosen.show_bones:
            return
        if known:
            layout.label(text=chosen.map_name, icon="BONE_DATA", translate=False)
            column = layout.column(align=True)
            for entry in chosen.bones:
                line = column.row(align=True)
                line.prop_search(entry, "bone", target.data, "bones", text=entry.name)
                sure = entry.bone and entry.certainty >= _CERTAIN
                line.label(text="", icon="CHECKMARK" if sure else "QUESTION" if entry.bone else "BLANK1")
        row = layout.row(align=True)
        row.operator(KINELIFT_OT_swap_sides.bl_idname, icon="ARROW_LEFTRIGHT")
        row.operator(KINELIFT_OT_load_bone_map.bl_idname, text="", icon="FILE_FOLDER")
        row.operator(KINELIFT_OT_save_bone_map.bl_idname, text="", icon="FILE_TICK")
