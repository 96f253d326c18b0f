"""The skeleton lands where the camera sees it, in its colours, or nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from kinelift.core.camera import WORLD_FROM_LEVEL_CAMERA, Camera, focal_pixels
from kinelift.core.capture import Capture, still_camera, turns_not_known
from kinelift.core.errors import CaptureError
from kinelift.core.landmarks import nothing_known
from kinelift.core.motion import Motion
from kinelift.core.rotations import axis_angle, quaternion_from_matrix
from kinelift.core.skeleton import INDEX, JOINTS, TEMPLATE_OFFSETS
from kinelift.inference.overlay import CONTACT, LEFT, MIDDLE, RIGHT, overlay
from kinelift.tests.videos import Image, read_video, turned, write_video

SIZE = (480, 360)
FRAMES = 6


def standing(size: tuple[int, int] = SIZE, fps: float = 30.0, frames: int = FRAMES) -> Capture:
    """Somebody in the T-pose who faces the camera, shifted to the side a little in every frame."""
    pose = np.eye(4)
    pose[:3, :3] = WORLD_FROM_LEVEL_CAMERA.T
    pose[:3, 3] = -WORLD_FROM_LEVEL_CAMERA.T @ np.array([0, -4, 1.0])
    rotations = np.zeros((frames, len(JOINTS), 4))
    rotations[..., 0] = 1
    motion = Motion(
        fps=fps, start=0.0, offsets=TEMPLATE_OFFSETS, rotations=rotations,
        root=np.array([0, 0, 0.9]) + np.outer(np.arange(frames), [0.05, 0, 0]),
        contacts=np.zeros((frames, 4)),
    )  # fmt: skip
    return Capture(
        motion=motion, confidence=np.ones((frames, len(JOINTS))),
        camera=Camera(focal_pixels(28, size), size, pose),
        **nothing_known(frames), turn_spread=turns_not_known(frames), **still_camera(frames),
    )  # fmt: skip


def grey(size: tuple[int, int] = SIZE, frames: int = FRAMES) -> list[Image]:
    return [np.full((size[1], size[0], 3), 110, np.uint8)] * frames


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "it's a grey \u7070 room.mp4", grey())


def drawn(video: Path, capture: Capture, out: Path | None = None) -> list[Image]:
    out = out or video.with_name("overlay.mp4")
    overlay(video, capture, out)
    assert not list(out.parent.glob(".kinelift*"))
    return read_video(out)


def colour_at(image: Image, pixel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    x, y = np.round(pixel).astype(int)
    patch: npt.NDArray[np.float64] = image[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).mean(0)
    return patch


def middle_of(capture: Capture, frame: int, a: str, b: str) -> npt.NDArray[np.float64]:
    """Pixel in the middle of a bone."""
    middles = capture.motion.joints[:, [INDEX[a], INDEX[b]]].mean(1, keepdims=True)
    return capture.cameras.project(middles)[frame, 0]


def nearest(colour: npt.NDArray[np.float64]) -> tuple[int, int, int]:
    """The colour of a drawing, or of the room, that it is most like."""
    known = (LEFT, RIGHT, MIDDLE, CONTACT, (110, 110, 110), (20, 20, 20))
    return min(known, key=lambda c: float(np.linalg.norm(colour - c)))


def moving(capture: Capture, **changes: npt.NDArray[np.float64]) -> Capture:
    """The same with something else of its motion."""
    return replace(capture, motion=replace(capture.motion, **changes))


def followed(capture: Capture) -> Capture:
    """The same before a camera that turns and zooms."""
    share = np.linspace(0, 1, len(capture))
    turns = axis_angle(np.array([0.2, 1.0, 0.1]) / np.sqrt(1.05), 0.12 * share)
    return replace(capture, camera_turns=quaternion_from_matrix(turns), camera_zooms=1 - 0.2 * share)


@pytest.mark.parametrize("filmed", [lambda capture: capture, followed])
def test_every_limb_is_drawn_where_the_camera_sees_it_in_its_colour(
    video: Path, filmed: Callable[[Capture], Capture]
) -> None:
    capture = filmed(standing())
    images = drawn(video, capture)
    assert len(images) == FRAMES and images[0].shape == (SIZE[1], SIZE[0], 3)
    for frame, image in enumerate(images):
        for side, colour in (("L", LEFT), ("R", RIGHT)):
            for a, b in (("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "shin"), ("shin", "foot")):
                at = middle_of(capture, frame, f"{a}.{side}", f"{b}.{side}")
                assert nearest(colour_at(image, at)) == colour
        assert nearest(colour_at(image, middle_of(capture, frame, "hips", "spine"))) == MIDDLE
        assert nearest(image[:40].reshape(-1, 3).mean(0)) == (110, 110, 110)


def test_a_skeleton_moves_on_when_the_picture_does_not(tmp_path: Path) -> None:
    """A motion faster than the video draws each of its frames on a picture of its own."""
    video = write_video(tmp_path / "slow.mp4", grey(frames=3), 10)
    capture = standing(frames=6, fps=30.0)
    images = drawn(video, capture)
    assert len(images) == 6
    first, last = (middle_of(capture, frame, "shin.L", "foot.L") for frame in (0, 5))
    assert nearest(colour_at(images[5], last)) == LEFT
    assert nearest(colour_at(images[5], first)) != LEFT


def test_standing_feet_are_marked_and_others_not(video: Path) -> None:
    capture = standing()
    contacts = np.zeros((FRAMES, 4))
    contacts[:, 1] = 1  # toe.L
    soles = capture.camera.project(capture.motion.sole_points())
    marked, plain = drawn(video, moving(capture, contacts=contacts)), drawn(video, capture)
    assert nearest(colour_at(marked[2], soles[2, 1])) == CONTACT
    assert nearest(colour_at(marked[2], soles[2, 3])) != CONTACT
    assert nearest(colour_at(plain[2], soles[2, 1])) != CONTACT


def test_what_was_hardly_seen_is_faint(video: Path) -> None:
    capture = standing()
    confidence = np.ones((FRAMES, len(JOINTS)))
    confidence[:, INDEX["hand.L"]] = 0
    images = drawn(video, replace(capture, confidence=confidence))
    seen = colour_at(images[0], middle_of(capture, 0, "upper_arm.L", "forearm.L"))
    faint = colour_at(images[0], middle_of(capture, 0, "forearm.L", "hand.L"))
    assert 5 < np.linalg.norm(faint - 110) < 0.5 * np.linalg.norm(seen - 110)


def test_a_range_of_the_video_and_a_portrait(tmp_path: Path) -> None:
    pictures = [np.full((360, 480, 3), 30 + 60 * (i // 10), np.uint8) for i in range(30)]
    video = turned(write_video(tmp_path / "phone.mp4", pictures), 90)
    capture = standing((360, 480))
    capture = replace(capture, motion=replace(capture.motion, start=1 / 3))
    images = drawn(video, capture)
    assert len(images) == FRAMES and images[0].shape == (480, 360, 3)
    assert abs(float(images[0][:20].mean()) - 90) < 8


def test_a_person_behind_the_camera_or_beside_the_picture(video: Path) -> None:
    capture = standing()
    root = capture.motion.root.copy()
    root[1], root[2], root[3] = (0, -30, 0.9), (100, 0, 0.9), (0, -4.0, 1.0)
    images = drawn(video, moving(capture, root=root))
    for image in images[1:3]:  # the encoder leaves a shade of the frame before
        assert np.abs(image.astype(int) - 110).max() < 40


@pytest.mark.slow
def test_8k_is_scaled_down_with_its_skeleton(tmp_path: Path) -> None:
    size = (7680, 4320)
    capture = standing(size, frames=1)
    image = drawn(write_video(tmp_path / "large.mp4", grey(size, 1)), capture)[0]
    assert image.shape == (1080, 1920, 3)
    assert nearest(colour_at(image, middle_of(capture, 0, "thigh.R", "shin.R") / 4)) == RIGHT


def test_progress_counts_the_frames(video: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    overlay(video, standing(), video.with_name("out.mp4"), lambda *call: calls.append(call))
    assert calls == [("overlay", i, FRAMES) for i in range(1, FRAMES + 1)]


@pytest.mark.parametrize(
    ("out", "says"),
    [
        (lambda video: video, "replace the video"),
        (lambda video: video.with_suffix(".txt"), "ends in .mp4"),
        (lambda video: video / "out.mp4", "Can't write"),
    ],
)
def test_where_it_cannot_go(video: Path, out: Callable[[Path], Path], says: str) -> None:
    before = video.read_bytes()
    with pytest.raises(CaptureError, match=says):
        overlay(video, standing(), out(video))
    assert [path.name for path in video.parent.iterdir()] == [video.name] and video.read_bytes() == before


def test_no_codec(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An OpenCV without the encoder: as if asked for one that doesn't exist."""
    import cv2

    monkeypatch.setattr(cv2.VideoWriter, "fourcc", lambda *_letters: 0x7A7A7A7A)
    with pytest.raises(CaptureError, match="encoder"):
        overlay(video, standing(), video.with_name("out.mp4"))
    assert not video.with_name("out.mp4").exists() and not list(video.parent.glob(".kinelift*"))


def test_an_interrupted_overlay_leaves_nothing(video: Path) -> None:
    def interrupt(_stage: str, frame: int, _of: int) -> None:
        if frame == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        overlay(video, standing(), video.with_name("out.mp4"), interrupt)
    assert [path.name for path in video.parent.iterdir()] == [video.name]
