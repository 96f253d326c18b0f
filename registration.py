"""Register everything with Blender when the extension is enabled, and undo that when it is disabled."""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent
from bpy.props import PointerProperty

from .operators import (
    body,
    camera,
    capture,
    choose_video,
    cleanup,
    corrections,
    doubts,
    export,
    mark_unsure,
    pick_person,
    pins,
    rebuild,
    reduce_keys,
    resolve,
    retarget,
    runtime,
    show_people,
    side_by_side,
    takes,
)
from .state import jobs, live, motions, pictures, probe_video
from .state import retarget as retarget_state
from .state import runtime as runtime_state
from .state import scene as scene_state
from .ui import cleanup as cleanup_panel
from .ui import corrections as corrections_panel
from .ui import panels, preferences
from .ui import pins as pins_panel
from .ui import preview as preview_panel
from .ui import resolve as resolve_panel
from .ui import retarget as retarget_panel
from .ui import takes as takes_panel

#: all classes in the order of registration: a property group before those that point to it
CLASSES: tuple[type, ...] = (
    preferences.AddonPreferences,
    scene_state.VideoInfo,
    scene_state.ScenePerson,
    scene_state.SceneCleanUp,
    scene_state.SceneSettings,
    scene_state.Stretch,
    scene_state.Sentence,
    scene_state.ArmatureCorrections,
    scene_state.PinnedBone,
    scene_state.Pin,
    scene_state.Result,
    capture.KINELIFT_OT_capture,
    capture.KINELIFT_OT_cancel,
    rebuild.KINELIFT_OT_rebuild,
    choose_video.KINELIFT_OT_choose_video,
    choose_video.KINELIFT_OT_import_video,
    choose_video.KINELIFT_FH_video,
    pick_person.KINELIFT_OT_pick_person,
    show_people.KINELIFT_OT_show_people,
    mark_unsure.KINELIFT_OT_mark_unsure,
    body.KINELIFT_OT_add_body,
    body.KINELIFT_OT_bind_mesh,
    body.KINELIFT_OT_show_confidence,
    camera.KINELIFT_OT_add_camera,
    camera.KINELIFT_OT_view_camera,
    camera.KINELIFT_OT_still_camera,
    side_by_side.KINELIFT_OT_side_by_side,
    cleanup.KINELIFT_OT_clean_up,
    resolve.KINELIFT_OT_resolve,
    corrections.KINELIFT_OT_reset_corrections,
    doubts.KINELIFT_OT_next_doubt,
    doubts.KINELIFT_OT_accept_doubt,
    pins.KINELIFT_OT_pin_pose,
    pins.KINELIFT_OT_pin_bones,
    pins.KINELIFT_OT_remove_pin,
    takes.KINELIFT_OT_use_take,
    reduce_keys.KINELIFT_OT_reduce_keys,
    export.KINELIFT_OT_export,
    runtime.KINELIFT_OT_test_runtime,
    runtime.KINELIFT_OT_install_runtime,
    runtime.KINELIFT_OT_cancel_install,
    runtime.KINELIFT_OT_remove_runtime,
    runtime.KINELIFT_OT_clear_cache,
    panels.KINELIFT_PT_video,
    panels.KINELIFT_PT_person,
    panels.KINELIFT_PT_capture,
    panels.KINELIFT_PT_result,
    cleanup_panel.KINELIFT_PT_clean_up,
    resolve_panel.KINELIFT_PT_resolve,
    corrections_panel.KINELIFT_PT_corrections,
    pins_panel.KINELIFT_UL_pins,
    pins_panel.KINELIFT_PT_pins,
    takes_panel.KINELIFT_PT_takes,
    retarget_state.BoneRow,
    retarget_state.SceneRetarget,
    retarget.KINELIFT_OT_retarget,
    retarget.KINELIFT_OT_preview_retarget,
    retarget.KINELIFT_OT_detect_bones,
    retarget.KINELIFT_OT_swap_sides,
    retarget.KINELIFT_OT_save_bone_map,
    retarget.KINELIFT_OT_load_bone_map,
    preview_panel.KINELIFT_PT_preview,
    retarget_panel.KINELIFT_PT_retarget,
    panels.KINELIFT_PT_export,
)

_commands: list[object] = []


def register() -> None:
    """Register everything."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.kinelift = PointerProperty(type=scene_state.SceneSettings)
    bpy.types.Scene.kinelift_retarget = PointerProperty(type=retarget_state.SceneRetarget)
    bpy.types.Object.kinelift = PointerProperty(type=scene_state.Result)
    bpy.types.TOPBAR_MT_file_import.append(panels.draw_import)
    bpy.types.VIEW3D_MT_armature_add.append(panels.draw_add)
    bpy.app.handlers.load_pre.append(end_workers)
    bpy.app.handlers.save_pre.append(motions.pack_motions)
    _commands.append(bpy.utils.register_cli_command("kinelift", _run_command))


def unregister() -> None:
    """End all workers and undo `register`."""
    bpy.utils.unregister_cli_command(_commands.pop())
    end_workers()
    runtime_state.end_runtime()
    live.end_live()
    pictures.forget_icons()
    bpy.app.handlers.save_pre.remove(motions.pack_motions)
    bpy.app.handlers.load_pre.remove(end_workers)
    bpy.types.VIEW3D_MT_armature_add.remove(panels.draw_add)
    bpy.types.TOPBAR_MT_file_import.remove(panels.draw_import)
    del bpy.types.Object.kinelift
    del bpy.types.Scene.kinelift_retarget
    del bpy.types.Scene.kinelift
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)


@persistent  # type: ignore[untyped-decorator]
def end_workers(*_: object) -> None:
    """End the workers of a file before another one is loaded."""
    probe_video.end_probe()
    jobs.end_all()
    jobs.queue.problem = ""  # it was of a capture into that file


def _run_command(arguments: list[str]) -> int:
    """Run ``blender --command kinelift ...``."""
    from .batch.command import command

    return command(arguments)
