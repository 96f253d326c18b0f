"""A small picture of everybody in a video, with what each is called."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from kinelift.core.options import Place, read_person
from kinelift.inference.__main__ import main
from kinelift.tests.videos import SAMPLE, background, read_video, write_video

pytestmark = pytest.mark.slow


def test_everybody_has_a_picture_and_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = read_video(SAMPLE)[50:110]
    wide = images[0].shape[1]
    video = write_video(tmp_path / "two.mp4", [np.hstack([image, image[:, ::-1]]) for image in images])
    words = ["probe", str(video), "--portraits", str(tmp_path), "--start", "0.5", "--progress", "json"]
    assert main(words) == 0
    *progress, said = (json.loads(line) for line in capsys.readouterr().out.splitlines() if line[0] == "{")
    assert progress[-1]["stage"] == "detect"
    people = [(read_person(name), cv2.imread(picture)) for name, picture in said["people"]]
    assert len(people) == 2
    sides = []
    for place, picture in people:
        assert isinstance(place, Place) and place.seconds is not None and 0.5 <= place.seconds < 2
        sides.append(place.x > wide)
        # the place is on the person, who fills the picture
        shown = read_video(video)[round(place.seconds * 30)].astype(int)
        empty = np.hstack([one := background(images), one[:, ::-1]]).astype(int)
        x, y = round(place.x), round(place.y)
        here = (slice(y - 3, y + 4), slice(x - 3, x + 4))
        assert np.abs(shown[here] - empty[here]).mean() > 10
        assert picture.shape == (128, 128, 3)
    assert sorted(sides) == [False, True]
    # they are mirror images
    one, two = (picture.astype(int) for _, picture in people)
    assert np.abs(one - two[:, ::-1]).mean() < np.abs(one - two).mean()


def test_nobody_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = write_video(tmp_path / "empty.mp4", [background(read_video(SAMPLE)[:60])] * 20)
    assert main(["probe", str(video), "--portraits", str(tmp_path)]) == 1
    assert "nobody to choose from" in capsys.readouterr().err
