"""A known walk that was made to slide comes out planted, and nothing else of it suffers."""

from dataclasses import replace

import numpy as np
import pytest

from kinelift.core.errors import CaptureError
from kinelift.core.foot_ik import clean_up, two_bone, within_range
from kinelift.core.kinematics import local_rotations
from kinelift.core.options import CleanUp
from kinelift.core.rotations import axis_angle, quaternion_from_matrix
from kinelift.core.skeleton import BALL_HEIGHT, INDEX
from kinelift.tests.motions import random_motion
from kinelift.tests.walks import slide, sliding, walk

CONTACTS = walk().contacts


def soles(motion):
    """Heights (T, 4) of heels and balls above where they touch the floor."""
    return motion.sole_points()[..., 2] - np.array([0, BALL_HEIGHT, 0, BALL_HEIGHT])


def knee_angle(motion, side):
    """Bend of a knee (T,), radians; negative: the wrong way."""
    thigh, shin, foot = (motion.joints[:, INDEX[f"{n}.{side}"]] for n in ("thigh", "shin", "foot"))
    a, b = shin - thigh, foot - shin
    cross = np.cross(a, b)
    angle = np.arctan2(np.linalg.norm(cross, axis=1), (a * b).sum(1))
    # bent backwards, the shin has turned about the thigh's +X
    return angle * np.sign((cross * motion.world_rotations[:, INDEX[f"thigh.{side}"], :, 0]).sum(1))


def joints_bend(motion):
    return np.linalg.norm(np.diff(motion.joints, 2, axis=0), axis=-1)


def test_a_sliding_walk_comes_out_planted():
    raw = sliding(walk())
    cleaned = clean_up(raw)
    assert slide(raw, CONTACTS).mean() > 0.004
    assert slide(cleaned, CONTACTS).mean() < 1e-4 and slide(cleaned, CONTACTS).max() < 0.001
    heights = soles(cleaned)
    assert heights.min() > -0.001
    assert np.abs(heights[CONTACTS > 0.5]).max() < 0.002


def test_each_contact_has_one_place():
    points = clean_up(sliding(walk())).sole_points()
    for column in range(4):
        on = np.flatnonzero(CONTACTS[:, column] > 0.5)
        for run in np.split(on, np.flatnonzero(np.diff(on) > 1) + 1):
            assert np.ptp(points[run, column], axis=0).max() < 0.001


def test_what_stands_already_is_left_alone():
    truth = walk()
    assert np.abs(clean_up(truth).joints - truth.joints).max() < 0.002


def test_bones_keep_their_lengths_and_the_upper_body_its_pose():
    raw = sliding(walk())
    cleaned = clean_up(raw)
    np.testing.assert_array_equal(cleaned.offsets, raw.offsets)
    for side in "LR":
        for bone, parent in (("shin", "thigh"), ("foot", "shin"), ("toe", "foot")):
            length = np.linalg.norm(
                cleaned.joints[:, INDEX[f"{bone}.{side}"]] - cleaned.joints[:, INDEX[f"{parent}.{side}"]],
                axis=1,
            )
            assert np.ptp(length) < 1e-5
    upper = [i for n, i in INDEX.items() if n.split(".")[0] not in ("thigh", "shin", "foot", "toe")]
    np.testing.assert_allclose(cleaned.world_rotations[:, upper], raw.world_rotations[:, upper], atol=1e-5)


def test_knees_keep_their_plane_and_never_bend_backwards():
    cleaned = clean_up(sliding(walk()))
    for side in "LR":
        bend = knee_angle(cleaned, side)
        assert bend.min() > 0.01  # not even straight
        # the walk's knees bend in the plane x = const; the feet are moved 4 cm sideways at most
        thigh, shin, foot = (cleaned.joints[:, INDEX[f"{n}.{side}"]] for n in ("thigh", "shin", "foot"))
        normal = np.cross(shin - thigh, foot - shin)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        assert np.abs(normal[:, 0]).min() > np.cos(np.radians(10))


@pytest.mark.parametrize("jitter", [0.0, 0.005])
def test_no_pops(jitter):
    # feet have to be stopped and started within a swing of 0.4 s, which the raw motion slides through
    raw = sliding(walk())
    noise = np.random.default_rng(0).normal(0, jitter, raw.root.shape)
    raw = replace(raw, root=raw.root + noise)
    before, after = (joints_bend(m).max(axis=0) for m in (raw, clean_up(raw)))
    knees = [INDEX["shin.L"], INDEX["shin.R"]]
    assert np.delete(after, knees).max() <= 1.15 * np.delete(before, knees).max()
    assert after[knees].max() <= 1.4 * before[knees].max()


def test_feet_that_are_caught_too_early_are_jolted_no_more_than_before():
    raw = walk()
    raw = replace(raw, contacts=np.roll(CONTACTS, -3, axis=0))
    cleaned = clean_up(raw)
    feet = [INDEX[f"{name}.{side}"] for name in ("foot", "toe") for side in "LR"]
    assert joints_bend(cleaned)[:, feet].max() <= joints_bend(raw).max()
    assert slide(cleaned, raw.contacts).max() < 0.0005
    assert soles(cleaned).min() > -0.001


def test_feet_that_stop_from_one_frame_to_the_next_do_not_slide():
    raw = walk(20, fps=5.0)
    assert slide(clean_up(sliding(raw)), raw.contacts).max() < 0.0005


def test_contact_out_of_reach_moves_the_hips_not_the_bones():
    raw = walk()
    raised = replace(
        raw, root=raw.root + np.array([0, 0, 0.12])
    )  # a capture that floats: legs too short by far
    cleaned = clean_up(raised)
    assert slide(cleaned, CONTACTS).max() < 0.002
    assert np.abs(soles(cleaned)[CONTACTS > 0.5]).max() < 0.003
    assert (cleaned.root[:, 2] < raised.root[:, 2] + 1e-6).all()


def longer(contacts, frames):
    """Contacts that begin and end so many frames too early and too late."""
    return np.max([np.roll(contacts, shift, axis=0) for shift in range(-frames, frames + 1)], axis=0)


def scattered(frames, seed):
    """Contacts without any sense, of a fifth of a second each."""
    blocks = np.random.default_rng(seed).random((frames // 6 + 1, 4)) < 0.5
    return np.repeat(blocks, 6, axis=0)[:frames].astype(float)


def pulled(raw, cleaned):
    """How far (T, 3) planting moved the hips."""
    return cleaned.root - raw.root


@pytest.mark.parametrize("how", [walk, lambda: sliding(walk())], ids=["true", "sliding"])
@pytest.mark.parametrize(
    "contacts",
    [longer(CONTACTS, 4), longer(CONTACTS, 5), np.maximum(CONTACTS, [1, 1, 0, 0]), scattered(120, 1)],
    ids=["0.13 s longer", "0.17 s longer", "left all the time", "scattered"],
)
def test_wrong_contacts_make_no_lunge_of_a_step_and_never_pop(how, contacts):
    raw = replace(how(), contacts=contacts)
    cleaned = clean_up(raw)
    moved = pulled(raw, cleaned)
    assert np.linalg.norm(np.diff(moved, axis=0), axis=1).max() * raw.fps < 0.8
    for first in range(0, len(raw) - 15):
        assert np.linalg.norm(np.ptp(moved[first : first + 15], axis=0)) < 0.08
    assert np.abs(moved[:, 2]).max() < 0.1
    before, after = (np.linalg.norm(np.diff(m.root, axis=0), axis=1).max() for m in (raw, cleaned))
    assert after < before + 0.8 / raw.fps


def test_contacts_a_little_too_long_are_kept():
    raw = replace(sliding(walk()), contacts=longer(CONTACTS, 4))
    assert slide(clean_up(raw), CONTACTS).max() < 0.001


@pytest.mark.parametrize("seed", [7, 12, 20, 28, 31, 36, 37, 38, 50, 51])
def test_senseless_contacts_throw_no_foot_out_of_the_world(seed):
    raw = replace(sliding(walk(90)), contacts=scattered(90, seed))
    for motion in (raw, replace(random_motion(90, seed=seed), contacts=raw.contacts)):
        assert np.abs(clean_up(motion).joints - motion.joints).max() < 1.5


def test_feet_that_sink_come_up_without_contacts_too():
    raw = walk()
    sunk = replace(raw, root=raw.root - [0, 0, 0.1], contacts=np.zeros((120, 4)))
    assert soles(clean_up(sunk)).min() > -1e-4


def test_heel_to_toe_roll_is_kept():
    raw = walk(60)
    on = CONTACTS[:60, :2].astype(bool)
    # the left foot rolls: lands on the heel, lifts it first
    first = int(np.flatnonzero(np.diff(on[:, 0].astype(int)) > 0)[0]) + 1
    pitch = np.zeros(60)
    pitch[first : first + 4] = np.radians([-20, -15, -10, -5])
    world = raw.world_rotations.copy()
    turn = axis_angle(np.tile([1.0, 0, 0], (60, 1)), pitch)
    foot = INDEX["foot.L"]
    world[:, foot] = turn @ world[:, foot]
    contacts = CONTACTS[:60].copy()
    contacts[first : first + 4, 1] = 0
    rolled = replace(raw, rotations=quaternion_from_matrix(local_rotations(world)), contacts=contacts)
    cleaned = clean_up(sliding(rolled), CleanUp(minimum=0.05))
    np.testing.assert_allclose(
        cleaned.world_rotations[first : first + 2, foot], world[first : first + 2, foot], atol=0.1
    )
    heel = cleaned.sole_points()[first : first + 10, 0]
    assert np.linalg.norm(np.diff(heel, axis=0), axis=1).max() < 0.006


@pytest.mark.parametrize("height", [-0.2, 0.3])
def test_the_floor_may_lie_anywhere(height):
    raw = sliding(walk())
    raw = replace(raw, root=raw.root + np.array([0, 0, height]))
    cleaned = clean_up(raw, CleanUp(floor=height))
    assert np.abs(soles(cleaned)[CONTACTS > 0.5] - height).max() < 0.002


def test_free_toes_stay_as_they_were():
    raw = sliding(walk())
    rotations = raw.rotations.copy()
    rotations[:, INDEX["toe.L"]] = [np.cos(0.1), -np.sin(0.1), 0, 0]
    raw = replace(raw, rotations=rotations)
    toe = INDEX["toe.L"]
    free = clean_up(raw, CleanUp(lock_toes=False))
    np.testing.assert_allclose(free.world_rotations[:, toe], raw.world_rotations[:, toe], atol=1e-5)
    locked = clean_up(raw).world_rotations[CONTACTS[:, 1] > 0.5, toe]
    assert (locked[:, 2, 2] > 0.999).all()


def test_short_contacts_are_ignored():
    raw = sliding(walk())
    assert slide(clean_up(raw, CleanUp(minimum=0.7)), CONTACTS).mean() > 0.003


def test_without_feet_and_smoothing_nothing_happens():
    raw = sliding(walk())
    np.testing.assert_allclose(clean_up(raw, CleanUp(feet=False)).joints, raw.joints, atol=1e-6)


def test_smoothing_evens_out_what_is_quick_and_keeps_what_is_slow():
    rng = np.random.default_rng(0)
    truth = walk()
    noisy = replace(truth, root=truth.root + rng.normal(0, 0.01, truth.root.shape))
    smooth = clean_up(noisy, CleanUp(feet=False, smooth=0.2))
    hips = INDEX["hips"]
    assert joints_bend(smooth)[:, hips].mean() < 0.2 * joints_bend(noisy)[:, hips].mean()
    assert np.abs(smooth.joints - truth.joints).max() < 0.05


def test_outside_the_range_nothing_changes():
    raw = sliding(walk())
    part = clean_up(raw, CleanUp(first=40, last=80))
    outside = np.r_[0:40, 81:120]
    np.testing.assert_allclose(part.joints[outside], raw.joints[outside], atol=1e-6)
    inside = np.zeros((120, 4))
    inside[50:72] = CONTACTS[50:72]
    assert slide(part, inside).max() < 0.001
    assert joints_bend(part).max() <= 1.2 * joints_bend(raw).max()  # a soft way in and out


def test_two_cleanings_of_two_ranges_add_up():
    raw = sliding(walk())
    whole = clean_up(raw)
    first = within_range(raw, whole, CleanUp(last=60))
    both = within_range(first, whole, CleanUp(first=40))
    np.testing.assert_allclose(both.joints[70:], whole.joints[70:], atol=1e-6)
    np.testing.assert_allclose(both.joints[:40], first.joints[:40], atol=1e-6)


@pytest.mark.parametrize(("first", "last"), [(200, None), (50, 40), (None, -5)])
def test_an_empty_range_is_refused(first, last):
    with pytest.raises(CaptureError, match="nothing to clean"):
        clean_up(walk(), CleanUp(first=first, last=last))


@pytest.mark.parametrize("frames", [1, 2, 3, 63, 64, 65])
@pytest.mark.parametrize("contact", [0.0, 1.0])
def test_any_length_contact_never_or_always(frames, contact):
    motion = replace(random_motion(frames, seed=frames), contacts=np.full((frames, 4), contact))
    cleaned = clean_up(motion, CleanUp(smooth=0.1, minimum=0.0))
    assert np.isfinite(cleaned.joints).all() and len(cleaned) == frames
    if contact:
        assert slide(cleaned, motion.contacts).max(initial=0) < 0.01


def test_a_leg_reaches_its_target_and_as_far_as_it_goes():
    rng = np.random.default_rng(1)
    turns = axis_angle(np.array([[1.0, 0, 0]] * 50), rng.uniform(-0.5, 0.5, 50))
    bends = turns @ axis_angle(np.array([[1.0, 0, 0]] * 50), rng.uniform(0.1, 1.5, 50))
    hip = rng.normal(size=(50, 3))
    thigh, shin = np.array([0, 0, -0.4]), np.array([0, 0, -0.42])
    way = rng.normal(size=(50, 3)) * [0.3, 0.3, 0.1] + [0, 0, -0.6]
    way *= np.minimum(1, 0.8 / np.linalg.norm(way, axis=1, keepdims=True))
    upper, lower = two_bone(turns, bends, hip, hip + way, thigh, shin)
    np.testing.assert_allclose(upper @ thigh + lower @ shin, way, atol=1e-6)
    upper, lower = two_bone(turns, bends, hip, hip + 3 * way, thigh, shin)
    found = upper @ thigh + lower @ shin
    reached = np.linalg.norm(found, axis=1)
    far = np.linalg.norm(3 * way, axis=1) > 0.82
    np.testing.assert_allclose(reached[far], 0.82, atol=1e-4)
    along = (found * way).sum(1) / reached / np.linalg.norm(way, axis=1)
    assert (along > 0.9999).all()


def test_every_shot_is_cleaned_for_itself() -> None:
    """A foot that stands before a cut doesn't hold the one that stands after it."""
    one, other = walk(60), random_motion(40, seed=4)
    other = replace(other, offsets=one.offsets, contacts=np.ones((40, 4)))
    arrays = {
        name: np.concatenate([getattr(m, name) for m in (one, other)])
        for name in ("rotations", "root", "contacts")
    }
    whole = clean_up(replace(one, **arrays, cuts=(60,)), CleanUp(smooth=0.2))
    apart = [clean_up(m, CleanUp(smooth=0.2)) for m in (one, other)]
    np.testing.assert_allclose(whole.joints, np.concatenate([m.joints for m in apart]), atol=1e-6)
    assert whole.cuts == (60,)


def test_slow_motion_is_cleaned_as_life_is() -> None:
    fast = walk(120, 120.0)
    slow = replace(fast, fps=30.0, slow_motion=4.0)
    how = CleanUp(smooth=0.1, minimum=0.2)
    there, here = clean_up(fast, how), clean_up(slow, how)
    np.testing.assert_allclose(here.joints, there.joints, atol=1e-6)
    assert (here.fps, here.slow_motion) == (30.0, 4.0)
