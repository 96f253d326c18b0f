"""Re-solve, pressed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import bpy
import numpy as np
import pytest

from kinelift.core.capture import Capture
from kinelift.core.landmarks import evidence_of
from kinelift.core.options import Settings
from kinelift.inference.pipeline import capture, resolve
from kinelift.operators.build import build
from kinelift.rig.contacts import CONTACT_CURVES
from kinelift.rig.versions import curves_of
from kinelift.state.jobs import queue
from kinelift.tests.inference.test_bad_input import filmed, walking
from kinelift.tests.operators.test_cleanup import played, walker
from kinelift.tests.videos import SAMPLE
from kinelift.tests.walks import slide, walk

# captures, detects or starts other programs
pytestmark = pytest.mark.slow


def test_resolve_gives_another_armature_and_leaves_the_first(tmp_path: Path) -> None:
    capture(SAMPLE, Settings(end=1.0, quality="quick")).save(tmp_path / "walk.motion.npz")
    first = build(tmp_path / "walk.motion.npz", "Walk", bpy.context.scene.name, True)
    action = first.animation_data.action
    chosen = bpy.context.scene.kinelift
    chosen.use_height, chosen.height = True, 1.2
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    second = bpy.context.object
    assert second != first and first.animation_data.action == action
    assert Capture.load(Path(second.kinelift.motion)).motion.height == pytest.approx(1.2, abs=0.01)
    assert second.dimensions.z == pytest.approx(first.dimensions.z * 1.2 / 1.71, rel=0.02)


def test_resolve_with_another_lens_and_another_person(tmp_path: Path) -> None:
    captured = capture(SAMPLE, Settings(end=1.0, focal=28.0, quality="quick"))
    aside = evidence_of(captured)
    aside[..., 0] = captured.camera.size[0] - aside[..., 0]
    aside[..., 3] *= -1
    aside[-3:] = np.nan  # seen for less long: number 2
    two = dataclasses.replace(captured, others=aside[None])
    two.save(tmp_path / "walk.motion.npz")
    build(tmp_path / "walk.motion.npz", "Walk", bpy.context.scene.name, True)
    chosen = bpy.context.scene.kinelift

    def solved() -> Capture:
        assert bpy.ops.kinelift.resolve() == {"FINISHED"}
        return Capture.load(Path(bpy.context.object.kinelift.motion))

    chosen.use_focal, chosen.focal = True, 56.0
    tele = solved()
    assert tele.settings["focal"] == 56.0 and tele.camera.focal == pytest.approx(2 * captured.camera.focal)
    chosen.use_focal = False
    assert solved().settings["focal"] is None
    chosen.person, chosen.number = "number", 2
    other = solved()
    assert np.allclose(other.landmarks, aside[..., :3], atol=1e-2, equal_nan=True)


def edit(armature: bpy.types.Object, side: str, keys: list[tuple[int, float]]) -> None:
    curve = curves_of(armature.animation_data.action, armature)[CONTACT_CURVES[side]]
    curve.keyframe_points.clear()
    for frame, value in keys:
        curve.keyframe_points.insert(frame, value).interpolation = "CONSTANT"


def filmed_walk(folder: Path) -> bpy.types.Object:
    resolve(filmed(walking(80)), {"focal": 28.0}).save(folder / "walk.motion.npz")
    return build(folder / "walk.motion.npz", "Walk", bpy.context.scene.name, True)


def test_edited_contacts_are_solved_with_and_others_are_found(tmp_path: Path) -> None:
    first = filmed_walk(tmp_path)
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    same = bpy.context.object
    found = Capture.load(Path(same.kinelift.motion))
    assert not found.contacts_given and not len(same.kinelift.warnings)
    edit(same, "L", [(1, 0.0)])
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    one_foot = bpy.context.object
    solved = Capture.load(Path(one_foot.kinelift.motion))
    assert one_foot != same and solved.contacts_given
    assert not solved.motion.contacts[:, :2].any()
    np.testing.assert_array_equal(solved.motion.contacts[:, 2:], found.motion.contacts[:, 2:])
    assert not len(one_foot.kinelift.warnings)
    # the curves are those of the capture now, and stay with another height
    chosen = bpy.context.scene.kinelift
    chosen.use_height, chosen.height = True, 1.9
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    taller = Capture.load(Path(bpy.context.object.kinelift.motion))
    assert taller.motion.height == pytest.approx(1.9, abs=1e-3) and not taller.motion.contacts[:, :2].any()
    # nothing is asked of an upper body, so nothing is missing
    chosen.use_height, chosen.body = False, "upper"
    edit(bpy.context.object, "R", [(1, 1.0)])
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    assert not [one for one in bpy.context.object.kinelift.warnings if "Contacts" in one.name]
    # only motions are left in the cache
    assert {path.suffix for path in (tmp_path / "captures").iterdir()} == {".npz"}
    assert first.animation_data.action.name == "Walk"


def test_contacts_that_cannot_be_kept_are_told_in_the_panel(tmp_path: Path) -> None:
    armature = filmed_walk(tmp_path)
    edit(armature, "R", [(1, 1.0)])
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    result = bpy.context.object
    (told,) = (warning.name for warning in result.kinelift.warnings if "Contacts" in warning.name)
    assert told.startswith("Contacts can't be kept of the right foot in frames ")
    first, last = map(int, told.split("frames ")[1].split(",")[0].split(";")[0].split(" to "))
    curve = curves_of(result.animation_data.action, result)[CONTACT_CURVES["R"]]
    assert [curve.evaluate(frame) for frame in (first - 1, first, last, last + 1)] == [1, 0, 0, 1]


def test_a_range_is_solved_in_a_new_action_of_the_same_armature(tmp_path: Path) -> None:
    armature = filmed_walk(tmp_path)
    before, action = played(armature), armature.animation_data.action
    edit(armature, "L", [(1, 1.0), (10, 0.0)])
    chosen = bpy.context.scene.kinelift
    # the rest of the motion keeps its height
    chosen.use_height, chosen.height = True, 1.9
    chosen.clean_up.use_range, chosen.clean_up.first, chosen.clean_up.last = True, 31, 60
    objects = set(bpy.data.objects)
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    assert bpy.context.object == armature and set(bpy.data.objects) == objects
    assert armature.animation_data.action != action
    after, solved = played(armature), Capture.load(Path(armature.kinelift.motion))
    outside = np.r_[0:30, 60:80]
    np.testing.assert_allclose(after.joints[outside], before.joints[outside], atol=1e-4)
    assert np.abs(after.joints[37:53] - before.joints[37:53]).max() > 0.01
    assert not solved.motion.contacts[30:60, :2].any() and solved.motion.contacts[:30, :2].any()
    assert solved.motion.height == pytest.approx(before.height, abs=1e-3)
    chosen.clean_up.first, chosen.clean_up.last = 200, 300
    with pytest.raises(RuntimeError, match="nothing to solve from frame 200 to 300"):
        bpy.ops.kinelift.resolve()
    armature.animation_data_clear()
    with pytest.raises(RuntimeError, match="plays nothing that was captured"):
        bpy.ops.kinelift.resolve()
    assert not queue.jobs


def test_resolve_without_the_motions_file(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    (tmp_path / "walk.motion.npz").unlink()
    with pytest.raises(RuntimeError, match=r"walk\.motion\.npz is gone"):
        bpy.ops.kinelift.resolve()
    assert bpy.ops.kinelift.clean_up() == {"FINISHED"}  # which needs no file
    assert slide(played(armature), walk().contacts).max() < 0.001
