from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinelift.core.bvh import read_bvh, write_bvh
from kinelift.core.errors import CaptureError
from kinelift.core.kinematics import joint_positions, world_rotations
from kinelift.core.rotations import axis_angle, quaternion_from_matrix
from kinelift.core.skeleton import JOINTS
from kinelift.tests.motions import random_motion


def in_order_of_joints(names: list[str]) -> list[int]:
    return [names.index(name) for name in JOINTS]


@pytest.mark.parametrize("fps", [24.0, 29.97, 60.0, 240.0])
def test_file_gives_the_same_motion_back(tmp_path: Path, fps: float) -> None:
    motion = random_motion(100, seed=1, fps=fps)
    write_bvh(motion, tmp_path / "clip.bvh")
    bvh = read_bvh(tmp_path / "clip.bvh")
    assert bvh.fps == pytest.approx(fps, rel=1e-6)
    order = in_order_of_joints(bvh.names)
    world = world_rotations(bvh.rotations[:, order])
    np.testing.assert_allclose(world, motion.world_rotations, atol=1e-6)
    joints = joint_positions(world, bvh.root, bvh.offsets[order])
    assert np.abs(joints - motion.joints).max() < 1e-5


def test_y_is_up_and_the_rest_pose_faces_z(tmp_path: Path) -> None:
    motion = random_motion(2)
    still = np.tile([1.0, 0, 0, 0], (2, len(JOINTS), 1))
    write_bvh(replace(motion, rotations=still), tmp_path / "clip.bvh")
    words = (tmp_path / "clip.bvh").read_text().split()

    def offset(name: str) -> list[float]:
        at = words.index("OFFSET", words.index(name))
        return [float(word) for word in words[at + 1 : at + 4]]

    assert offset("spine")[1] > 0.05  # up
    assert offset("toe.L")[2] > 0.05  # forwards
    assert offset("forearm.L")[0] > 0.1 > -0.1 > offset("forearm.R")[0]


@pytest.mark.parametrize("degrees", [89.99999, 90.0, 90.00001, -90.0])
def test_right_angles_about_x_come_back(tmp_path: Path, degrees: float) -> None:
    # where two of a BVH's three angles turn about the same axis
    frames = 8
    x = axis_angle(np.array([[1.0, 0, 0]]), np.radians(np.full(frames, degrees)))
    y = axis_angle(np.array([[0.0, 0, 1]]), np.linspace(-3, 3, frames))  # BVH's Y is the world's Z
    z = axis_angle(np.array([[0.0, -1, 0]]), np.linspace(2, -2, frames))
    motion = random_motion(frames, seed=2)
    rotations = motion.rotations.copy()
    rotations[:, 5] = quaternion_from_matrix(z @ x @ y)
    motion = replace(motion, rotations=rotations)
    write_bvh(motion, tmp_path / "clip.bvh")
    bvh = read_bvh(tmp_path / "clip.bvh")
    world = world_rotations(bvh.rotations[:, in_order_of_joints(bvh.names)])
    np.testing.assert_allclose(world, motion.world_rotations, atol=1e-5)


def test_angles_do_not_jump(tmp_path: Path) -> None:
    frames = 120
    motion = random_motion(frames, seed=3)
    rotations = motion.rotations.copy()
    turning = axis_angle(np.array([[0.0, 0, 1]]), np.linspace(0, 6 * np.pi, frames))  # three pirouettes
    rotations[:, 0] = quaternion_from_matrix(turning)
    write_bvh(replace(motion, rotations=rotations), tmp_path / "clip.bvh")
    lines = (tmp_path / "clip.bvh").read_text().split("Frame Time:")[1].splitlines()[1:]
    hips = np.array([line.split()[3:6] for line in lines], dtype=float)
    assert np.abs(np.diff(hips, axis=0)).max() < 15


def test_any_channel_order_is_read(tmp_path: Path) -> None:
    (tmp_path / "other.bvh").write_text(
        """HIERARCHY
        ROOT hips { OFFSET 0 0 0
          CHANNELS 6 Xposition Yposition Zposition Yrotation Xrotation Zrotation
          JOINT spine { OFFSET 0 1 0 CHANNELS 3 Xrotation Yrotation Zrotation
            End Site { OFFSET 0 1 0 } } }
        MOTION Frames: 2 Frame Time: 0.04
        0 1 0  0 0 0  0 0 0
        1 2 3  90 0 0  90 0 0
        """
    )
    bvh = read_bvh(tmp_path / "other.bvh")
    assert (bvh.names, bvh.parents, bvh.fps) == (["hips", "spine"], [-1, 0], 25)
    np.testing.assert_allclose(bvh.root[1], [1, -3, 2])
    np.testing.assert_allclose(bvh.offsets[1], [0, 0, 1])
    up = world_y = np.array([0, 0, 1.0])
    # about Y the hips turn to the side: forwards (-Y in Blender) becomes left (+X)
    np.testing.assert_allclose(bvh.rotations[1, 0] @ [0, -1, 0], [1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(bvh.rotations[1, 0] @ world_y, up, atol=1e-9)
    # about X the spine leans forwards
    np.testing.assert_allclose(bvh.rotations[1, 1] @ up, [0, -1, 0], atol=1e-9)


#: a sound file, of which the following spoil a part
SOUND = """HIERARCHY ROOT hips { OFFSET 0 0 0 CHANNELS 4 Xposition Yrotation Xrotation Zrotation
    JOINT spine { OFFSET 0 1 0 CHANNELS 1 Xrotation End Site { OFFSET 0 1 0 } } }
    MOTION Frames: 2 Frame Time: 0.04  0 1 2 3 4  5 6 7 8 9"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (SOUND, "", "no BVH file"), ("HIERARCHY", "", "no BVH file"), ("MOTION", "", "no BVH file"),
        ("} } }", "} }", "no BVH file"), ("} } }", "} } } }", "no BVH file"), (" 8 9", " 8", "other values"),
        ("OFFSET 0 1 0 CH", "OFFSET 0 1 CH", "no BVH file"), ("OFFSET 0 1 0 CH", "MASS 7 CH", "'MASS'"),
        ("CHANNELS 4", "CHANNELS 5", "part of a joint"), ("CHANNELS 1", "CHANNELS -1", "part of a joint"),
        ("CHANNELS 1", "CHANNELS 99999999999", "no BVH file"), ("Yrotation", "Wscale", "kind 'Wscale'"),
        ("spine", "hips", "two of its joints have one name"), ("JOINT", "} ROOT", "no BVH file"),
        ("End Site", "End", "no BVH file"), ("{ OFFSET 0 0 0", "OFFSET 0 0 0", "no BVH file"),
        ("Frames: 2", "Frames: 1000000000000", "other values"), ("Frames: 2", "Frames: 0", "other values"),
        ("Frames: 2", "Frames: -2", "other values"), ("Frames: 2", "Frames: two", "no BVH file"),
        ("Frames: 2", "Frames: " + "9" * 5000, "no BVH file"), ("Time: 0.04", "Time:", "frame time is"),
        ("0.04", "0", "frame time is 0.0"), ("0.04", "-0.04", "frame time is -0.04"),
        ("0.04", "nan", "frame time is nan"), (" 7 ", " nan ", "sensible"), (" 7 ", " 1e30 ", "sensible"),
        (" 7 ", " x ", "no BVH file"), ("OFFSET 0 1 0 CH", "OFFSET 0 inf 0 CH", "sensible"),
    ],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_a_damaged_file_is_refused_in_a_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    (tmp_path / "clip.bvh").write_text(SOUND)
    assert read_bvh(tmp_path / "clip.bvh").names == ["hips", "spine"]
    assert SOUND.count(old) > 0
    (tmp_path / "clip.bvh").write_text(SOUND.replace(old, new, 1))
    assert said in refusal(tmp_path / "clip.bvh")


def refusal(path: Path) -> str:
    with pytest.raises(CaptureError) as caught:
        read_bvh(path)
    sentence = str(caught.value)
    assert str(path) in sentence and sentence.endswith(".") and "\n" not in sentence
    return sentence


def test_what_is_no_text_and_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clip.bvh").write_bytes(SOUND.encode("utf-16"))
    assert "no BVH file" in refusal(tmp_path / "clip.bvh") and "no BVH file" in refusal(tmp_path)
    assert "There is no file" in refusal(tmp_path / "gone.bvh")


def test_joints_may_lie_ten_thousand_deep(tmp_path: Path) -> None:
    deep = "".join(f"JOINT j{i} {{ OFFSET 0 1 0 " for i in range(10_000)) + "} " * 10_000
    (tmp_path / "deep.bvh").write_text(SOUND.replace("End Site { OFFSET 0 1 0 }", deep))
    assert len(read_bvh(tmp_path / "deep.bvh").names) == 10_002


def test_one_frame(tmp_path: Path) -> None:
    write_bvh(random_motion(1), tmp_path / "clip.bvh")
    assert len(read_bvh(tmp_path / "clip.bvh").root) == 1


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CaptureError, match="Can't write"):
        write_bvh(random_motion(2), tmp_path / "file" / "clip.bvh")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
