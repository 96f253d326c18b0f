"""Which files are clips: videos, pictures, and numbered pictures by their pattern."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinelift.core.clips import is_clip, looks_like_video, name_of_pictures, patterns_in, pictures_of
from kinelift.core.files import file_stem
from kinelift.tests.videos import SAMPLE


def files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("names", "pattern", "numbers"),
    [
        (("a_0009.png", "a_0010.png", "a_0012.png", "b_0011.png"), "a_%04d.png", [9, 10, 12]),
        (("7.jpg", "8.jpg", "10.jpg", "08.jpg"), "%d.jpg", [7, 8, 10]),
        (
            ("a_098.png", "a_099.png", "a_100.png", "a_1000.png", "a_01.png"),
            "a_%03d.png",
            [98, 99, 100, 1000],
        ),
        (("take 2 (1).TIF", "take 2 (2).TIF"), "take 2 (%d).TIF", [1, 2]),
    ],
)
def test_pictures_by_their_pattern(
    tmp_path: Path, names: tuple[str, ...], pattern: str, numbers: list[int]
) -> None:
    files(tmp_path, *names)
    assert [number for number, _ in pictures_of(tmp_path / pattern)] == numbers
    assert is_clip(tmp_path / pattern)


@pytest.mark.parametrize("name", ["a_%04d.mp4", "a_%s.png", "a_%d_%d.png", "a.png", "100%.png", "a_%-4d.png"])
def test_what_is_no_pattern(tmp_path: Path, name: str) -> None:
    files(tmp_path, "a_0001.png", "a_0001.mp4")
    assert pictures_of(tmp_path / name) == [] and not is_clip(tmp_path / name)


def test_a_file_is_a_file_whatever_it_is_called(tmp_path: Path) -> None:
    files(tmp_path, "a_%02d.png", "a_01.png", "a_02.png")
    assert pictures_of(tmp_path / "a_%02d.png") == [] and is_clip(tmp_path / "a_%02d.png")


def test_the_sequences_of_a_folder(tmp_path: Path) -> None:
    files(
        tmp_path, "walk_0001.png", "walk_0002.png", "run.9.jpg", "run.10.jpg", "cover.png", "single_1.png",
        "1.mp4", "2.mp4", ".x_1.png", ".x_2.png",
    )  # fmt: skip
    assert [path.name for path in patterns_in(tmp_path)] == ["run.%d.jpg", "walk_%04d.png"]


def test_what_pictures_are_called() -> None:
    assert file_stem(Path("/shots/walk_%04d.png")) == "walk"
    assert file_stem(Path("/shots/day 1/%d.jpg")) == "day 1"
    assert file_stem(Path("/shots/100%.mp4")) == "100%"
    assert name_of_pictures(Path("/shots/a_%02d.mp4")) == ""


def test_what_looks_like_a_video(tmp_path: Path) -> None:
    for number, (content, video) in enumerate(
        [
            (SAMPLE.read_bytes()[:500], True),
            (b"\x00\x00\x00\x20ftypM4A mp42" + bytes(99), False),
            (b"G" + bytes(187) + b"G" + bytes(187) + b"G" + bytes(187), True),
            (b"GGG, a text", False),
            (b"", False),
        ]
    ):
        path = tmp_path / f"{number}.dat"
        path.write_bytes(content)
        assert looks_like_video(path) == video, number
