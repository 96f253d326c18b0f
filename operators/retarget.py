"""Retarget onto the active character, preview that live, and edit the bone map: detect, swap, load, save."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.handlers import persistent
from bpy.app.translations import pgettext_rpt
from bpy.props import StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ..core.errors import CaptureError
from ..core.options import CARRY, RAW
from ..state.access import ADDON, active_armature, retarget_settings, selected_armatures
from .edits import AsksAboutEdits
from .reporting import OnActive, names_of, report_done

if TYPE_CHECKING:  # importing numpy takes longer than enabling an add-on may
    from ..rig.edits import Edits
    from ..rig.retarget.bone_map import BoneMap


def maps_folder() -> Path:
    """The folder of the artist's own bone maps, which may not exist."""
    return Path(bpy.utils.extension_path_user(ADDON, path="bone_maps"))


def casting(context: bpy.types.Context) -> dict[bpy.types.Object, bpy.types.Object]:
    """The source of each selected character; that of the active one comes first.

    The people are the captured armatures that are selected, else those that were captured together with
    `find_source`; `cast` says who plays whom.

    Raises
    ------
    CaptureError
        See `find_source`, or if more characters are selected than there are people, and nobody is left for
        the active one.
    """
    from ..rig.result import captured_with
    from ..rig.retarget.casting import cast

    first, source = _chosen_source(context), find_source(context)
    active, *selected = selected_armatures(context)
    captured = [one for one in selected if one.kinelift.motion and not first]
    together = [one for one in captured_with(source) if one.kinelift.motion and one != active]
    people = sorted(captured or {source, *together}, key=lambda one: (one != first, one.name))
    characters = [active, *(one for one in selected if one not in people and not one.kinelift.motion)]
    if len(people) == 1 or (first and len(characters) == 1):
        return {active: people[0]}
    by_name = {one.name: one for one in (*people, *characters)}
    played = cast([one.name for one in people], [one.name for one in characters])
    if active.name not in played:
        raise CaptureError(_nobody_for([active]))
    return {by_name[character]: by_name[person] for character, person in played.items()}


def _chosen_source(context: bpy.types.Context) -> bpy.types.Object | None:
    """What is chosen as the source, if it is in the scene."""
    chosen = retarget_settings(context).source
    return chosen if chosen is not None and chosen.name in context.scene.objects else None


def find_source(context: bpy.types.Context) -> bpy.types.Object:
    """The chosen source, else the newest captured armature, else the only other animated armature.

    Raises
    ------
    CaptureError
        If nothing is chosen and a capture is selected, not a character, or there are none or several to
        choose from.
    """
    if (chosen := _chosen_source(context)) is not None:
        return chosen
    target = active_armature(context)
    if target.kinelift.motion:
        selected = pgettext_rpt("Select the character that is to get the motion: {name} is a capture itself.")
        raise CaptureError(selected.format(name=target.name))
    others = [
        obj for obj in context.scene.objects
        if obj.type == "ARMATURE" and obj != target and obj.animation_data and obj.animation_data.action
    ]  # fmt: skip
    captured = [obj for obj in others if obj.kinelift.motion]
    if len(captured) >= 1:
        return captured[-1]
    if len(others) == 1:
        return others[0]
    raise CaptureError("Choose the source: the armature whose motion the character is to get.")


def _fill(context: bpy.types.Context, bone_map: Any) -> None:
    """Show a bone map in the panel."""
    from ..rig.retarget.bone_map import SLOTS

    chosen = retarget_settings(context)
    chosen.bones.clear()
    for slot in SLOTS:
        row = chosen.bones.add()
        row.name = slot
        row.bone = bone_map.bones.get(slot, "")
        row.certainty = bone_map.certainty.get(slot, 0.0)
    chosen.map_name = bone_map.name
    chosen.properties_json = json.dumps(bone_map.properties)
    chosen.target = active_armature(context)


def shown_map(context: bpy.types.Context) -> Any:
    """The bone map in the panel; detects it first if it is empty or belongs to another character.

    The panel warns of the artist's own maps that can't be read.
    """
    from ..rig.retarget.apply import check_target
    from ..rig.retarget.bone_map import BoneMap
    from ..rig.retarget.bones import read_rig
    from ..rig.retarget.mapping import find_bone_map
    from ..rig.retarget.presets import own_presets

    chosen, target = retarget_settings(context), check_target(active_armature(context))
    if chosen.target != target or not any(row.bone for row in chosen.bones):
        own, problems = own_presets(maps_folder())
        for problem in problems:
            chosen.warnings.add().name = problem
        _fill(context, find_bone_map(read_rig(target), target.data, own))
    bones = {row.name: row.bone for row in chosen.bones if row.bone}
    sure = {row.name: row.certainty for row in chosen.bones if row.bone}
    return BoneMap(bones, sure, chosen.map_name, json.loads(chosen.properties_json or "{}"))


class KINELIFT_OT_retarget(AsksAboutEdits, OnActive, bpy.types.Operator):
    """Give the selected characters the motions of the captured people, in new actions on their controls"""

    bl_idname = "kinelift.retarget"
    bl_label = "Retarget"
    bl_options = {"REGISTER", "UNDO"}

    def found(self, context: bpy.types.Context) -> tuple[Edits | None, str]:
        """The edits of the active character; those of another clip are suggested to stay with it."""
        from ..rig.retarget.apply import edits_before
        from ..rig.takes import clip_of

        active = active_armature(context)
        found = edits_before(active, retarget_settings(context).settings())
        same = found is not None and found.clip == clip_of(casting(context)[active])
        return found, CARRY if same else RAW

    def work(self, context: bpy.types.Context) -> None:
        """Retarget onto the active armature, and onto the others that are selected."""
        from ..rig.retarget.apply import check_target
        from ..rig.retarget.preview import end_preview

        end_preview()
        active, chosen = active_armature(context), retarget_settings(context)
        check_target(active)
        played = casting(context)
        check_target(active, played[active])
        chosen.warnings.clear()
        actions = []
        for target, source in played.items():
            try:
                actions.append(self._play(context, target, source, together=len(played) > 1))
            except CaptureError as error:
                if target == active:
                    raise
                chosen.warnings.add().name = str(error)  # the others go on
        for left in _left_out(context, played):
            chosen.warnings.add().name = left
        made = pgettext_rpt("Made the action {name}").format(name=names_of(actions))
        report_done(self, made, len(chosen.warnings), "Retarget")

    def _play(self, context: bpy.types.Context, target: Any, source: Any, together: bool) -> bpy.types.Action:
        """Give a character the motion of a source; if several do so `together`, where the source is.

        Raises
        ------
        CaptureError
            If it can't have it.
        """
        from ..rig.retarget.apply import check_target, retarget
        from ..rig.retarget.source import frames_of, perform_armature
        from ..rig.takes import clip_of, motion_of

        render, chosen = context.scene.render, retarget_settings(context)
        check_target(target, source)
        performance = perform_armature(source, frames_of(source), render.fps / render.fps_base)
        name = f"{target.name} {(motion_of(source) or source).name}"
        asked = target == active_armature(context) and self.properties.is_property_set("edits")
        # who isn't asked keeps the edits of the same clip
        way = self.edits if asked else None
        bone_map = shown_map(context) if target == active_armature(context) else _own_map(target)
        origin = source.matrix_world.translation[:2] if together else None
        result = retarget(
            performance, target, bone_map, chosen.settings(), name, clip_of(source), way, origin
        )
        for warning in result.warnings:
            chosen.warnings.add().name = warning
        return result.action


def _own_map(target: Any) -> BoneMap:
    """The bone map that is found for a character that the panel doesn't show."""
    from ..rig.retarget.bones import read_rig
    from ..rig.retarget.mapping import find_bone_map
    from ..rig.retarget.presets import own_presets

    return find_bone_map(read_rig(target), target.data, own_presets(maps_folder())[0])


def _left_out(context: bpy.types.Context, played: dict[Any, Any]) -> list[str]:
    """Sentences about selected captures whom nobody plays, and characters for whom nobody is left."""
    selected = [one for one in selected_armatures(context) if one not in (*played, *played.values())]
    people = [one for one in selected if one.kinelift.motion and _chosen_source(context) is None]
    characters = [one for one in selected if not one.kinelift.motion]
    told = [_nobody_for(characters)] if characters else []
    if people:
        nobody = pgettext_rpt("Nobody plays {name}: select a character for each person.")
        told.append(nobody.format(name=names_of(people)))
    return told


def _nobody_for(characters: list[Any]) -> str:
    nobody = pgettext_rpt("Nobody is left for {name}: select no more characters than there are people.")
    return str(nobody.format(name=names_of(characters)))


@persistent  # type: ignore[untyped-decorator]
def _file_loaded(*_: object) -> None:
    from ..rig.retarget import PREVIEW

    if PREVIEW in bpy.context.scene:
        from ..rig.retarget.preview import resume_preview

        resume_preview()


class KINELIFT_OT_preview_retarget(OnActive, bpy.types.Operator):
    """Let the active character follow the source without keys; press again to end"""

    bl_idname = "kinelift.preview_retarget"
    bl_label = "Live Preview"

    @classmethod
    def register(cls) -> None:
        """Resume the preview of a file when it is loaded."""
        bpy.app.handlers.load_post.append(_file_loaded)

    @classmethod
    def unregister(cls) -> None:
        """End the preview."""
        from ..rig.retarget.preview import end_preview

        bpy.app.handlers.load_post.remove(_file_loaded)
        end_preview()

    def work(self, context: bpy.types.Context) -> None:
        """Start or end the preview."""
        from ..rig.retarget.apply import check_target
        from ..rig.retarget.preview import end_preview, previewing, start_preview

        if previewing():
            end_preview()
            return
        active = check_target(active_armature(context))
        source = casting(context)[active]
        target = check_target(active, source)
        start_preview(source, target, shown_map(context), retarget_settings(context).settings())


class KINELIFT_OT_detect_bones(OnActive, bpy.types.Operator):
    """Find out which bone of the active character is which"""

    bl_idname = "kinelift.detect_bones"
    bl_label = "Detect"
    bl_options = {"REGISTER", "UNDO"}

    def work(self, context: bpy.types.Context) -> None:
        """Replace the bone map by a detected one."""
        chosen = retarget_settings(context)
        chosen.target = None
        chosen.warnings.clear()
        found = shown_map(context)
        told = pgettext_rpt("{name}: {count} bones").format(name=found.name, count=len(found.bones))
        report_done(self, told, len(chosen.warnings), "Retarget")


class KINELIFT_OT_swap_sides(OnActive, bpy.types.Operator):
    """Exchange the bones of left and right"""

    bl_idname = "kinelift.swap_sides"
    bl_label = "Swap Sides"
    bl_options = {"REGISTER", "UNDO"}

    def work(self, context: bpy.types.Context) -> None:
        """Swap left and right in the panel."""
        from ..rig.retarget.bone_map import swapped

        _fill(context, swapped(shown_map(context)))


class KINELIFT_OT_save_bone_map(OnActive, bpy.types.Operator, ExportHelper):
    """Save the bone map as a file; Detect also tries the maps in the suggested folder on other characters"""

    bl_idname = "kinelift.save_bone_map"
    bl_label = "Save Bone Map"

    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Suggest a file and open the file browser."""
        folder = Path(bpy.utils.extension_path_user(ADDON, path="bone_maps", create=True))
        self.properties.filepath = str(folder / f"{active_armature(context).name}.json")
        return set(ExportHelper.invoke(self, context, event))

    def work(self, context: bpy.types.Context) -> None:
        """Write the bone map."""
        from ..rig.retarget.presets import save_preset

        path = Path(self.properties.filepath).absolute()
        save_preset(path, path.stem, shown_map(context))


class KINELIFT_OT_load_bone_map(OnActive, bpy.types.Operator, ImportHelper):
    """Take a bone map from a file"""

    bl_idname = "kinelift.load_bone_map"
    bl_label = "Load Bone Map"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def work(self, context: bpy.types.Context) -> None:
        """Read the bone map and check that it fits this character."""
        from ..rig.retarget.apply import check_target
        from ..rig.retarget.bones import read_rig
        from ..rig.retarget.presets import apply_preset, load_preset

        target = check_target(active_armature(context))
        _fill(context, apply_preset(read_rig(target), load_preset(Path(self.properties.filepath))))
