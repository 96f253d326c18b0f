from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinelift.core.errors import CaptureError
from kinelift.core.motion import CONTACT_POINTS, Motion
from kinelift.core.skeleton import (
    INDEX,
    JOINTS,
    PARENTS,
    STANDARD_HEIGHT,
    TEMPLATE_LENGTHS,
    rest_offsets,
)
from kinelift.tests.motions import random_motion

ARRAYS = (
    "offsets", "rotations", "root", "contacts", "confidence", "landmarks", "world_landmarks", "others"
)  # fmt: skip


def test_file_gives_the_same_motion_back(tmp_path: Path) -> None:
    motion = replace(
        random_motion(30, seed=1, fps=29.97, size=(1080, 1920)),
        start=2.5, settings={"video": "tänz \"1\".mp4", "end": None}, warnings=("One.", "Two."),
    )  # fmt: skip
    motion.landmarks[3] = np.nan
    motion.save(tmp_path / "m.npz")
    again = Motion.load(tmp_path / "m.npz")
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(again, name), getattr(motion, name))
    for name in ("fps", "start", "settings", "warnings"):
        assert getattr(again, name) == getattr(motion, name)
    assert (again.camera.focal, again.camera.size) == (motion.camera.focal, motion.camera.size)
    np.testing.assert_array_equal(again.camera.camera_from_world, motion.camera.camera_from_world)


def test_file_holds_no_pickles(tmp_path: Path) -> None:
    random_motion(3).save(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz", allow_pickle=False) as data:
        assert {*ARRAYS, "header", "camera_from_world"} == set(data.files)
        assert all(data[name].dtype != object for name in data.files)


def test_bones_keep_their_lengths() -> None:
    motion = random_motion(50, seed=2)
    for joint, parent in enumerate(PARENTS[1:], start=1):
        length = np.linalg.norm(motion.joints[:, joint] - motion.joints[:, parent], axis=-1)
        np.testing.assert_allclose(length, np.linalg.norm(motion.offsets[joint]), atol=1e-6)
    np.testing.assert_allclose(motion.joints[:, 0], motion.root, atol=1e-9)


def test_signs_of_quaternions_are_made_continuous() -> None:
    motion = random_motion(40, seed=3)
    signs = np.where(np.random.default_rng(0).random((40, len(JOINTS), 1)) < 0.5, -1, 1)
    mixed = replace(motion, rotations=motion.rotations * signs)
    assert ((mixed.rotations[1:] * mixed.rotations[:-1]).sum(-1) > 0).all()
    np.testing.assert_allclose(mixed.joints, motion.joints, atol=1e-6)


def t_pose(**changes: object) -> Motion:
    """One frame of the template, standing with its ankles at their height."""
    motion = random_motion(1)
    identity = np.tile([1.0, 0, 0, 0], (1, len(JOINTS), 1))
    root = np.array([[0, 0, 0.40 + 0.405 + 0.090]])
    return replace(motion, offsets=rest_offsets(TEMPLATE_LENGTHS), rotations=identity, root=root, **changes)  # type: ignore[arg-type]


def test_soles_of_the_t_pose_are_on_the_floor() -> None:
    motion = t_pose()
    points = dict(zip(CONTACT_POINTS, motion.sole_points()[0], strict=True))
    for side, sign in (("L", 1), ("R", -1)):
        heel, toe, ankle = (
            points[f"heel.{side}"],
            points[f"toe.{side}"],
            motion.joints[0, INDEX[f"foot.{side}"]],
        )
        assert abs(heel[2]) < 0.01 and abs(toe[2]) < 0.05
        assert heel[1] > ankle[1] > toe[1]
        assert heel[0] * sign > 0.05 and toe[0] * sign > 0.05


def test_height() -> None:
    assert t_pose().height == pytest.approx(STANDARD_HEIGHT)
    assert 1.6 < STANDARD_HEIGHT < 1.85
    assert replace(t_pose(), offsets=rest_offsets(TEMPLATE_LENGTHS * 1.1)).height == pytest.approx(
        STANDARD_HEIGHT * 1.1, rel=1e-5
    )


def test_wrong_shapes_are_refused() -> None:
    motion = random_motion(5)
    for name in ARRAYS:
        with pytest.raises(ValueError, match=name):
            replace(motion, **{name: getattr(motion, name)[..., :-1]})


def files_that_are_no_motion(folder: Path) -> dict[str, Path]:
    whole = folder / "whole.npz"
    random_motion(20).save(whole)
    data = whole.read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 0xFF

    def repacked(name: str, **changes: object) -> bytes:
        with np.load(whole) as source:
            arrays = {key: source[key] for key in source.files}
        header = json.loads(str(arrays["header"]))
        for key, value in changes.items():
            if key in arrays:
                arrays[key] = value  # type: ignore[assignment]
            elif value is None:
                del header[key]
            else:
                header[key] = value
        arrays["header"] = np.array(json.dumps(header))
        np.savez(folder / f"{name}.npz", **arrays)
        return (folder / f"{name}.npz").read_bytes()

    contents = {
        "empty": b"",
        "text": b"a text file that somebody renamed",
        "cut off": data[: len(data) // 2],
        "flipped": bytes(flipped),
        "newer": repacked("newer", version=99),
        "other joints": repacked("other joints", joints=["hips"]),
        "no version": repacked("no version", version=None),
        "no size": repacked("no size", size=None),
        "uneven": repacked("uneven", root=np.zeros((3, 3))),
        "reference": b"",
    }
    paths = {}
    for name, content in contents.items():
        paths[name] = folder / f"{name}.npz"
        paths[name].write_bytes(content)
    np.savez(paths["reference"], joints_world=np.zeros((4, 22, 3)))
    with zipfile.ZipFile(folder / "zip.npz", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    return {**paths, "zip": folder / "zip.npz", "folder": folder, "gone": folder / "gone.npz"}


@pytest.mark.parametrize(
    "kind",
    [
        "empty", "text", "cut off", "flipped", "newer", "other joints", "no version", "no size", "uneven",
        "reference", "zip", "folder", "gone",
    ],
)  # fmt: skip
def test_what_is_no_motion_is_refused_in_a_sentence(tmp_path: Path, kind: str) -> None:
    path = files_that_are_no_motion(tmp_path)[kind]
    with pytest.raises(CaptureError) as caught:
        Motion.load(path)
    sentence = str(caught.value)
    assert str(path) in sentence and sentence.endswith(".") and "\n" not in sentence


def test_folder_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CaptureError, match="Can't write"):
        random_motion(3).save(tmp_path / "file" / "m.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
