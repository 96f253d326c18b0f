"""Nothing that an armature played is lost: its motions are kept, listed, and can be gone back to."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from kinelift.rig.read import read_motion
from kinelift.rig.takes import takes_of
from kinelift.rig.versions import curves_of
from kinelift.tests.motions import capture_of
from kinelift.tests.operators.test_cleanup import played, walker
from kinelift.tests.rig.retarget.characters import MIXAMO, character
from kinelift.tests.walks import walk


def names(owner: bpy.types.Object) -> list[str]:
    return [take.name for take in takes_of(owner)]


def reopened(folder: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "saved.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(folder / "saved.blend"))


def turn_head(armature: bpy.types.Object) -> None:
    """Key the head by hand: all of its keys, by as much."""
    for part, value in enumerate((np.cos(0.3), np.sin(0.3), 0.0, 0.0)):
        curve = curves_of(armature.animation_data.action, armature)[
            ('pose.bones["head"].rotation_quaternion', part)
        ]
        for point in curve.keyframe_points:
            point.co[1] = value
        curve.update()


def test_a_motion_edited_by_hand_outlives_another_clean_up_and_saving(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    assert names(armature) == ["Walk", "Walk raw"]
    turn_head(armature)
    edited = played(armature)
    assert bpy.ops.kinelift.clean_up() == {"FINISHED"}
    reopened(tmp_path)
    armature = bpy.data.objects["Walk"]
    armature.name = "Renamed"
    assert names(armature) == ["Walk", "Walk raw", "Walk.001"]
    assert armature.animation_data.action.name == "Walk.001"
    assert bpy.ops.kinelift.use_take(action="Walk") == {"FINISHED"}
    np.testing.assert_allclose(played(armature).rotations, edited.rotations, atol=1e-6)
    # and back
    reopened(tmp_path)
    armature = bpy.data.objects["Renamed"]
    assert armature.animation_data.action.name == "Walk"
    assert bpy.ops.kinelift.use_take(action="Walk.001") == {"FINISHED"}
    assert bpy.ops.kinelift.use_take(action="Walk raw") == {"FINISHED"}
    assert names(armature) == ["Walk", "Walk raw", "Walk.001"]
    with pytest.raises(RuntimeError, match="has no motion named Jump"):
        bpy.ops.kinelift.use_take(action="Jump")


def test_a_second_clip_onto_a_character_keeps_the_first_and_the_artists_own(tmp_path: Path) -> None:
    target = character(MIXAMO)
    target.animation_data_create().action = own = bpy.data.actions.new("By hand")
    sources = {}
    for name in ("Walk", "Run"):
        capture_of(walk()).save(tmp_path / f"{name}.npz")
        assert bpy.ops.kinelift.rebuild(motion=str(tmp_path / f"{name}.npz")) == {"FINISHED"}
        sources[name] = bpy.context.object
    bpy.context.view_layer.objects.active = target
    for source in sources.values():
        bpy.context.scene.kinelift_retarget.source = source
        assert bpy.ops.kinelift.retarget() == {"FINISHED"}
    wanted = [own.name, "Character Run", "Character Walk"]
    assert names(target) == wanted and target.animation_data.action.name == "Character Run"
    reopened(tmp_path)
    target = bpy.data.objects["Character"]
    assert names(target) == wanted
    assert bpy.ops.kinelift.use_take(action="Character Walk") == {"FINISHED"}
    assert target.animation_data.action.name == "Character Walk"
    # an action of the artist's own takes their place: they are still listed
    target.animation_data.action = bpy.data.actions.new("Another")
    assert names(target) == wanted
    assert bpy.ops.kinelift.use_take(action="By hand") == {"FINISHED"}
    assert names(target) == ["Another", *wanted]


def test_an_action_that_two_objects_share_stays_with_the_other(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    other = armature.copy()
    bpy.context.scene.collection.objects.link(other)
    shared = armature.animation_data.action
    assert other.animation_data.action == shared
    before = played(other)
    bpy.context.view_layer.objects.active = armature
    assert bpy.ops.kinelift.clean_up() == {"FINISHED"}
    assert other.animation_data.action == shared != armature.animation_data.action
    np.testing.assert_array_equal(played(other).rotations, before.rotations)


def test_a_strip_in_tweak_mode_is_refused_in_a_sentence(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    animation = armature.animation_data
    track = animation.nla_tracks.new()
    track.strips.new("Walk", 1, animation.action)
    animation.action = None
    animation.nla_tracks.active, track.select, track.strips[0].select = track, True, True
    animation.use_tweak_mode = True
    before = set(bpy.data.actions)
    for press in (bpy.ops.kinelift.clean_up, lambda: bpy.ops.kinelift.use_take(action="Walk raw")):
        with pytest.raises(RuntimeError, match="leave tweak mode"):
            press()
    assert set(bpy.data.actions) == before
    animation.use_tweak_mode = False
    with pytest.raises(RuntimeError, match="has no action"):
        bpy.ops.kinelift.clean_up()
    # the list leads back, and the strip stays
    assert bpy.ops.kinelift.use_take(action="Walk") == {"FINISHED"}
    assert bpy.ops.kinelift.clean_up() == {"FINISHED"} and len(track.strips) == 1


def test_a_linked_action_is_kept_by_the_file_of_an_override(tmp_path: Path) -> None:
    walker(tmp_path)
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, into):
        into.objects = ["Walk"]
    bpy.context.scene.collection.objects.link(into.objects[0])
    armature = into.objects[0].override_create(remap_local_usages=True)
    bpy.context.view_layer.objects.active = armature
    linked = armature.animation_data.action.name_full
    assert bpy.ops.kinelift.clean_up() == {"FINISHED"}
    for _ in range(2):
        reopened(tmp_path)
        armature = bpy.data.objects["Walk"]
        assert armature.animation_data.action.library is None
        assert linked in [take.name_full for take in takes_of(armature)]
    bpy.context.view_layer.objects.active = armature
    assert bpy.ops.kinelift.use_take(action=linked) == {"FINISHED"}
    assert armature.animation_data.action.library is not None
    read_motion(armature, armature.animation_data.action, 30.0)
