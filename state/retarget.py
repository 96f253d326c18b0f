"""The settings of Retarget and the bone map of a character, kept in the scene."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, CollectionProperty, FloatProperty, PointerProperty, StringProperty

from ..core.options import RetargetSettings
from .derived import values_of, with_options
from .scene import Sentence


def _armature(_settings: bpy.types.PropertyGroup, obj: bpy.types.Object) -> bool:
    return bool(obj.type == "ARMATURE")


def _edited(row: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    """Trust a bone that the artist chose."""
    row.certainty = 1.0


class BoneRow(bpy.types.PropertyGroup):
    """The bone of the joint that the row is named after."""

    bone: StringProperty(
        name="Bone", description="Bone of the character that moves as this joint", update=_edited
    )
    certainty: FloatProperty(description="How certain it is that this is the bone, 0 to 1")


@with_options(RetargetSettings)
class SceneRetarget(bpy.types.PropertyGroup):
    """The settings of Retarget, and the bone map of the character it was last used on."""

    source: PointerProperty(
        name="Source",
        description="Armature whose motion the character gets; empty: the captured one",
        type=bpy.types.Object,
        poll=_armature,
    )
    target: PointerProperty(type=bpy.types.Object, description="Character that the bone map belongs to")
    bones: CollectionProperty(type=BoneRow, description="Which bone is which")
    map_name: StringProperty(description="Where the bone map comes from")
    properties_json: StringProperty(description="Switches of the rig that the bone map sets, as JSON")
    warnings: CollectionProperty(type=Sentence, description="Problems that the last retarget noticed")
    show_bones: BoolProperty(name="Bone Map", description="Show which bone is which")

    def settings(self) -> RetargetSettings:
        """The chosen options."""
        return RetargetSettings(**values_of(self, RetargetSettings))
