"""Poses that the artist pins, and Re-solve with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Quaternion

from kinelift.core.capture import Capture
from kinelift.core.quality import doubtful_moments
from kinelift.core.rotations import geodesic_angle
from kinelift.core.skeleton import INDEX, JOINTS
from kinelift.rig.pins import posed
from kinelift.tests.operators.test_cleanup import played
from kinelift.tests.operators.test_resolve import filmed_walk

# solves many times
pytestmark = pytest.mark.slow

ARM = INDEX["forearm.L"]


def bend(armature: bpy.types.Object, frame: int, degrees: float = 50.0) -> Any:
    """Go to a frame and turn the left forearm, without a key; how the body is posed then."""
    bpy.context.scene.frame_set(frame)
    bone = armature.pose.bones["forearm.L"]
    bone.rotation_quaternion = bone.rotation_quaternion @ Quaternion((1, 0, 0), np.radians(degrees))
    bpy.context.view_layer.update()
    return posed(armature)


def off(armature: bpy.types.Object, frame: int, wanted: Any) -> float:
    """How far the left forearm is from a pose, degrees."""
    bpy.context.scene.frame_set(frame)
    return float(np.degrees(geodesic_angle(posed(armature)[0][ARM], wanted[0][ARM])))


def test_what_is_pinned_is_what_is_seen(armature: bpy.types.Object) -> None:
    """By Blender's own matrices; unkeyed poses and an armature that stands elsewhere included."""
    armature.location, armature.scale = (1, 2, 3), (2, 2, 2)
    rotations, hips = bend(armature, 4)
    assert bpy.ops.kinelift.pin_pose() == {"FINISHED"}
    (pin,) = armature.kinelift.pins
    assert (pin.frame, pin.name, pin.use_hips, pin.strength) == (4, "Whole Pose", True, 1.0)
    for bone in pin.bones:
        turn = np.array(Quaternion(bone.turn).to_matrix())
        np.testing.assert_allclose(turn, rotations[INDEX[bone.name]], atol=1e-4)
        now, rest = armature.pose.bones[bone.name], armature.data.bones[bone.name]
        np.testing.assert_allclose(
            turn @ np.array(rest.matrix_local.to_3x3()), np.array(now.matrix.to_3x3()), atol=1e-4
        )
    np.testing.assert_allclose(pin.hips, armature.pose.bones["hips"].head, atol=1e-4)
    np.testing.assert_allclose(hips, pin.hips, atol=1e-4)
    assert off(armature, 4, (rotations, hips)) > 40, "it had no key"


def test_bones_are_pinned_alone_and_join_the_pin_of_their_frame(armature: bpy.types.Object) -> None:
    assert not bpy.ops.kinelift.pin_bones.poll()
    bpy.ops.object.mode_set(mode="POSE")
    for bone in armature.pose.bones:  # selected in the pose since Blender 5.0
        (bone if hasattr(bone, "select") else bone.bone).select = bone.name in ("head", "hand.R")
    frames = []
    for frame in (7, 3):
        bpy.context.scene.frame_set(frame)
        assert bpy.ops.kinelift.pin_bones() == {"FINISHED"}
        frames.append([one.frame for one in armature.kinelift.pins])
    assert frames == [[7], [3, 7]] and armature.kinelift.pin == 0
    assert [bone.name for bone in armature.kinelift.pins[0].bones] == ["head", "hand.R"]
    assert armature.kinelift.pins[0].name == "head, hand.R" and not armature.kinelift.pins[0].use_hips
    assert bpy.ops.kinelift.pin_pose() == {"FINISHED"}
    assert len(armature.kinelift.pins) == 2 and len(armature.kinelift.pins[0].bones) == len(JOINTS)
    armature.kinelift.pin = 1
    assert bpy.context.scene.frame_current == 7, "the list goes to the frame"
    assert bpy.ops.kinelift.remove_pin() == {"FINISHED"}
    assert [one.frame for one in armature.kinelift.pins] == [3]
    assert not bpy.ops.kinelift.remove_pin.poll()


def test_resolve_passes_through_pins_in_one_step(tmp_path: Path) -> None:
    armature = filmed_walk(tmp_path)
    before, bones = played(armature), [tuple(bone.head_local) for bone in armature.data.bones]
    wanted = bend(armature, 12)
    assert bpy.ops.kinelift.pin_pose() == {"FINISHED"}
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    assert off(armature, 12, wanted) < 2
    assert off(armature, 14, posed_before(armature, before, 14)) > 2, "those around follow"
    bpy.context.scene.frame_set(12)
    assert np.linalg.norm(posed(armature)[1] - wanted[1]) < 0.02, "in its place"
    np.testing.assert_allclose([tuple(bone.head_local) for bone in armature.data.bones], bones, atol=1e-3)
    assert [one.frame for one in armature.kinelift.pins] == [12], "it is kept"


def posed_before(armature: bpy.types.Object, motion: Any, frame: int) -> Any:
    """How the body was posed in a frame of `played`."""
    return motion.world_rotations[frame - 1], motion.root[frame - 1]


def test_pins_are_switched_off_and_those_outside_are_told(tmp_path: Path) -> None:
    armature = filmed_walk(tmp_path)
    before = played(armature)
    wanted = bend(armature, 12)
    assert bpy.ops.kinelift.pin_pose() == {"FINISHED"}
    bend(armature, 500)
    assert bpy.ops.kinelift.pin_pose() == {"FINISHED"}
    armature.kinelift.pins[0].use = False
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    assert off(armature, 12, wanted) > 30
    assert off(armature, 14, posed_before(armature, before, 14)) < 2
    said = [one.name for one in armature.kinelift.warnings]
    assert "The pins of frames 500 lie outside the motion and don't count" in said


def test_doubts_are_gone_through(tmp_path: Path) -> None:
    armature = filmed_walk(tmp_path)
    moments = doubtful_moments(Capture.load(Path(armature.kinelift.motion)))
    assert len(moments) > 2
    frames = []
    for done in (bpy.ops.kinelift.accept_doubt, bpy.ops.kinelift.pin_pose):
        assert bpy.ops.kinelift.next_doubt() == {"FINISHED"}
        frames.append(bpy.context.scene.frame_current)
        assert bpy.ops.kinelift.next_doubt() == {"FINISHED"}
        assert bpy.context.scene.frame_current == frames[-1], "it isn't done with"
        assert done() == {"FINISHED"}
    assert frames == [1 + moment for moment in moments[:2]]
    for _ in moments[2:]:
        bpy.ops.kinelift.next_doubt()
        bpy.ops.kinelift.accept_doubt()
    with pytest.raises(RuntimeError, match="No doubtful moment of Walk is left"):
        bpy.ops.kinelift.next_doubt()


def test_pins_are_saved_with_the_file(armature: bpy.types.Object, tmp_path: Path) -> None:
    bend(armature, 4)
    assert bpy.ops.kinelift.pin_pose() == {"FINISHED"}
    armature.kinelift.pins[0].strength = 0.5
    turns = [tuple(bone.turn) for bone in armature.kinelift.pins[0].bones]
    name, path = armature.name, str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    (pin,) = bpy.data.objects[name].kinelift.pins
    assert (pin.frame, pin.strength) == (4, 0.5)
    assert [tuple(bone.turn) for bone in pin.bones] == turns


def test_a_linked_armature_is_refused(armature: bpy.types.Object, tmp_path: Path) -> None:
    name, path = armature.name, str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(path, link=True) as (_, into):
        into.objects = [name]
    (linked,) = into.objects
    bpy.context.scene.collection.objects.link(linked)
    bpy.context.view_layer.objects.active = linked
    for press in (bpy.ops.kinelift.pin_pose, bpy.ops.kinelift.accept_doubt):
        with pytest.raises(RuntimeError, match="is linked from another file"):
            press()
    assert not len(linked.kinelift.pins)
