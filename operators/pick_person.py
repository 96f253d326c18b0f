"""Pick the person to follow on a still of the video, which replaces the 3D viewport meanwhile."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy
from bpy.app.translations import pgettext_iface

from ..core.errors import CaptureError
from ..core.worker import Worker
from ..state.access import redraw_sidebars, settings, worker_python


class KINELIFT_OT_pick_person(bpy.types.Operator):
    """Show the first frame of the range and click on the person to follow"""

    bl_idname = "kinelift.pick_person"
    bl_label = "Pick on a Still"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is a video and a 3D viewport to show it in."""
        cls.poll_message_set("Choose a video first, in a 3D viewport")
        return (
            context.area is not None and context.area.type == "VIEW_3D" and settings(context).info.frames > 0
        )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Start a worker that saves the still."""
        self._time = settings(context).stretch()[0]
        self._folder = tempfile.TemporaryDirectory(prefix="kinelift-")
        self._still = Path(self._folder.name) / "still.png"
        self._area, self._image = context.area, None
        try:
            self._worker = Worker(
                worker_python(context),
                [
                    "probe",
                    str(settings(context).chosen_video()),
                    "--still",
                    str(self._still),
                    "--at",
                    f"{self._time:.6f}",
                    "--turn",
                    settings(context).turn,
                ],
            )
        except CaptureError as error:
            self._folder.cleanup()
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(0.1, window=context.window)
        context.window_manager.modal_handler_add(self)
        context.window.cursor_modal_set("WAIT")
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Wait for the still, then for the click."""
        if event.type in {"ESC", "RIGHTMOUSE"} and event.value == "PRESS":
            return self._leave(context, {"CANCELLED"})
        if self._image is None:
            if event.type == "TIMER":
                try:
                    list(self._worker.said(wait=False))
                except CaptureError as error:
                    self.report({"ERROR"}, str(error))
                    return self._leave(context, {"CANCELLED"})
                if not self._worker.running:
                    self._show(context)
            return {"RUNNING_MODAL"}
        if event.type == "LEFTMOUSE" and event.value == "PRESS":
            place = self._place(event)
            if place is not None:
                chosen = settings(context)
                chosen.pick, chosen.pick_time, chosen.picked = place, self._time, True
                return self._leave(context, {"FINISHED"})
        # let the artist zoom and pan, and block everything else
        navigating = event.type in {
            "MIDDLEMOUSE",
            "WHEELUPMOUSE",
            "WHEELDOWNMOUSE",
            "MOUSEMOVE",
            "TIMER",
            "HOME",
        }
        return {"PASS_THROUGH"} if navigating else {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Clean up, as Blender closes or loads another file."""
        self._worker.cancel_soon()
        self._folder.cleanup()

    def _show(self, context: bpy.types.Context) -> None:
        self._image = bpy.data.images.load(str(self._still))
        self._area.type = "IMAGE_EDITOR"
        self._area.spaces.active.image = self._image
        self._area.header_text_set(pgettext_iface("Click on the person to follow; Escape to go back"))
        context.window.cursor_modal_set("CROSSHAIR")
        (region,) = (r for r in self._area.regions if r.type == "WINDOW")
        with context.temp_override(window=context.window, area=self._area, region=region):
            bpy.ops.image.view_all(fit_view=True)

    def _place(self, event: bpy.types.Event) -> tuple[float, float] | None:
        """The clicked place in the video's picture, pixels from its top left; None: outside of it."""
        (region,) = (r for r in self._area.regions if r.type == "WINDOW")
        x, y = region.view2d.region_to_view(event.mouse_x - region.x, event.mouse_y - region.y)
        if not (0 <= x < 1 and 0 <= y < 1):
            return None
        info = settings(bpy.context).info
        return x * info.width, (1 - y) * info.height

    def _leave(self, context: bpy.types.Context, how: set[str]) -> set[str]:
        context.window.cursor_modal_restore()
        context.window_manager.event_timer_remove(self._timer)
        if self._worker.running:
            self._worker.cancel_soon()
        if self._image is not None:
            self._area.header_text_set(None)
            self._area.type = "VIEW_3D"
            bpy.data.images.remove(self._image)
        self._folder.cleanup()
        redraw_sidebars(context)
        return how
