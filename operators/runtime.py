"""The preferences' buttons: test the runtime, install or remove one, delete the captured motions."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import bpy
from bpy.app.translations import pgettext_iface, pgettext_rpt

from ..core.errors import CaptureError
from ..core.runtime import Installation, installed_python, requirements
from ..core.worker import Worker
from ..state.access import captures_folder, preferences, redraw_sidebars, runtime_folder, worker_python
from ..state.runtime import forget, state

#: seconds between two checks of what runs
_TICK = 0.2


def captures(context: bpy.types.Context) -> list[Path]:
    """The captured motions in the cache folder."""
    return sorted(captures_folder(context).glob("*.motion.npz"))


def _follow(step: Callable[[], bool]) -> None:
    """Call `step` until it returns True: from a timer in a window, at once and waiting in a script."""
    if bpy.app.background:
        while not step():
            pass
        return

    def tick() -> float | None:
        ended = step()
        _redraw()
        return None if ended else _TICK

    bpy.app.timers.register(tick, first_interval=_TICK, persistent=True)


def _redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()
    redraw_sidebars(bpy.context)


def _begin_test(context: bpy.types.Context) -> None:
    forget()
    try:
        worker = Worker(worker_python(context), ["about", "--device", preferences(context).device])
    except CaptureError as error:
        state.problem = str(error)
        return
    state.test = worker

    def step() -> bool:
        try:
            for said in worker.said(wait=bpy.app.background):
                state.about = said
        except CaptureError as error:
            state.problem = str(error)
        if not worker.running and state.test is worker:
            state.test = None
        return not worker.running

    _follow(step)


class KINELIFT_OT_test_runtime(bpy.types.Operator):
    """Start the Python that captures, and ask what it has"""

    bl_idname = "kinelift.test_runtime"
    bl_label = "Test"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether no test runs."""
        cls.poll_message_set("A test runs")
        return state.test is None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Begin the test; the preferences show its result."""
        _begin_test(context)
        if state.problem:
            self.report({"ERROR"}, state.problem)
            return {"CANCELLED"}
        return {"FINISHED"}


class KINELIFT_OT_install_runtime(bpy.types.Operator):
    """Fetch what captures need into Kinelift's own folder; Blender itself stays as it is"""

    bl_idname = "kinelift.install_runtime"
    bl_label = "Install Runtime"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether Blender may go online, its Python can make environments and no installation runs."""
        if not bpy.app.online_access:
            cls.poll_message_set("Needs Allow Online Access, in the preferences under System")
            return False
        if importlib.util.find_spec("ensurepip") is None:
            cls.poll_message_set("The Python of this Blender lacks ensurepip; name another Python instead")
            return False
        cls.poll_message_set("An installation runs")
        return state.installation is None

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Say what would be installed, and ask."""
        answer: set[str] = context.window_manager.invoke_props_dialog(
            self, width=520, title=pgettext_iface("Install Runtime"), confirm_text=pgettext_iface("Install")
        )
        return answer

    def draw(self, _context: bpy.types.Context) -> None:
        """Show what would be fetched, how much, and into which folder."""
        folder = runtime_folder()
        column = self.layout.column(align=True)
        column.label(text="pip fetches these packages and what they need:")
        for requirement in requirements():
            column.label(text=requirement.replace("==", " "), icon="DOT", translate=False)
        column.separator()
        # torch for Linux includes CUDA
        size = ("3 GB", "7 GB") if sys.platform == "linux" else ("0.3 GB", "1.2 GB")
        column.label(
            text=pgettext_iface("About {fetched} to fetch, {unpacked} on the disk").format(
                fetched=size[0], unpacked=size[1]
            ),
            translate=False,
        )
        column.label(text="Into this folder, which is removed with Kinelift:")
        column.label(text=str(folder), translate=False)
        free = shutil.disk_usage(next(p for p in folder.parents if p.exists())).free
        column.label(
            text=pgettext_iface("{size} are free there").format(size=size_text(free)), translate=False
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Begin; the preferences show the progress."""
        forget()
        state.installation = installation = Installation(Path(sys.executable), runtime_folder())

        def step() -> bool:
            if bpy.app.background:
                installation.join()
            if installation.running:
                return False
            if state.installation is not installation:  # the add-on was disabled meanwhile
                return True
            state.installation = None
            state.problem = str(installation.error or "")
            if installed_python(runtime_folder()) is not None:
                _begin_test(bpy.context)
            return True

        _follow(step)
        if state.problem:
            self.report({"ERROR"}, state.problem)
            return {"CANCELLED"}
        return {"FINISHED"}


class KINELIFT_OT_cancel_install(bpy.types.Operator):
    """End the installation and remove what was fetched"""

    bl_idname = "kinelift.cancel_install"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Cancel the installation."""
        if state.installation is not None:
            state.installation.cancel()
        return {"FINISHED"}


class KINELIFT_OT_remove_runtime(bpy.types.Operator):
    """Remove the runtime that was installed from here"""

    bl_idname = "kinelift.remove_runtime"
    bl_label = "Remove Installed Runtime"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether there is one, and no installation runs."""
        cls.poll_message_set("An installation runs, or nothing was installed from here")
        return state.installation is None and runtime_folder().exists()

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for confirmation."""
        answer: set[str] = context.window_manager.invoke_confirm(self, event)
        return answer

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Remove its folder."""
        try:
            shutil.rmtree(runtime_folder())
        except OSError as error:
            self.report({"ERROR"}, f"{error.filename}: {error.strerror}")
            return {"CANCELLED"}
        forget()
        return {"FINISHED"}


class KINELIFT_OT_clear_cache(bpy.types.Operator):
    """Delete the captured motions; those packed in Blender files stay in these"""

    bl_idname = "kinelift.clear_cache"
    bl_label = "Clear"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there are any."""
        cls.poll_message_set("There are no captured motions in the cache folder")
        return bool(captures(context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for confirmation."""
        answer: set[str] = context.window_manager.invoke_confirm(self, event)
        return answer

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Delete the motions and nothing else, as the folder may be the artist's own."""
        deleted = 0
        try:
            for path in captures(context):
                path.unlink()
                deleted += 1
        except OSError as error:
            self.report({"ERROR"}, f"{error.filename}: {error.strerror}")
            return {"CANCELLED"}
        self.report({"INFO"}, pgettext_rpt("{count} captures deleted").format(count=deleted))
        return {"FINISHED"}


def size_text(size: int) -> str:
    """A size in bytes as text for people."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
