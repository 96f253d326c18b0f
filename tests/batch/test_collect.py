"""What a command line asks for: files, folders, and each clip once."""

from __future__ import annotations

import os
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from kinelift.batch.collect import orders_of, passed_over
from kinelift.batch.orders import Order, file_hash
from kinelift.core.errors import CaptureError
from kinelift.core.options import FORMATS, RENDERS, CleanUp, Outputs
from kinelift.tests.videos import SAMPLE

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


def test_numbered_pictures_are_one_clip_each(tmp_path: Path) -> None:
    shoot = files(
        tmp_path / "shoot",
        "walk_0001.png",
        "walk_0002.png",
        "texture.png",
        "frames/1.jpg",
        "frames/2.jpg",
        "a.ts",
    )
    assert named([shoot], [], COMMON, tmp_path / "out") == {
        "a": shoot / "a.ts",
        "walk": shoot / "walk_%04d.png",
        "frames/frames": shoot / "frames/%d.jpg",
    }
    (order,) = orders_of([shoot / "walk_%04d.png"], [], COMMON, tmp_path / "out")
    before = file_hash(order.clip)
    assert order.name == "walk" and len(before) == 64
    (shoot / "walk_0002.png").write_bytes(b"changed")
    assert file_hash(order.clip) != before


def test_what_looks_like_a_video_is_named(tmp_path: Path) -> None:
    shoot = files(tmp_path / "shoot", "a.mp4", "notes.txt", "out/b.bin", ".c.bin")
    for name in ("take.bin", "day 1/take", "a.mp4", "out/b.bin", ".c.bin"):
        (shoot / name).parent.mkdir(exist_ok=True)
        (shoot / name).write_bytes(SAMPLE.read_bytes()[:500])
    assert passed_over([shoot], shoot / "out") == [shoot / "take.bin", shoot / "day 1/take"]


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


def test_two_unicode_forms_of_one_name(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Café") for form in ("NFC", "NFD"))
    files(tmp_path, "a.mp4", "b.mp4", f"{decomposed}.mp4")
    assert list(named([tmp_path / f"{decomposed}.mp4"], [], COMMON, tmp_path / "out")) == [composed]
    (tmp_path / "clips.csv").write_text(f"clip,name\na.mp4,{composed}\nb.mp4,{decomposed}\n", "utf-8")
    with pytest.raises(CaptureError, match=f"two clips are called {composed}"):
        orders_of([], [tmp_path / "clips.csv"], COMMON, tmp_path / "out")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems don't have such names")
def test_files_whose_names_other_systems_forbid_get_safe_names(tmp_path: Path) -> None:
    odd = {
        "day: 1/take 1?.mp4": "day_ 1/take 1_",
        "CON.mp4": "_CON",
        "space .mp4": "space_",
        "two\nlines.mp4": "two_lines",
        "back\\slash.mp4": "back_slash",
        "ダ" * 80 + ".mp4": "ダ" * 66,
    }
    files(tmp_path / "shoot", *odd)
    found = named([tmp_path / "shoot"], [], COMMON, tmp_path / "out")
    assert found == {name: tmp_path / "shoot" / file for file, name in odd.items()}
    for file, name in odd.items():
        assert list(named([tmp_path / "shoot" / file], [], COMMON, tmp_path / "out")) == [name.split("/")[-1]]
    files(tmp_path / "shoot", "take:.mp4", "take?.mp4")
    with pytest.raises(CaptureError, match="two clips are called take_ "):
        orders_of([tmp_path / "shoot"], [], COMMON, tmp_path / "out")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems don't have such names")
def test_a_path_that_is_no_text_is_refused(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"Jos\xe9.mp4")
    odd.touch()
    for given, out in (([odd], tmp_path / "out"), ([tmp_path], tmp_path / "out"), ([], odd)):
        with pytest.raises(CaptureError, match=r"he name of .*Jos\\udce9\.mp4 isn't valid text") as error:
            orders_of([*given, tmp_path / "gone.mp4"], [], COMMON, out)
        assert str(error.value).isprintable()


ALL = replace(COMMON, outputs=Outputs(format=tuple(FORMATS), render=tuple(RENDERS)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a", "a.body"),
        ("a", "A.Body"),
        ("a", "a.blend/b"),
        ("day/a", "Day/a.chart.svg/b"),
        ("a", "report.html/b"),
    ],
)
def test_no_two_results_share_a_file(tmp_path: Path, first: str, second: str) -> None:
    files(tmp_path, "a.mp4", "b.mp4")
    for names in ((first, second), (second, first)):
        rows = [f"{file},{name}" for file, name in zip(("a.mp4", "b.mp4"), names, strict=True)]
        (tmp_path / "clips.csv").write_text("\n".join(["clip,name", *rows]), encoding="utf-8")
        with pytest.raises(CaptureError, match="give one another name in a CSV"):
            orders_of([], [tmp_path / "clips.csv"], ALL, tmp_path / "out")


def test_no_result_shares_a_file_with_one_of_several_people(tmp_path: Path) -> None:
    files(tmp_path, "a.mp4", "a.person2.mp4", "a.person2.motion.npz")
    everybody = replace(ALL, capture={"person": "all"})
    for other in ("a.person2.mp4", "a.person2.motion.npz"):
        with pytest.raises(CaptureError, match=r"would both write a\.person2\."):
            orders_of([tmp_path / "a.mp4", tmp_path / other], [], everybody, tmp_path / "out")
        # one person has no others beside them
        assert len(named([tmp_path / "a.mp4", tmp_path / other], [], ALL, tmp_path / "out")) == 2
    with pytest.raises(CaptureError, match=r"a\.person2\.motion\.npz is an input, and a would overwrite it"):
        orders_of([], [write_list(tmp_path)], ALL, tmp_path)


def write_list(folder: Path) -> Path:
    """A list that gives a motion another name, and a video's people theirs."""
    path = folder / "clips.csv"
    path.write_text("clip,name,person\na.mp4,a,all\na.person2.motion.npz,other,\n", encoding="utf-8")
    return path


def test_names_that_only_begin_alike_are_two(tmp_path: Path) -> None:
    files(tmp_path, *(f"{name}.mp4" for name in ("a", "a.chart", "a.b", "a/b", "a.motion", "report")))
    assert len(named([tmp_path], [], ALL, tmp_path / "out")) == 6


@pytest.mark.parametrize(
    ("clip", "name"),
    [("a.body.png", "a"), ("A.side-by-side.mp4", "a"), ("day/a.motion.npz", "day/a"), ("report.html", "r")],
)
def test_no_result_overwrites_an_input(tmp_path: Path, clip: str, name: str) -> None:
    out = files(tmp_path / "out", clip)
    (tmp_path / "link").symlink_to(out)
    files(tmp_path, "b.mp4")
    solved = replace(ALL, capture={"height": 1.7})
    rows = f"clip,name,retarget\nb.mp4,{name},\nout/{clip},other,\n"
    for text in (rows, rows.replace("out/", "link/"), f"clip,name,retarget\nb.mp4,{name},out/{clip}\n"):
        (tmp_path / "clips.csv").write_text(text, encoding="utf-8")
        with pytest.raises(CaptureError, match="would overwrite it"):
            orders_of([], [tmp_path / "clips.csv"], solved, out)


def test_a_motion_may_be_written_beside_itself_unless_it_is_solved_again(tmp_path: Path) -> None:
    out = files(tmp_path, "a.motion.npz")
    assert named([out / "a.motion.npz"], [], COMMON, out) == {"a": out / "a.motion.npz"}
    with pytest.raises(CaptureError, match="would overwrite it"):
        orders_of([out / "a.motion.npz"], [], replace(COMMON, capture={"height": 1.7}), out)


def test_paths_that_are_too_long(tmp_path: Path) -> None:
    deep = tmp_path / "/".join(["x" * 200] * 20)
    with pytest.raises(CaptureError, match="together are too long for a path: give a shorter --out"):
        orders_of([tmp_path / "a.mp4"], [], COMMON, deep)
    # a clip that can't be looked at fails on its own, later
    assert list(named([tmp_path / ("y" * 5000)], [], COMMON, tmp_path / "out")) == ["y" * 200]


def test_no_clip_at_all(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("# nothing yet\n", encoding="utf-8")
    with pytest.raises(CaptureError, match="There is no clip to capture"):
        orders_of([], [tmp_path / "empty.txt"], COMMON, tmp_path / "out")
