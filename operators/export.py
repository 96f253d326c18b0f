"""Write captured armatures to a file for other programs."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.app.translations import pgettext_rpt
from bpy.props import EnumProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from ..state.access import captured, selected_armatures
from .reporting import Reporting


class KINELIFT_OT_export(Reporting, bpy.types.Operator, ExportHelper):
    """Write the captured motion to a file"""

    bl_idname = "kinelift.export"
    bl_label = "Export Capture"

    kind: EnumProperty(
        name="Format",
        items=(
            ("bvh", "BVH", "The active armature and its action as text, Y up, in metres"),
            ("fbx", "FBX", "The selected captured armatures and their actions"),
            ("glb", "GLB", "The selected captured armatures and their actions, as binary glTF"),
        ),
        options={"HIDDEN"},
    )
    filter_glob: StringProperty(default="*.bvh;*.fbx;*.glb", options={"HIDDEN"})
    check_extension = True

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether a captured armature is active."""
        cls.poll_message_set("Select a captured armature, or its body")
        return captured(context) is not None

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """The tooltip: what this format holds."""
        return str(properties.bl_rna.properties["kind"].enum_items[properties.kind].description)

    @property
    def filename_ext(self) -> str:
        """The ending of the chosen format."""
        return f".{self.kind}"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Suggest a file and open the file browser."""
        chosen = self.properties
        if not chosen.filepath:
            folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
            chosen.filepath = str(folder / f"{captured(context).name}.{self.kind}")
        return set(super().invoke(context, event))

    def work(self, context: bpy.types.Context) -> None:
        """Write the file, in Object Mode."""
        from ..rig.export import export
        from ..rig.layer import read_played

        armature, active = captured(context), context.active_object
        path = Path(self.properties.filepath).absolute()
        mode = active.mode
        if mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        try:
            render = context.scene.render
            motion = read_played(armature, render.fps / render.fps_base)
            together = [one for one in selected_armatures(context) if one.kinelift.motion]
            export(self.kind, path, together, motion)
        finally:
            if mode != "OBJECT":
                context.view_layer.objects.active = active
                bpy.ops.object.mode_set(mode=mode)
        self.report({"INFO"}, pgettext_rpt("Wrote {path}").format(path=path))
