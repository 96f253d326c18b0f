"""The figures of bench.footage are those of made landmarks whose errors are known."""

import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from kinelift.bench import footage
from kinelift.bench.footage import COMPARED, JOINTS_COMPARED, Truth
from kinelift.bench.sheets import landmark_sheet
from kinelift.core.kinematics import joint_positions
from kinelift.core.landmarks import LANDMARK, LANDMARKS, MIRRORED
from kinelift.core.skeleton import INDEX, STANDARD_HEIGHT, TEMPLATE_OFFSETS
from kinelift.tests.videos import SAMPLE

#: height of the made person in the picture, pixels
TALL = 200.0
#: frames
COUNT = 6
LEGS = [LANDMARK[f"{name}.{side}"] for name in ("hip", "knee", "ankle") for side in "LR"]


@pytest.fixture
def person():
    """Landmarks (T, 33, 3) of somebody who stands facing the camera, and their truth."""
    still = np.tile(np.eye(3), (1, len(INDEX), 1, 1))
    joints = joint_positions(still, np.zeros((1, 3)), TEMPLATE_OFFSETS)[0]
    flat = joints[[INDEX[name] for name in JOINTS_COMPARED]] * [1, 1, -1] * TALL / STANDARD_HEIGHT
    truth = Truth(30.0, np.tile(300 + flat[:, [0, 2]], (COUNT, 1, 1)), np.full(COUNT, TALL))
    landmarks = np.full((COUNT, 33, 3), 1.0)
    landmarks[:, COMPARED, :2] = truth.pixels
    return landmarks, truth


def test_landmarks_that_are_right_have_no_error_and_a_shift_is_a_share_of_the_height(person):
    landmarks, truth = person
    landmarks[2, :, 0] += 0.05 * TALL
    landmarks[3] = np.nan
    error, swapped, elsewhere = footage.off_truth(landmarks, truth)
    assert error[[0, 1, 2, 4]] == pytest.approx([0, 0, 0.05, 0])
    assert np.isnan(error[3]) and not swapped.any() and not elsewhere.any()


def test_exchanged_legs_or_arms_or_both_are_swapped_and_somebody_in_profile_is_not(person):
    landmarks, truth = person
    mirrored = landmarks[:, list(MIRRORED)]
    landmarks[1] = mirrored[1]
    landmarks[2, LEGS] = mirrored[2, LEGS]
    arms = [i for i in COMPARED if i not in LEGS]
    landmarks[4, arms] = mirrored[4, arms]
    error, swapped, elsewhere = footage.off_truth(landmarks, truth)
    assert swapped.tolist() == [False, True, True, False, True, False] and not elsewhere.any()
    assert (error[swapped] > 0.05).all()
    pixels = truth.pixels.copy()
    pixels[..., 0] = 300 + 0.02 * (pixels[..., 0] - 300)
    landmarks[:, COMPARED, 0] = pixels[:, footage._OTHERS, 0]
    assert not footage.off_truth(landmarks, replace(truth, pixels=pixels))[1].any()


def test_somebody_else_is_elsewhere_and_not_swapped(person):
    landmarks, truth = person
    landmarks[3:] = landmarks[3:, list(MIRRORED)] + [0.5 * TALL, 0, 0]
    _, swapped, elsewhere = footage.off_truth(landmarks, truth)
    assert elsewhere.tolist() == [False] * 3 + [True] * 3 and not swapped.any()


def test_the_longest_gap_may_be_at_an_end_or_be_everything_or_nothing():
    assert footage.longest_gap(np.array([1, 0, 0, 1, 0, 0, 0], bool)) == 3
    assert footage.longest_gap(np.zeros(5, bool)) == 5
    assert footage.longest_gap(np.ones(5, bool)) == 0


def test_the_truth_is_taken_at_the_video_s_rate_and_unknown_beyond_its_end(person):
    _, truth = person
    moved = replace(truth, pixels=truth.pixels + np.arange(COUNT)[:, None, None])
    at = moved.at(15.0, 4)
    assert np.allclose(at.pixels[:3], moved.pixels[::2])
    assert np.isnan(at.pixels[3]).all() and np.isnan(at.height[3])


def test_a_reference_without_a_drawn_truth_is_projected_through_its_camera(tmp_path):
    still = np.tile(np.eye(3), (1, len(INDEX), 1, 1))
    joints = joint_positions(still, np.array([[0.3, 0, 1.0]]), TEMPLATE_OFFSETS)
    joints = joints[:, [INDEX[name] for name in JOINTS_COMPARED]]
    pose = np.eye(4)
    pose[:3, :3] = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    pose[:3, 3] = [0, 1, 4]
    known = {
        "fps": 60.0, "joint_names": np.array(JOINTS_COMPARED), "joints_world": joints,
        "K": np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]), "camera_from_world": pose,
        "size": np.array([640, 480]),
    }  # fmt: skip
    np.savez(tmp_path / "a.npz", **known)
    truth = footage.read_truth(tmp_path / "a.npz", (1280, 960))
    assert truth is not None and truth.fps == 60
    x, y, z = joints[0, 4]
    assert truth.pixels[0, 4] == pytest.approx(
        [2 * (320 + 500 * x / (y + 4)), 2 * (240 + 500 * (1 - z) / (y + 4))]
    )
    depth = joints[0, :, 1].mean() + 4
    assert truth.height == pytest.approx(2 * 500 * STANDARD_HEIGHT / depth)
    np.savez(
        tmp_path / "b.npz", **{key: known[key] for key in ("fps", "joint_names", "joints_world", "size")}
    )
    assert footage.read_truth(tmp_path / "b.npz", (640, 480)) is None


def test_a_mean_leaves_out_what_a_clip_lacks_and_groups_are_folders_or_stages(tmp_path):
    assert footage.mean([{"found": 50.0}, {"found": 100.0, "error": 2.0}]) == {"found": 75.0, "error": 2.0}
    assert footage.group_of(tmp_path / "real/pair_cam2.mp4") == "pair"
    assert footage.group_of(tmp_path / "videos/walk_side.mp4") == "videos"


def test_clips_that_cannot_be_read_have_a_sentence_in_their_row(tmp_path, monkeypatch, capsys):
    for name in ("one", "two"):
        (tmp_path / f"{name}.mp4").write_bytes(b"no video")
    monkeypatch.setattr(sys, "argv", ["footage", str(tmp_path)])
    footage.main()
    said = capsys.readouterr().out
    assert "| one | one.mp4 can't be read" in said and "| two | two.mp4 can't be read" in said


@pytest.mark.parametrize(("size", "columns"), [((400, 300), 4), ((300, 400), 6)])
def test_a_sheet_shows_left_orange_right_blue_and_a_red_frame_where_nobody_was_found(tmp_path, size, columns):
    wide, high = size
    landmarks = np.full((7, len(LANDMARKS), 3), [-100.0, -100.0, 1.0])
    for side, x in (("L", 0.75), ("R", 0.25)):
        for name, y in (("hip", 0.3), ("knee", 0.6), ("ankle", 0.9)):
            landmarks[:, LANDMARK[f"{name}.{side}"], :2] = x * wide, y * high
    landmarks[1] = np.nan
    grey = [np.full((high, wide, 3), 90, np.uint8)] * 7
    landmark_sheet(grey, landmarks, ["0.0 s"] * 7, tmp_path / "sheet.jpg")
    image = cv2.imread(str(tmp_path / "sheet.jpg"))[..., ::-1].astype(int)
    rows = -(-7 // columns)
    tile_high, tile_wide = image.shape[0] // rows, image.shape[1] // columns
    assert tile_high / tile_wide == pytest.approx(high / wide, abs=0.01)
    first, second = image[:tile_high, :tile_wide], image[:tile_high, tile_wide : 2 * tile_wide]

    def near(x):
        """The colour furthest from grey around a place halfway down a shin."""
        part = first[int(0.75 * tile_high), int(x * tile_wide) - 4 : int(x * tile_wide) + 5]
        return part[np.abs(part - 90).sum(1).argmax()]

    assert near(0.75)[0] > near(0.75)[2] + 60 and near(0.25)[2] > near(0.25)[0] + 60
    assert np.abs(first[tile_high // 2, 1] - 90).max() < 20
    assert second[tile_high // 2, 1, 0] > second[tile_high // 2, 1, 1] + 60


@pytest.mark.slow
def test_the_sample_is_found_in_every_frame_and_nearly_where_it_is(tmp_path):
    figures = footage.measure(SAMPLE, "quick", tmp_path)
    assert figures["frames"] == 120 and figures["found"] == 100 and figures["gap"] == 0
    assert figures["swapped"] == figures["elsewhere"] == 0 and figures["error"] < 4
    assert (tmp_path / "walk_front.jpg").exists()
