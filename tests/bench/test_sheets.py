"""The rows of a contact sheet show captured and true limbs from where they say."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from kinelift.bench import sheets
from kinelift.bench.scenes import SCENES
from kinelift.bench.stage import looking, reference
from kinelift.core.colours import LEFT, RIGHT
from kinelift.core.motion import Motion
from kinelift.core.skeleton import JOINTS, TEMPLATE_OFFSETS
from kinelift.tests.motions import capture_of
from kinelift.tests.videos import write_video


@pytest.fixture
def stairs(tmp_path):
    """A motion, and its reference before a camera that looks along -X."""
    scene = SCENES["stairs_up"]()
    np.savez(tmp_path / "a.npz", **reference(scene, looking((5.0, 0.0, 1.0), (0.0, 0.0, 1.0))))
    return scene.motion, tmp_path / "a.npz"


@pytest.mark.parametrize(
    ("view", "across", "upwards"),
    [("side", [-1, 0, 0], [0, 0, 1]), ("back", [0, -1, 0], [0, 0, 1]), ("top", [0, 1, 0], [-1, 0, 0])],
)
def test_a_view_shows_the_truth_over_the_truth_from_its_side(stairs, view, across, upwards):
    motion, path = stairs
    captured, true = sheets._from(view, motion, path)
    assert np.abs(captured - true).max() < 1e-4
    joints = motion.joints[:, [sheets.INDEX[name] for name in sheets.LIMBS]]
    hips = joints[:, [sheets.LIMBS.index(f"thigh.{s}") for s in "LR"]].mean(1, keepdims=True)
    assert np.abs(true - (joints - hips) @ np.array([across, upwards]).T).max() < 1e-4


def test_what_is_captured_too_far_away_is_to_the_right_in_the_side_view(stairs):
    motion, path = stairs
    captured, true = sheets._from("side", motion, path)
    # a rest pose with longer arms on the left: that side is nearer to this camera's right hand
    offsets = motion.offsets.copy()
    offsets[sheets.INDEX["upper_arm.R"], 0] -= 0.1
    wide, _ = sheets._from("side", replace(motion, offsets=offsets), path)
    arm = sheets.LIMBS.index("upper_arm.R")
    assert (wide[:, arm, 0] > captured[:, arm, 0] + 0.05).all()
    assert np.abs(captured - true).max() < 1e-4


@pytest.fixture
def facing():
    """Somebody in the T-pose, two metres to the side, whose face and toes point along -Y."""
    rotations = np.zeros((3, len(JOINTS), 4))
    rotations[..., 0] = 1
    motion = Motion(30.0, 0.0, TEMPLATE_OFFSETS, rotations, np.zeros((3, 3)), np.zeros((3, 4)))
    root = [2.0, 0.0, -motion.sole_points()[..., 2].min()]
    return capture_of(replace(motion, root=np.tile(root, (3, 1))))


def _places(picture, colour):
    """Rows and columns of a picture in which something has a colour's hue."""
    towards = np.array(colour, float) - np.mean(colour)
    away = picture.astype(float) - picture.mean(-1, keepdims=True)
    alike = (away @ towards) / (np.linalg.norm(towards) * np.maximum(np.linalg.norm(away, axis=-1), 1e-9))
    return np.nonzero((alike > 0.9) & (np.ptp(picture, axis=-1) > 30))


@pytest.mark.parametrize(
    ("right", "up", "left_is"),
    [((-1, 0, 0), (0, 0, 1), -1), ((1, 0, 0), (0, 1, 0), 1)],
    ids=["from behind", "from above"],
)
def test_a_body_has_its_sides_where_they_are(facing, right, up, left_is):
    picture = sheets._bodies(facing, [1], np.array(right, float), np.array(up, float))[0]
    (_, left), (_, other) = _places(picture, LEFT), _places(picture, RIGHT)
    assert len(left) > 100
    assert len(other) > 100
    assert left_is * (left.mean() - other.mean()) > 20
    # in the middle, wherever it is in the world
    assert abs(np.concatenate([left, other]).mean() - picture.shape[1] / 2) < 3


def test_a_body_stands_on_its_floor_and_looks_towards_the_camera(facing):
    picture = sheets._bodies(facing, [1], np.array([0, 1.0, 0]), np.array([0, 0, 1.0]))[0]
    floor = int(np.flatnonzero((picture == sheets._FLOOR).all(-1).any(1))[0])
    rows, columns = _places(picture, RIGHT)  # the camera's right is the person's left, which hides the right
    rows_left, columns_left = _places(picture, LEFT)
    rows, columns = np.concatenate([rows, rows_left]), np.concatenate([columns, columns_left])
    assert abs(rows.max() - floor) <= 2
    high = (rows.max() - rows.min()) * sheets._METRES / sheets._PIXELS
    assert high == pytest.approx(facing.motion.height, abs=0.05)
    low = rows > floor - 8
    assert columns[low].min() < columns.mean() - 8  # the toes are nearer to the camera, which is to the left


def test_a_sheet_has_a_row_for_each_side_and_leaves_nothing_else(facing, tmp_path):
    frames = 20
    motion = facing.motion
    longer = replace(
        motion,
        rotations=np.repeat(motion.rotations[:1], frames, 0),
        root=np.repeat(motion.root[:1], frames, 0),
        contacts=np.zeros((frames, 4)),
    )
    video = write_video(tmp_path / "a.mp4", [np.full((108, 192, 3), 110, np.uint8)] * frames)
    sheets.body_sheet(video, capture_of(longer), tmp_path / "a.jpg")
    wide, high = sheets._BODIES * sheets._PIXELS, 4 * sheets._PIXELS
    assert cv2.imread(str(tmp_path / "a.jpg")).shape == (high, wide, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "a.mp4"]
