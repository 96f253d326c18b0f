"""What files are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinelift.core.files import clip_name, file_stem, new_motion_name


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("my-best-walk-take.mp4", "my-best-walk-take"),
        ("my-best-walk-take.motion.npz", "my-best-walk-take"),
        ("my-best-walk-take-20261126-155342-4711-2.motion.npz", "my-best-walk-take"),
        ("take-3-20261126-155342-4711-12.motion.npz", "take-3"),
        # what only looks like it stays
        ("20261126-155342-4711-2.motion.npz", "20261126-155342-4711-2"),
        ("walk-20261126-155342.motion.npz", "walk-20261126-155342"),
        ("walk-1-2-3-4.motion.npz", "walk-1-2-3-4"),
        ("walk-20261126-155342-4711-2.mp4", "walk-20261126-155342-4711-2"),
        ("walk-20261126-155342-4711-2-edited.motion.npz", "walk-20261126-155342-4711-2-edited"),
        ("v1.2.walk.mov", "v1.2.walk"),
    ],
)
def test_the_clip_that_a_file_shows(name: str, clip: str) -> None:
    assert clip_name(Path("/captures") / name) == clip


def test_a_new_motion_is_of_the_clip_that_it_was_made_from() -> None:
    source = Path("walk-20240101-101010-7-1.mp4")
    for number in range(1, 4):
        source = Path(new_motion_name(source, number))
        assert clip_name(source) == "walk-20240101-101010-7-1"
        assert file_stem(source).endswith(f"-{number}") and file_stem(source) != clip_name(source)
