"""The sidebar's tab: video, person, capture, result and export; each further panel has a file of its own."""

from __future__ import annotations

from collections import Counter
from typing import Any

import bpy
from bpy.app.translations import pgettext_iface

from ..core.errors import CaptureError
from ..core.options import ALL, Settings
from ..operators.capture import KINELIFT_OT_cancel, KINELIFT_OT_capture
from ..operators.choose_video import KINELIFT_OT_import_video
from ..operators.export import KINELIFT_OT_export
from ..operators.mark_unsure import KINELIFT_OT_mark_unsure
from ..operators.rebuild import KINELIFT_OT_rebuild
from ..operators.show_people import KINELIFT_OT_show_people
from ..state.access import ADDON, TAB, captured, settings, worker_python
from ..state.jobs import STAGES, Job, queue
from ..state.motions import PACKED_UP_TO
from ..state.pictures import icon_of
from ..state.probe_video import probing
from .options import draw_options, draw_person
from .text import paragraph

#: height of a person's picture, as a multiple of a row's
_PICTURE = 3.0


class _Tab:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = TAB


class KINELIFT_PT_video(_Tab, bpy.types.Panel):
    """The video."""

    bl_label = "Video"
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the file, its size and length, and advice or a problem."""
        layout, chosen = self.layout, settings(context)
        layout.prop(chosen, "video", text="", placeholder="Choose a video")
        info = chosen.info
        if info.problem:
            paragraph(layout, context, info.problem, "ERROR")
        elif info.frames:
            column = layout.column(align=True)
            column.label(
                text=pgettext_iface("{count} frames, {fps:.4g} fps").format(count=info.frames, fps=info.fps),
                translate=False,
            )
            column.label(text=f"{info.width} × {info.height}, {_clock(info.seconds)}", translate=False)
            if info.advice:
                paragraph(layout, context, info.advice, "INFO")
        elif probing():
            layout.label(text="Reading the video...")


class KINELIFT_PT_person(_Tab, bpy.types.Panel):
    """The person and the range of frames."""

    bl_label = "Person & Range"
    bl_order = 1

    def draw(self, context: bpy.types.Context) -> None:
        """Draw whom to follow, the range of frames, and the options of the capture."""
        layout, chosen = self.layout, settings(context)
        layout.use_property_split = True
        layout.use_property_decorate = False
        draw_person(layout, chosen)
        if chosen.person == ALL:
            self._people(layout, chosen)
        column = layout.column(align=True)
        column.prop(chosen, "first")
        column.prop(chosen, "last", text="Last")
        layout.prop(chosen, "rate")
        layout.prop(chosen, "add_body")
        draw_options(layout, chosen, Settings)

    @staticmethod
    def _people(layout: bpy.types.UILayout, chosen: Any) -> None:
        """Draw everybody with a picture and a checkbox, or the look for them."""
        column = layout.column()
        looks = KINELIFT_OT_show_people.progress
        if looks is not None:
            share = looks.frame / max(looks.of, 1)
            column.progress(factor=share, type="BAR", text=pgettext_iface(STAGES[looks.stage]))
            return
        column.operator(
            KINELIFT_OT_show_people.bl_idname,
            text="Show People Again" if chosen.people else "Show People",
            icon="COMMUNITY",
        )
        for number, person in enumerate(chosen.people, 1):
            split = column.split(factor=0.4)  # as property rows are split
            split.use_property_split = False
            if icon := icon_of(person.picture):
                split.template_icon(icon_value=icon, scale=_PICTURE)
            else:  # another session's
                split.label(text="", icon="USER")
            named = pgettext_iface("Person {number}").format(number=number)
            split.prop(person, "ticked", text=named, translate=False)


class KINELIFT_PT_capture(_Tab, bpy.types.Panel):
    """Capture from Video, and the queue."""

    bl_label = "Capture from Video"
    bl_order = 2

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the jobs with their progress, the button, and the last problem."""
        layout = self.layout
        shown = [settings(context).info.problem]
        try:
            worker_python(context)
        except CaptureError as error:
            shown.append(str(error))
            paragraph(layout, context, str(error), "ERROR")
            show = layout.operator("preferences.addon_show", text="Open Preferences", icon="PREFERENCES")
            show.module = ADDON
        for index, job in enumerate(queue.jobs):
            self._job(layout, index, job)
        row = layout.row()
        row.scale_y = 1.4
        row.operator(
            KINELIFT_OT_capture.bl_idname,
            text="Add to Queue" if queue.jobs else "Capture from Video",
            icon="RENDER_ANIMATION",
        )
        if queue.problem and queue.problem not in shown:
            paragraph(layout, context, queue.problem, "ERROR")
        last = settings(context).last_motion or queue.last_motion
        if last and captured(context) is None and not queue.jobs:
            layout.operator(
                KINELIFT_OT_rebuild.bl_idname, text="Last Result from File", icon="FILE_REFRESH"
            ).motion = last

    @staticmethod
    def _job(layout: bpy.types.UILayout, index: int, job: Job) -> None:
        box = layout.box().column(align=True)
        box.label(text=job.video.name, icon="FILE_MOVIE", translate=False)
        if index > 0:
            box.label(text="Waiting")
        else:
            message = job.progress
            stage = pgettext_iface(STAGES[message.stage])
            counted = (
                f"{stage}: {message.frame} / {message.of}" if message.stage != "start" else f"{stage}..."
            )
            box.progress(factor=message.frame / max(message.of, 1), type="BAR", text=counted)
            left = job.seconds_left
            box.label(
                text=pgettext_iface("{time} left").format(time=_clock(left)) if left is not None else "",
                translate=False,
            )
        box.operator(KINELIFT_OT_cancel.bl_idname, icon="X").motion = str(job.motion)


class KINELIFT_PT_result(_Tab, bpy.types.Panel):
    """The quality of the captured armature."""

    bl_label = "Result"
    bl_order = 3

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether a captured armature is active."""
        return captured(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw how well the person was seen, and the warnings of the capture."""
        layout, result = self.layout, captured(context).kinelift
        column = layout.column(align=True)
        column.label(text=result.video, icon="FILE_MOVIE", translate=False)
        column.label(
            text=pgettext_iface("Person seen in {share:.0%} of the frames").format(share=result.detected),
            translate=False,
        )
        for share, words in (
            (1 - result.detected, "Not found, bridged: {share:.0%}"),
            (result.unsure_sides, "Left and right uncertain: {share:.0%}"),
            (result.off_picture, "Limbs off the picture: {share:.0%}"),
            (result.guessed_limbs, "Limbs guessed: {share:.0%}"),
        ):
            if share > 0:
                column.label(text=pgettext_iface(words).format(share=share), translate=False)
        # stretches of the same limb don't overlap
        unsure = Counter[str]()
        for stretch in result.unsure:
            unsure[stretch.name] += stretch.last - stretch.first + 1
        for limb, frames in unsure.items():
            column.label(
                text=pgettext_iface("Unsure: {limb}, {frames} frames").format(
                    limb=pgettext_iface(limb or "whole body"), frames=frames
                ),
                translate=False,
            )
        if unsure:
            layout.operator(KINELIFT_OT_mark_unsure.bl_idname, icon="MARKER")
        for warning in result.warnings:
            paragraph(layout, context, warning.name, "ERROR")
        if bpy.data.is_saved and not bpy.data.is_dirty and result.packed is None:
            largest = pgettext_iface("The motion is gone, or larger than {size} MB: it isn't in this file")
            paragraph(layout, context, largest.format(size=PACKED_UP_TO // 1_000_000), "INFO")
        layout.operator(KINELIFT_OT_rebuild.bl_idname, icon="FILE_REFRESH").motion = result.motion


class KINELIFT_PT_export(_Tab, bpy.types.Panel):
    """Export to other programs."""

    bl_label = "Export"
    bl_order = 7

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether a captured armature is active."""
        return captured(context) is not None

    def draw(self, _context: bpy.types.Context) -> None:
        """Draw a button for each format."""
        row = self.layout.row(align=True)
        for kind in ("bvh", "fbx", "glb"):
            row.operator(KINELIFT_OT_export.bl_idname, text=kind.upper(), translate=False).kind = kind


def draw_import(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    """Draw the entry in File > Import."""
    self.layout.operator(KINELIFT_OT_import_video.bl_idname, text="Motion from Video (.mp4, .mov, ...)")


def draw_add(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    """Draw the entry in Add > Armature, for the sidebar's video."""
    self.layout.operator(KINELIFT_OT_capture.bl_idname, icon="RENDER_ANIMATION")


def _clock(seconds: float) -> str:
    """Format a time as minutes and seconds."""
    return f"{int(seconds + 0.5) // 60}:{int(seconds + 0.5) % 60:02d}"
