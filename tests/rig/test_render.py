"""The body rendered by Workbench: what is promised is in the picture, and the scene is as it was."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import bpy
import cv2
import numpy as np
import pytest

from kinelift.core.capture import Source
from kinelift.core.errors import CaptureError
from kinelift.core.options import RENDERS
from kinelift.inference.video import VideoReader
from kinelift.rig.body import add_body
from kinelift.rig.render import render
from kinelift.rig.scene import build_scene
from kinelift.tests.motions import random_capture
from kinelift.tests.videos import encoded, number, numbered, read_video, turned, write_video

KINDS = ("actions", "cameras", "materials", "meshes", "movieclips", "objects", "scenes", "worlds")


@pytest.mark.slow
def test_every_kind(tmp_path: Path) -> None:
    capture = random_capture(4, seed=3, size=(64, 48))
    video = write_video(tmp_path / "room.mp4", numbered(4))
    armature = build_scene(capture, "clip")
    add_body(armature)
    scene = bpy.context.scene
    scene.frame_set(2)
    before = {kind: len(getattr(bpy.data, kind)) for kind in KINDS}
    for kind, ending in RENDERS.items():
        render(kind, tmp_path / f"clip.{kind}{ending}", armature, capture, video)
        assert before == {kind: len(getattr(bpy.data, kind)) for kind in KINDS}
        assert (
            bpy.context.scene == scene
            and scene.frame_current == 2
            and scene.render.engine != "BLENDER_WORKBENCH"
        )
    still = cv2.cvtColor(cv2.imread(str(tmp_path / "clip.still.png")), cv2.COLOR_BGR2RGB).astype(int)
    red, blue = still[..., 0] - still[..., 2] > 60, still[..., 2] - still[..., 0] > 60
    assert red.mean() > 0.003 and blue.mean() > 0.003
    assert len(read_video(tmp_path / "clip.turntable.mp4")) == 4
    pictures = read_video(tmp_path / "clip.side-by-side.mp4")
    assert [number(picture[:, :64]) for picture in pictures] == [0, 1, 2, 3]
    assert pictures[0].shape == (48, 128, 3)


@pytest.mark.parametrize("turned_by", [0, 90])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_phone_video_stands_upright_beside_the_body(
    tmp_path: Path, degrees: int, mirrored: bool, turned_by: int
) -> None:
    # each quarter of the picture has a shade of its own
    image = np.repeat(np.repeat(np.array([[40, 90], [150, 220]], np.uint8), 24, 0), 32, 1)
    stored = np.repeat(image[..., None], 3, 2)
    video = turned(write_video(tmp_path / "room.mp4", [stored] * 2), degrees, mirrored)
    reader = VideoReader(video)
    upright = np.rot90(next(iter(reader)).image, -turned_by // 90)
    size = upright.shape[1::-1]
    source = Source(turn=reader.turn, mirrored=reader.mirrored, turned=turned_by)
    capture = replace(random_capture(2, seed=3, size=size), source=source)
    armature = build_scene(capture, "clip")
    render("side-by-side", tmp_path / "out.mp4", armature, capture, video)
    pictures = read_video(tmp_path / "out.mp4")
    assert pictures[0].shape == (size[1], 2 * size[0], 3)
    off = pictures[0][:, : size[0]].astype(int) - upright
    assert np.abs(off)[4:-4, 4:-4].mean() < 12


@pytest.mark.parametrize("count", [1, 4])
def test_pictures_stand_beside_the_body(tmp_path: Path, count: int) -> None:
    capture = random_capture(count, seed=3, size=(64, 48))
    for index, image in enumerate(numbered(count)):
        cv2.imwrite(str(tmp_path / f"room_{index + 98:03d}.png"), image)
    video = tmp_path / ("room_%03d.png" if count > 1 else "room_098.png")
    render("side-by-side", tmp_path / "out.mp4", build_scene(capture, "clip"), capture, video)
    pictures = read_video(tmp_path / "out.mp4")
    assert [number(picture[:, :64]) for picture in pictures] == list(range(count))


def test_wide_pixels_stand_beside_the_body_in_their_proportions(tmp_path: Path) -> None:
    capture = random_capture(2, seed=3, size=(96, 48))
    video = encoded(tmp_path / "dvd.mp4", numbered(2), "mpeg4", Fraction(3, 2))
    render("side-by-side", tmp_path / "out.mp4", build_scene(capture, "clip"), capture, video)
    beside = read_video(tmp_path / "out.mp4")[1][:, :96]
    shown = cv2.resize(beside, (64, 48), interpolation=cv2.INTER_AREA)
    assert number(np.asarray(shown, np.uint8)) == 1


def test_no_video_to_stand_beside(tmp_path: Path) -> None:
    capture = random_capture(2)
    armature = build_scene(capture, "clip")
    for video in (None, tmp_path / "gone.mp4"):
        with pytest.raises(CaptureError, match="is not there"):
            render("side-by-side", tmp_path / "out.mp4", armature, capture, video)
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    capture = random_capture(2)
    armature = build_scene(capture, "clip")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CaptureError, match="Can't write"):
        render("still", tmp_path / "file" / "out.png", armature, capture)
    assert [scene.name for scene in bpy.data.scenes] == ["clip"]
    assert np.isfinite(capture.motion.joints).all()
