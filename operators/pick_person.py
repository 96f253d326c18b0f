"""Pick the person to follow on a still of the video, which replaces the 3D viewport meanwhile."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy
from bpy.app.translations import pgettext_iface

from ..core.errors import CaptureError
from ..core.worker import Worker
from ..state.access import redraw_sidebars, settings, worker_python

#: frames to go on or back, by key
_STEPS = {"RIGHT_ARROW": 1, "LEFT_ARROW": -1, "UP_ARROW": 10, "DOWN_ARROW": -10}
#: keys of the numbered people
_NUMBERS = ("ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX")


class KINELIFT_OT_pick_person(bpy.types.Operator):
    """Show a frame of the range, with numbered people, and click on the one to follow"""

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
        chosen = settings(context)
        self._folder = tempfile.TemporaryDirectory(prefix="kinelift-")
        self._area, self._image = context.area, None
        self._people: list[tuple[float, float]] = []
        try:
            self._look(context, chosen.first)
        except CaptureError as error:
            self._folder.cleanup()
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(0.1, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def _look(self, context: bpy.types.Context, frame: int) -> None:
        """Start a worker that saves a frame of the range as a still.

        Raises
        ------
        CaptureError
            If the video or the Python that captures is gone.
        """
        chosen = settings(context)
        last = min(chosen.last or chosen.info.frames, chosen.info.frames)
        self._frame = min(max(frame, chosen.first), last)
        self._time = (self._frame - 1) / chosen.info.fps
        self._still = Path(self._folder.name) / f"still {self._frame}.png"
        words = ["probe", str(chosen.chosen_video()), "--still", str(self._still)]
        words += ["--at", f"{self._time:.6f}", "--turn", chosen.turn]
        self._worker = Worker(worker_python(context), words)
        self._looking = True
        context.window.cursor_modal_set("WAIT")

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Wait for the still, then for a click, a number, or the wish for another frame."""
        if event.type in {"ESC", "RIGHTMOUSE"} and event.value == "PRESS":
            return self._leave(context, {"CANCELLED"})
        try:
            if self._looking:
                if event.type == "TIMER":
                    for said in self._worker.said(wait=False):
                        self._people = said["people"]
                    if not self._worker.running:
                        self._show(context)
                return {"RUNNING_MODAL"}
            if event.value == "PRESS" and event.type in _STEPS:
                self._look(context, self._frame + _STEPS[event.type])
                return {"RUNNING_MODAL"}
        except CaptureError as error:
            self.report({"ERROR"}, str(error))
            return self._leave(context, {"CANCELLED"})
        place = self._chosen(event) if event.value == "PRESS" else None
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
        self._looking = False
        before, self._image = self._image, bpy.data.images.load(str(self._still))
        self._area.type = "IMAGE_EDITOR"
        self._area.spaces.active.image = self._image
        if before is not None:
            bpy.data.images.remove(before)
        told = pgettext_iface(
            "Frame {frame}: click on the person to follow, or press their number; arrow keys: another frame; "
            "Escape to go back"
        )
        self._area.header_text_set(told.format(frame=self._frame))
        context.window.cursor_modal_set("CROSSHAIR")
        (region,) = (r for r in self._area.regions if r.type == "WINDOW")
        with context.temp_override(window=context.window, area=self._area, region=region):
            bpy.ops.image.view_all(fit_view=True)

    def _chosen(self, event: bpy.types.Event) -> tuple[float, float] | None:
        """Where the person is whom a click or a number means, pixels from the top left; None: nobody."""
        if event.type in _NUMBERS:
            number = _NUMBERS.index(event.type)
            return self._people[number] if number < len(self._people) else None
        return self._place(event) if event.type == "LEFTMOUSE" else None

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
