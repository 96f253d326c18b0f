"""Show small pictures of everybody who can be captured, to tick whom to capture."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import ClassVar

import bpy

from ..core.command_line import arguments_of
from ..core.errors import CaptureError
from ..core.options import Settings
from ..core.worker import Message, Worker
from ..state.access import over_tab, redraw_sidebars, settings, worker_python

#: seconds between two checks of the worker's progress
_TICK = 0.1


class KINELIFT_OT_show_people(bpy.types.Operator):
    """Look through the range for everybody who can be captured, and show their pictures to tick them"""

    bl_idname = "kinelift.show_people"
    bl_label = "Show People"
    bl_options = {"UNDO"}

    #: how far the look is that runs, if one does
    progress: ClassVar[Message | None] = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is a video, and nobody looks yet."""
        cls.poll_message_set("Choose a video first, and wait until the last look has ended")
        return settings(context).info.frames > 0 and cls.progress is None

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Start the worker; `modal` follows it."""
        try:
            self._look(context)
        except CaptureError as error:
            return self._refuse(error)
        self._timer = context.window_manager.event_timer_add(_TICK, window=context.window)
        context.window_manager.modal_handler_add(self)
        redraw_sidebars(context)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Look, and wait for it: for scripts."""
        try:
            self._look(context)
            self._listen(context, wait=True)
        except CaptureError as error:
            return self._refuse(error)
        finally:
            KINELIFT_OT_show_people.progress = None
        return {"FINISHED"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Listen to the worker at each tick. Escape over the tab ends it, and so does another video."""
        if event.type == "ESC" and event.value == "PRESS" and over_tab(context, event):
            return self._leave(context, {"CANCELLED"})
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            if _asked(context) != self._of:
                return self._leave(context, {"CANCELLED"})
            self._listen(context, wait=False)
        except CaptureError as error:
            return self._leave(context, self._refuse(error))
        redraw_sidebars(context)
        return {"PASS_THROUGH"} if self._worker.running else self._leave(context, {"FINISHED"})

    def cancel(self, context: bpy.types.Context) -> None:
        """End the worker, as Blender closes or loads another file."""
        self._leave(context, {"CANCELLED"})

    def _look(self, context: bpy.types.Context) -> None:
        """Start the worker.

        Raises
        ------
        CaptureError
            If the video or the Python that captures is gone.
        """
        self._of = _asked(context)
        # the pictures stay for the session
        folder = Path(tempfile.mkdtemp(prefix="people-", dir=bpy.app.tempdir))
        self._worker = Worker(worker_python(context), ["probe", *self._of, "--portraits", str(folder)])
        KINELIFT_OT_show_people.progress = Message("start", 0, 1, "")

    def _listen(self, context: bpy.types.Context, wait: bool) -> None:
        """Take over what the worker has said.

        Raises
        ------
        CaptureError
            If it refused or died.
        """
        for said in self._worker.said(wait):
            if "people" in said:
                people = settings(context).people
                people.clear()
                for name, picture in said["people"]:
                    person = people.add()
                    person.name, person.picture = name, picture
            else:
                KINELIFT_OT_show_people.progress = Message(said["stage"], said["frame"], said["of"], "")

    def _refuse(self, error: CaptureError) -> set[str]:
        self.report({"ERROR"}, str(error))
        return {"CANCELLED"}

    def _leave(self, context: bpy.types.Context, how: set[str]) -> set[str]:
        KINELIFT_OT_show_people.progress = None
        context.window_manager.event_timer_remove(self._timer)
        if self._worker.running:
            self._worker.cancel_soon()
        redraw_sidebars(context)
        return how


def _asked(context: bpy.types.Context) -> list[str]:
    """What the worker looks through, as its arguments.

    Raises
    ------
    CaptureError
        If the video is gone.
    """
    chosen = settings(context)
    start, end = chosen.stretch()
    return [
        str(chosen.chosen_video()),
        *arguments_of(Settings, {"start": start, "end": end, "turn": chosen.turn}),
    ]
