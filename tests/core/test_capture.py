"""A capture's file: what was saved comes back, earlier versions are read, and anything else is refused."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinelift.core.capture import Capture, Source
from kinelift.core.errors import CaptureError
from kinelift.core.skeleton import JOINTS
from kinelift.tests.motions import random_capture

OF_MOTION = ("offsets", "rotations", "root", "contacts")
OF_CAPTURE = ("confidence", "landmarks", "world_landmarks", "others")


def test_file_gives_the_same_capture_back(tmp_path: Path) -> None:
    capture = random_capture(30, seed=1, fps=29.97, size=(1080, 1920), warnings=("One.", "Two."))
    capture = replace(
        capture,
        motion=replace(capture.motion, start=2.5),
        settings={"end": None, "focal": 28.0},
        source=Source('tänz "1".mp4', "/a folder", 90, ("It was dark.",)),
    )
    capture.landmarks[3] = np.nan
    capture.save(tmp_path / "m.npz")
    again = Capture.load(tmp_path / "m.npz")
    for name in OF_MOTION:
        np.testing.assert_array_equal(getattr(again.motion, name), getattr(capture.motion, name))
    for name in OF_CAPTURE:
        np.testing.assert_array_equal(getattr(again, name), getattr(capture, name))
    assert (again.motion.fps, again.motion.start) == (29.97, 2.5)
    for name in ("settings", "source", "warnings"):
        assert getattr(again, name) == getattr(capture, name)
    assert (again.camera.focal, again.camera.size) == (capture.camera.focal, capture.camera.size)
    np.testing.assert_array_equal(again.camera.camera_from_world, capture.camera.camera_from_world)


def test_a_file_from_before_motions_and_captures_were_two_is_read(tmp_path: Path) -> None:
    capture = random_capture(5, warnings=("One.",))
    header = {
        "version": 1, "joints": list(JOINTS), "fps": 30.0, "start": 1.5, "focal": capture.camera.focal,
        "size": [1920, 1080], "warnings": ["One."],
        "settings": {
            "video": "clip.mp4", "folder": "/clips", "video_warnings": ["It was dark."], "start": 1.5,
            "end": None, "fps": None, "focal": 28.0, "person": "largest", "device": "auto", "height": None,
        },
    }  # fmt: skip
    np.savez_compressed(
        tmp_path / "old.npz",
        header=np.array(json.dumps(header)),
        camera_from_world=capture.camera.camera_from_world,
        **{name: getattr(capture.motion, name) for name in OF_MOTION},
        **{name: getattr(capture, name) for name in OF_CAPTURE},
    )
    again = Capture.load(tmp_path / "old.npz")
    np.testing.assert_array_equal(again.motion.rotations, capture.motion.rotations)
    assert again.motion.start == 1.5 and again.warnings == ("One.",)
    assert again.source == Source("clip.mp4", "/clips", 0, ("It was dark.",))
    assert (
        again.settings["focal"] == 28.0 and not {"video", "folder", "video_warnings"} & again.settings.keys()
    )


def test_file_holds_no_pickles(tmp_path: Path) -> None:
    random_capture(3).save(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz", allow_pickle=False) as data:
        assert {*OF_MOTION, *OF_CAPTURE, "header", "camera_from_world"} == set(data.files)
        assert all(data[name].dtype != object for name in data.files)


def test_wrong_shapes_are_refused() -> None:
    capture = random_capture(5)
    for name in OF_CAPTURE:
        with pytest.raises(ValueError, match=name):
            replace(capture, **{name: getattr(capture, name)[..., :-1]})


def files_that_are_no_motion(folder: Path) -> dict[str, Path]:
    whole = folder / "whole.npz"
    random_capture(20).save(whole)
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
        Capture.load(path)
    sentence = str(caught.value)
    assert str(path) in sentence and sentence.endswith(".") and "\n" not in sentence


def test_folder_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CaptureError, match="Can't write"):
        random_capture(3).save(tmp_path / "file" / "m.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
