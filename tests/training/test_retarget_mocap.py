"""Motion capture in another skeleton becomes the same motion of ours, and what can't is named."""

import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinelift.core.bvh import read_bvh, write_bvh
from kinelift.core.errors import CaptureError
from kinelift.core.rotations import axis_angle, geodesic_angle
from kinelift.core.skeleton import INDEX, JOINTS
from kinelift.tests.motions import random_motion

ROOT = Path(__file__).resolve().parents[2]
#: our joints in another exporter's names
NAMES = {
    "hips": "hip", "spine": "abdomen", "chest": "chest", "neck": "neck", "head": "head", "shoulder": "Collar",
    "upper_arm": "Shldr", "forearm": "ForeArm", "hand": "Hand", "thigh": "Thigh", "shin": "Shin",
    "foot": "Foot", "toe": "Toe",
}  # fmt: skip


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("retarget_mocap", ROOT / "scripts/retarget_mocap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def other_name(joint):
    base, _, side = joint.partition(".")
    return side.lower() + NAMES[base]


@pytest.fixture(scope="module")
def motion():
    return random_motion(30, 5)


@pytest.fixture
def bvh(motion, tmp_path):
    """The motion in other names, in centimetres."""
    write_bvh(motion, tmp_path / "clip.bvh")
    text = (tmp_path / "clip.bvh").read_text()
    text = re.sub(r"(ROOT|JOINT) (\S+)", lambda m: f"{m[1]} {other_name(m[2])}", text)
    (tmp_path / "clip.bvh").write_text(text)
    read = read_bvh(tmp_path / "clip.bvh")
    return replace(read, offsets=100 * read.offsets, root=100 * read.root)


def test_other_names_and_units_are_the_same_motion(script, motion, bvh):
    out = script.retargeted(bvh)
    away = np.degrees(geodesic_angle(out.world_rotations, motion.world_rotations)).max(0)
    # the hands' rest pose is known from fingers alone, and those aren't there
    for joint in JOINTS:
        assert away[INDEX[joint]] < (0.1 if "hand" not in joint else 20), joint
    size = out.lengths / motion.lengths
    assert size == pytest.approx(np.full(len(size), size[-2]), rel=0.5)
    assert out.fps == pytest.approx(motion.fps)


def test_another_rest_pose_is_undone(script, motion, bvh):
    """With arms that hang at rest by 40 degrees the limbs point where they did."""
    rotations, offsets = bvh.rotations.copy(), bvh.offsets.copy()
    order = {name: i for i, name in enumerate(bvh.names)}
    for side, sign in (("l", 1.0), ("r", -1.0)):
        drop = axis_angle(np.array([0.0, 1, 0]), np.array(sign * np.radians(40)))
        upper, lower, hand = (order[f"{side}{n}"] for n in ("Shldr", "ForeArm", "Hand"))
        offsets[[lower, hand]] = offsets[[lower, hand]] @ drop.T
        # a bone's rotation takes its rest direction to where it is
        rotations[:, upper] = rotations[:, upper] @ drop.T
        rotations[:, lower] = drop @ rotations[:, lower] @ drop.T
        rotations[:, hand] = drop @ rotations[:, hand] @ drop.T
    out = script.retargeted(replace(bvh, rotations=rotations, offsets=offsets))
    for joint in ("upper_arm.L", "forearm.R", "shin.L"):
        away = geodesic_angle(out.world_rotations[:, INDEX[joint]], motion.world_rotations[:, INDEX[joint]])
        assert np.degrees(away).max() < 0.5, joint


def test_what_cannot_be_used_is_named(script, bvh):
    broken = bvh.rotations.copy()
    broken[3, 2] = np.nan
    with pytest.raises(CaptureError, match="no numbers"):
        script.retargeted(replace(bvh, rotations=broken))
    with pytest.raises(CaptureError, match="frame rate"):
        script.retargeted(replace(bvh, fps=np.inf))
    names = [name if name != "lShin" else "something" for name in bvh.names]
    with pytest.raises(CaptureError, match=r"no shin\.L"):
        script.retargeted(replace(bvh, names=names))
    with pytest.raises(CaptureError, match="no known skeleton"):
        script.retargeted(replace(bvh, names=[f"joint{i}" for i in range(len(bvh.names))]))


def test_every_sixth_clip_is_kept(script, bvh, motion, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "raw"
    for i in range(7):
        folder.mkdir(exist_ok=True)
        (folder / f"{i}.bvh").write_text((tmp_path / "clip.bvh").read_text())
    (folder / "broken.bvh").write_text("HIERARCHY nothing MOTION")
    monkeypatch.setattr("sys.argv", ["retarget_mocap", str(folder), str(tmp_path / "out")])
    script.main()
    assert len(list((tmp_path / "out/train").glob("*.bvh"))) == 6
    assert [p.name for p in (tmp_path / "out/everyday").glob("*.bvh")] == ["raw_5.bvh"]
    assert "broken.bvh is left out" in capsys.readouterr().err
