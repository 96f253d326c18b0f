"""Captured motions are found again: packed in the .blend file, beside it, or in the cache folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy
import pytest

from kinelift.core.capture import Capture
from kinelift.operators.build import build
from kinelift.state import motions
from kinelift.state.motions import find_motion
from kinelift.tests.motions import random_capture


def saved(folder: Path, armature: bpy.types.Object) -> str:
    """Save the file and open it again; the path that its motion was captured to."""
    kept = str(armature.kinelift.motion)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(folder / "shot.blend"))
    return kept


def test_a_file_opened_without_its_captures_has_them(armature: bpy.types.Object, tmp_path: Path) -> None:
    before = Path(armature.kinelift.motion).read_bytes()
    kept = saved(tmp_path, armature)
    Path(kept).unlink()
    assert bpy.ops.kinelift.rebuild() == {"FINISHED"}
    assert bpy.context.object.name == "walk.001"
    found = Path(bpy.context.object.kinelift.motion)
    assert found.parent == tmp_path / "captures" and found.read_bytes() == before
    assert find_motion(bpy.context, kept) == found  # and not written twice
    with bpy.context.temp_override(active_object=bpy.data.objects["walk"]):
        assert bpy.ops.kinelift.add_camera() == {"FINISHED"}


def test_another_motion_of_that_name_is_not_taken_for_it(armature: bpy.types.Object, tmp_path: Path) -> None:
    before = Path(armature.kinelift.motion).read_bytes()
    kept = saved(tmp_path, armature)
    random_capture(5).save(tmp_path / "captures" / "walk.motion.npz")
    Path(kept).unlink()
    found = find_motion(bpy.context, kept)
    assert found.name == "2-walk.motion.npz" and found.read_bytes() == before
    assert len(Capture.load(tmp_path / "captures" / "walk.motion.npz")) == 5


def test_a_motion_moves_with_an_appended_armature(armature: bpy.types.Object, tmp_path: Path) -> None:
    kept = saved(tmp_path, armature)
    Path(kept).unlink()
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "shot.blend")) as (_, into):
        into.objects = ["walk"]
    assert len(Capture.load(find_motion(bpy.context, into.objects[0].kinelift.motion))) == 10


@pytest.mark.parametrize("kept", ["/elsewhere/walk.motion.npz", "C:\\Users\\me\\walk.motion.npz"])
def test_a_motion_beside_a_moved_file(
    armature: bpy.types.Object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    monkeypatch.setattr(motions, "PACKED_UP_TO", 10)
    armature.kinelift.motion = kept
    saved(tmp_path, armature)
    assert not len(bpy.data.texts)
    assert find_motion(bpy.context, kept) == tmp_path / "walk.motion.npz"
    (tmp_path / "captures").mkdir()
    shutil.move(tmp_path / "walk.motion.npz", tmp_path / "captures" / "walk.motion.npz")
    assert find_motion(bpy.context, kept) == tmp_path / "captures" / "walk.motion.npz"


def test_what_nobody_plays_is_not_packed(armature: bpy.types.Object, tmp_path: Path) -> None:
    saved(tmp_path, armature)
    assert [text.name for text in bpy.data.texts] == ["walk.motion.npz"]
    assert bpy.data.objects["walk"].kinelift.packed == bpy.data.texts[0]
    random_capture(5).save(tmp_path / "run.motion.npz")
    bpy.data.objects.remove(bpy.data.objects["walk"])
    (run,) = build(tmp_path / "run.motion.npz", "run", bpy.context.scene.name, True)
    saved(tmp_path, run)
    assert [text.name for text in bpy.data.texts] == ["run.motion.npz"]


def test_a_gone_motion_and_a_made_up_one_are_told(armature: bpy.types.Object, tmp_path: Path) -> None:
    kept = saved(tmp_path, armature)
    Path(kept).unlink()
    bpy.data.texts[0]["kinelift_motion"] = "no bytes"
    with pytest.raises(
        RuntimeError, match=r"motion walk\.motion\.npz is gone: put it beside this Blender file"
    ):
        bpy.ops.kinelift.rebuild()
    bpy.data.texts[0]["kinelift_motion"] = b"no motion"
    with pytest.raises(RuntimeError, match="is not a Kinelift motion file"):
        bpy.ops.kinelift.rebuild()
