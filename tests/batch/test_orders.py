"""What the command line and lists ask for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kinelift.batch.orders import Order, orders_of
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


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_csv(tmp_path: Path, separator: str) -> None:
    files(tmp_path, "day 1/a.mp4", "b.mp4", "hero.blend")
    table = [
        ["Clip", "name", "start", "end", "fps", "height", "person", "retarget"],
        ["day 1/a.mp4", "", "1.5", "4", "", "1.82", "0.3,0.5@2", "hero.blend:Rig"],
        ["b.mp4", "takes/second", "", "", "24", "", "", ""],
        ["b.mp4", "takes/third", "", "2", "", "", "leftmost", ""],
        [""] * 8,
    ]
    rows = [[f'"{cell}"' if "," in cell else cell for cell in row] for row in table]
    (tmp_path / "clips.csv").write_text(
        "\ufeff" + "\r\n".join(separator.join(row) for row in rows), encoding="utf-8"
    )
    first, second, third = orders_of([], [tmp_path / "clips.csv"], COMMON, tmp_path / "out")
    assert (first.name, first.clip) == ("day 1/a", tmp_path / "day 1/a.mp4")
    assert first.capture == {"fps": 30.0, "start": 1.5, "end": 4.0, "height": 1.82, "person": "0.3,0.5@2"}
    assert first.retarget == f"{tmp_path / 'hero.blend'}:Rig"
    assert (second.name, second.capture, second.retarget) == ("takes/second", {"fps": 24.0}, "")
    assert third.capture == {"fps": 30.0, "end": 2.0, "person": "leftmost"}


def test_bad_rows_are_all_named_at_once(tmp_path: Path) -> None:
    files(tmp_path, "a.mp4")
    (tmp_path / "clips.csv").write_text(
        "clip,name,start,end,fps,height\n"
        "a.mp4,ok,,,,\n"
        "gone.mp4,,,,,\n"
        ",nameless,,,,\n"
        "a.mp4,x,soon,,,\n"
        "a.mp4,y,5,3,,\n"
        "a.mp4,z,,,1000,18\n"
        "a.mp4,../up,,,,\n"
        "a.mp4,w,,,,,surplus\n",
        encoding="utf-8",
    )
    (tmp_path / "more.txt").write_text("# a comment\na.mp4\n\nmissing.mov\n", encoding="utf-8")
    lists = [tmp_path / "clips.csv", tmp_path / "more.txt", tmp_path / "none.txt"]
    with pytest.raises(CaptureError) as error:
        orders_of([], lists, COMMON, tmp_path / "out")
    said = str(error.value)
    for problem in (
        "row 3 of clips.csv names gone.mp4, which is not there",
        "row 4 of clips.csv names no clip",
        "row 5 of clips.csv says start 'soon', which isn't a number",
        "row 6 of clips.csv asks for 5 to 3 s, but the end has to lie after the start",
        "row 7 of clips.csv says fps 1000, which is not within 5 and 240",
        "says height 18, which is not within 0.3 and 3",
        "row 8 of clips.csv has the name '../up', which is no path inside the output folder",
        "row 9 of clips.csv has more cells than there are columns",
        "row 4 of more.txt names missing.mov, which is not there",
        "none.txt can't be read",
    ):
        assert problem in said
    assert "row 2" not in said and said.count("\n") == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"clip,speed\na.mp4,2\n", "unknown column 'speed'"),
        (b"name,fps\nx,30\n", "needs one column 'clip'"),
        (b"clip\n\xff\xfe\n", "is no text in UTF-8"),
        (b'clip,name\n"a.mp4,x\n', "is no CSV"),
    ],
)
def test_lists_that_are_none(tmp_path: Path, content: bytes, said: str) -> None:
    files(tmp_path, "a.mp4")
    (tmp_path / "clips.csv").write_bytes(content)
    with pytest.raises(CaptureError, match=said):
        orders_of([], [tmp_path / "clips.csv"], COMMON, tmp_path / "out")


def test_no_clip_at_all(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("# nothing yet\n", encoding="utf-8")
    with pytest.raises(CaptureError, match="There is no clip to capture"):
        orders_of([], [tmp_path / "empty.txt"], COMMON, tmp_path / "out")


def test_what_makes_the_settings_others(tmp_path: Path) -> None:
    files(tmp_path, "a.mp4", "b.mp4", "hero.glb")
    order = replace(COMMON, clip=tmp_path / "a.mp4", name="a", retarget=str(tmp_path / "hero.glb"))
    first = order.settings_hash()
    # where the clip lies doesn't count: its content does, elsewhere
    assert replace(order, clip=tmp_path / "b.mp4", name="b").settings_hash() == first
    others = [
        replace(order, capture={"fps": 25.0}),
        replace(order, clean_up=CleanUp(floor=0.1)),
        replace(order, outputs=Outputs(format=("bvh", "fbx"))),
        replace(order, outputs=Outputs(render=("still",))),
        replace(order, retarget=""),
    ]
    assert len({first, *(other.settings_hash() for other in others)}) == 6
    (tmp_path / "hero.glb").write_bytes(b"another hero")
    assert order.settings_hash() != first
