"""Clean Up Feet as the artist meets it: a new action with planted feet, everything else left as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from kinelift.core.errors import CaptureError
from kinelift.core.motion import Motion
from kinelift.core.options import CleanUp
from kinelift.core.stances import feet
from kinelift.rig.action import animate
from kinelift.rig.armature import build_armature
from kinelift.rig.cleanup import (
    animate_cleaned,
    asked_of,
    clean_action,
    raw_action,
    raw_name,
    solved_action,
)
from kinelift.rig.contacts import CONTACT_CURVES, read_contacts
from kinelift.rig.read import read_motion
from kinelift.rig.versions import curves_of
from kinelift.tests.motions import capture_of, random_motion
from kinelift.tests.walks import slide, sliding, walk

Heads = Callable[..., np.ndarray]


def captured(motion: Motion, fps: float = 30.0) -> bpy.types.Object:
    armature = build_armature("Walk", motion.offsets, bpy.context.scene.collection)
    animate(armature, motion, raw_name("Walk"), fps)
    return armature


def clean(armature: bpy.types.Object, *how: Any) -> bpy.types.Action:
    action, told = clean_action(armature, *how)
    assert not told
    return action


def set_contacts(armature: bpy.types.Object, side: str, keys: list[tuple[int, float]]) -> None:
    curve = curves_of(armature.animation_data.action, armature)[CONTACT_CURVES[side]]
    curve.keyframe_points.clear()
    for frame, value in keys:
        curve.keyframe_points.insert(frame, value).interpolation = "CONSTANT"


def keys_of(armature: bpy.types.Object, action: bpy.types.Action) -> dict[Any, list[tuple[float, float]]]:
    return {k: [tuple(p.co) for p in c.keyframe_points] for k, c in curves_of(action, armature).items()}


def test_an_action_is_read_as_the_motion_that_it_was_made_from() -> None:
    motion = random_motion(40, seed=1)
    armature = captured(motion)
    found = read_motion(armature, armature.animation_data.action, 30.0)
    np.testing.assert_allclose(found.joints, motion.joints, atol=1e-4)
    np.testing.assert_allclose(found.world_rotations, motion.world_rotations, atol=1e-4)
    np.testing.assert_array_equal(found.contacts, motion.contacts >= 0.5)
    assert len(found) == 40 and found.fps == 30


def test_edited_and_thinned_keys_are_read_as_they_play(heads: Heads) -> None:
    motion = random_motion(31, seed=2)
    armature = captured(motion)
    for curve in curves_of(armature.animation_data.action, armature).values():
        for point in list(curve.keyframe_points)[::-1]:
            if (point.co[0] - 1) % 3:
                curve.keyframe_points.remove(point)
    found = read_motion(armature, armature.animation_data.action, 30.0)
    np.testing.assert_allclose(found.joints, heads(armature, range(1, 32)), atol=1e-4)


def test_feet_stand_in_the_new_action_and_the_raw_one_remains(heads: Heads) -> None:
    motion = sliding(walk())
    armature = captured(motion)
    raw = armature.animation_data.action
    before = keys_of(armature, raw)
    cleaned = clean(armature, CleanUp(), 30.0)
    assert armature.animation_data.action == cleaned != raw
    assert (cleaned.name, raw.name) == ("Walk", "Walk raw")
    assert keys_of(armature, raw) == before
    assert raw_action(cleaned) == raw and raw.use_fake_user
    played = read_motion(armature, cleaned, 30.0)
    np.testing.assert_allclose(played.joints, heads(armature, range(1, 121)), atol=1e-4)
    assert slide(motion, motion.contacts).mean() > 0.004
    assert slide(played, motion.contacts).max() < 0.001
    np.testing.assert_array_equal(played.contacts, motion.contacts)


def test_cleaning_again_begins_with_the_raw_motion_and_the_edited_contacts() -> None:
    motion = sliding(walk())
    armature = captured(motion)
    raw = armature.animation_data.action
    first = clean(armature, CleanUp(), 30.0)
    again = clean(armature, CleanUp(), 30.0)
    assert again != first and raw_action(again) == raw
    np.testing.assert_allclose(
        read_motion(armature, again, 30.0).joints, read_motion(armature, first, 30.0).joints, atol=1e-5
    )
    set_contacts(armature, "L", [(1, 0.0)])
    third = read_motion(armature, clean(armature, CleanUp(), 30.0), 30.0)
    assert not third.contacts[:, :2].any()
    assert slide(third, motion.contacts[:, [2, 3, 2, 3]])[::2].size  # the right foot still has contacts
    right = np.concatenate([np.zeros((120, 2)), motion.contacts[:, 2:]], 1)
    left = np.concatenate([motion.contacts[:, :2], np.zeros((120, 2))], 1)
    assert slide(third, right).max() < 0.001 < slide(third, left).max()


@pytest.mark.parametrize("fps", [30.0, 24.0, 60.0])
@pytest.mark.parametrize("how", [CleanUp(), CleanUp(feet=False, smooth=0.2), CleanUp(first=20, last=70)])
def test_a_capture_is_cleaned_as_the_button_would(fps: float, how: CleanUp) -> None:
    motion = sliding(walk())
    armature = build_armature("Walk", motion.offsets, bpy.context.scene.collection)
    whole = animate_cleaned(armature, motion, "Walk", fps, how)
    assert (whole.name, raw_action(whole).name) == ("Walk", "Walk raw") and raw_action(whole).use_fake_user
    found = read_motion(armature, whole, fps)
    armature.animation_data.action = raw_action(whole)
    frames = None if how.first is None else (1 + how.first, 1 + how.last)
    pressed = clean(armature, replace(how, first=None, last=None), fps, frames)
    again = read_motion(armature, pressed, fps)
    np.testing.assert_allclose(found.joints, again.joints, atol=2e-4)
    np.testing.assert_array_equal(found.contacts, again.contacts)
    assert np.any(found.contacts > 0)


def test_outside_the_range_the_current_action_plays_on() -> None:
    motion = sliding(walk())
    armature = captured(motion)
    whole = read_motion(armature, clean(armature, CleanUp(), 30.0), 30.0)
    set_contacts(armature, "L", [(1, 0.0)])
    part = read_motion(armature, clean(armature, CleanUp(), 30.0, (61, 90)), 30.0)
    outside = np.r_[0:60, 90:120]
    np.testing.assert_allclose(part.joints[outside], whole.joints[outside], atol=1e-5)
    assert np.abs(part.joints[70:80] - whole.joints[70:80]).max() > 0.003


@pytest.mark.parametrize("contacts", ["left all the time", "both all the time", "never"])
def test_contacts_that_cannot_be_kept_are_told_with_their_frames(contacts: str) -> None:
    armature = captured(sliding(walk()))
    for side in "LR":
        if contacts == "never":
            set_contacts(armature, side, [(1, 0.0)])
        elif side == "L" or "both" in contacts:
            set_contacts(armature, side, [(1, 1.0)])
    action, told = clean_action(armature, CleanUp(), 30.0)
    cleaned = read_motion(armature, action, 30.0)
    assert np.isfinite(cleaned.joints).all()
    if contacts == "left all the time":
        # the right foot goes on by 3 m
        assert told.startswith("Contacts can't be kept of the left foot in frames ") and "right" not in told
        first, last = map(int, told.split("frames ")[1].split(",")[0].split(";")[0].split(" to "))
        assert 1 <= first < last <= 120
        path = cleaned.sole_points()[first - 1 : last, 0]
        assert np.linalg.norm(path - np.median(cleaned.sole_points()[:, 0], axis=0), axis=1).min() > 0.029
        part = clean_action(armature, CleanUp(), 30.0, (first, first + 30))[1]
        assert part.startswith(f"Contacts can't be kept of the left foot in frames {first} to ")
        assert not clean_action(armature, CleanUp(feet=False), 30.0)[1]
    else:
        assert not told


def test_a_stance_that_is_asked_for_too_long_makes_no_lunge_of_a_step() -> None:
    motion = sliding(walk())
    armature = captured(motion)
    # it stands until frame 34 and takes its next step then
    set_contacts(armature, "R", [(1, 0.0), (16, 1.0), (45, 0.0)])
    action, told = clean_action(armature, CleanUp(), 30.0)
    moved = read_motion(armature, action, 30.0).root - motion.root
    assert np.linalg.norm(np.diff(moved, axis=0), axis=1).max() < 0.8 / 30
    assert np.abs(moved[:, 2]).max() < 0.1
    assert told.startswith("Contacts can't be kept of the right foot in frames ")


def test_a_range_that_was_solved_again_goes_into_what_is_played() -> None:
    motion = walk()
    armature = captured(sliding(motion))
    clean(armature, CleanUp(), 30.0)
    set_contacts(armature, "L", [(1, 1.0), (10, 0.0)])
    current = armature.animation_data.action
    for curve in curves_of(current, armature).values():  # what the artist has keyed
        if curve.data_path == 'pose.bones["head"].rotation_quaternion':
            for point in curve.keyframe_points:
                point.co[1] = 0.5
    before, raw_before = (read_motion(armature, one, 30.0) for one in (current, raw_action(current)))
    beside = sliding(motion).root + np.array([0.1, 0, 0])
    solved = replace(motion, root=beside, contacts=np.zeros((120, 4)))
    action = solved_action(armature, solved, CleanUp(), 30.0, (41, 80))
    raw = raw_action(action)
    assert armature.animation_data.action == action != current and raw_action(current) != raw
    assert (action.name, raw.name) == ("Walk.001", "Walk raw.001") and raw.use_fake_user
    outside = np.r_[0:40, 80:120]
    for made, old in ((action, before), (raw, raw_before)):
        new = read_motion(armature, made, 30.0)
        np.testing.assert_allclose(new.world_rotations[outside], old.world_rotations[outside], atol=1e-4)
        np.testing.assert_allclose(new.root[outside], old.root[outside], atol=1e-5)
        np.testing.assert_allclose(new.root[50:70], solved.root[50:70], atol=1e-3)
        steps = np.linalg.norm(np.diff(new.root, axis=0), axis=1)
        assert steps.max() < 0.06  # of 0.028 in the walk
        assert not new.contacts[40:80].any()
    # contacts that the artist has set elsewhere are still not those that were found
    standing = read_contacts(curves_of(action, armature), np.arange(1, 121, dtype=float))
    assert standing[:9, 0].all() and not standing[9:40, 0].any()
    np.testing.assert_array_equal(read_motion(armature, raw, 30.0).contacts[:40], walk().contacts[:40] > 0.5)
    assert clean(armature, CleanUp(), 30.0).name == "Walk.002"


def test_a_range_of_another_motion_is_refused() -> None:
    armature = captured(sliding(walk()))
    before = set(bpy.data.actions)
    with pytest.raises(CaptureError, match="no longer on the frames of its capture: press From File"):
        solved_action(armature, walk(90), CleanUp(), 30.0, (41, 80))
    with pytest.raises(CaptureError, match="nothing to clean from frame 200"):
        solved_action(armature, walk(), CleanUp(), 30.0, (200, 210))
    assert set(bpy.data.actions) == before


@pytest.mark.parametrize("fps", [30.0, 24.0, 60.0])
def test_what_the_artist_asks_for_is_known_in_the_frames_of_the_capture(fps: float) -> None:
    capture = capture_of(sliding(walk()))
    armature = build_armature("Walk", capture.motion.offsets, bpy.context.scene.collection)
    animate_cleaned(armature, capture.motion, "Walk", fps, CleanUp())
    found = asked_of(armature, capture, fps)
    assert found is not None and not found.edited.any() and (found.first, found.per_frame) == (1, fps / 30)
    off = (found.standing != feet(capture.motion.contacts > 0.5)).sum()
    assert off == 0 if fps > 24 else off < 16  # a frame at each landing and lifting
    set_contacts(armature, "R", [(1, 0.0), (1 + fps / 2, 1.0), (1 + fps, 0.0)])
    edited = asked_of(armature, capture, fps)
    assert edited is not None and edited.edited.tolist() == [False, True]
    np.testing.assert_array_equal(edited.standing[:, 1], np.arange(120) // 15 == 1)
    # a clean-up with these contacts doesn't make them those that were found
    clean(armature, CleanUp(), fps)
    again = asked_of(armature, capture, fps)
    assert again is not None and again.edited.tolist() == [False, True]
    np.testing.assert_array_equal(again.standing, edited.standing)


def test_keys_that_are_not_on_the_captures_frames() -> None:
    capture = capture_of(sliding(walk()))
    armature = captured(capture.motion)
    action = armature.animation_data.action
    with pytest.raises(CaptureError, match="no longer on the frames of its capture"):
        asked_of(armature, capture_of(walk(90)), 30.0)
    for curve in curves_of(action, armature).values():
        for point in curve.keyframe_points:
            point.co[0] *= 2
        curve.update()
    with pytest.raises(CaptureError, match="no longer on the frames of its capture"):
        asked_of(armature, capture, 30.0)
    armature.animation_data.action = bpy.data.actions.new("The artist's own")
    assert asked_of(armature, capture, 30.0) is None
    armature.animation_data_clear()
    assert asked_of(armature, capture, 30.0) is None


def test_what_else_is_keyed_goes_along_and_time_is_kept(heads: Heads) -> None:
    armature = captured(sliding(walk()))
    raw = armature.animation_data.action
    armature.location = (0, 0, 2)
    armature.keyframe_insert("location", frame=1)
    for curve in curves_of(raw, armature).values():
        for point in curve.keyframe_points:
            point.co[0] += 50
        curve.update()
    cleaned = clean(armature, CleanUp(), 30.0)
    assert tuple(cleaned.frame_range) == tuple(raw.frame_range) == (51, 170)
    assert ("location", 2) in curves_of(cleaned, armature)
    assert slide(read_motion(armature, cleaned, 30.0), walk().contacts).max() < 0.001
    assert heads(armature, [100])[0, :, 2].min() > 1.9


def test_no_contacts_change_nothing_but_what_is_below_the_floor() -> None:
    motion = replace(walk(), contacts=np.zeros((120, 4)))
    armature = captured(motion)
    cleaned = read_motion(armature, clean(armature, CleanUp(), 30.0), 30.0)
    np.testing.assert_allclose(cleaned.joints, motion.joints, atol=2e-4)


def test_contact_all_the_time_stands_all_the_time() -> None:
    motion = replace(sliding(walk()), contacts=np.ones((120, 4)))
    armature = captured(motion)
    cleaned = read_motion(armature, clean(armature, CleanUp(), 30.0), 30.0)
    assert np.isfinite(cleaned.joints).all()
    assert slide(cleaned, motion.contacts).max() < 0.002


@pytest.mark.parametrize("contact", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_clip_of_few_frames(frames: int, contact: float) -> None:
    motion = random_motion(frames, seed=frames)
    armature = captured(motion)
    if contact != 0.5:
        for side in "LR":
            set_contacts(armature, side, [(1, contact)])
    for how in (CleanUp(smooth=0.2), CleanUp(minimum=0.0)):
        cleaned, _ = clean_action(armature, how, 30.0)
        assert np.isfinite(read_motion(armature, cleaned, 30.0).joints).all()
    solved = solved_action(armature, motion, CleanUp(), 30.0, (1, 1))
    assert np.isfinite(read_motion(armature, solved, 30.0).joints).all()


def test_a_stance_over_a_cut_has_a_spot_in_each_shot() -> None:
    shots = [sliding(walk(40)), sliding(walk(40))]
    both = replace(
        shots[0],
        rotations=np.concatenate([shot.rotations for shot in shots]),
        contacts=np.concatenate([shot.contacts for shot in shots]),
        root=np.concatenate([shots[0].root, shots[1].root + np.array([2, 0, 0])]),
        cuts=(40,),
    )
    armature = captured(both)
    set_contacts(armature, "L", [(1, 0.0), (33, 1.0), (56, 0.0)])
    cleaned = read_motion(armature, clean(armature, CleanUp(), 30.0), 30.0)
    assert cleaned.cuts == (40,)
    for shot in (slice(32, 40), slice(40, 55)):
        assert np.ptp(cleaned.sole_points()[shot, 0], axis=0).max() < 0.005
    solved = replace(both, contacts=np.zeros((80, 4)))
    played = read_motion(armature, solved_action(armature, solved, CleanUp(), 30.0, (31, 50)), 30.0)
    np.testing.assert_allclose(played.joints[:30], cleaned.joints[:30], atol=1e-4)
    assert played.cuts == (40,) and not played.contacts[30:50].any()


def refused(armature: Any, says: str, frames: tuple[int, int] | None = None) -> None:
    """The clean-up must refuse in a sentence, and leave everything as it was."""
    before = set(bpy.data.actions)
    current = armature.animation_data.action if armature.animation_data else None
    with pytest.raises(CaptureError, match=says) as told:
        clean(armature, CleanUp(), 30.0, frames)
    assert "\n" not in str(told.value)
    assert set(bpy.data.actions) == before
    assert current is None or armature.animation_data.action == current


def test_an_armature_of_somebody_else() -> None:
    bpy.ops.object.armature_add()
    refused(bpy.context.object, "lacks the bones hips, spine, chest and 18 more")


def test_not_an_armature() -> None:
    refused(bpy.data.objects.new("Lamp", None), "Select an armature")


def test_no_action_and_an_action_without_our_keys() -> None:
    armature = build_armature("Walk", walk().offsets, bpy.context.scene.collection)
    refused(armature, "has no action:")
    armature.keyframe_insert("location", frame=1)
    refused(armature, "no rotations")


def test_contact_curves_deleted() -> None:
    armature = captured(sliding(walk()))
    raw = armature.animation_data.action
    cleaned = clean(armature, CleanUp(), 30.0)
    for side in "LR":
        set_contacts(armature, side, [])
    # those of the raw action still tell
    again = read_motion(armature, clean(armature, CleanUp(), 30.0), 30.0)
    np.testing.assert_array_equal(again.contacts, walk().contacts)
    armature.animation_data.action = raw
    set_contacts(armature, "L", [])
    refused(armature, r"no keys on contact_foot\.L:")
    assert cleaned.name in bpy.data.actions


def test_actions_of_different_lengths() -> None:
    armature = captured(sliding(walk()))
    cleaned = clean(armature, CleanUp(), 30.0)
    for curve in curves_of(cleaned, armature).values():
        for point in list(curve.keyframe_points)[::-1]:
            if point.co[0] > 100:
                curve.keyframe_points.remove(point)
    refused(armature, "different frames")


def test_a_range_without_frames() -> None:
    armature = captured(sliding(walk()))
    for frames in ((200, 300), (-20, 0), (50, 40)):
        refused(armature, "nothing to clean", frames)


def linked(folder: Path, override: bool) -> bpy.types.Object:
    captured(sliding(walk()))
    path = str(folder / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, into):
        into.objects = ["Walk"]
    (armature,) = into.objects
    bpy.context.scene.collection.objects.link(armature)
    return armature.override_create(remap_local_usages=True) if override else armature


def test_a_linked_armature_is_refused(tmp_path: Path) -> None:
    refused(linked(tmp_path, override=False), "library override")


def test_an_overridden_armature_is_cleaned(tmp_path: Path) -> None:
    armature = linked(tmp_path, override=True)
    raw = armature.animation_data.action
    assert raw.library is not None
    cleaned = clean(armature, CleanUp(), 30.0)
    assert cleaned.library is None and armature.animation_data.action == cleaned
    assert slide(read_motion(armature, cleaned, 30.0), walk().contacts).max() < 0.001
