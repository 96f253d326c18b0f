"""The solver on a walk whose truth is known: what lifter and detector get wrong is put right together."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from kinelift.core.camera import WORLD_FROM_LEVEL_CAMERA
from kinelift.core.contacts import GRAVITY
from kinelift.core.kinematics import joint_positions
from kinelift.core.landmarks import LANDMARK, PLACES
from kinelift.core.rotations import axis_angle, geodesic_angle
from kinelift.core.skeleton import (
    BALL_HEIGHT,
    END_POINTS,
    HEEL_OFFSET,
    INDEX,
    JOINTS,
    STANDARD_HEIGHT,
    rest_offsets,
    standing_height,
)
from kinelift.inference.lift import Estimate
from kinelift.inference.solve import solver, terms
from kinelift.inference.solve.problem import CameraPath, Evidence, Known, Standing, problem_of
from kinelift.inference.solve.solver import settle, solve
from kinelift.tests.motions import level_camera
from kinelift.tests.walks import walk

CPU = torch.device("cpu")
FPS = 30.0
ARMS = [INDEX[f"{name}.{side}"] for name in ("upper_arm", "forearm", "hand") for side in "LR"]
BESIDE = np.array([0.0, 1.0, 0.0])  # level axes: x right, y away from the camera, z up


def walking(frames=90, fps=FPS, swing=30.0, rate=2.0):
    """Somebody who walks by with arms that swing by so many degrees, so often a second, in level axes."""
    motion = walk(frames, fps)
    world = motion.world_rotations.copy()
    seconds = np.arange(frames) / fps
    for side, sign in (("L", 1.0), ("R", -1.0)):
        down = axis_angle(BESIDE, np.full(frames, sign * np.radians(75)))
        to_and_fro = axis_angle(
            np.array([1.0, 0, 0]), sign * np.radians(swing) * np.sin(2 * np.pi * rate * seconds)
        )
        bend = axis_angle(np.array([0.0, 0, 1]), np.full(frames, -sign * np.radians(20)))
        for name in ("upper_arm", "forearm", "hand"):
            turn = to_and_fro @ down
            world[:, INDEX[f"{name}.{side}"]] = turn if name == "upper_arm" else turn @ bend
    pose = WORLD_FROM_LEVEL_CAMERA @ level_camera((1920, 1080)).camera_from_world[:3]
    return Estimate(
        lengths=motion.lengths,
        rotations=pose[:, :3] @ world,
        root=motion.root.astype(float) @ pose[:, :3].T + pose[:, 3],
        contacts=motion.contacts.astype(float),
        up=pose[:, 2],
    )


def joints(body):
    return joint_positions(body.rotations, body.root, rest_offsets(body.lengths))


def seen(body):
    """Where a perfect detector sees the body: rays (T, 33, 2), y down, and its confidence."""
    scale = standing_height(body.lengths) / STANDARD_HEIGHT
    at = joints(body)
    points = np.stack(
        [
            at[:, INDEX[a]] + body.rotations[:, INDEX[by]] @ (np.array(place) * scale)
            for a, by, place in PLACES
        ],
        axis=1,
    )
    rays = np.stack([points[..., 0], -points[..., 2]], -1) / points[..., 1:2]
    return rays, np.ones(rays.shape[:2])


def evidence(body, rays=None, confidence=None, fps=FPS):
    """What a lifter says, beside where a perfect detector sees it, or other landmarks."""
    if rays is None:
        rays, confidence = seen(body)
    return Evidence(body, rays, confidence, fps, CPU)


def off(a, b):
    """Distances of the joints (T, J), metres."""
    return np.linalg.norm(joints(a) - joints(b), axis=-1)


def picture_off(a, b):
    """Distances of the joints (T, J) in the picture, metres at the person's distance."""
    flat = [x[..., ::2] / x[..., 1:2] for x in (joints(a), joints(b))]
    return np.linalg.norm(flat[0] - flat[1], axis=-1) * b.root[:, None, 1]


def turned(body, joint, axis, degrees):
    """The same with one joint, and what it carries along, turned by so much (T,) about an axis."""
    rotations = body.rotations.copy()
    below = {joint: ("forearm", "hand")}.get("upper_arm", ("hand",)) if "arm" in joint else ()
    for name in (joint, *(f"{n}.{joint[-1]}" for n in below)):
        turn = axis_angle(np.asarray(axis, float), np.radians(np.broadcast_to(degrees, len(rotations))))
        rotations[:, INDEX[name]] = turn @ rotations[:, INDEX[name]]
    return replace(body, rotations=rotations)


def filmed_along(body, path):
    """Where a perfect detector sees the body through a camera that moves: rays and its confidence."""
    back = np.swapaxes(path.rotations, 1, 2)
    root = (back @ (body.root - path.positions)[..., None])[..., 0]
    return seen(replace(body, rotations=back[:, None] @ body.rotations, root=root))


def panning(frames, degrees=25.0):
    """A camera that turns to the side and goes half a metre with the person."""
    share = np.linspace(0, 1, frames)
    return CameraPath(
        axis_angle(np.array([0.0, 0, 1]), np.radians(degrees) * share),
        share[:, None] * [-0.5, 0.1, 0.05],
        np.full(frames, np.radians(0.05)),
        np.full(frames, 0.002),
    )


def test_a_camera_that_moves_does_not_move_the_body():
    truth = walking()
    path = panning(len(truth.root))
    known = replace(evidence(truth, *filmed_along(truth, path)), camera=path)
    solved = solve(known)
    assert off(solved, truth).mean() < 0.004 and off(solved, truth).max() < 0.03
    assert off(solve(replace(known, camera=None)), truth).max() > 0.1


def test_a_camera_is_believed_as_far_as_it_is_known():
    """Its path is shaken by half a degree, which is said, or is kept quiet."""
    truth = walking()
    path = panning(len(truth.root))
    rays, confidence = filmed_along(truth, path)
    axes, angles = _noise_axes(np.random.default_rng(5), (len(rays),), 0.5 * np.sqrt(3))
    shaken = replace(path, rotations=path.rotations @ axis_angle(axes, angles))
    errors = []
    for spread in (0.5, 0.01):
        camera = replace(shaken, turn_spread=np.full(len(rays), np.radians(spread)))
        errors.append(off(solve(replace(evidence(truth, rays, confidence), camera=camera)), truth).mean())
    assert errors[0] < 0.6 * errors[1]


def test_what_is_right_stays():
    truth = walking()
    solved = solve(evidence(truth, *seen(truth), FPS))
    assert off(solved, truth).mean() < 0.004 and off(solved, truth).max() < 0.03
    assert np.allclose(solved.lengths, truth.lengths, rtol=0.01)
    assert (solved.contacts == truth.contacts).all()


@pytest.mark.parametrize("rate", [1.0, 2.0])
def test_a_quick_arm_swing_keeps_its_width(rate):
    truth = walking(rate=rate)
    solved = solve(evidence(truth, *seen(truth), FPS))
    for side in "LR":
        hand = INDEX[f"hand.{side}"]
        swing = [
            np.ptp((joints(b)[:, hand] - joints(b)[:, INDEX["chest"]])[15:-15], axis=0)
            for b in (solved, truth)
        ]
        assert np.linalg.norm(swing[0]) > 0.97 * np.linalg.norm(swing[1])


def test_the_same_at_another_frame_rate():
    for fps in (12.0, 60.0):
        truth = walking(int(3 * fps), fps, rate=1.0)
        assert off(solve(evidence(truth, *seen(truth), fps)), truth).mean() < 0.006


def test_an_arm_beside_the_pictured_one_is_brought_there():
    truth = walking()
    wrong = turned(truth, "upper_arm.L", BESIDE, 15.0)
    solved = solve(evidence(wrong, *seen(truth), FPS))
    hand = INDEX["hand.L"]
    assert picture_off(wrong, truth)[:, hand].mean() > 0.06
    assert picture_off(solved, truth)[:, hand].mean() < 0.01
    assert picture_off(solved, truth)[:, INDEX["foot.R"]].mean() < 0.01


def test_noise_of_lifter_and_detector_becomes_less():
    rng = np.random.default_rng(4)
    truth = walking(120)
    shake = axis_angle(*_noise_axes(rng, (120, len(JOINTS)), 6.0))
    noisy = replace(truth, rotations=shake @ truth.rotations, root=truth.root + rng.normal(0, 0.02, (120, 3)))
    rays, confidence = seen(truth)
    rays = rays + rng.normal(0, 0.015 * STANDARD_HEIGHT / truth.root[:, 1].mean(), rays.shape)
    solved = solve(evidence(noisy, rays, confidence))
    assert off(solved, truth).mean() < 0.5 * off(noisy, truth).mean()
    lively = [np.linalg.norm(np.diff(joints(b), 2, axis=0), axis=-1).mean() for b in (noisy, solved, truth)]
    assert lively[0] > 5 * lively[2] and 0.8 < lively[1] / lively[2] < 2.0


def _noise_axes(rng, shape, degrees):
    vectors = rng.normal(0, np.radians(degrees) / np.sqrt(3), (*shape, 3))
    angles = np.linalg.norm(vectors, axis=-1)
    return vectors / angles[..., None], angles


def test_a_landmark_that_is_plainly_wrong_says_nothing():
    truth = walking()
    rays, confidence = seen(truth)
    rays[30:50, LANDMARK["wrist.R"]] += 0.3
    rays[60:65] = rays[60:65][:, ::-1]  # all of them
    solved = solve(evidence(truth, rays, confidence))
    assert off(solved, truth)[:, INDEX["hand.R"]].max() < 0.06
    assert off(solved, truth).max() < 0.15


def test_where_nothing_was_seen_the_motion_goes_on_and_nothing_pops():
    truth = walking(120)
    rays, confidence = seen(truth)
    rays[40:80], confidence[40:80] = rays[39], 0.0
    drifting = replace(truth, root=truth.root + np.linspace(0, 0.2, 120)[:, None])
    solved = solve(evidence(drifting, rays, confidence))
    assert np.isfinite(joints(solved)).all()
    step = [np.linalg.norm(np.diff(joints(b), axis=0), axis=-1) for b in (solved, truth)]
    assert (step[0] - step[1]).max() < 0.04


def test_knees_and_elbows_never_bend_backwards():
    truth = walking()
    wrong = turned(truth, "forearm.L", [0.0, 0, 1], 60.0)
    shin = INDEX["shin.R"]
    rotations = wrong.rotations.copy()
    side = rotations[:, INDEX["thigh.R"], :, 0]
    rotations[:, shin] = axis_angle(side, np.full(len(side), np.radians(-80.0))) @ rotations[:, shin]
    wrong = replace(wrong, rotations=rotations)
    rays, _ = seen(wrong)
    for confidence in (np.ones(rays.shape[:2]), np.zeros(rays.shape[:2])):
        assert bent_back(wrong).max() > 30
        solved = solve(evidence(wrong, rays, confidence))
        assert bent_back(solved).max() < 6
        assert geodesic_angle(solved.rotations, wrong.rotations)[:, INDEX["thigh.L"]].max() < 0.3


def bent_back(body):
    """How far (T, 4) knees and elbows are bent backwards, degrees."""
    out = []
    for side, sign in (("L", 1.0), ("R", -1.0)):
        for joint, child, bone, front in (
            ("thigh", "shin", [0.0, 0, -1], [0.0, 1, 0]),
            ("upper_arm", "forearm", [sign, 0.0, 0], [0.0, -0.966, 0.259]),
        ):
            along = body.rotations[:, INDEX[f"{child}.{side}"]] @ bone
            out.append(-(along * (body.rotations[:, INDEX[f"{joint}.{side}"]] @ front)).sum(-1))
    return np.degrees(np.arcsin(np.clip(np.stack(out, 1), -1, 1)))


def test_standing_feet_keep_still():
    truth = walking()
    sway = 0.05 * np.sin(2 * np.pi * 1.5 * np.arange(90) / FPS)
    wrong = replace(truth, root=truth.root + sway[:, None] * [0, 1, 0])
    solved = solve(evidence(wrong, *seen(truth), FPS))
    on = (truth.contacts[1:, 1] > 0.5) & (truth.contacts[:-1, 1] > 0.5)
    slide = [
        np.linalg.norm(np.diff(joints(b)[:, INDEX["toe.L"]], axis=0), axis=-1)[on].mean()
        for b in (solved, wrong)
    ]
    assert slide[0] < 0.3 * slide[1]


def test_a_part_of_the_frames_holds_feet_as_firmly_as_all_of_them():
    known = evidence(walking(10))
    standing = np.ones((10, 4))
    standing[5, 0] = 0
    all_of_them = Standing(standing, np.zeros((10, 4), int), np.zeros(10, bool), 1)
    problem = problem_of(known, all_of_them, Known(), slice(None))
    part = problem.every(4)
    assert part.fps == FPS / 4
    assert torch.equal(part.rays, problem.rays[[0, 4, 8]])
    # springs in a row: four times as soft, and each holds a quarter of what the frames weigh
    assert part.firm[:, 1].tolist() == [1 / 16] * 3
    # a foot that lifts in between doesn't stand
    assert part.firm[:, 0].tolist() == [1 / 16, 0, 1 / 16]


def test_a_long_clip_is_the_same_however_it_is_cut(monkeypatch):
    truth = walking(200)
    wrong = turned(truth, "forearm.L", BESIDE, 10 * np.sin(np.arange(200) / 9))
    told = []
    known = evidence(wrong, *seen(truth))
    one_piece = solve(known, lambda *said: told.append(said))
    monkeypatch.setattr(solver, "_STRETCH", 70)
    cut = solve(known, lambda *said: told.append(said))
    assert off(cut, one_piece).max() < 0.008
    assert told == [("solve", n, 200) for n in (0, 200, 0, 70, 140, 200)]
    assert np.allclose(cut.lengths, one_piece.lengths, rtol=0.003)
    in_pieces, floors = settled(truth, wrong, one_piece)
    monkeypatch.undo()
    whole, floor = settled(truth, wrong, one_piece)
    # until they are about to walk into the camera
    seam = (joints(in_pieces) - joints(whole))[:170]
    # gravity, a mean over the pieces, may differ by a tenth of a degree
    assert np.abs(seam).max() < 0.02 and np.abs(floors - floor).max() < 0.02
    assert np.linalg.norm(np.diff(seam, axis=0), axis=-1).max() < 0.001


def settled(truth, lifted, start):
    """What `settle` makes of an answer of `solve`, with the true contacts."""
    known = evidence(replace(lifted, lengths=start.lengths), *seen(truth))
    return settle(known, start, truth.contacts > 0.5, np.zeros(len(truth.root), bool))


def heights(body, floor):
    """Heights (T, 4) of the soles above a floor, metres."""
    scale = standing_height(body.lengths) / STANDARD_HEIGHT
    points = []
    for side in "LR":
        foot, toe = INDEX[f"foot.{side}"], INDEX[f"toe.{side}"]
        points.append(joints(body)[:, foot] + body.rotations[:, foot] @ (scale * np.array(HEEL_OFFSET)))
        points.append(joints(body)[:, toe] - scale * BALL_HEIGHT * body.up)
    return np.stack(points, 1) @ body.up - floor


def test_feet_stand_on_a_level_floor_whatever_the_lifter_says_of_gravity():
    truth = walking(120)
    lean = axis_angle(np.array([1.0, 0, 0]), np.array(np.radians(1.5)))
    lifted = replace(truth, up=lean @ truth.up, root=truth.root + np.linspace(0, 0.3, 120)[:, None] * BESIDE)
    body, floors = settled(truth, lifted, solve(evidence(lifted, *seen(truth))))
    on = truth.contacts > 0.5
    assert len(floors) == 1 and np.abs(heights(body, floors[0])[on]).max() < 0.01
    assert np.degrees(np.arccos(body.up @ truth.up)) < 0.9
    both = on[1:] & on[:-1]
    steps = np.linalg.norm(np.diff(joints(body)[:, [INDEX["toe.L"], INDEX["toe.R"]]], axis=0), axis=-1)
    assert steps[both[:, [1, 3]]].mean() < 0.0005


def test_two_stances_far_apart_tell_that_gravity_is_wrong():
    """A walk up to the camera: it stands twice; the lifter takes the camera for a steeper one."""
    truth = walking(120)
    contacts = np.zeros_like(truth.contacts)
    for frames in (slice(0, 25), slice(95, 120)):
        contacts[frames] = truth.contacts[frames]
    truth = replace(truth, contacts=contacts)
    lifted = replace(truth, up=axis_angle(np.array([1.0, 0, 0]), np.array(np.radians(4.0))) @ truth.up)
    body, floors = settled(truth, lifted, solve(evidence(lifted, *seen(truth))))
    assert len(floors) == 1
    assert np.degrees(np.arccos(body.up @ truth.up)) < 2


def test_a_limb_at_rest_trembles_less_than_its_landmarks(monkeypatch):
    truth = walking(60, swing=0.0)
    rays, confidence = seen(truth)
    rays = rays + np.random.default_rng(2).normal(0, 0.002, rays.shape)
    trembling = []
    for stiff in (terms._CALM, 1.0):
        monkeypatch.setattr(terms, "_CALM", stiff)
        body = solve(evidence(truth, rays, confidence))
        arms = body.rotations[:, ARMS]
        trembling.append(np.linalg.norm(np.diff(arms, n=2, axis=0), axis=(-2, -1)).mean())
    assert trembling[0] < 0.8 * trembling[1]


def test_who_climbs_a_box_stands_on_another_floor():
    truth = walking(120)
    up = truth.up * 0.3
    # from one stance of the left foot on, everything is 30 cm higher
    rise = np.clip((np.arange(120) - 50) / 12, 0, 1)[:, None]
    truth = replace(truth, root=truth.root + rise * up, contacts=truth.contacts.copy())
    truth.contacts[50:62] = 0
    _, floors = settled(truth, truth, solve(evidence(truth, *seen(truth))))
    assert len(floors) == 2 and abs(abs(floors[1] - floors[0]) - 0.3) < 0.03


def test_a_head_that_the_picture_puts_into_the_floor_rests_on_it():
    truth = walking(60)
    stands = np.arange(60) < 30
    over = np.where(stands[:, None, None, None], np.eye(3), axis_angle(BESIDE, np.array(np.pi)))
    deep = replace(truth, rotations=over @ truth.rotations, contacts=truth.contacts * stands[:, None])
    head, top = INDEX["head"], np.array(END_POINTS["head"])

    def lowest(body):
        return (joints(body)[:, head] + body.rotations[:, head] @ top) @ body.up

    floor = heights(truth, 0.0)[truth.contacts > 0.5].mean()
    sunk = lowest(deep) - floor + 0.1  # once it stands on its head, that is 10 cm deep
    deep = replace(deep, root=deep.root - np.where(stands, 0.0, sunk)[:, None] * truth.up)
    body, floors = settled(deep, deep, solve(evidence(deep, *seen(deep))))
    assert (lowest(body) - floors[0])[35:].min() > -0.02
    assert picture_off(body, deep)[35:].mean() < 0.02


def test_who_flies_falls_freely():
    """Landmarks that shake by a body's breadth in the air tell less of the flight than gravity does."""
    frames, fps = 60, 30.0
    truth = walking(frames)
    flying = np.zeros(frames, bool)
    flying[24:39] = True
    seconds = (np.arange(frames) - 31) / fps
    leap = np.where(flying, GRAVITY / 2 * (np.square(8 / fps) - np.square(seconds)), 0.0)
    truth = replace(truth, root=truth.root + leap[:, None] * truth.up, contacts=truth.contacts.copy())
    truth.contacts[23:40] = 0
    rays, confidence = seen(truth)
    rays[flying] += np.random.default_rng(3).normal(0, 0.01, (15, 1, 2))
    known = evidence(truth, rays, confidence)
    peaks = []
    for falls in (flying, np.zeros(frames, bool)):
        body, _ = settle(known, truth, truth.contacts > 0.5, falls)
        peaks.append(np.abs(((body.root - truth.root) @ truth.up)[flying]).max())
    assert peaks[0] < 0.7 * peaks[1]


@pytest.mark.parametrize("frames", [1, 2, 3, 46])
def test_short_clips(frames):
    truth = walking(frames)
    solved = solve(evidence(truth, *seen(truth), FPS))
    assert solved.root.shape == (frames, 3) and off(solved, truth).max() < 0.03
    rotations = solved.rotations
    np.testing.assert_allclose(
        rotations @ np.swapaxes(rotations, -1, -2), np.tile(np.eye(3), (frames, 21, 1, 1)), atol=1e-5
    )


@pytest.mark.parametrize("frames", [1, 2, 3, 40])
@pytest.mark.parametrize("stands", [True, False])
def test_few_frames_and_contact_always_or_never(frames, stands):
    truth = walking(frames)
    contacts, nothing = np.full((frames, 4), stands), np.zeros(frames, bool)
    body, floors = settle(evidence(truth), truth, contacts, nothing)
    assert np.isfinite(joints(body)).all() and len(floors) == stands
    # a foot that is said to stand in a step of 0.7 m is dragged by less, and nothing else moves
    assert off(body, truth).max() < (0.5 if stands and frames > 3 else 0.03)
    assert np.median(off(body, truth)) < 0.05
