"""A picture that lies on its side is stood up where that is clear, and as the artist asks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinelift.core.errors import CaptureError
from kinelift.core.options import Settings
from kinelift.inference.pipeline import capture
from kinelift.inference.probe import probe, save_still
from kinelift.inference.sideways import stood_up
from kinelift.inference.video import VideoReader
from kinelift.tests.videos import SAMPLE, Image, read_video, turned, write_video

# every test detects
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def walk() -> list[Image]:
    return [image[:, 60:660] for image in read_video(SAMPLE)[::6]]


def lying(images: list[Image], quarters: int) -> list[Image]:
    """Turned anticlockwise by so many quarters."""
    return [np.rot90(image, quarters).copy() for image in images]


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_who_can_only_stand_is_stood_up(tmp_path: Path, walk: list[Image], quarters: int) -> None:
    clip = VideoReader(write_video(tmp_path / "lost flag.mp4", lying(walk, quarters)))
    upright, said = stood_up(clip, "auto")
    assert (upright.turned_by, upright.size) == (90 * quarters, (600, 720))
    assert len(said) == 1 and f"lost flag.mp4 lies on its side: it was turned by {90 * quarters}" in said[0]
    assert np.abs(next(iter(upright)).image.astype(int) - walk[0]).mean() < 4
    asked, said = stood_up(clip, "0")
    assert (asked.turned_by, asked.size, said) == (0, clip.size, ())


def test_what_stands_stays_unless_it_is_asked_for(walk: list[Image]) -> None:
    clip = VideoReader(SAMPLE)
    assert stood_up(clip, "auto") == (clip, ())
    asked, said = stood_up(clip, "90")
    assert (asked.turned_by, said) == (90, ())


def test_without_clear_evidence_nothing_is_turned(tmp_path: Path, walk: list[Image]) -> None:
    falls = [*walk[:10], *lying([np.pad(image, ((0, 0), (60, 60), (0, 0))) for image in walk[10:]], 1)]
    falls = [image if image.shape[1] == 720 else np.pad(image, ((0, 0), (60, 60), (0, 0))) for image in falls]
    narrow = lying([image[:, ::2].copy() for image in walk], 1)
    empty = [np.full((480, 640, 3), 90, np.uint8)] * 10
    for number, images in enumerate((falls, narrow, empty, lying(walk[:1], 1))):
        clip = VideoReader(write_video(tmp_path / f"{number}.mp4", images))
        assert stood_up(clip, "auto") == (clip, ()), number


def test_probe_and_still_show_what_is_captured(tmp_path: Path, walk: list[Image]) -> None:
    video = write_video(tmp_path / "clip.mp4", lying(walk, 1))
    seen = probe(video)
    assert (seen.width, seen.height) == (600, 720) and "lies on its side" in seen.advice
    assert (probe(video, "0").width, probe(video, "0").height) == (720, 600)
    save_still(video, 0.0, tmp_path / "still.png")
    save_still(video, 0.0, tmp_path / "lying.png", "0")
    stills = [read_video(tmp_path / name)[0] for name in ("still.png", "lying.png")]
    assert [still.shape[:2] for still in stills] == [(720, 600), (600, 720)]


def test_the_motion_is_that_of_the_upright_video(tmp_path: Path) -> None:
    images = read_video(SAMPLE)[:45]
    straight = capture(write_video(tmp_path / "a.mp4", images), Settings(quality="quick"))
    laid = capture(write_video(tmp_path / "b.mp4", lying(images, 1)), Settings(quality="quick"))
    assert laid.source.turned == 90 and straight.source.turned == 0
    assert any("lies on its side" in warning for warning in laid.warnings)
    off = np.linalg.norm(straight.motion.joints - laid.motion.joints, axis=-1)
    assert off.mean() < 0.03


def test_a_turn_after_the_mirror_in_the_file(tmp_path: Path) -> None:
    image = np.full((48, 96, 3), 60, np.uint8)
    image[:24, :48] = 220
    for degrees in (0, 90):
        for mirrored in (False, True):
            clip = VideoReader(turned(write_video(tmp_path / "a.mp4", [image] * 3), degrees, mirrored))
            shown = next(iter(clip)).image.astype(int)
            for more in (90, 180, 270):
                again = next(iter(clip.turned(more))).image
                assert np.abs(np.rot90(shown, -more // 90) - again).mean() < 1


def test_a_turn_that_is_none() -> None:
    with pytest.raises(CaptureError, match="45"):
        capture(SAMPLE, Settings(turn="45"))
