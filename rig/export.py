"""Files for other programs: .blend, BVH, FBX and GLB. Every file appears whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import bpy

from ..core.bvh import write_bvh
from ..core.errors import CaptureError
from ..core.files import replacing
from ..core.motion import Motion
from .takes import layer_of
from .versions import mend_context

#: how complete files end, for kinds that Blender cuts off on a full disk without an error
_ENDINGS = {
    ".blend": b"\xb1\xea\x92\x8f",  # of the table that closes a compressed file
    ".png": b"IEND\xaeB`\x82",
}


@contextmanager
def written_by_blender(path: Path) -> Iterator[Path]:
    """Yield a temporary path for Blender to write to; its content becomes `path` when the block ends.

    Blender's own writers don't report every full disk, so Kinelift itself writes `path`.

    Raises
    ------
    CaptureError
        If Blender fails or writes half a file, or `path` can't be written.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="kinelift-") as folder:
            # not by the clip's name: Blender takes {x} in a path for a variable
            scratch = Path(folder) / f"written{path.suffix}"
            try:
                yield scratch
            except RuntimeError as error:  # what Blender's operators raise, with their report
                told = [line for line in str(error).splitlines() if line and not line.startswith("Location:")]
                reason = told[-1].removeprefix("Error: ").rstrip(".")
                raise CaptureError(f"Blender could not write {path}: {reason}.") from error
            content = scratch.read_bytes()
    except OSError as error:
        raise CaptureError(
            f"Blender could not write {path}: {error.strerror} in the folder for temporary files."
        ) from error
    if not content.endswith(_ENDINGS.get(path.suffix, b"")):
        raise CaptureError(f"Blender could not write all of {path}: is the disk for temporary files full?")
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _blend(path: Path) -> None:
    bpy.ops.wm.save_as_mainfile(
        filepath=str(path),
        copy=True,
        compress=True,
        check_existing=False,
        relative_remap=False,  # the file doesn't stay where it is written to
    )


def _fbx(path: Path) -> None:
    bpy.ops.export_scene.fbx(
        filepath=str(path),
        check_existing=False,
        use_selection=True,
        object_types={"ARMATURE", "MESH", "EMPTY"},
        # metres in the file's own unit instead of a scale of 100 on the armature
        apply_scale_options="FBX_SCALE_ALL",
        add_leaf_bones=False,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_simplify_factor=0.0,
    )


def _glb(path: Path) -> None:
    render = bpy.context.scene.render
    base = render.fps_base
    # the exporter multiplies by the base where it should divide: 29.97 fps would come out 0.2 % too fast
    render.fps_base = 1 / base
    mend_context()
    try:
        bpy.ops.export_scene.gltf(
            filepath=str(path),
            check_existing=False,
            export_format="GLB",
            use_selection=True,
            # the exporter doesn't know that a layer is combined with what lies below
            export_animation_mode="SCENE"
            if any(map(layer_of, bpy.context.selected_objects))
            else "ACTIVE_ACTIONS",
            export_nla_strips_merged_animation_name=bpy.context.object.animation_data.action.name,
            export_anim_slide_to_zero=True,
            export_optimize_animation_size=False,
        )
    finally:
        render.fps_base = base


_EXPORTERS: dict[str, Callable[[Path], None]] = {
    "blend": _blend,
    "fbx": _fbx,
    "glb": _glb,
}


def export(kind: str, path: Path, armatures: Sequence[bpy.types.Object], motion: Motion) -> None:
    """Write the animation as `kind`, one of `options.FORMATS`.

    Parameters
    ----------
    kind : str
        ``blend`` is the whole current file, ``bvh`` the motion itself, ``fbx`` and ``glb`` are the animated
        armatures of the current scene, alone.
    path : Path
    armatures : sequence of bpy.types.Object
        They are selected afterwards, and the first one is active.
    motion : Motion
        The motion that the first one plays.

    Raises
    ------
    CaptureError
        If the file can't be written.
    """
    if kind == "bvh":
        write_bvh(motion, path)
        return
    for other in bpy.context.selected_objects:
        other.select_set(False)
    for part in (part for one in armatures for part in (one, *one.children_recursive)):  # with its meshes
        part.select_set(True)
    bpy.context.view_layer.objects.active = armatures[0]
    with written_by_blender(path) as scratch:
        _EXPORTERS[kind](scratch)
