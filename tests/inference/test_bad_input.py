"""What goes wrong in front of a camera, through everything after the detector: a plausible body comes out,
unsure where nothing was seen, without NaNs, limbs bent the wrong way, or jumps when the person comes back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from kinelift.core.camera import Camera
from kinelift.core.capture import Source
from kinelift.core.foot_ik import clean_up
from kinelift.core.kinematics import local_rotations
from kinelift.core.landmarks import LANDMARK, LANDMARKS
from kinelift.core.options import Settings
from kinelift.core.rotations import axis_angle, geodesic_angle, quaternion_from_matrix
from kinelift.core.skeleton import INDEX, STANDARD_HEIGHT, TEMPLATE_LENGTHS
from kinelift.inference.pipeline import capture, resolve
from kinelift.tests.motions import capture_of, landmarks_on, level_camera
from kinelift.tests.walks import walk

# captures, detects or starts other programs
pytestmark = pytest.mark.slow

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "walk_front.mp4"
ARMS = ("upper_arm", "forearm", "hand")
LEGS = ("thigh", "shin", "foot", "toe")
LIMBS = [INDEX[f"{name}.{side}"] for name in (*ARMS, *LEGS[:3]) for side in "LR"]
UP = np.array([0.0, 0.0, 1.0])


def both(*names):
    return [INDEX[f"{name}.{side}"] for name in names for side in "LR"]


# --- somebody who walks, and what a good detector says of them ----------------------------------------------


def walking(frames=90, fps=30.0):
    """A walk whose arms swing, wholly in the picture."""
    motion = walk(frames, fps)
    world = motion.world_rotations.copy()
    seconds = np.arange(frames) / fps
    for side, sign in (("L", 1.0), ("R", -1.0)):
        down = axis_angle(np.array([0.0, 1, 0]), np.full(frames, sign * np.radians(75)))
        swing = axis_angle(np.array([1.0, 0, 0]), sign * np.radians(25) * np.sin(2 * np.pi * seconds))
        bend = axis_angle(UP, np.full(frames, -sign * np.radians(25)))
        for name in ARMS:
            turn = swing @ down
            world[:, INDEX[f"{name}.{side}"]] = turn if name == "upper_arm" else turn @ bend
    return before_camera(replace(motion, rotations=quaternion_from_matrix(local_rotations(world))))


def before_camera(motion):
    """A capture of the motion by a camera that stands farther away."""
    camera = level_camera((1920, 1080), distance=5.5, height=1.0)
    return replace(capture_of(motion), camera=camera)


def moving(capture, **changes):
    """The same with something else of its motion."""
    return replace(capture, motion=replace(capture.motion, **changes))


def moved(capture, turn, shift=(0.0, 0.0, 0.0)):
    """The person turned about where the walk begins, and shifted; the camera stays."""
    motion = capture.motion
    centre = motion.root[0] * [1, 1, 0]
    return moving(
        capture,
        rotations=quaternion_from_matrix(local_rotations(turn @ motion.world_rotations)),
        root=(motion.root - centre) @ turn.T + centre + shift,
    )


def filmed(capture, size=None, noise=0.008):
    """The same with what a detector says of it: off by `noise` of the person's height, and by 30 mm in 3D.

    What lies outside the picture is guessed, badly, with visibility 0.
    """
    rng = np.random.default_rng(3)
    motion, camera = capture.motion, capture.camera
    points = landmarks_on(motion)
    pixels = camera.project(points)
    depth = (points @ camera.camera_from_world[2, :3] + camera.camera_from_world[2, 3])[..., None]
    pixels = pixels + rng.normal(0, noise, pixels.shape) * motion.height * camera.focal / depth
    inside = ((pixels >= 0) & (pixels < camera.size)).all(-1)
    guess = rng.normal(0, 0.1, pixels.shape) * motion.height * camera.focal / depth
    pixels = np.where(inside[..., None], pixels, pixels + guess)
    hips = points[:, [LANDMARK["hip.L"], LANDMARK["hip.R"]]].mean(1, keepdims=True)
    solid = (points - hips) @ camera.camera_from_world[:3, :3].T + rng.normal(0, 0.03, points.shape)
    return replace(
        capture,
        landmarks=np.concatenate([pixels, np.where(inside, 0.95, 0.0)[..., None]], -1),
        world_landmarks=solid,
        settings={"start": 0.0, "end": None, "fps": None},
        source=Source("made.mp4"),
    )


def lost(capture, frames):
    """The same with nobody found in those frames."""
    landmarks, solid = capture.landmarks.copy(), capture.world_landmarks.copy()
    landmarks[frames], solid[frames] = np.nan, np.nan
    return replace(capture, landmarks=landmarks, world_landmarks=solid)


def through(capture):
    """What the pipeline makes of the landmarks; everything that must always hold does."""
    solved = resolve(capture, {"focal": 28.0})
    assert len(solved) == len(capture)
    assert np.isfinite(solved.confidence).all()
    assert (solved.confidence >= 0).all() and (solved.confidence <= 1).all()
    assert np.isfinite(solved.camera.camera_from_world).all() and solved.camera.focal > 0
    for one in (solved.motion, clean_up(solved.motion)):
        plausible(one)
    return solved


# --- what must always hold ----------------------------------------------------------------------------------


def plausible(motion):
    """Finite, bones of a person's size, no limb bent the wrong way, no neck or back wrung, nothing pops."""
    for name in ("offsets", "rotations", "root", "contacts"):
        assert np.isfinite(getattr(motion, name)).all(), name
    ratio = motion.lengths / TEMPLATE_LENGTHS
    assert ratio.min() > 0.6 and ratio.max() < 1.6
    assert bent_back(motion).max() < 8
    world = motion.world_rotations
    for a, b, most in (("hips", "chest", 100), ("chest", "head", 100)):
        wrung = np.degrees(geodesic_angle(world[:, INDEX[a]], world[:, INDEX[b]]))
        assert wrung.max() < most, (a, b)
    # hands of people who box or throw reach 12 m/s
    assert speeds(motion).max() < 14


def bent_back(motion):
    """How far (T, 4) knees and elbows are bent backwards, degrees."""
    out = []
    for side, sign in (("L", 1.0), ("R", -1.0)):
        for joint, child, bone, front in (
            ("thigh", "shin", [0.0, 0, -1], [0.0, 1, 0]),
            ("upper_arm", "forearm", [sign, 0.0, 0], [0.0, -0.966, 0.259]),
        ):
            along = motion.world_rotations[:, INDEX[f"{child}.{side}"]] @ bone
            out.append(-(along * (motion.world_rotations[:, INDEX[f"{joint}.{side}"]] @ front)).sum(-1))
    return np.degrees(np.arcsin(np.clip(np.stack(out, 1), -1, 1)))


def speeds(motion):
    """Of the joints to the hips (T - 1, J), m/s."""
    relative = motion.joints - motion.joints[:, :1]
    return np.linalg.norm(np.diff(relative, axis=0), axis=-1) * motion.fps


def off(solved, truth, frames=slice(None), joints=LIMBS):
    """Mean distance of limb joints to the hips, metres, in the camera's axes: the pose, wherever it is."""
    posed = []
    for one in (solved, truth):
        places = one.motion.joints
        relative = (places - places[:, :1])[frames][:, joints] / one.motion.height
        posed.append(relative @ one.camera.camera_from_world[:3, :3].T)
    return np.linalg.norm(posed[0] - posed[1], axis=-1).mean() * STANDARD_HEIGHT


def picture_off(solved, truth, joints=LIMBS):
    """Mean distance in the picture, as a share of the person's height there."""
    a, b = (one.camera.project(one.motion.joints)[:, joints] for one in (solved, truth))
    tall = np.ptp(truth.camera.project(truth.motion.joints), axis=1).max(-1)
    return (np.linalg.norm(a - b, axis=-1) / tall[:, None]).mean()


@pytest.fixture(scope="module")
def truth():
    return walking()


@pytest.fixture(scope="module")
def good(truth):
    return through(filmed(truth))


def test_what_is_filmed_well_is_captured_well(good, truth):
    """The yardstick of the others."""
    assert off(good, truth) < 0.09 and picture_off(good, truth) < 0.03
    assert good.confidence.min() > 0.8


# --- what goes wrong ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("never", [(), ("knee.L",), ("nose",)])
def test_single_landmarks_are_missing(never, good, truth):
    seen = filmed(truth)
    landmarks, solid = seen.landmarks.copy(), seen.world_landmarks.copy()
    holes = np.random.default_rng(5).random(landmarks.shape[:2]) < 0.15
    holes[:, [LANDMARK[name] for name in never]] = True
    landmarks[holes], solid[holes] = np.nan, np.nan
    solved = through(replace(seen, landmarks=landmarks, world_landmarks=solid))
    assert off(solved, good) < 0.06
    if "knee.L" in never:
        left, right = solved.confidence[:, both("shin")].mean(0)
        assert left < 0.6 * right


def test_the_detectors_3d_is_missing(truth):
    seen = filmed(truth)
    solved = through(replace(seen, world_landmarks=np.full_like(seen.world_landmarks, np.nan)))
    assert picture_off(solved, truth) < 0.03


@pytest.mark.parametrize("gap", [slice(0, 15), slice(30, 60), slice(70, 90)])
def test_nobody_is_there_for_a_while_and_nothing_pops(gap, good, truth):
    solved = through(lost(filmed(truth), gap))
    assert (solved.confidence[gap] == 0).all()
    there = np.ones(len(truth), bool)
    there[gap] = False
    assert (solved.confidence[there] > 0.8).all()
    assert off(solved, good, there) < 0.05
    assert speeds(solved.motion).max() < 1.3 * speeds(good.motion).max()
    step = np.linalg.norm(np.diff(solved.motion.root, axis=0), axis=1) * solved.motion.fps
    assert step.max() < 2.5


def test_somebody_is_found_in_one_frame_only(good, truth):
    seen = filmed(truth)
    solved = through(lost(seen, [t for t in range(len(seen)) if t != 40]))
    assert (solved.confidence[40] > 0.8).all() and (np.delete(solved.confidence, 40, 0) == 0).all()
    assert speeds(solved.motion).max() < speeds(good.motion).max()  # a guess is calm


def test_only_the_upper_body_is_in_the_picture(truth):
    # filmed from near, so high that the picture ends at the thighs; nobody comes nearer
    still = moving(truth, root=truth.motion.root * [1, 0, 1])
    cut = replace(still, camera=level_camera((1920, 1080), distance=1.9, height=1.62))
    seen = filmed(cut)
    legs = [k for k, n in enumerate(LANDMARKS) if n.split(".")[0] in ("knee", "ankle", "heel", "foot_index")]
    arms = both(*ARMS)
    assert (seen.landmarks[:, legs, 2] == 0).all() and (seen.landmarks[:, 11:17, 2] > 0).mean() > 0.95
    solved = through(seen)
    assert solved.confidence[:, both("shin", "foot", "toe")].max() < 0.1
    assert off(solved, cut, joints=arms) < 0.15
    # the legs hang about where legs are, and don't flail after the guesses
    knees = solved.motion.joints[:, both("shin")] - solved.motion.joints[:, both("thigh")]
    assert knees[..., 2].max() < 0.0
    assert speeds(solved.motion)[:, both("shin", "foot")].max() < 5
    assert any("feet are hardly in the picture" in warning for warning in solved.warnings)


def test_an_arm_is_hidden_for_a_second(good, truth):
    seen = filmed(truth)
    landmarks = seen.landmarks.copy()
    arm = [LANDMARK[f"{n}.L"] for n in ("elbow", "wrist", "pinky", "index", "thumb")]
    hidden = slice(30, 60)
    landmarks[hidden, arm, :2] += np.random.default_rng(2).normal(0, 60, (30, len(arm), 2))
    landmarks[hidden, arm, 2] = 0.02
    solved = through(replace(seen, landmarks=landmarks))
    assert solved.confidence[hidden, INDEX["hand.L"]].max() < 0.1 < 0.8 < solved.confidence[0].min()
    assert speeds(solved.motion)[:, both(*ARMS)].max() < 2 * speeds(good.motion)[:, both(*ARMS)].max()
    assert off(solved, truth, hidden, [INDEX["hand.R"], *both(*LEGS)]) < 0.1


def test_from_behind(truth):
    behind = moved(truth, axis_angle(UP, np.array(np.pi)))
    solved = through(filmed(behind))
    backs = solved.motion.world_rotations[:, INDEX["chest"], :, 1]
    ahead = backs @ solved.camera.camera_from_world[:3, :3].T
    assert (ahead[:, 2] < -0.7).all()  # the back is turned to the camera
    assert off(solved, behind) < 0.12


@pytest.mark.parametrize("turn", ["back", "belly", "side"])
def test_lying(turn, truth):
    still = moving(truth, root=truth.motion.root * [1, 0, 1])
    axis, degrees = {"back": ((0, 1, 0), 90), "belly": ((0, 1, 0), -90), "side": ((1, 0, 0), 90)}[turn]
    # with the head to a side of the picture, on the back, on the belly; or with the feet to the camera
    facing = axis_angle(UP, np.radians(90.0)) if turn != "side" else np.eye(3)
    lying = moved(still, axis_angle(np.array(axis, float), np.radians(float(degrees))) @ facing, (0, 0, 0.2))
    solved = through(filmed(lying))
    assert picture_off(solved, lying) < 0.06
    trunk = solved.motion.joints[:, INDEX["neck"]] - solved.motion.joints[:, 0]
    assert np.degrees(np.arcsin(np.abs(trunk[:, 2]) / np.linalg.norm(trunk, axis=1))).max() < 45


def test_upside_down(truth):
    """A handstand is the same as a camera held upside down: the body lies on the landmarks all the same."""
    over = moved(truth, axis_angle(np.array([0.0, 1, 0]), np.array(np.pi)), (0, 0, 1.7))
    solved = through(filmed(over))
    assert picture_off(solved, over) < 0.06


def test_forty_pixels_high(good, truth):
    """Far away in a small picture: every landmark is a pixel or two off."""
    share = 0.09
    size = (round(1920 * share), round(1080 * share))
    camera = Camera(truth.camera.focal * share, size, truth.camera.camera_from_world)
    far = replace(truth, camera=camera)
    tall = np.ptp(camera.project(far.motion.joints)[..., 1], axis=1)
    assert 30 < tall.mean() < 50
    seen = filmed(far, noise=0.03)
    solved = through(replace(seen, landmarks=np.round(seen.landmarks * [1, 1, 1e6]) / [1, 1, 1e6]))
    assert picture_off(solved, far) < 0.05
    assert off(solved, far) < off(good, truth) + 0.06
    assert speeds(solved.motion).max() < 2 * speeds(good.motion).max()


def test_a_very_fast_pan(truth):
    """The camera turns by 180 degrees a second, there and back, so that the person crosses the picture."""
    seconds = np.arange(len(truth)) / truth.motion.fps
    seen = filmed(truth)
    angle = np.radians(27) * np.sin(2 * np.pi * seconds * 1.06)
    assert np.abs(np.degrees(np.diff(angle)) * truth.motion.fps).max() > 170
    rays = truth.camera.rays(seen.landmarks[..., :2])
    panned = np.einsum("tij,tkj->tki", axis_angle(np.array([0.0, 1, 0]), angle), rays)
    pixels = panned[..., :2] / panned[..., 2:] * truth.camera.focal + truth.camera.centre
    solved = through(
        replace(seen, landmarks=np.concatenate([pixels, seen.landmarks[..., 2:]], -1), camera=truth.camera)
    )
    lengths = [
        np.linalg.norm(one.motion.joints[:, both("foot")] - one.motion.joints[:, both("thigh")], axis=-1)
        for one in (solved, truth)
    ]
    assert np.abs(lengths[0] - lengths[1]).mean() < 0.06  # legs are bent as they were


@pytest.mark.parametrize("fps", [5.0, 12.0])
def test_few_frames_a_second(fps):
    slow = walking(int(4 * fps), fps)
    solved = through(filmed(slow))
    assert off(solved, slow) < 0.1 and picture_off(solved, slow) < 0.03


# --- the sample clip, filmed badly --------------------------------------------------------------------------


def spoilt(out, change, first, every=1):
    """30 frames of the sample from `first` on, one in `every`, after `change`, as a video."""
    video = cv2.VideoCapture(str(SAMPLE))
    rate = video.get(cv2.CAP_PROP_FPS)
    images = [change(video.read()[1]) for _ in range(first + 30)][first::every]
    video.release()
    writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"mp4v"), rate / every, images[0].shape[1::-1])
    for image in images:
        writer.write(image)
    writer.release()
    return out


def smaller(share):
    return lambda image: cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(
    ("change", "first", "every", "unseen"),
    [
        pytest.param(smaller(0.2), 0, 1, False, id="40 px high"),
        pytest.param(smaller(0.5), 0, 6, False, id="5 fps"),
        pytest.param(lambda image: smaller(0.5)(image)[::-1, ::-1], 90, 1, False, id="upside down"),
        pytest.param(lambda image: smaller(0.5)(image[:350]), 90, 1, True, id="cut at the hips"),
    ],
)
def test_the_sample_spoilt(tmp_path, change, first, every, unseen):
    solved = capture(spoilt(tmp_path / "spoilt.mp4", change, first, every), Settings(focal=35.0))
    plausible(solved.motion)
    plausible(clean_up(solved.motion))
    if unseen:
        assert solved.confidence[:, both("foot", "toe")].mean() < 0.2
