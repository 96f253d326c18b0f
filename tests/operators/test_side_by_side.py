"""Show Side by Side, pressed where there is no window: the viewports are divided in `tests/gui`."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

from kinelift.rig.body import body_of
from kinelift.tests.videos import numbered, write_video


def press(armature: bpy.types.Object) -> set[str]:
    with bpy.context.temp_override(active_object=armature, object=armature):
        return set(bpy.ops.kinelift.side_by_side())


@pytest.mark.parametrize("there", [True, False])
def test_it_adds_what_is_missing_once(
    armature: bpy.types.Object, tmp_path: Path, there: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    if there:
        write_video(tmp_path / "walk.mp4", numbered(20), 30)
    assert press(armature) == {"FINISHED"}
    told = capfd.readouterr().out
    assert ("is not there or can't be read" in told) != there and told.count("Warning") == (not there)
    body = body_of(armature)
    assert body is not None
    camera = bpy.context.scene.camera
    assert camera.parent == armature
    assert ("missing" in camera.data.background_images[0].image.name) != there
    before = set(bpy.data.objects)
    assert press(armature) == {"FINISHED"}
    assert set(bpy.data.objects) == before and body_of(armature) == body


def test_a_motion_that_is_gone_is_told(armature: bpy.types.Object, tmp_path: Path) -> None:
    (tmp_path / "walk.motion.npz").unlink()
    armature.kinelift.motion = str(tmp_path / "walk.motion.npz")
    with pytest.raises(RuntimeError, match="is gone"):
        press(armature)
    assert body_of(armature) is not None
