"""Contacts are found where a known walk has them, and none are invented."""

from dataclasses import replace

import numpy as np
import pytest

from kinelift.core import contacts
from kinelift.core.contacts import (
    GRAVITY,
    find_contacts,
    hysteresis,
    in_flight,
    keep_long,
    runs,
    without_sliding,
)
from kinelift.core.kinematics import local_rotations
from kinelift.core.landmarks import LANDMARK
from kinelift.core.rotations import axis_angle, quaternion_from_matrix
from kinelift.core.skeleton import INDEX
from kinelift.tests.motions import capture_of
from kinelift.tests.walks import walk

NEAR = 2


def filmed(motion):
    """The same with the landmarks of the feet where the camera sees them, and a lifter that knows nothing."""
    capture = capture_of(motion)
    landmarks = capture.landmarks.copy()
    shown = ("heel.L", "foot_index.L", "heel.R", "foot_index.R")
    landmarks[:, [LANDMARK[n] for n in shown], :2] = capture.camera.project(motion.sole_points())
    landmarks[:, [LANDMARK[n] for n in shown], 2] = 1
    return asked(replace(capture, landmarks=landmarks), 0.5)


def asked(capture, probability):
    """The same with another word of the lifter."""
    contacts = np.full((len(capture), 4), probability)
    return replace(capture, motion=replace(capture.motion, contacts=contacts))


def f1(found, truth):
    def widened(x):
        out = x.copy()
        for step in range(1, NEAR + 1):
            out[step:] |= x[:-step]
            out[:-step] |= x[step:]
        return out

    right = (found & widened(truth)).sum()
    return 2 * right / (2 * right + (found & ~widened(truth)).sum() + (truth & ~widened(found)).sum())


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0])
def test_a_walk_stands_where_it_stands(fps):
    motion = walk(round(4 * fps), fps)
    assert f1(find_contacts(filmed(motion)), motion.contacts > 0.5) > 0.95


def test_a_flight_phase_has_no_contact():
    motion = walk(120)
    seconds = np.arange(120) / 30
    jump = np.where((seconds > 1.5) & (seconds < 2.1), np.sin(np.pi * (seconds - 1.5) / 0.6), 0) * 0.4
    found = find_contacts(filmed(replace(motion, root=motion.root + jump[:, None] * [0, 0, 1])))
    assert not found[48:61].any()
    assert found[:40].any() and found[70:].any()


def turned(motion, **angles):
    """The same with local turns about X of some joints, degrees."""
    rotations = motion.rotations.copy()
    for joint, degrees in angles.items():
        for side in "LR":
            turn = axis_angle(np.array([1.0, 0, 0]), np.radians(float(degrees)))
            rotations[:, INDEX[f"{joint}.{side}"]] = quaternion_from_matrix(turn)
    return replace(motion, rotations=rotations)


def test_somebody_who_lies_takes_no_steps():
    motion = turned(walk(90), thigh=0, shin=0)
    world = motion.world_rotations
    down = axis_angle(np.array([1.0, 0, 0]), np.radians(-90.0))
    lying = replace(
        motion,
        rotations=quaternion_from_matrix(local_rotations(down @ world)),
        root=np.tile([0, 0, 0.12], (90, 1)),
    )
    lying = filmed(lying)
    assert not find_contacts(asked(lying, 0.9)).any()


@pytest.mark.parametrize("wander", [0.0, 0.3])
def test_somebody_who_sits_and_holds_the_legs_still_takes_no_steps_until_getting_up(wander):
    """On a high bench, first with legs stretched out, then with feet that hang still, then on these feet.

    How far away the hips are is guessed, and the guess wanders.
    """
    sitting = turned(walk(60), thigh=80, shin=-10)
    hanging = turned(walk(60), thigh=40, shin=-60)
    standing = turned(walk(60), thigh=0, shin=0)
    parts = [replace(p, root=np.tile([0, y, z], (60, 1))) for p, y, z in
             ((sitting, 0.0, 0.9), (hanging, 0.0, 0.9), (standing, -0.5, 0.86))]  # fmt: skip
    motion = replace(
        walk(180),
        rotations=np.concatenate([p.rotations for p in parts]),
        root=np.concatenate([p.root for p in parts]),
    )
    motion.root[:120, 1] += np.linspace(0, wander, 120)
    found = find_contacts(filmed(motion))
    assert not found[:115].any()
    assert found[130:170].mean() > 0.8


def test_feet_that_were_never_seen_do_not_break_it():
    motion = replace(filmed(walk(60)), landmarks=np.full((60, 33, 3), np.nan))
    assert find_contacts(motion).shape == (60, 4)


def test_a_long_motion_is_decided_in_stretches_as_in_one_piece(monkeypatch):
    motion = filmed(walk(120))
    whole = find_contacts(motion)
    monkeypatch.setattr(contacts, "_AT_ONCE", 50)
    np.testing.assert_array_equal(find_contacts(motion), whole)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_clips_of_few_frames(frames):
    assert find_contacts(filmed(walk(frames))).shape == (frames, 4)


def test_the_lifter_is_asked():
    motion = filmed(walk(60))
    sure, unsure = (find_contacts(asked(motion, p)) for p in (0.99, 0.01))
    assert sure.sum() > unsure.sum()


def test_hysteresis_needs_more_to_begin_than_to_go_on():
    value = np.array([[-1.0], [0.1], [0.5], [0.1], [-0.1], [0.1], [-0.5], [0.1], [0.1]])
    np.testing.assert_array_equal(hysteresis(value, 0.3, -0.3)[:, 0], [0, 0, 1, 1, 1, 1, 0, 0, 0])


def test_runs_and_the_long_ones_of_them():
    on = np.array([1, 1, 0, 1, 0, 1, 1, 1], bool)
    first, end = runs(on)
    assert list(first) == [0, 3, 5] and list(end) == [2, 4, 8]
    np.testing.assert_array_equal(keep_long(on[:, None], 2)[:, 0], [1, 1, 0, 0, 0, 1, 1, 1])


def test_a_gap_between_contacts_is_flicker_and_one_at_an_end_is_not():
    on = np.array([0, 1, 1, 1, 1, 0, 0, 1, 1, 1, 0], bool)
    np.testing.assert_array_equal(contacts._without_flicker(on[:, None], 3)[:, 0], [0, *[1] * 9, 0])


def test_slow_motion_stands_as_life_does():
    motion = walk(240, 120.0)
    fast, slow = filmed(motion), filmed(replace(motion, fps=30.0, slow_motion=4.0))
    found = find_contacts(slow)
    np.testing.assert_array_equal(found, find_contacts(fast))
    assert f1(found, motion.contacts > 0.5) > 0.95


def test_a_foot_that_slides_does_not_stand():
    motion = walk()
    on = motion.contacts > 0.5
    assert (without_sliding(motion, on) == on).all()
    drifting = replace(motion, root=motion.root + np.linspace(0, 2, len(motion))[:, None] * [1, 0, 0])
    assert not without_sliding(drifting, on).any()


def test_a_foot_that_jumps_stands_before_and_after_it():
    motion = walk(40)
    on = motion.contacts > 0.5
    first, end = (int(edge[0]) for edge in runs(on[:, 2] & (np.arange(40) > 5)))
    jump = (first + end) // 2
    hops = replace(motion, root=motion.root + 0.05 * (np.arange(40) >= jump)[:, None] * [1, 0, 0])
    stands = without_sliding(hops, on)
    there = on.copy()
    there[[jump - 1, jump]] = False
    np.testing.assert_array_equal(stands, there)


def test_a_contact_that_is_too_short_to_be_planted_is_not_claimed():
    motion = walk(60, fps=60.0)
    on = np.zeros((60, 4), bool)
    on[10:15, 0] = on[20:26, 0] = True  # a twelfth and a tenth of a second
    still = replace(motion, rotations=motion.rotations[:1].repeat(60, 0), root=motion.root[:1].repeat(60, 0))
    assert np.flatnonzero(without_sliding(still, on)[:, 0]).tolist() == list(range(20, 26))


@pytest.mark.parametrize(("fall", "flies"), [(GRAVITY, True), (0.0, False), (-GRAVITY, False)])
def test_who_falls_flies_and_who_is_held_does_not(fall, flies):
    motion = walk()
    on = np.ones((len(motion), 4), bool)
    on[40:58] = False
    seconds = (np.arange(18) - 9) / motion.fps
    root = np.full((len(motion), 3), [0.0, 0, 0.9])
    root[40:58, 2] -= fall / 2 * (seconds**2 - (9 / motion.fps) ** 2)
    assert (in_flight(replace(motion, root=root), on) == (~on.any(axis=1) & flies)).all()
    # nobody knows what held who is in the air when the clip begins
    on[:40] = False
    assert not in_flight(replace(motion, root=root), on).any()
