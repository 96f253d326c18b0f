"""Add a captured motion to the scene once more."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_rpt
from bpy.props import StringProperty

from ..core.errors import CaptureError
from ..core.files import clip_name
from ..state.access import settings
from ..state.jobs import queue
from ..state.motions import find_motion
from .build import build, present, takes_rate
from .reporting import Reporting, names_of


class KINELIFT_OT_rebuild(Reporting, bpy.types.Operator):
    """Add the captured motion once more, as it was captured"""

    bl_idname = "kinelift.rebuild"
    bl_label = "From File"
    bl_options = {"REGISTER", "UNDO"}

    motion: StringProperty(
        name="Motion",
        description="File of the captured motion; empty: of the last capture",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    def work(self, context: bpy.types.Context) -> None:
        """Build the armature in the current scene."""
        chosen = settings(context)
        motion = self.motion or chosen.last_motion or queue.last_motion
        if not motion:
            raise CaptureError("Nothing was captured yet; press Capture from Video.")
        path = find_motion(context, motion)
        takes = takes_rate(context.scene, chosen.rate)
        armatures = build(path, clip_name(path), context.scene.name, takes)
        for armature in armatures:
            present(context, armature)
        self.report({"INFO"}, pgettext_rpt("Added {name} from its file").format(name=names_of(armatures)))
