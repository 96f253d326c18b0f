"""One foot, planted, whatever its shape: where it stands it stays, and nothing of it is under the floor."""

from __future__ import annotations

import numpy as np
import pytest

from kinelift.core.planting import Sole, floors_under, plant_foot, softly_over
from kinelift.core.rotations import axis_angle

FPS = 30.0
FLAT = Sole(np.array([0, 0.05, -0.08]), np.array([0, -0.12, -0.06]), np.array([0, -0.06, -0.02]), 0.02)
#: as in a shoe with a heel: in the rest pose the heel's point lies lower than the sole under the ball
HEELED = Sole(np.array([0, 0.05, -0.11]), np.array([0, -0.12, -0.06]), np.array([0, -0.06, -0.02]), 0.02)


def pitched(degrees):
    return axis_angle(np.tile([1.0, 0, 0], (len(degrees), 1)), np.radians(degrees))


def step(sole, frames=90):
    """A foot that comes down by its heel, stands, rolls off over its ball and goes: sliding all the while.

    Returns
    -------
    foot, toe : (T, 3, 3)
    ankle : (T, 3)
    contacts : (T, 2)
    """
    at = np.arange(frames)
    contacts = np.stack([(at >= 30) & (at < 55), (at >= 35) & (at < 62)], axis=1)
    pitch = np.interp(at, [0, 30, 35, 55, 62, 75, 90], [-20, -15, 0, 0, 35, 50, 0])
    foot = pitched(pitch)
    lowest = np.minimum((foot @ sole.heel)[:, 2], (foot @ sole.ball)[:, 2] - sole.ball_height)
    lift = np.interp(at, [0, 30, 62, 90], [0.1, 0.0, 0.0, 0.1])
    ahead = -np.interp(at, [0, 30, 62, 90], [0.0, 0.5, 0.58, 1.1])  # 8 cm of them slid through
    side = 0.01 * np.sin(at / 7)
    ankle = np.stack([side, ahead, lift - lowest + 0.004 * np.sin(at / 3)], axis=1)
    return foot, foot.copy(), ankle, contacts


def points(sole, foot, toe, ankle):
    """Heel, underside of the ball, and tip of the toes, (T, 3) each."""
    ball = ankle + foot @ sole.ball
    down = np.array([0, 0, sole.ball_height])
    return ankle + foot @ sole.heel, ball - down, ball + toe @ sole.tip


@pytest.mark.parametrize("sole", [FLAT, HEELED])
@pytest.mark.parametrize("floor", [0.0, -0.4])
def test_a_foot_that_rolls_stands_on_one_spot(sole, floor):
    foot, toe, ankle, contacts = step(sole)
    ankle = ankle + np.array([0, 0, floor])
    foot, toe, ankle = plant_foot(foot, toe, ankle, sole, contacts, FPS, np.full(len(ankle), floor))
    heel, ball, tip = points(sole, foot, toe, ankle)
    for point, on in ((heel, contacts[:, 0]), (ball, contacts[:, 1])):
        assert np.linalg.norm(np.diff(point[on], axis=0), axis=1).max() < 5e-4
        np.testing.assert_allclose(point[on, 2], floor, atol=5e-4)
    for point in (heel, ball, tip):
        assert point[:, 2].min() > floor - 5e-4
    np.testing.assert_allclose(foot @ np.swapaxes(foot, 1, 2), np.tile(np.eye(3), (90, 1, 1)), atol=1e-9)


@pytest.mark.parametrize("lands", [False, True])
def test_a_foot_that_turns_on_its_heel_keeps_the_heel_where_it_is(lands):
    at = np.arange(60)
    up = (at > 27) & (at < 33)
    contacts = np.stack([np.ones(60, bool), ~up], axis=1)
    # at once: between two frames in which the ball stands it is elsewhere
    yaw = axis_angle(np.tile([0.0, 0, 1], (60, 1)), np.radians(30.0 * (at >= (33 if lands else 28))))
    foot = yaw @ pitched(np.where(up, -15.0, 0.0))
    ankle = -(foot @ FLAT.heel)
    planted, toe, moved = plant_foot(foot, foot.copy(), ankle, FLAT, contacts, FPS, np.zeros(60))
    heel, ball, _ = points(FLAT, planted, toe, moved)
    assert np.linalg.norm(np.diff(heel, axis=0), axis=1).max() < 5e-4
    on = contacts[1:, 1] & contacts[:-1, 1]
    assert np.linalg.norm(np.diff(ball, axis=0), axis=1)[on].max() < 5e-4


def test_the_spot_is_where_the_foot_was_and_the_rest_is_left_alone():
    foot, toe, ankle, contacts = step(FLAT)
    _, _, planted = plant_foot(foot, toe, ankle, FLAT, contacts, FPS, np.zeros(len(ankle)))
    on = contacts.any(axis=1)
    assert np.linalg.norm((planted - ankle)[on, :2].mean(axis=0)) < 0.01
    far = np.r_[0:15, 80:90]
    np.testing.assert_allclose(planted[far], ankle[far], atol=0.005)


def test_it_goes_down_and_off_without_pops():
    foot, toe, ankle, contacts = step(FLAT)
    _, _, planted = plant_foot(foot, toe, ankle, FLAT, contacts, FPS, np.zeros(len(ankle)))
    before, after = (np.linalg.norm(np.diff(x, 2, axis=0), axis=1).max() for x in (ankle, planted))
    assert after <= 1.1 * before


def test_a_heel_to_toe_roll_is_kept():
    foot, toe, ankle, contacts = step(FLAT)
    planted, _, _ = plant_foot(foot, toe, ankle, FLAT, contacts, FPS, np.zeros(len(ankle)))

    def pitch(rotation):
        return np.degrees(np.arctan2(rotation[:, 2, 1], rotation[:, 1, 1]))

    assert pitch(planted)[31] < -5  # lands on the heel
    assert pitch(planted)[61] > 20  # leaves over the ball
    flat = contacts.all(axis=1)
    heel, ball, _ = points(FLAT, planted, planted, ankle)
    np.testing.assert_allclose(heel[flat, 2], ball[flat, 2], atol=1e-6)


def test_without_contact_only_the_floor_counts():
    foot, toe, ankle, _ = step(FLAT)
    none = np.zeros((90, 2), bool)
    high = ankle + np.array([0, 0, 0.2])
    for before, after in zip(
        (foot, toe, high), plant_foot(foot, toe, high, FLAT, none, FPS, np.zeros(len(none))), strict=True
    ):
        np.testing.assert_allclose(after, before, atol=1e-9)
    low = ankle - [0, 0, 0.15]
    soles = points(FLAT, *plant_foot(foot, toe, low, FLAT, none, FPS, np.zeros(len(none))))
    assert min(p[:, 2].min() for p in soles) > -5e-4


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_clips_of_few_frames(frames):
    foot, toe, ankle, _ = (x[40 : 40 + frames] for x in step(FLAT))
    on = np.ones((frames, 2), bool)
    foot, toe, ankle = plant_foot(foot, toe, ankle, FLAT, on, FPS, np.zeros(len(ankle)))
    heel, ball, _ = points(FLAT, foot, toe, ankle)
    np.testing.assert_allclose([heel[:, 2], ball[:, 2]], 0, atol=5e-4)


def test_softly_over_is_never_below_and_smooth():
    need = np.zeros(60)
    need[30] = 0.05
    curve = softly_over(need, np.full(60, 0.03), 100.0)
    assert (curve >= need).all()
    assert np.abs(np.diff(curve[:29], 2)).max() < 0.2 * 0.05
    # what is needed for long is all that it is
    need[10:50] = 0.05
    np.testing.assert_allclose(softly_over(need, np.full(60, 0.03), 100.0)[27:33], 0.05, rtol=0.01)


def test_stairs_are_stood_on_and_the_longest_level_is_the_floor():
    heights, contacts = np.full((100, 4), 5.0), np.zeros((100, 4), bool)
    for first, end, points, height in (
        (0, 40, slice(0, 2), 1.0),
        (20, 60, slice(2, 4), 1.17),
        (60, 100, slice(0, 2), 1.34),
    ):
        contacts[first:end, points], heights[first:end, points] = True, height
    heights[5] += 0.02  # one frame is noise
    under = floors_under(heights, contacts, 0.0)
    # two stances are as long: the first is the floor
    np.testing.assert_allclose(under[[0, 39, 50, 60, 99], 0], [0, 0, 0, 0.34, 0.34], atol=1e-9)
    np.testing.assert_allclose(under[:, 1], 0.17, atol=1e-9)
    assert (floors_under(heights, np.zeros((100, 4), bool), -0.3) == -0.3).all()


def test_feet_that_stand_about_as_high_stand_on_one_level():
    heights, contacts = np.full((100, 4), 5.0), np.zeros((100, 4), bool)
    for first, end, points, height in (
        (0, 45, slice(0, 2), 0.02),
        (0, 40, slice(2, 4), -0.02),
        (60, 80, slice(0, 2), 0.41),
        (60, 80, slice(2, 4), 0.39),
        (90, 100, slice(0, 2), 0.37),
    ):
        contacts[first:end, points], heights[first:end, points] = True, height
    under = floors_under(heights, contacts, 1.0)
    assert sorted(set(under.round(9).ravel())) == pytest.approx([1.0, 1.395], abs=0.01)
    np.testing.assert_array_equal(under[70, 0], under[[70, 95], [1, 0]])
