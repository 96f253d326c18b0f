"""What an artist has edited by hand is noticed, and carried over, kept on a layer, or left, as they say."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Quaternion

from kinelift.core.foot_ik import clean_up
from kinelift.core.options import CARRY, EDITS, LAYER, RAW, CleanUp
from kinelift.core.skeleton import JOINTS
from kinelift.operators.edits import sentence
from kinelift.rig.cleanup import edits_within, raw_action, solved_action
from kinelift.rig.contacts import CONTACT_CURVES
from kinelift.rig.edits import Edits, edits_of
from kinelift.rig.layer import read_played
from kinelift.rig.result import renew_result
from kinelift.rig.takes import layer_of, motion_of, takes_of
from kinelift.rig.versions import assign_action, curves_of, mend_context
from kinelift.tests.motions import capture_of
from kinelift.tests.operators.test_cleanup import walker
from kinelift.tests.operators.test_takes import names, reopened
from kinelift.tests.rig.retarget.characters import MIXAMO, character
from kinelift.tests.walks import slide, sliding, walk

TURN = Quaternion((0.3, 0.8, -0.2), 0.5)
FRAMES = range(1, 121, 7)
IMPORTS = {"bvh": bpy.ops.import_anim.bvh, "glb": bpy.ops.import_scene.gltf, "fbx": bpy.ops.import_scene.fbx}
SLOTTED = "slots" in bpy.types.Action.bl_rna.properties


def change(
    owner: bpy.types.Object, path: str, frames: Iterable[int], by: Callable[[list[float]], Any]
) -> None:
    """Edit keys by hand, as an artist does: each key of a channel becomes what `by` makes of it."""
    curves = curves_of(owner.animation_data.action, owner)
    parts = [curves[path, i] for i in range(4) if (path, i) in curves]
    for keys in zip(*(curve.keyframe_points for curve in parts), strict=True):
        if round(keys[0].co[0]) in frames:
            for key, value in zip(keys, by([key.co[1] for key in keys]), strict=True):
                key.co[1] = value
    for curve in parts:
        curve.update()


def turn(owner: bpy.types.Object, bone: str, frames: Iterable[int]) -> None:
    path = f'pose.bones["{bone}"].rotation_quaternion'
    change(owner, path, frames, lambda now: Quaternion(now) @ TURN)


def pose(owner: bpy.types.Object, bone: str) -> np.ndarray:
    """What a bone's channels say (N, 7) in `FRAMES`, as Blender evaluates them: turn, then place."""
    out = []
    for frame in FRAMES:
        bpy.context.scene.frame_set(frame)
        basis = owner.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones[bone].matrix_basis
        q = basis.to_quaternion()
        out.append([*(-q if q.w < 0 else q), *basis.to_translation()])
    return np.array(out)


def turned(before: np.ndarray, frames: Iterable[int]) -> np.ndarray:
    """The same, with the edit of `turn`."""
    out = before.copy()
    for row, frame in enumerate(FRAMES):
        if frame in frames:
            q = Quaternion(before[row, :4]) @ TURN
            out[row, :4] = -q if q.w < 0 else q
    return out


def lowered(owner: bpy.types.Object) -> None:
    """Lower the hips by hand, by 3 cm, all along."""
    rest = np.array(owner.data.bones[JOINTS[0]].matrix_local)[:3, :3]
    down = np.array([0, 0, -0.03]) @ rest
    change(owner, f'pose.bones["{JOINTS[0]}"].location', range(1000), lambda now: np.array(now) + down)


def asked(owner: bpy.types.Object) -> Edits | None:
    """The edits that Clean Up Feet asks about."""
    found = edits_within(owner, None)
    return found if found is not None and found.new else None


@pytest.mark.parametrize("way", EDITS)
def test_clean_up_does_with_edits_what_is_asked(tmp_path: Path, way: str) -> None:
    armature = walker(tmp_path)
    bones = ("head", "forearm.L", "spine")
    plain = {bone: pose(armature, bone) for bone in bones}
    heights = read_played(armature, 30.0).root[:, 2]
    raw = replace(sliding(walk()), contacts=walk().contacts)
    planted = clean_up(replace(raw, root=raw.root - [0, 0, 0.03])).root[:, 2]
    turn(armature, "head", range(30, 61))
    turn(armature, "forearm.L", range(1, 121))
    lowered(armature)
    found = asked(armature)
    assert found is not None and set(found.bones) == {"head", "forearm.L", "hips"} and found.range == (1, 120)
    assert sentence(found) == "Edited by hand: hips, head, forearm.L (frames 1 to 120)"
    edited = {bone: pose(armature, bone) for bone in bones}
    np.testing.assert_allclose(edited["head"], turned(plain["head"], range(30, 61)), atol=1e-4)
    assert bpy.ops.kinelift.clean_up(edits=way) == {"FINISHED"}
    wanted = plain if way == RAW else edited
    for press in range(4):
        for bone in bones:
            np.testing.assert_allclose(
                pose(armature, bone), wanted[bone], atol=2e-4, err_msg=f"{bone} {press}"
            )
        played = read_played(armature, 30.0)
        lower = played.root[:, 2] - heights
        if way == LAYER:
            np.testing.assert_allclose(lower, -0.03, atol=1e-4)
        else:
            # planted with the edited hips
            assert slide(played, walk().contacts).max() < 0.001
            np.testing.assert_allclose(lower, 0 if way == RAW else planted - heights, atol=1e-4)
        assert (layer_of(armature) is not None) == (way == LAYER)
        assert asked(armature) is None
        if press == 0:
            reopened(tmp_path)
            armature = bpy.data.objects["Walk"]
            assert asked(armature) is None
        else:
            # again, without being asked: what was decided holds
            assert bpy.ops.kinelift.clean_up() == {"FINISHED"}
    # whatever was chosen, what was edited is there to go back to
    assert bpy.ops.kinelift.use_take(action="Walk") == {"FINISHED"}
    for bone in bones:
        np.testing.assert_allclose(pose(armature, bone), edited[bone], atol=1e-4)
    assert len(asked(armature).bones) == 3


def test_carried_edits_and_new_ones_add_up_and_can_still_be_left(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    plain = pose(armature, "head")
    turn(armature, "head", range(30, 61))
    bpy.ops.kinelift.clean_up()
    turn(armature, "head", range(50, 121))
    assert asked(armature).range == (50, 120)
    bpy.ops.kinelift.clean_up()
    wanted = turned(turned(plain, range(30, 61)), range(50, 121))
    np.testing.assert_allclose(pose(armature, "head"), wanted, atol=2e-4)
    bpy.ops.kinelift.clean_up(edits=RAW)
    np.testing.assert_allclose(pose(armature, "head"), plain, atol=2e-4)


def test_edits_outside_of_the_range_stay_and_are_not_asked_about(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    plain = pose(armature, "head")
    turn(armature, "head", range(80, 121))
    chosen = bpy.context.scene.kinelift.clean_up
    chosen.use_range, chosen.first, chosen.last = True, 1, 60
    assert not edits_within(armature, chosen.frames()).new
    bpy.ops.kinelift.clean_up()
    np.testing.assert_allclose(pose(armature, "head"), turned(plain, range(80, 121)), atol=2e-4)
    chosen.last = 100
    turn(armature, "head", range(20, 41))
    assert edits_within(armature, chosen.frames()).range == (20, 40)
    bpy.ops.kinelift.clean_up(edits=RAW)
    # in the range none is left, but for the last frames, which go over into what was there
    now, at = pose(armature, "head"), np.array(FRAMES)
    np.testing.assert_allclose(now[at < 90], plain[at < 90], atol=2e-4)
    np.testing.assert_allclose(now[at > 100], turned(plain, range(80, 121))[at > 100], atol=2e-4)


def test_nothing_is_asked_where_nothing_was_edited(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    assert asked(armature) is None
    curve = curves_of(armature.animation_data.action, armature)[CONTACT_CURVES["L"]]
    curve.keyframe_points.insert(10, 0.0)
    assert bpy.ops.kinelift.add_body() == {"FINISHED"}
    bpy.context.view_layer.objects.active = armature
    armature.location.x = 1.0
    # an artist who wants smooth curves hasn't changed the poses
    for curve in curves_of(armature.animation_data.action, armature).values():
        for key in curve.keyframe_points:
            key.interpolation = "BEZIER"
    reopened(tmp_path)
    armature = bpy.data.objects["Walk"]
    assert asked(armature) is None
    assert bpy.ops.kinelift.clean_up() == {"FINISHED"} and asked(armature) is None
    assert bpy.ops.kinelift.use_take(action="Walk raw") == {"FINISHED"} and asked(armature) is None
    turn(armature, "head", range(30, 61))  # of the raw motion: it goes into what is made of it
    wanted = pose(armature, "head")
    assert asked(armature) is None
    bpy.ops.kinelift.clean_up(edits=RAW)
    np.testing.assert_allclose(pose(armature, "head"), wanted, atol=2e-4)


def test_reduced_keys_are_no_edits_and_keep_those_there_were(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    plain = pose(armature, "head")
    bpy.ops.kinelift.reduce_keys()
    assert asked(armature) is None
    bpy.ops.kinelift.use_take(action="Walk")
    turn(armature, "head", range(1, 121))
    bpy.ops.kinelift.reduce_keys()
    bpy.ops.kinelift.clean_up()
    np.testing.assert_allclose(pose(armature, "head"), turned(plain, range(1, 121)), atol=2e-4)


@pytest.mark.parametrize("way", [CARRY, LAYER, RAW])
def test_what_kinelift_does_not_key_goes_on_and_is_not_asked_about(tmp_path: Path, way: str) -> None:
    armature = walker(tmp_path)
    armature["mood"] = 0.0
    bag = assign_action(armature, armature.animation_data.action)
    for path, value in (('pose.bones["head"].scale', 1.5), ("location", 2.0), ('["mood"]', 3.0)):
        bag.fcurves.new(path, index=0).keyframe_points.insert(1, value)
    assert asked(armature) is None
    turn(armature, "head", range(30, 61))
    assert asked(armature).bones == ["head"]
    for _ in range(2):
        bpy.ops.kinelift.clean_up(edits=way)
        bpy.context.scene.frame_set(50)
        posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
        assert posed.pose.bones["head"].matrix_basis.to_scale().x == pytest.approx(1.5)
        assert posed.matrix_world.translation.x == pytest.approx(2.0) and posed["mood"] == pytest.approx(3.0)


def test_a_layer_is_the_artists_own(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    plain = pose(armature, "head")
    turn(armature, "head", range(30, 61))
    bpy.ops.kinelift.clean_up(edits=LAYER)
    layer = layer_of(armature)
    assert layer.name == "Walk edits" and motion_of(armature).name == "Walk.001"
    # it has the edit and no more, with few keys, and the contacts
    bones = {path.split('"')[1] for path, _ in curves_of(layer, armature)} - set(CONTACT_CURVES)
    assert {"head"} == bones - {"contact_foot.L", "contact_foot.R"}
    some = curves_of(layer, armature)['pose.bones["head"].rotation_quaternion', 0]
    assert len(some.keyframe_points) <= 6
    # the artist goes on there, and with the contacts
    turn(armature, "head", range(1, 121))
    curve = curves_of(layer, armature)[CONTACT_CURVES["L"]]
    curve.keyframe_points.clear()
    curve.keyframe_points.insert(1, 0.0)
    wanted = pose(armature, "head")
    assert asked(armature) is None
    reopened(tmp_path)
    armature = bpy.data.objects["Walk"]
    assert bpy.ops.kinelift.clean_up() == {"FINISHED"}
    assert layer_of(armature).name == "Walk edits.001" and motion_of(armature).name == "Walk.002"
    np.testing.assert_allclose(pose(armature, "head"), wanted, atol=2e-4)
    left = walk().contacts * [1, 1, 0, 0]
    assert slide(read_played(armature, 30.0), left).mean() > 0.003
    assert len(armature.animation_data.nla_tracks) == 1
    assert names(armature) == [
        "Walk", "Walk edits", "Walk edits.001", "Walk raw", "Walk.001", "Walk.002",
    ]  # fmt: skip
    # to the motion alone, and back
    bpy.ops.kinelift.use_take(action="Walk.001")
    assert not armature.animation_data.nla_tracks and armature.animation_data.action_blend_type == "REPLACE"
    np.testing.assert_allclose(pose(armature, "head"), plain, atol=2e-4)
    bpy.ops.kinelift.use_take(action="Walk edits.001")
    np.testing.assert_allclose(pose(armature, "head"), wanted, atol=2e-4)


def test_edits_below_a_layer_are_noticed_and_can_join_it(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    plain = pose(armature, "head")
    turn(armature, "head", range(30, 61))
    bpy.ops.kinelift.clean_up(edits=LAYER)
    animation = armature.animation_data
    animation.action = None
    bpy.ops.kinelift.use_take(action="Walk.001")
    turn(armature, "head", range(50, 121))
    bpy.ops.kinelift.use_take(action="Walk edits")
    wanted = pose(armature, "head")
    assert asked(armature).range == (50, 120)
    bpy.ops.kinelift.clean_up(edits=LAYER)
    np.testing.assert_allclose(pose(armature, "head"), wanted, atol=2e-4)
    bpy.ops.kinelift.use_take(action="Walk.002")
    np.testing.assert_allclose(pose(armature, "head"), plain, atol=2e-4)


def test_it_is_one_undo_step(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    turn(armature, "head", range(30, 61))
    wanted = pose(armature, "head")
    bpy.ops.ed.undo_push(message="edited")
    assert bpy.ops.kinelift.clean_up("EXEC_DEFAULT", True, edits=LAYER) == {"FINISHED"}
    bpy.ops.ed.undo()
    armature = bpy.data.objects["Walk"]
    assert armature.animation_data.action.name == "Walk" and not armature.animation_data.nla_tracks
    assert names(armature) == ["Walk", "Walk raw"] and asked(armature).bones == ["head"]
    np.testing.assert_allclose(pose(armature, "head"), wanted, atol=1e-5)


def test_an_action_that_two_objects_share_is_edited_for_both(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    other = armature.copy()
    bpy.context.scene.collection.objects.link(other)
    turn(armature, "head", range(30, 61))
    wanted = pose(other, "head")
    bpy.context.view_layer.objects.active = armature
    bpy.ops.kinelift.clean_up(edits=LAYER)
    np.testing.assert_allclose(pose(armature, "head"), wanted, atol=2e-4)
    np.testing.assert_allclose(pose(other, "head"), wanted, atol=1e-5)
    assert asked(other).bones == ["head"] and layer_of(other) is None


@pytest.mark.skipif(not SLOTTED, reason="this Blender's actions have no slots")
def test_an_action_with_a_slot_for_each_object(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    action = armature.animation_data.action
    prop = bpy.data.objects.new("Prop", None)
    bpy.context.scene.collection.objects.link(prop)
    second = armature.copy()
    bpy.context.scene.collection.objects.link(second)
    # slots of their own, on the one layer and strip that the action has
    prop.animation_data_create().action = action
    prop.animation_data.action_slot = action.slots.new(id_type="OBJECT", name="Prop")
    second.animation_data.action_slot = action.slots.new(id_type="OBJECT", name="Walk")
    for owner, path in ((prop, "location"), (second, 'pose.bones["head"].rotation_quaternion')):
        bag = assign_action(owner, action)
        bag.fcurves.new(path, index=0).keyframe_points.insert(1, 0.25)
    # whose is told by what is used, not by the name
    armature.name, second.name = "Hero", "Walk"
    assert edits_of(second, action) is None
    plain = pose(armature, "head")
    turn(armature, "head", range(30, 61))
    assert asked(armature).bones == ["head"]
    for way in (CARRY, LAYER, CARRY):
        bpy.ops.kinelift.clean_up(edits=way)
        np.testing.assert_allclose(pose(armature, "head"), turned(plain, range(30, 61)), atol=2e-4)
        assert asked(armature) is None
        made = motion_of(armature)
        assert curves_of(made, prop)["location", 0].evaluate(1) == 0.25
    assert prop.animation_data.action == second.animation_data.action == action
    reopened(tmp_path)
    armature = bpy.data.objects["Hero"]
    np.testing.assert_allclose(pose(armature, "head"), turned(plain, range(30, 61)), atol=2e-4)


@pytest.mark.parametrize("way", EDITS)
def test_an_override_has_the_three_ways_too(tmp_path: Path, way: str) -> None:
    walker(tmp_path)
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, into):
        into.objects = ["Walk"]
    bpy.context.scene.collection.objects.link(into.objects[0])
    armature = into.objects[0].override_create(remap_local_usages=True)
    bpy.context.view_layer.objects.active = armature
    assert asked(armature) is None
    plain = pose(armature, "head")
    assert bpy.ops.kinelift.clean_up() == {"FINISHED"}
    turn(armature, "head", range(30, 61))
    assert bpy.ops.kinelift.clean_up(edits=way) == {"FINISHED"}
    wanted = plain if way == RAW else turned(plain, range(30, 61))
    for _ in range(2):
        np.testing.assert_allclose(pose(armature, "head"), wanted, atol=2e-4)
        reopened(tmp_path)
        armature = bpy.data.objects["Walk"]
    assert bpy.ops.kinelift.clean_up() == {"FINISHED"}
    np.testing.assert_allclose(pose(armature, "head"), wanted, atol=2e-4)


def test_a_damaged_note_is_refused_in_a_sentence(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    action = armature.animation_data.action
    for damaged in (b"", b"nothing", action["kinelift_made"][:1000], "text", 3):
        del action["kinelift_made"]
        action["kinelift_made"] = damaged
        with pytest.raises(RuntimeError, match="is damaged, so edits can't be told: delete"):
            bpy.ops.kinelift.clean_up()
    assert names(armature) == ["Walk", "Walk raw"]
    del action["kinelift_made"]
    assert bpy.ops.kinelift.clean_up() == {"FINISHED"}


@pytest.mark.parametrize("kind", ["bvh", "glb", "fbx"])
def test_what_is_exported_has_the_layer(tmp_path: Path, kind: str) -> None:
    files = {}
    for way in (CARRY, LAYER):
        bpy.ops.wm.read_homefile(use_empty=True)
        mend_context()
        bpy.context.scene.render.fps = 30
        armature = walker(tmp_path)
        bpy.context.scene.frame_end = 120
        turn(armature, "head", range(30, 61))
        bpy.ops.kinelift.clean_up(edits=way)
        files[way] = tmp_path / f"{way}.{kind}"
        assert bpy.ops.kinelift.export(kind=kind, filepath=str(files[way])) == {"FINISHED"}
    poses = []
    for path in files.values():
        bpy.ops.wm.read_homefile(use_empty=True)
        mend_context()
        bpy.context.scene.render.fps = 30
        {"bvh": bpy.ops.import_anim.bvh, "glb": bpy.ops.import_scene.gltf, "fbx": bpy.ops.import_scene.fbx}[
            kind
        ](filepath=str(path))
        owner = next(one for one in bpy.data.objects if one.type == "ARMATURE")
        places = []
        for frame in (20, 40, 55, 80):
            bpy.context.scene.frame_set(frame)
            posed = owner.evaluated_get(bpy.context.evaluated_depsgraph_get())
            places.append(np.array(posed.matrix_world @ posed.pose.bones["head"].matrix))
        poses.append(places)
    np.testing.assert_allclose(*poses, atol=2e-3)


@pytest.mark.parametrize("way", EDITS)
@pytest.mark.parametrize("frames", [None, (1, 80)])
def test_another_solve_does_with_edits_what_is_asked(
    tmp_path: Path, way: str, frames: tuple[int, int] | None
) -> None:
    armature = walker(tmp_path)
    turn(armature, "head", range(30, 61))
    turn(armature, "neck", range(100, 121))
    found = edits_within(armature, frames, solved=True)
    assert found.bones == (["neck", "head"] if frames is None else ["head"])
    nodding = walk()
    head = JOINTS.index("head")
    nodding.rotations[:, head] = np.cos(0.2), np.sin(0.2), 0, 0
    other = capture_of(nodding)
    for _ in range(2):
        if frames is None:
            renew_result(armature, other, CleanUp(), 30.0, way=way)
        else:
            solved_action(armature, other.motion, CleanUp(), 30.0, frames, way)
    assert edits_within(armature, None, solved=True).new is False
    now = {bone: pose(armature, bone) for bone in ("head", "neck")}
    assert (layer_of(armature) is not None) == (way == LAYER)
    reopened(tmp_path)
    armature = bpy.data.objects["Walk"]
    for bone, values in now.items():
        np.testing.assert_allclose(pose(armature, bone), values, atol=1e-5)
    bpy.ops.kinelift.use_take(action=raw_action(motion_of(armature)).name)
    solved = {bone: pose(armature, bone) for bone in ("head", "neck")}
    wanted = solved if way == RAW else {
        "head": turned(solved["head"], range(30, 61)), "neck": turned(solved["neck"], range(100, 121))
    }  # fmt: skip
    at = np.array(FRAMES)
    inside = at < (70 if frames else 121)
    for bone, values in now.items():
        np.testing.assert_allclose(values[inside], wanted[bone][inside], atol=2e-4)
    if frames is not None:
        # outside nothing was asked, and nothing has changed
        neck = turned(solved["neck"], range(100, 121))
        np.testing.assert_allclose(now["neck"][at > 80], neck[at > 80], atol=2e-4)


def test_edits_of_the_raw_motion_outlive_another_solve(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    bpy.ops.kinelift.use_take(action="Walk raw")
    plain = pose(armature, "head")
    turn(armature, "head", range(30, 61))
    assert edits_within(armature, None, solved=True).bones == ["head"]
    renew_result(armature, capture_of(walk()), CleanUp(), 30.0)
    np.testing.assert_allclose(pose(armature, "head"), turned(plain, range(30, 61)), atol=2e-4)
    bpy.ops.kinelift.use_take(action="Walk raw")
    solved_action(armature, walk(), CleanUp(), 30.0, (1, 50))
    for _ in range(2):
        np.testing.assert_allclose(pose(armature, "head"), turned(plain, range(30, 61)), atol=2e-4)
        bpy.ops.kinelift.clean_up()


def hero(folder: Path, *clips: str) -> tuple[bpy.types.Object, list[bpy.types.Object]]:
    """A character that plays the first of some clips."""
    target = character(MIXAMO)
    sources = []
    for number, clip in enumerate(clips):
        capture_of(walk() if number else sliding(walk())).save(folder / f"{clip}.npz")
        assert bpy.ops.kinelift.rebuild(motion=str(folder / f"{clip}.npz")) == {"FINISHED"}
        sources.append(bpy.context.object)
    retarget_from(target, sources[0])
    return target, sources


def retarget_from(target: bpy.types.Object, source: bpy.types.Object, **how: str) -> None:
    bpy.context.view_layer.objects.active = target
    bpy.context.scene.kinelift_retarget.source = source
    assert bpy.ops.kinelift.retarget(**how) == {"FINISHED"}


def character_asked(target: bpy.types.Object) -> Edits | None:
    from kinelift.rig.retarget.apply import edits_before

    found = edits_before(target, bpy.context.scene.kinelift_retarget.settings())
    return found if found is not None and found.new else None


@pytest.mark.parametrize("way", [None, *EDITS])
@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ"])
def test_retarget_does_with_edits_what_is_asked(tmp_path: Path, way: str | None, mode: str) -> None:
    target, (source,) = hero(tmp_path, "Walk")
    if mode != "QUATERNION":
        target.pose.bones["Head"].rotation_mode = mode
        retarget_from(target, source)
    assert character_asked(target) is None
    plain = {bone: pose(target, bone) for bone in ("Head", "Spine")}
    if mode == "QUATERNION":
        turn(target, "Head", range(30, 61))
    else:
        path = 'pose.bones["Head"].rotation_euler'
        change(target, path, range(30, 61), lambda now: np.add(now, [0.2, -0.1, 0.3]))
    edited = pose(target, "Head")
    assert character_asked(target).bones == ["Head"] and character_asked(target).range == (30, 60)
    retarget_from(target, source, **({} if way is None else {"edits": way}))
    wanted = plain["Head"] if way == RAW else edited
    for _ in range(2):
        np.testing.assert_allclose(pose(target, "Head"), wanted, atol=3e-4)
        np.testing.assert_allclose(pose(target, "Spine"), plain["Spine"], atol=3e-4)
        assert character_asked(target) is None and (layer_of(target) is not None) == (way == LAYER)
        reopened(tmp_path)
        target, source = bpy.data.objects["Character"], bpy.data.objects["Walk"]
        retarget_from(target, source)
    np.testing.assert_allclose(pose(target, "Head"), wanted, atol=3e-4)


def test_edits_of_another_clip_stay_with_it_unless_they_are_wanted(tmp_path: Path) -> None:
    target, (first, second) = hero(tmp_path, "Walk", "Run")
    first_clip = pose(target, "Head")
    turn(target, "Head", range(1, 121))
    retarget_from(target, second)
    assert character_asked(target) is None
    plain = pose(target, "Head")
    bpy.ops.kinelift.use_take(action="Character Walk")
    np.testing.assert_allclose(pose(target, "Head"), turned(first_clip, FRAMES), atol=2e-4)
    retarget_from(target, second, edits=CARRY)
    np.testing.assert_allclose(pose(target, "Head"), turned(plain, FRAMES), atol=3e-4)
    bpy.ops.kinelift.use_take(action="Character Walk")
    retarget_from(target, second, edits=LAYER)
    np.testing.assert_allclose(pose(target, "Head"), turned(plain, FRAMES), atol=3e-4)
    del first


def test_a_part_that_is_retargeted_leaves_the_edits_of_the_others(tmp_path: Path) -> None:
    target, (source,) = hero(tmp_path, "Walk")
    plain = {bone: pose(target, bone) for bone in ("Head", "LeftForeArm")}
    for bone in plain:
        turn(target, bone, range(30, 61))
    bpy.context.scene.kinelift_retarget.parts = {"arms"}
    retarget_from(target, source, edits=RAW)
    edited = {bone: turned(values, range(30, 61)) for bone, values in plain.items()}
    np.testing.assert_allclose(pose(target, "Head"), edited["Head"], atol=3e-4)
    np.testing.assert_allclose(pose(target, "LeftForeArm"), plain["LeftForeArm"], atol=3e-4)
    bpy.context.scene.kinelift_retarget.parts = {"head"}
    retarget_from(target, source)
    np.testing.assert_allclose(pose(target, "Head"), edited["Head"], atol=3e-4)


def test_a_strip_replaces_nothing(tmp_path: Path) -> None:
    target, (source,) = hero(tmp_path, "Walk")
    turn(target, "Head", range(30, 61))
    bpy.context.scene.kinelift_retarget.strip = True
    assert character_asked(target) is None
    now = target.animation_data.action
    retarget_from(target, source)
    assert target.animation_data.action == now and len(target.animation_data.nla_tracks) == 1


def test_the_note_of_a_long_motion_is_small(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    action = armature.animation_data.action
    per_frame = len(action["kinelift_made"]) / 120
    assert per_frame < 400  # 1.2 MB for 3000 frames
    assert raw_action(action) in takes_of(armature)
