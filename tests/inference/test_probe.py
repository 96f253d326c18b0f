"""What a quick look at a video says of it, and advises."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from kinelift.core.colours import LEFT
from kinelift.inference.__main__ import main
from kinelift.inference.probe import probe, save_still
from kinelift.tests.videos import SAMPLE, Image, background, read_video, recoloured, turned, write_video


@pytest.fixture(scope="module")
def walk() -> list[Image]:
    return read_video(SAMPLE)[50:110]


def advice(path: Path, images: list[Image]) -> str:
    return probe(write_video(path, images)).advice


def test_the_sample_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", str(SAMPLE)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"frames": 120, "fps": 30.0, "width": 720, "height": 720, "seconds": 4.0, "advice": ""}


@pytest.mark.slow
def test_what_is_hard_is_told(walk: list[Image], tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    scene = background(walk)
    assert "Nobody" in advice(path, [scene] * 60)
    assert "cut off" in advice(path, [image[:480] for image in walk])
    pair = [np.hstack([image[120:560, 240:680], recoloured(image)[120:560, 40:480]]) for image in walk]
    assert "Several" in advice(path, pair)
    wide = [cv2.resize(image, (270, 270), interpolation=cv2.INTER_AREA) for image in walk]
    border = [cv2.copyMakeBorder(image, 470, 20, 225, 225, cv2.BORDER_REPLICATE) for image in wide]
    assert "small" in advice(path, [np.asarray(image, np.uint8) for image in border])
    assert "camera moves" in advice(
        path, [image[:, 2 * i + 100 : 2 * i + 600] for i, image in enumerate(walk)]
    )


def test_the_still_is_the_frame_at_that_time(tmp_path: Path) -> None:
    ((x, y),) = save_still(SAMPLE, 1.0, tmp_path / "still.png")
    assert (x, y) == pytest.approx((484, 274), abs=15)  # her trunk
    still = cv2.imread(str(tmp_path / "still.png"))
    assert np.abs(cv2.cvtColor(still, cv2.COLOR_BGR2RGB).astype(int) - read_video(SAMPLE)[30]).mean() < 1


@pytest.mark.slow
def test_people_on_the_still_are_numbered_by_size(walk: list[Image], tmp_path: Path) -> None:
    far = cv2.copyMakeBorder(
        cv2.resize(walk[0], (540, 540)), 180, 0, 0, 0, cv2.BORDER_CONSTANT, value=3 * [150]
    )
    both = [np.hstack([far, walk[0]])] * 10
    video = write_video(tmp_path / "two.mp4", both)
    (first, second) = save_still(video, 0.0, tmp_path / "still.png")
    assert first[0] > 540 > second[0]
    still = cv2.cvtColor(cv2.imread(str(tmp_path / "still.png")), cv2.COLOR_BGR2RGB).astype(int)
    drawn = (np.abs(still - LEFT).sum(-1) < 30).nonzero()
    assert (drawn[1] < 540).any() and (drawn[1] > 540).any()


def test_a_phones_portrait_video_is_upright(walk: list[Image], tmp_path: Path) -> None:
    lying = [np.rot90(image[:, 100:620]).copy() for image in walk]
    seen = probe(turned(write_video(tmp_path / "phone.mp4", lying), 90))
    assert (seen.width, seen.height, seen.advice) == (520, 720, "")


def test_what_is_no_video_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", str(tmp_path / "gone.mp4")]) == 1
    assert "no file" in capsys.readouterr().err


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_video_that_breaks_off_is_told_and_not_refused(tmp_path: Path, kept: float) -> None:
    cut = tmp_path / "cut.mp4"
    data = SAMPLE.read_bytes()
    cut.write_bytes(data[: int(kept * len(data))])
    assert "breaks off" in probe(cut).advice
