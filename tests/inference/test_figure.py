"""The body lands where the camera sees it, shaded, in its colours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kinelift.core.mannequin import mannequin
from kinelift.core.skeleton import INDEX
from kinelift.inference.figure import Figure
from kinelift.inference.overlay import CONTACT, LEFT, RIGHT, overlay
from kinelift.tests.inference.test_overlay import SIZE, followed, grey, middle_of, moving, standing
from kinelift.tests.videos import Image, read_video, write_video


def drawn(index: int = 0, size: tuple[int, int] = SIZE, **changes: npt.NDArray[np.float64]) -> Image:
    image = np.full((size[1], size[0], 3), 110, np.uint8)
    seen = {name: changes.pop(name) for name in ("confidence",) if name in changes}
    Figure(replace(moving(standing(size), **changes), **seen)).draw(image, index)
    return image


def hue(image: Image, at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Direction of the colour round a pixel, whatever its brightness."""
    x, y = np.floor(at).astype(int)
    colour = image[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).mean(0)
    return np.asarray(colour / np.linalg.norm(colour))


def like(image: Image, at: npt.NDArray[np.float64], colour: tuple[int, int, int]) -> bool:
    known = (LEFT, RIGHT, CONTACT, (1, 1, 1))
    closest = min(
        known, key=lambda c: float(np.linalg.norm(hue(image, at) - np.array(c) / np.linalg.norm(c)))
    )
    return closest == colour


def middle(frame: int, a: str, b: str, size: tuple[int, int] = SIZE) -> npt.NDArray[np.float64]:
    capture = standing(size)
    return capture.camera.project(capture.motion.joints[frame, [INDEX[a], INDEX[b]]].mean(0))


def test_limbs_are_covered_in_their_colours_and_nothing_else() -> None:
    for frame in (0, 5):
        image = drawn(frame)
        for side, colour in (("L", LEFT), ("R", RIGHT)):
            for a, b in (("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "shin"), ("shin", "foot")):
                assert like(image, middle(frame, f"{a}.{side}", f"{b}.{side}"), colour)
        # the outline is that of the mesh: no pixel farther from a vertex than faces are large
        capture = standing()
        body = mannequin(capture.motion.offsets)
        seen = capture.camera.project(body.vertices + capture.motion.root[frame])
        rows, columns = np.nonzero((image != 110).any(-1))
        covered = np.stack([columns, rows], -1) + 0.5
        assert (covered.min(0) >= seen.min(0) - 2).all() and (covered.max(0) <= seen.max(0) + 2).all()
        assert (
            np.abs(covered.max(0) - seen.max(0)).max() < 3 and np.abs(covered.min(0) - seen.min(0)).max() < 3
        )


def test_a_camera_that_turns_and_zooms_sees_the_body_elsewhere() -> None:
    capture = followed(standing())
    image = np.full((SIZE[1], SIZE[0], 3), 110, np.uint8)
    Figure(capture).draw(image, 5)
    for side, colour in (("L", LEFT), ("R", RIGHT)):
        for a, b in (("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "shin"), ("shin", "foot")):
            assert like(image, middle_of(capture, 5, f"{a}.{side}", f"{b}.{side}"), colour)


def test_light_falls_from_above_left() -> None:
    image = drawn(size=(1440, 1080)).astype(int)
    at = middle(0, "thigh.R", "shin.R", (1440, 1080)).astype(int)
    row = image[at[1], at[0] - 30 : at[0] + 30]
    limb = row[(row != 110).any(-1)].sum(-1)
    assert limb[5] > limb[-5] + 60


def test_what_is_nearer_hides_what_is_behind() -> None:
    rotations = standing().motion.rotations.copy()
    rotations[:, INDEX["upper_arm.L"]] = np.array([np.cos(0.7), 0, 0, -np.sin(0.7)])  # across the chest
    rotations[:, INDEX["forearm.L"]] = np.array([np.cos(0.8), 0, 0, -np.sin(0.8)])
    image = drawn(rotations=rotations)
    capture = moving(standing(), rotations=rotations)
    hand = capture.camera.project(capture.motion.joints[0, INDEX["hand.L"]])
    assert hand[0] < middle(0, "chest", "neck")[0]  # over the right half of the body
    assert like(image, hand, LEFT)


def test_feet_that_stand_and_parts_nobody_saw() -> None:
    contacts = np.zeros((6, 4))
    contacts[:, :2] = 1
    marked = drawn(contacts=contacts)
    soles = standing().camera.project(standing().motion.sole_points()[0])
    assert like(marked, soles[1] - [0, 3], CONTACT) and like(marked, soles[3] - [0, 3], RIGHT)
    confidence = np.ones((6, 21))
    confidence[:, INDEX["forearm.L"]] = 0
    at = middle(0, "forearm.L", "hand.L").astype(int)[::-1]
    faint = np.abs(drawn(confidence=confidence)[tuple(at)].astype(int) - 110).sum()
    assert 5 < faint < 0.6 * np.abs(drawn()[tuple(at)].astype(int) - 110).sum()


def test_beside_behind_and_half_inside_the_picture() -> None:
    root = standing().motion.root.copy()
    root[1], root[2], root[3], root[4] = (0, -30, 0.9), (100, 0, 0.9), (0, -4.0, 1.0), (1.9, 0, 0.9)
    for frame in (1, 2):
        assert (drawn(frame, root=root) == 110).all()
    drawn(3, root=root)  # the camera inside the body
    half = drawn(4, root=root)
    assert (half[:, -1] != 110).any() and (half[:, : SIZE[0] // 2] == 110).all()


def test_video(tmp_path: Path) -> None:
    video = write_video(tmp_path / "room.mp4", grey())
    overlay(video, standing(), tmp_path / "body.mp4", style="body")
    images = read_video(tmp_path / "body.mp4")
    assert len(images) == 6
    assert like(images[3], middle(3, "thigh.L", "shin.L"), LEFT)
