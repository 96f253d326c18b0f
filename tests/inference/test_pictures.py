"""A picture is a pose, and numbered pictures are a video at the rate that is asked for."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from kinelift.core.errors import CaptureError
from kinelift.core.options import Settings
from kinelift.inference.pipeline import capture
from kinelift.inference.probe import probe
from kinelift.inference.video import VideoReader
from kinelift.tests.videos import SAMPLE, number, numbered, read_video


def sequence(folder: Path, count: int = 30, first: int = 1, name: str = "walk_{:04d}.png") -> Path:
    folder.mkdir(exist_ok=True)
    for index, image in enumerate(numbered(count)):
        cv2.imwrite(str(folder / name.format(first + index)), image)
    return folder


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tiff", "bmp", "jp2"])
def test_a_picture_of_any_format_is_one_frame(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"pose.{ending}"
    cv2.imwrite(str(path), numbered(6)[5])
    for fps in (None, 12.0, 240.0):
        clip = VideoReader(path, fps=fps)
        (frame,) = clip
        assert (frame.index, frame.time, number(frame.image), clip.size) == (0, 0.0, 5, (64, 48))
        assert (clip.fps, clip.frames, clip.warnings) == (fps or 24, 1, [])


def test_how_a_picture_was_held_is_heeded(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    image = np.full((48, 96, 3), 60, np.uint8)
    image[:24, :48] = 220
    cv2.imwrite(str(path), image)
    # an EXIF block whose only entry says: turned by a quarter
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    (frame,) = VideoReader(path)
    assert np.abs(frame.image.astype(int) - np.rot90(image, -1)).mean() < 8


@pytest.mark.parametrize("given", ["", "walk_%04d.png"])
@pytest.mark.parametrize("fps", [None, 12.0, 60.0])
def test_numbered_pictures_play_at_their_rate(tmp_path: Path, given: str, fps: float | None) -> None:
    folder = sequence(tmp_path / "frames", first=98)
    clip = VideoReader(folder / given, fps=fps)
    assert (clip.path, clip.fps, clip.frames) == (folder / "walk_%04d.png", fps or 24, 30)
    frames = list(clip)
    assert [number(frame.image) for frame in frames] == list(range(30))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(30) / (fps or 24))
    assert [number(f.image) for f in VideoReader(folder / given, 10 / clip.fps, 15 / clip.fps, fps)] == [
        *range(10, 15)
    ]
    assert [number(frame.image) for frame in clip.part(20, 25)] == list(range(20, 25))


def test_a_missing_and_a_broken_picture_are_said(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "frames")
    (folder / "walk_0011.png").unlink()
    (folder / "walk_0012.png").write_bytes(b"no picture")
    clip = VideoReader(folder)
    frames = list(clip)
    assert len(frames) == 30 and len({frame.time for frame in frames}) == 28
    assert clip.warnings == [
        "Pictures of walk_%04d.png are damaged or missing from 0.38 to 0.50 s; the motion there is bridged."
    ]


def test_folders_and_patterns_that_wont_do(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="without numbered pictures"):
        VideoReader(tmp_path)
    sequence(tmp_path / "two", 3)
    sequence(tmp_path / "two", 3, name="b{}.jpg")
    with pytest.raises(CaptureError, match=r"several sequences.*choose one of b%d.jpg, walk_%04d.png"):
        VideoReader(tmp_path / "two")
    with pytest.raises(CaptureError, match="There is no file"):
        VideoReader(tmp_path / "two" / "c_%04d.png")
    broken = sequence(tmp_path / "broken", 2)
    for path in broken.iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(CaptureError, match="can't be read as a video"):
        VideoReader(broken)


@pytest.mark.slow
def test_a_pose_and_a_sequence_are_captured(tmp_path: Path) -> None:
    images = read_video(SAMPLE)[50:80]
    for index, image in enumerate(images):
        cv2.imwrite(str(tmp_path / f"walk_{index:03d}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    pose = capture(tmp_path / "walk_000.png", Settings(quality="quick"))
    assert (len(pose), pose.source.video) == (1, "walk_000.png")
    assert pose.confidence.min() > 0.3 and pose.warnings == ()
    walk = capture(tmp_path, Settings(quality="quick", fps=30.0))
    assert (len(walk), walk.motion.fps) == (30, 30.0)
    assert (walk.source.video, walk.source.folder) == ("walk_%03d.png", str(tmp_path))
    assert probe(tmp_path).frames == 30 and probe(tmp_path / "walk_000.png").frames == 1
