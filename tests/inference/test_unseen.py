"""What nobody sees rests; what is seen stays as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from kinelift.core.kinematics import joint_positions, local_rotations
from kinelift.core.landmarks import LANDMARK, LANDMARKS
from kinelift.core.options import FADE, HOLD, TRIM
from kinelift.core.rotations import axis_angle, geodesic_angle, quaternion_from_matrix
from kinelift.core.skeleton import INDEX, JOINTS, TEMPLATE_LENGTHS, rest_offsets
from kinelift.inference.lift import Estimate
from kinelift.inference.unseen import LEGS, above_floor, at_rest, rested, unseen, without_contacts
from kinelift.tests.walks import walk

FPS = 30.0
FRAMES = 150
HEAD = [LANDMARK[name] for name in LANDMARKS[: LANDMARK["shoulder.L"]]]
LEG = ("thigh", "shin", "foot", "toe")
ALWAYS = slice(0, FRAMES)


def seen(hidden: npt.ArrayLike = (), when: slice = ALWAYS, frames: int = FRAMES) -> npt.NDArray[np.float64]:
    """Confidence of landmarks of which some are hidden for a while."""
    out = np.full((frames, len(LANDMARKS)), 0.9)
    out[when, hidden] = 0.02
    return out


def both(*names: str) -> list[int]:
    return [INDEX[f"{name}.{side}"] for name in names for side in "LR"]


def names(gone: npt.NDArray[np.bool_]) -> set[str]:
    """The joints that are gone in some frame."""
    return {JOINTS[joint] for joint in np.flatnonzero(gone.any(0))}


def turned(axis: tuple[float, float, float], angles: npt.ArrayLike) -> npt.NDArray[np.float64]:
    angles = np.asarray(angles, np.float64)
    return np.asarray(axis_angle(np.broadcast_to(np.array(axis), (*angles.shape, 3)), angles))


@pytest.fixture
def squatting() -> Estimate:
    """Somebody whom the lifter lets squat with the nods of the trunk, two metres away."""
    nod = 0.3 * np.sin(np.arange(FRAMES) / 5)
    rotations = np.tile(np.eye(3), (FRAMES, len(JOINTS), 1, 1))
    rotations[:, [INDEX[n] for n in ("hips", "spine", "chest", "neck", "head")]] = turned((1, 0, 0), nod)[
        :, None
    ]
    rotations[:, both("thigh")] = turned((1, 0, 0), nod - 0.4)[:, None]
    rotations[:, both("shin")] = turned((1, 0, 0), 0.4 - nod)[:, None]
    root = np.tile([0.2, 2.0, -0.1], (FRAMES, 1))
    return Estimate(TEMPLATE_LENGTHS, rotations, root, np.ones((FRAMES, 4)), np.array([0.0, 0.0, 1.0]))


def quickest(body: Estimate, joints: list[int]) -> float:
    """Radians per frame."""
    turns = geodesic_angle(body.rotations[1:, joints], body.rotations[:-1, joints])
    return float(turns.max())


# --- who is out of sight ---


def test_nothing_is_gone_where_everything_is_seen() -> None:
    assert not unseen(seen(), FPS).any()


def test_legs_below_the_picture() -> None:
    gone = unseen(seen(LEGS), FPS)
    assert names(gone) == {JOINTS[joint] for joint in both(*LEG)} and gone[:, both(*LEG)].all()


def test_shins_and_feet_are_left_to_the_lifter_where_knees_are_seen() -> None:
    assert not unseen(seen([k for k in LEGS if not LANDMARKS[k].startswith("knee")]), FPS).any()


def test_feet_that_are_seen_below_a_table_are_legs_that_are_seen() -> None:
    knees = [LANDMARK["knee.L"], LANDMARK["knee.R"]]
    assert not unseen(seen(knees), FPS).any()


def test_a_head_that_leaves_the_picture() -> None:
    gone = unseen(seen(HEAD, slice(40, 80)), FPS)
    assert names(gone) == {"neck", "head"}
    np.testing.assert_array_equal(np.flatnonzero(gone[:, INDEX["head"]]), np.arange(40, 80))


def test_somebody_who_isn_t_found_is_gone_with_all_joints() -> None:
    gone = unseen(seen(np.arange(33), slice(40, 80)), FPS)
    assert gone[40:80].all() and not gone[:40].any() and not gone[80:].any()


def test_a_trunk_is_known_from_legs_that_are_seen() -> None:
    shoulders = [LANDMARK["shoulder.L"], LANDMARK["shoulder.R"]]
    assert names(unseen(seen(HEAD + shoulders), FPS)) == {"neck", "head"}
    assert "hips" in names(unseen(seen(HEAD + shoulders + LEGS), FPS))


def test_arms_behind_the_body_are_left_to_the_lifter() -> None:
    arms = [LANDMARK[f"{n}.L"] for n in ("elbow", "wrist", "pinky", "index", "thumb")]
    assert not unseen(seen(arms), FPS).any()


def test_what_is_hidden_for_less_than_a_second_is_left_to_the_lifter() -> None:
    assert not unseen(seen(LEGS, slice(40, 60)), FPS).any()
    assert unseen(seen(LEGS, slice(40, 60)), FPS / 2).any()  # 1.3 s


def test_a_glimpse_is_no_sight() -> None:
    confidence = seen(LEGS)
    confidence[70:74] = 0.3
    assert unseen(confidence, FPS)[:, both(*LEG)].all()
    confidence[70:74] = 0.9
    assert not unseen(confidence, FPS)[70:74].any()


@pytest.mark.parametrize("frames", [1, 2, 10])
def test_a_picture_or_a_short_clip(frames: int) -> None:
    assert unseen(seen(LEGS, frames=frames), FPS)[:, both(*LEG)].all()
    assert not unseen(seen(frames=frames), FPS).any()


def test_feet_that_are_gone_stand_on_nothing(squatting: Estimate) -> None:
    gone = unseen(seen(LEGS, slice(40, 100)), FPS)
    contacts = without_contacts(squatting, gone).contacts
    assert not contacts[40:100].any() and contacts[:40].all() and contacts[100:].all()


@pytest.mark.parametrize("when", [slice(0, 12), slice(FRAMES - 12, FRAMES)])
def test_who_leaves_or_enters_the_picture_may_have_been_gone_for_long(when: slice) -> None:
    assert unseen(seen(np.arange(33), when), FPS)[when].all()
    brief = slice(when.start, when.start + 5) if when.start == 0 else slice(when.stop - 5, when.stop)
    assert not unseen(seen(np.arange(33), brief), FPS).any()


# --- how they rest ---


def test_what_is_seen_stays(squatting: Estimate) -> None:
    assert rested(squatting, unseen(seen(), FPS), np.ones(FRAMES), FPS, False) is squatting
    gone = unseen(seen(LEGS, slice(40, 100)), FPS)
    calm = rested(squatting, gone, np.ones(FRAMES), FPS, False)
    np.testing.assert_array_equal(calm.rotations[~gone], squatting.rotations[~gone])
    np.testing.assert_array_equal(calm.root, squatting.root)


def test_legs_stand_still_however_the_trunk_moves(squatting: Estimate) -> None:
    calm = rested(squatting, unseen(seen(LEGS), FPS), np.ones(FRAMES), FPS, False)
    np.testing.assert_allclose(
        calm.rotations[:, both(*LEG)], np.broadcast_to(np.eye(3), (FRAMES, 8, 3, 3)), atol=1e-6
    )


def test_they_get_there_and_back_smoothly(squatting: Estimate) -> None:
    calm = rested(squatting, unseen(seen(LEGS, slice(40, 100)), FPS), np.ones(FRAMES), FPS, False)
    still = calm.rotations[56:84, both(*LEG)]
    np.testing.assert_allclose(still, np.broadcast_to(np.eye(3), still.shape), atol=1e-6)
    assert quickest(calm, both(*LEG)) < 1.5 * quickest(squatting, both(*LEG))


def test_they_turn_with_somebody_who_turns_slowly(squatting: Estimate) -> None:
    half_round = turned((0, 0, 1), np.linspace(0, np.pi, FRAMES))
    body = replace(squatting, rotations=half_round[:, None] @ squatting.rotations)
    calm = rested(body, unseen(seen(LEGS), FPS), np.ones(FRAMES), FPS, False)
    off = geodesic_angle(calm.rotations[:, both(*LEG)], half_round[:, None])
    assert off.max() < np.radians(10)


def test_somebody_whose_thighs_are_raised_sits(squatting: Estimate) -> None:
    rotations = squatting.rotations.copy()
    rotations[:, both("thigh")] = turned((1, 0, 0), np.full(FRAMES, -1.3))[:, None]
    body = replace(squatting, rotations=rotations)
    gone = unseen(seen(LEGS), FPS)
    joints = {}
    for standing in (False, True):
        calm = rested(body, gone, np.ones(FRAMES), FPS, standing)
        placed = joint_positions(calm.rotations, calm.root, rest_offsets(body.lengths))
        joints[standing] = placed - placed[:, :1]
    ahead = joints[False][:, INDEX["shin.L"]]
    assert (ahead[:, 1] < -0.35).all() and np.abs(ahead[:, 2]).max() < 0.01  # knees before the hips
    assert joints[False][:, INDEX["foot.L"], 2].mean() == pytest.approx(-0.405, abs=0.01)
    assert joints[True][:, INDEX["foot.L"], 2].mean() == pytest.approx(-0.805, abs=0.01)


def test_somebody_whose_hips_rise_for_long_gets_up(squatting: Estimate) -> None:
    up = np.clip((np.arange(FRAMES) - 60) / 15, 0, 1)
    body = replace(squatting, root=squatting.root + 0.4 * up[:, None] * [0, 0, 1])
    calm = rested(body, unseen(seen(LEGS), FPS), np.ones(FRAMES), FPS, False)
    raised = 1 - calm.rotations[:, INDEX["thigh.L"], 2, 2]
    assert (raised[:50] > 0.99).all() and (raised[85:] < 0.01).all()
    assert quickest(calm, both(*LEG)) < 0.25
    placed = joint_positions(calm.rotations, calm.root, rest_offsets(body.lengths))
    assert np.ptp(placed[:, INDEX["foot.L"], 2]) < 0.2  # the feet stay about where they are
    jump = replace(
        squatting,
        root=squatting.root + 0.4 * np.exp(-(((np.arange(FRAMES) - 70) / 5) ** 2))[:, None] * [0, 0, 1],
    )
    calm = rested(jump, unseen(seen(LEGS), FPS), np.ones(FRAMES), FPS, False)
    assert quickest(calm, both(*LEG)) < 1e-6


def test_legs_go_on_from_a_trunk_that_lies(squatting: Estimate) -> None:
    down = turned((1, 0, 0), np.array(-np.pi / 2))
    calm = rested(
        replace(squatting, rotations=down @ squatting.rotations),
        unseen(seen(LEGS), FPS),
        np.ones(FRAMES),
        FPS,
        False,
    )
    hips = calm.rotations[:, INDEX["hips"]]
    np.testing.assert_allclose(calm.rotations[:, INDEX["shin.R"]], hips, atol=1e-6)


def test_a_head_goes_evenly_from_where_it_was_seen_to_where_it_is_seen(squatting: Estimate) -> None:
    rotations = squatting.rotations.copy()
    look = turned((0, 0, 1), np.where(np.arange(FRAMES) < 60, 0.5, -0.5))
    rotations[:, INDEX["head"]] = rotations[:, INDEX["neck"]] @ look
    rotations[40:80, INDEX["head"]] = turned((0, 1, 0), np.linspace(0, 9, 40))  # a wild guess
    body = replace(squatting, rotations=rotations)
    calm = rested(body, unseen(seen(HEAD, slice(40, 80)), FPS), np.ones(FRAMES), FPS, False)
    local = np.swapaxes(calm.rotations[:, INDEX["neck"]], -1, -2) @ calm.rotations[:, INDEX["head"]]
    angles = np.arctan2(local[:, 1, 0], local[:, 0, 0])
    assert (np.diff(angles) < 1e-9).all() and np.abs(np.diff(angles)).max() < 0.05
    np.testing.assert_array_equal(
        calm.rotations[~np.isin(np.arange(FRAMES), range(40, 80))],
        body.rotations[~np.isin(np.arange(FRAMES), range(40, 80))],
    )


@pytest.mark.parametrize(("when", "kept"), [(slice(100, FRAMES), 99), (slice(0, 50), 50)])
def test_before_the_first_and_after_the_last_time_everything_holds_still(
    squatting: Estimate, when: slice, kept: int
) -> None:
    wild = replace(squatting, root=squatting.root + np.cumsum(np.full((FRAMES, 3), 0.02), axis=0))
    gone = unseen(seen(np.arange(33), when), FPS)
    calm = rested(wild, gone, np.where(gone[:, 0], 0.0, 1.0), FPS, False)
    joints = [j for j in range(len(JOINTS)) if j not in both(*LEG)]
    still = calm.rotations[when][:, joints]
    np.testing.assert_allclose(still, np.broadcast_to(wild.rotations[kept, joints], still.shape), atol=1e-6)
    np.testing.assert_allclose(calm.root[when], np.broadcast_to(wild.root[kept], calm.root[when].shape))


def test_feet_that_nobody_sees_stay_above_the_floor() -> None:
    plain = walk(FRAMES, FPS)
    low = replace(plain, root=plain.root + [0, 0, 0.01] * np.sin(np.arange(FRAMES))[:, None])
    gone = unseen(seen(LEGS, slice(60, FRAMES)), FPS)
    body = Estimate(low.lengths, low.world_rotations, low.root, low.contacts, np.array([0.0, 0.0, 1.0]))
    calm = rested(body, gone, np.ones(FRAMES), FPS, True)
    stands = replace(low, rotations=quaternion_from_matrix(local_rotations(calm.rotations)))
    assert stands.sole_points()[80:, :, 2].min() < -0.04
    motion = above_floor(stands, gone)
    heels = motion.sole_points()[:, [0, 2], 2]
    assert -0.01 < heels[80:].min() < 0.01
    turned_by = motion.world_rotations[80:, both(*LEG)]
    np.testing.assert_allclose(turned_by, np.broadcast_to(turned_by[0], turned_by.shape), atol=1e-3)
    np.testing.assert_allclose(motion.joints[:60], stands.joints[:60], atol=1e-6)
    jumps = np.linalg.norm(np.diff(motion.joints[:, both("shin", "foot")], axis=0), axis=-1)
    assert jumps[59:].max() < 1.5 * jumps[:59].max()


def test_feet_above_the_floor_stay_where_they_are() -> None:
    plain = walk(FRAMES, FPS)
    assert above_floor(plain, np.zeros((FRAMES, len(JOINTS)), bool)) is plain


def test_hips_that_are_seen_alone_stay_in_their_place_of_the_picture(squatting: Estimate) -> None:
    root = squatting.root.copy()
    root[40:80] *= np.linspace(1, 3, 40)[:, None]  # flies away along its line of sight
    root[40:80, 0] += 0.05
    shoulders = [LANDMARK["shoulder.L"], LANDMARK["shoulder.R"]]
    gone = unseen(seen(HEAD + shoulders + LEGS, slice(40, 80)), FPS)
    calm = rested(replace(squatting, root=root), gone, np.ones(FRAMES), FPS, False)
    np.testing.assert_allclose(calm.root[:, 1], 2.0)
    np.testing.assert_allclose(calm.root[:, ::2] / calm.root[:, 1:2], root[:, ::2] / root[:, 1:2])


def test_somebody_who_is_never_seen_keeps_one_pose(squatting: Estimate) -> None:
    gone = np.ones((FRAMES, len(JOINTS)), bool)
    calm = rested(squatting, gone, np.zeros(FRAMES), FPS, False)
    assert quickest(calm, list(range(len(JOINTS)))) < 1e-3 and np.isfinite(calm.root).all()


# --- where nobody is seen ---


def found(*gaps: slice) -> npt.NDArray[np.bool_]:
    out = np.ones(FRAMES, bool)
    for gap in gaps:
        out[gap] = False
    return out


@pytest.mark.parametrize("how", [HOLD, TRIM])
def test_a_motion_that_is_held_stands_still_at_both_ends(how: str) -> None:
    motion = walk(FRAMES)
    rests = at_rest(motion, found(slice(0, 20), slice(110, FRAMES)), how)
    np.testing.assert_array_equal(rests.rotations[20:110], motion.rotations[20:110])
    np.testing.assert_array_equal(rests.contacts[20:110], motion.contacts[20:110])
    assert np.abs(rests.joints[:20] - motion.joints[20]).max() < 1e-6
    assert np.abs(rests.joints[110:] - motion.joints[109]).max() < 1e-6
    assert (rests.contacts[:20] == motion.contacts[20]).all()
    assert (rests.contacts[110:] == motion.contacts[109]).all() and rests.contacts[110:].any()


def test_a_motion_that_fades_slows_down_to_rest_on_its_own_path() -> None:
    motion = walk(FRAMES)
    rests = at_rest(motion, found(slice(0, 20), slice(100, FRAMES)), FADE)
    np.testing.assert_array_equal(rests.root[20:100], motion.root[20:100])
    speed = np.linalg.norm(np.diff(rests.root, axis=0), axis=1) * FPS
    assert (np.diff(speed[99:]) < 0.005).all() and (np.diff(speed[:20]) > -0.005).all()
    assert speed[100] > 0.5 and speed[115:].max() < 0.05 and speed[:4].max() < 0.05
    assert np.linalg.norm(rests.root[-1] - motion.root[99]) < 0.12


@pytest.mark.parametrize("how", [HOLD, TRIM])
def test_in_a_long_gap_the_motion_rests_and_then_goes_over(how: str) -> None:
    motion = walk(FRAMES)
    rests = at_rest(motion, found(slice(40, 90)), how)
    assert np.abs(rests.joints[40:75] - motion.joints[39]).max() < 1e-6
    np.testing.assert_array_equal(rests.root[90:], motion.root[90:])
    way = motion.root[90] - motion.root[39]
    steps = np.diff(rests.root[74:91], axis=0) @ way / (way @ way)
    assert (steps > -1e-6).all() and steps.sum() == pytest.approx(1)
    assert steps[[0, -1]].max() < steps.max() / 3


def test_what_is_short_or_fades_in_between_is_left_alone() -> None:
    motion = walk(FRAMES)
    assert at_rest(motion, found(), HOLD) is motion
    assert at_rest(motion, found(slice(40, 60)), HOLD) is motion
    assert at_rest(motion, found(slice(40, 90)), FADE) is motion
    slow = replace(motion, slow_motion=4.0)
    assert at_rest(slow, found(slice(40, 90)), HOLD) is slow


@pytest.mark.parametrize("how", [HOLD, TRIM, FADE])
@pytest.mark.parametrize("frame", [0, 70, FRAMES - 1])
def test_somebody_who_is_found_once_rests_all_the_time(how: str, frame: int) -> None:
    motion = walk(FRAMES)
    rests = at_rest(motion, found(slice(0, frame), slice(frame + 1, FRAMES)), how)
    assert np.linalg.norm(rests.root - motion.root[frame], axis=1).max() < 0.12
