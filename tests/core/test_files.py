"""What files are called."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kinelift.core.files import clip_name, file_stem, new_motion_name, split_character


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
        # what other systems forbid isn't taken over
        ("take 1:2.mp4", "take 1_2"),
        ("CON.mp4", "_CON"),
        ("line\nbreak .mp4", "line_break_"),
        ("walk: 2-20261126-155342-4711-2.motion.npz", "walk_ 2"),
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


def test_a_new_motion_of_an_odd_video_can_be_written(tmp_path: Path) -> None:
    for source in ("a:b?.mp4", "ダ" * 84 + ".mp4", "Jos\udce9.mp4", "nul.mp4"):
        (tmp_path / new_motion_name(Path(source), 1234)).touch()


@pytest.mark.parametrize(
    ("text", "file", "name"),
    [
        ("hero.glb", "hero.glb", ""),
        ("cast.blend", "cast.blend", ""),
        ("cast.blend:Hero", "cast.blend", "Hero"),
        ("Cast.BLEND:Hero", "Cast.BLEND", "Hero"),
        ("cast.blend:", "cast.blend", ""),
        ("cast.blend:mixamorig:Hero", "cast.blend", "mixamorig:Hero"),
        ("C:\\shots\\hero.fbx", "C:\\shots\\hero.fbx", ""),
        ("C:\\shots\\cast.blend:Hero", "C:\\shots\\cast.blend", "Hero"),
        ("hero.fbx:Hero", "hero.fbx:Hero", ""),
        ("x" * 5000 + ".blend:Hero", "x" * 5000 + ".blend", "Hero"),
    ],
)
def test_the_file_and_the_object_of_a_character(text: str, file: str, name: str) -> None:
    assert split_character(text) == (Path(file), name)


@pytest.mark.skipif(sys.platform == "win32", reason="names of files have no colons there")
def test_a_file_that_is_there_names_no_object(tmp_path: Path) -> None:
    odd = tmp_path / "cast.blend:take"
    odd.touch()
    assert split_character(str(odd)) == (odd, "")
