"""With fewer keys an armature does what it did, within the tolerance, as Blender evaluates it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from kinelift.core.motion import Motion
from kinelift.core.options import KeyReduction
from kinelift.core.rotations import geodesic_angle
from kinelift.rig.action import animate, cut_frames
from kinelift.rig.armature import build_armature
from kinelift.rig.contacts import CONTACT_CURVES
from kinelift.rig.key_reduction import Reduced, reduce_keys
from kinelift.rig.read import read_motion
from kinelift.rig.retarget.bones import read_rig
from kinelift.rig.retarget.mapping import find_bone_map
from kinelift.rig.takes import takes_of, use_take
from kinelift.rig.versions import curves_of
from kinelift.tests import walks
from kinelift.tests.motions import random_motion
from kinelift.tests.rig.retarget.characters import MIXAMO, character, generated_rigify, put, refused


def person(motion: Motion, fps: float = 30.0) -> bpy.types.Object:
    armature = build_armature("Person", motion.offsets, bpy.context.scene.collection)
    animate(armature, motion, "Walk", fps)
    return armature


def pose(armature: bpy.types.Object, frames: range) -> dict[str, np.ndarray]:
    """Matrices (N, 4, 4) of the bones in the world, as Blender evaluates them."""
    out: dict[str, list[np.ndarray]] = {bone.name: [] for bone in armature.pose.bones}
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
        for name, matrices in out.items():
            matrices.append(np.array(posed.matrix_world @ posed.pose.bones[name].matrix))
    return {name: np.array(matrices) for name, matrices in out.items()}


def keys_of(action: bpy.types.Action, owner: bpy.types.Object) -> dict[tuple[str, int], np.ndarray]:
    found = {}
    for key, curve in curves_of(action, owner).items():
        flat = np.empty(2 * len(curve.keyframe_points), dtype=np.float32)
        curve.keyframe_points.foreach_get("co", flat)
        found[key] = flat.reshape(-1, 2)
    return found


def check(armature: bpy.types.Object, frames: range, how: KeyReduction) -> Reduced:
    """Reduce, and check what holds for every rig."""
    action = armature.animation_data.action
    before, keys = pose(armature, frames), keys_of(action, armature)
    done = reduce_keys(armature, how)
    assert armature.animation_data.action == done.action and done.action in takes_of(armature)
    assert action in takes_of(armature) and action.use_fake_user
    for key, values in keys_of(action, armature).items():
        np.testing.assert_array_equal(values, keys[key])
    after = pose(armature, frames)
    for bone in armature.data.bones:
        local = [
            p[bone.name] if bone.parent is None else np.linalg.inv(p[bone.parent.name]) @ p[bone.name]
            for p in (before, after)
        ]
        turned = geodesic_angle(*(one[:, :3, :3] for one in local))
        assert np.degrees(turned).max() < how.rotation + 0.02, bone.name
    joints = find_bone_map(read_rig(armature), armature.data).bones
    for joint, share in (("hips", 1.0), ("foot.L", 0.5), ("foot.R", 0.5)):
        moved = before[joints[joint]][:, :3, 3] - after[joints[joint]][:, :3, 3]
        assert 1000 * np.linalg.norm(moved, axis=1).max() < share * how.distance + 0.02, joint
    assert done.ankles is not None and 0 < done.ankles <= how.distance / 2
    # all channels of a bone have keys on the same frames, and where there are keys the pose is as it was
    for (path, _), values in keys_of(done.action, armature).items():
        if "rotation" in path:
            np.testing.assert_array_equal(values[:, 0], keys_of(done.action, armature)[path, 0][:, 0])
    return done


@pytest.mark.parametrize("how", [KeyReduction(), KeyReduction(3.0, 30.0), KeyReduction(0.1, 1.0)], ids=str)
def test_a_walk_keeps_within_the_tolerance(how: KeyReduction) -> None:
    motion = walks.walk()
    armature = person(motion)
    contacts = {
        key: keys_of(armature.animation_data.action, armature)[key] for key in CONTACT_CURVES.values()
    }
    done = check(armature, range(1, len(motion) + 1), how)
    assert done.after < done.before / 3
    for key, values in contacts.items():
        np.testing.assert_array_equal(keys_of(done.action, armature)[key], values)


def test_feet_that_stand_do_not_slide_by_more_than_the_distance() -> None:
    motion = walks.walk()
    armature = person(motion)
    how = KeyReduction(2.0, 10.0)
    reduce_keys(armature, how)
    frames = range(1, len(motion) + 1)
    posed = pose(armature, frames)
    for side, columns in (("L", slice(0, 2)), ("R", slice(2, 4))):
        stands = motion.contacts[:, columns].all(axis=1)
        ankle = posed[f"foot.{side}"][:, :3, 3]
        edges = np.flatnonzero(np.diff(np.concatenate([[0], stands, [0]])))
        for first, end in edges.reshape(-1, 2):
            apart = np.linalg.norm(ankle[first:end, None] - ankle[None, first:end], axis=-1)
            assert 1000 * apart.max() <= how.distance + 0.1


def test_a_larger_tolerance_needs_fewer_keys() -> None:
    armature = person(random_motion(200, seed=3))
    first = armature.animation_data.action
    counts = []
    for how in (KeyReduction(0.2, 2.0), KeyReduction(1.0, 10.0), KeyReduction(5.0, 50.0)):
        use_take(armature, first)
        counts.append(reduce_keys(armature, how).after)
    assert counts[0] > 1.3 * counts[1] > 1.5 * counts[2]


def test_cuts_stay_where_they_are() -> None:
    motion = replace(random_motion(90, seed=2), cuts=(30, 61))
    jump = motion.root.copy()
    jump[30:] += [2, 0, 0]
    armature = person(replace(motion, root=jump))
    done = check(armature, range(1, 91), KeyReduction())
    assert cut_frames(done.action) == [31, 62]
    curve = curves_of(done.action, armature)['pose.bones["hips"].location', 0]
    kinds = {round(point.co[0]): point.interpolation for point in curve.keyframe_points}
    assert kinds[30] == kinds[61] == "CONSTANT" and kinds[31] == kinds[62] == "BEZIER"
    # the motion is read from it as from any other
    assert read_motion(armature, done.action, 30.0).cuts == (30, 61)


def test_keys_between_which_frames_lie_are_reduced_too() -> None:
    motion = random_motion(60, seed=5)
    armature = person(motion, fps=90.0)
    check(armature, range(1, 179), KeyReduction())


def test_curves_between_the_keys_are_smooth_and_outlive_saving(tmp_path: Path) -> None:
    motion = walks.walk()
    armature = person(motion)
    reduce_keys(armature, KeyReduction())
    frames = range(1, len(motion) + 1)
    before = pose(armature, frames)
    curve = curves_of(armature.animation_data.action, armature)[
        'pose.bones["thigh.L"].rotation_quaternion', 1
    ]
    for point in list(curve.keyframe_points)[1:-1]:
        near = [curve.evaluate(point.co[0] + step) for step in (-0.02, 0, 0.02)]
        assert abs(near[0] - 2 * near[1] + near[2]) < 1e-4  # no corner
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    armature = bpy.data.objects["Person"]
    assert [take.name for take in takes_of(armature)] == ["Walk", "Walk reduced"]
    after = pose(armature, frames)
    for bone, matrices in before.items():
        np.testing.assert_allclose(after[bone], matrices, atol=1e-5)
    # again: from what is played, and under a name that grows no longer
    assert reduce_keys(armature, KeyReduction(4.0, 40.0)).action.name == "Walk reduced.001"


def test_a_character_that_is_scaled_and_turns_by_euler_angles() -> None:
    target = character(MIXAMO, size=100.0)
    target.scale = (0.01,) * 3
    target.rotation_euler = (0, 0, 0.7)
    for bone in target.pose.bones:
        bone.rotation_mode = "YZX"
    bpy.context.view_layer.update()
    motion = walks.walk()
    put(target, motion)
    done = check(target, range(1, len(motion) + 1), KeyReduction())
    assert done.after < done.before / 2


@pytest.mark.slow
def test_a_generated_rigify_rig() -> None:
    target, motion = generated_rigify(), walks.walk(60)
    put(target, motion)
    switch = 'pose.bones["thigh_parent.L"]["IK_FK"]', 0
    assert switch in curves_of(target.animation_data.action, target)
    done = reduce_keys(target, KeyReduction())
    assert done.ankles is not None and done.after < done.before / 2
    assert switch in curves_of(done.action, target)


def test_what_the_artist_animates_otherwise_stays() -> None:
    armature = person(walks.walk())
    curves = curves_of(armature.animation_data.action, armature)
    curves['pose.bones["head"].rotation_quaternion', 2].mute = True
    curves['pose.bones["hand.L"].rotation_quaternion', 0].modifiers.new("NOISE")
    armature.pose.bones["chest"].keyframe_insert("scale", frame=5)
    before = keys_of(armature.animation_data.action, armature)
    after = keys_of(reduce_keys(armature, KeyReduction()).action, armature)
    assert before.keys() == after.keys()
    for key, values in before.items():
        if any(f'"{bone}"' in key[0] for bone in ("head", "hand.L")) or "scale" in key[0]:
            np.testing.assert_array_equal(after[key], values)


def test_an_armature_that_is_no_body_has_no_feet_to_watch() -> None:
    data = bpy.data.armatures.new("Tail")
    tail = bpy.data.objects.new("Tail", data)
    bpy.context.scene.collection.objects.link(tail)
    bpy.context.view_layer.objects.active = tail
    bpy.ops.object.mode_set(mode="EDIT")
    bone = data.edit_bones.new("Tail")
    bone.tail = (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    tail.pose.bones["Tail"].rotation_mode = "XYZ"
    for frame in range(1, 60):
        tail.pose.bones["Tail"].rotation_euler = (np.sin(frame / 9), 0, 0)
        tail.pose.bones["Tail"].keyframe_insert("rotation_euler", frame=frame)
    done = reduce_keys(tail, KeyReduction())
    assert done.ankles is None and 6 <= done.after < done.before / 3


def test_bad_input_is_refused_in_a_sentence(tmp_path: Path) -> None:
    armature = person(walks.walk(20))
    path = tmp_path / "library.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    armature.animation_data.action = empty = bpy.data.actions.new("Nothing")
    actions = set(bpy.data.actions)
    assert "Nothing" in refused(lambda: reduce_keys(armature, KeyReduction()))
    armature.animation_data.action = None
    assert "has no action" in refused(lambda: reduce_keys(armature, KeyReduction()))
    with bpy.data.libraries.load(str(path), link=True) as (_, into):
        into.objects = ["Person"]
    assert "linked" in refused(lambda: reduce_keys(into.objects[0], KeyReduction()))
    assert {a for a in bpy.data.actions if a.library is None} == actions and empty in actions
