"""What a command line asks for: files, folders, and each clip once."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinelift.batch.collect import orders_of
from kinelift.batch.orders import Order
from kinelift.core.errors import CaptureError
from kinelift.core.options import CleanUp, Outputs

COMMON = Order(Path(), "", {"fps": 30.0}, CleanUp(), Outputs(format=("bvh",)))


def files(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


def named(*arguments: object, **options: object) -> dict[str, Path]:
    return {order.name: order.clip for order in orders_of(*arguments, **options)}  # type: ignore[arg-type]


def test_folders_are_mirrored(tmp_path: Path) -> None:
    shoot = files(
        tmp_path / "shoot", "a.mp4", "day 1/b.MOV", "day 1/notes.txt", "day 1/c.motion.npz", ".trash/d.mp4",
        "out/e.mp4", "day 2/.f.mp4",
    )  # fmt: skip
    out = shoot / "out"
    assert named([shoot], [], COMMON, out) == {"a": shoot / "a.mp4", "day 1/b": shoot / "day 1/b.MOV"}
    assert named([shoot], [], COMMON, out, "*.npz") == {"day 1/c": shoot / "day 1/c.motion.npz"}
    with pytest.raises(CaptureError, match=r"there is no \*\.avi in the folder"):
        orders_of([shoot], [], COMMON, out, "*.avi")
    with pytest.raises(CaptureError, match="can't be searched for clips and get the results too"):
        orders_of([shoot], [], COMMON, shoot)


def test_the_same_file_twice_is_one_clip(tmp_path: Path) -> None:
    files(tmp_path, "a.mp4")
    (tmp_path / "link").symlink_to(tmp_path)
    given = [tmp_path / "a.mp4", tmp_path / "link/a.mp4", tmp_path]
    assert named(given, [], COMMON, tmp_path / "out") == {"a": tmp_path / "a.mp4"}


@pytest.mark.parametrize("other", ["b/walk.mp4", "b/walk.mov", "b/Walk.mp4"])
def test_two_clips_of_one_name(tmp_path: Path, other: str) -> None:
    files(tmp_path, "a/walk.mp4", other)
    with pytest.raises(CaptureError, match=r"two clips are called [wW]alk") as error:
        orders_of([tmp_path / "a/walk.mp4", tmp_path / other], [], COMMON, tmp_path / "out")
    assert str(tmp_path / "a/walk.mp4") in str(error.value) and other in str(error.value)


def test_no_clip_at_all(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("# nothing yet\n", encoding="utf-8")
    with pytest.raises(CaptureError, match="There is no clip to capture"):
        orders_of([], [tmp_path / "empty.txt"], COMMON, tmp_path / "out")
