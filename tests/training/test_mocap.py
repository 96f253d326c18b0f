"""Mocap sequences are what the BVH file says."""

import re

import numpy as np
import pytest

from kinelift.core.errors import CaptureError
from kinelift.core.skeleton import STANDARD_HEIGHT
from kinelift.tests.motions import random_motion
from kinelift.training.mocap import load_mocap


def test_a_sequence_is_what_the_bvh_says_at_standard_size(mocap):
    motion = random_motion(60, 0)
    sequence = load_mocap(mocap)[0]
    scale = STANDARD_HEIGHT / motion.height
    assert np.allclose(sequence.rotations, motion.world_rotations, atol=1e-4)
    assert np.allclose(np.diff(sequence.root, axis=0), np.diff(motion.root, axis=0) * scale, atol=1e-4)
    assert np.allclose(sequence.lengths, motion.lengths * scale, atol=1e-4)


def test_what_is_no_use_is_named_and_left_out(mocap, tmp_path, capsys):
    good = (mocap / f"{load_mocap(mocap)[0].name}.bvh").read_text()
    files = {
        "good": good,
        "armless": good.replace("JOINT forearm.L", "JOINT antenna.L"),
        "slow": re.sub(r"Frame Time: .*", "Frame Time: 2.0", good),
        "blank": re.sub(r"(Frame Time: .*\n)\S+", r"\1nan", good),
        "bowed": good.replace("JOINT shin.L\n", "JOINT shin.L # ", 1),
    }
    offset = re.compile(r"(JOINT shin\.L\s*{\s*OFFSET) \S+ \S+ \S+")
    files["bowed"] = offset.sub(r"\1 0.3 0 0.3", good)
    for name, text in files.items():
        (tmp_path / f"{name}.bvh").write_text(text)
    capsys.readouterr()
    assert [clip.name for clip in load_mocap(tmp_path)] == ["good"]
    said = capsys.readouterr().err.splitlines()
    assert [line.split(".bvh")[0].rpartition("/")[2] for line in said] == [
        "armless",
        "blank",
        "bowed",
        "slow",
    ]
    for line, word in zip(said, ("forearm.L", "number", "rest pose", "rate"), strict=True):
        assert word in line, line
    (tmp_path / "good.bvh").unlink()
    with pytest.raises(CaptureError, match="no BVH files of use"):
        load_mocap(tmp_path)
