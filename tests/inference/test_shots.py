"""Each shot of a video is captured for itself; what only looks like a cut is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from kinelift.core.errors import CaptureError
from kinelift.core.options import Settings
from kinelift.inference.pipeline import capture, resolve
from kinelift.inference.shots import shots_of
from kinelift.inference.video import VideoReader
from kinelift.tests.videos import SAMPLE, Image, background, read_video, recoloured, with_times, write_video


def scene(seed: int, width: int = 320) -> Image:
    """A picture of a place: large and small patches of colour."""
    rng = np.random.default_rng(seed)
    large, small = (cv2.resize(rng.random((n, 2 * n, 3)), (width, 180)) for n in (4, 20))
    return np.asarray(60 * rng.random(3) + 120 * large + 60 * small, np.float64).clip(0, 255).astype(np.uint8)


def held(seed: int, count: int) -> list[Image]:
    return [scene(seed)] * count


def panned(seed: int, count: int, step: int) -> list[Image]:
    """The camera turns by so many pixels from frame to frame."""
    wide = scene(seed, 320 + step * count)
    return [np.ascontiguousarray(wide[:, step * i : step * i + 320]) for i in range(count)]


def found(path: Path, images: list[Image], **stretch: float) -> list[float]:
    video = write_video(path, images)
    return [shot.start for shot in shots_of(VideoReader(video, **stretch))]


def test_cuts_are_found_to_the_frame(tmp_path: Path) -> None:
    images = [*held(1, 40), *held(2, 25), *panned(3, 30, 8), *held(4, 20)]
    assert found(tmp_path / "a.mp4", images) == pytest.approx([0, 40 / 30, 65 / 30, 95 / 30])
    video = VideoReader(tmp_path / "a.mp4", 0.5, 3.0, fps=25)
    shots = shots_of(video)
    whole = [(frame.time, frame.image.mean()) for frame in video]
    apart = [(frame.time, frame.image.mean()) for shot in shots for frame in shot]
    assert len(shots) == 3 and apart == whole
    assert sum(shot.frames for shot in shots) == video.frames
    assert [next(iter(shot)).time for shot in shots] == pytest.approx([0.5, 40 / 30, 65 / 30], abs=0.01)


@pytest.mark.parametrize(
    "images",
    [
        held(1, 60),
        panned(1, 60, 4),
        panned(1, 60, 60),
        [*held(1, 20), *panned(1, 12, 100)],
        [*held(1, 30), *[np.full((180, 320, 3), 255, np.uint8)] * 3, *held(1, 30)],
        [np.asarray(scene(1) * min(1.0, i / 30), np.uint8) for i in range(60)],
        held(1, 1),
    ],
    ids=["stands", "slow pan", "whip pan", "pan begins", "flash", "fade", "one frame"],
)
def test_what_is_no_cut(tmp_path: Path, images: list[Image]) -> None:
    assert found(tmp_path / "a.mp4", images) == [0.0]


def test_people_and_an_uneven_rate_make_no_cut(tmp_path: Path) -> None:
    assert len(shots_of(VideoReader(SAMPLE))) == 1
    images = read_video(SAMPLE)
    times = np.cumsum(np.where(np.arange(120) % 3, 1 / 30, 0.3))
    assert len(shots_of(VideoReader(with_times(write_video(tmp_path / "a.mp4", images), times)))) == 1


@pytest.fixture(scope="module")
def walk() -> list[Image]:
    return read_video(SAMPLE)


@pytest.mark.slow
def test_each_shot_is_what_it_is_alone(tmp_path: Path, walk: list[Image]) -> None:
    one, other = walk[:45], [recoloured(image)[90:630, 90:630] for image in walk[60:105]]
    other = [np.asarray(cv2.resize(image, (720, 720)), np.uint8) for image in other]
    settings = Settings(quality="quick", focal=30.0)
    cut = capture(write_video(tmp_path / "cut.mp4", [*one, *other]), settings)
    assert cut.motion.cuts == (45,) and len(cut.later_cameras) == 1
    assert "cut.mp4 cuts to another shot at 1.50 s: each shot is captured for itself." in cut.warnings
    for number, images in enumerate((one, other)):
        alone = capture(write_video(tmp_path / f"{number}.mp4", images), settings)
        shot = cut.shots[number]
        assert len(shot) == len(alone) == 45 and shot.motion.start == 1.5 * number
        # but for the skeleton, which both have in common
        assert np.median(np.abs(shot.landmarks - alone.landmarks)[..., :2]) < 4
        seen, wanted = (c.camera.project(c.motion.joints) for c in (shot, alone))
        assert np.median(np.linalg.norm(seen - wanted, axis=-1)) < 10
    again = resolve(cut, {"focal": 30.0})
    assert again.motion.cuts == (45,) and again.warnings == cut.warnings
    off = np.linalg.norm(again.motion.joints - cut.motion.joints, axis=-1)
    assert off.mean() < 0.01


@pytest.mark.slow
def test_a_shot_without_anybody_waits(tmp_path: Path, walk: list[Image]) -> None:
    empty = np.ascontiguousarray(255 - background(walk)[::-1])
    video = write_video(tmp_path / "cut.mp4", [*[empty] * 20, *walk[:40]])
    cut = capture(video, Settings(quality="quick"))
    assert cut.motion.cuts == (20,)
    assert np.isnan(cut.landmarks[:20]).all() and np.isfinite(cut.landmarks[20:]).all()
    assert cut.confidence[:20].max() == 0 and not cut.motion.contacts[:20].any()
    assert np.ptp(cut.motion.joints[:20], axis=0).max() < 1e-6
    assert any("Nobody is to be found in the shot from 0.00 to 0.67 s" in said for said in cut.warnings)
    with pytest.raises(CaptureError, match="Person 2 was asked for, but there is only one"):
        capture(video, Settings(quality="quick", person="2"))
    with pytest.raises(CaptureError, match="no person"):
        capture(
            write_video(tmp_path / "no.mp4", [*[empty] * 20, *[255 - empty] * 20]), Settings(quality="quick")
        )


@pytest.mark.slow
def test_somebody_picked_is_picked_in_their_shot(tmp_path: Path, walk: list[Image]) -> None:
    pair = [np.hstack([image[:, 60:660], recoloured(image)[:, 60:660]]) for image in walk[40:70]]
    alone = [np.pad(255 - image, ((0, 0), (240, 240), (0, 0))) for image in walk[40:70]]
    video = write_video(tmp_path / "cut.mp4", [*pair, *alone])
    settings = Settings(quality="quick", person="830,300@0.5")
    cut = capture(video, settings)
    assert cut.motion.cuts == (30,)
    assert np.nanmedian(cut.landmarks[:30, :, 0]) > 600
    with pytest.raises(CaptureError, match="Nobody was found at 20, 20"):
        capture(video, replace(settings, person="20,20@0.5"))
