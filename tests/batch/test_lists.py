"""Lists of clips: what their rows give, and everything that can be wrong with them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from kinelift.batch.collect import orders_of
from kinelift.core.errors import CaptureError
from kinelift.tests.batch.test_collect import COMMON, files


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
    assert first.retarget == (f"{tmp_path / 'hero.blend'}:Rig",)
    assert (second.name, second.capture, second.retarget) == ("takes/second", {"fps": 24.0}, ())
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
        "row 3 of clips.csv names gone.mp4, which doesn't exist",
        "row 4 of clips.csv names no clip",
        "row 5 of clips.csv says start 'soon', which isn't a number",
        "row 6 of clips.csv asks for 5 to 3 s, but the end has to lie after the start",
        "row 7 of clips.csv says fps 1000, which is not within 5 and 240",
        "says height 18, which is not within 0.3 and 3",
        "row 8 of clips.csv has the name '../up', which isn't a path inside the output folder",
        "row 9 of clips.csv has more cells than there are columns",
        "row 4 of more.txt names missing.mov, which doesn't exist",
        "none.txt doesn't exist",
    ):
        assert problem in said
    assert "row 2" not in said and said.count("\n") == 0


def refusal(tmp_path: Path, content: bytes, name: str = "clips.csv") -> str:
    """The sentence that refuses a list beside the video a.mp4."""
    files(tmp_path, "a.mp4")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CaptureError) as error:
        orders_of([], [tmp_path / name], COMMON, tmp_path / "out")
    said = str(error.value)
    assert said.isprintable() and len(said) < 10_000
    return said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"clip,speed\na.mp4,2\n", "unknown column 'speed'"),
        (b"name,fps\nx,30\n", "needs one column 'clip'"),
        (b"clip,fps,fps\na.mp4,30,25\n", "has the column 'fps' more than once"),
        (b"a.mp4\na.mp4\n", "has the unknown column 'a.mp4'"),
        (b"clip\n\xff\xfe\n", "row 2 of the list .* isn't UTF-8 text"),
        (b"clip\na.mp4\n\xed\xa0\x80.mp4\n", "row 3 of the list .* isn't UTF-8 text"),
        ("clip\na.mp4\n".encode("utf-16"), "row 1 of the list .* isn't UTF-8 text"),
        ("clip\na.mp4\n".encode("utf-16-le"), "row 1 of the list .* has a NUL character"),
        (b"clip\na.mp4\r\na\0.mp4\n", "row 3 of the list .* has a NUL character"),
        (b'clip,name\n"a.mp4,x\n', "row 2 of clips.csv isn't valid CSV"),
        (b'clip,name\na.mp4,ok\n"a\nb\nc,x\n', "row 3 of clips.csv isn't valid CSV"),
        (b'"clip', "row 1 of clips.csv isn't valid CSV"),
        (b"x" * 200_000, "row 1 of clips.csv isn't valid CSV"),
        (b"clip\n" + b"x" * 200_000, "row 2 of clips.csv isn't valid CSV"),
        (b"name,clip\nok,a.mp4\nalone\n", "row 3 of clips.csv names no clip"),
        (b"clip,name\na.mp4,ok\na.mp4," + b"x" * 5000, "row 3 of clips.csv has more than 1000 characters"),
        (b"clip", "There is no clip to capture"),
        (b"", "There is no clip to capture"),
        (b"\n" * (16 << 20) + b"x", "is larger than 16 MB"),
        (b"clip\n" + b"gone.mp4\n" * 10_000, "; and so on. Correct"),
    ],
    ids=lambda value: str(value[:30]),
)
def test_files_that_are_not_lists(tmp_path: Path, content: bytes, said: str) -> None:
    assert re.search(said, refusal(tmp_path, content))


@pytest.mark.parametrize(
    "name",
    [
        ".", "..", "../up", "a/../up", "/tmp/x", ".kinelift/journal", ".hidden", "..\\up", "C:/x",
        "\\\\host\\x", "CON", "day/NUL.x", "end.", "a /b", '"two\nlines"', "x" * 201, "ende\u202efdp",
    ],
)  # fmt: skip
def test_a_name_that_some_system_takes_for_another_place_is_refused(tmp_path: Path, name: str) -> None:
    said = refusal(tmp_path, f"clip,name\na.mp4,good\na.mp4,{name}\n".encode())
    assert "row 3 of clips.csv has the name" in said and "row 2" not in said


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("start", "1e999"), ("start", "nan"), ("end", "-inf"), ("quality", "9" * 999), ("first", "-1"),
        ("last", "-" + "9" * 400), ("fps", "9" * 400), ("first", "\u0661e3"), ("person", "9" * 999),
        ("person", f"{'9' * 400}@5"), ("height", "0x1"), ("feet", "maybe"), ("format", '"bvh,,exe"'),
        ("person", '"1\n2"'), ("device", "\x1b[2J"),
    ],
)  # fmt: skip
def test_numbers_that_are_none_are_refused(tmp_path: Path, column: str, cell: str) -> None:
    said = refusal(tmp_path, f"clip,{column}\na.mp4,\na.mp4,{cell}\n".encode())
    assert f"row 3 of clips.csv says {column}" in said


@pytest.mark.parametrize("column", ["clip", "retarget"])
@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("folder", "is a folder"), ("pipe", "is a pipe or a device"), ("/dev/zero", "is a pipe or a device"),
        ("loop", "can't be read"), ("x" * 900, "can't be read"), ("~nobody-at-all/x", "doesn't exist"),
        ("a.mp4/x", "doesn't exist"), ('"a\n.mp4"', "doesn't exist"),
    ],
)  # fmt: skip
def test_only_files_are_read(tmp_path: Path, column: str, cell: str, said: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    row = {"clip": "a.mp4", "name": "x", "retarget": "", column: cell}
    text = f"{','.join(row)}\n{','.join(row.values())}\n"
    refused = refusal(tmp_path, text.encode())
    assert "row 2 of clips.csv names" in refused and said in refused
    if column == "clip" and "\n" not in cell:
        refused = refusal(tmp_path, f"# clips\n{cell}\n".encode(), "clips.txt")
        assert "row 2 of clips.txt names" in refused and said in refused


@pytest.mark.parametrize("name", ["folder", "pipe", "/dev/zero", "gone.csv", "x" * 900])
def test_only_files_are_lists(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CaptureError, match=r"because the list .*(doesn't exist|is a|can't)"):
        orders_of([], [tmp_path / name], COMMON, tmp_path / "out")


def test_rows_are_counted_as_editors_count_lines(tmp_path: Path) -> None:
    files(tmp_path, "a.mp4")
    (tmp_path / "clips.csv").write_bytes(
        '\ufeffclip,name\r\n\r\n"a.mp4",ok\r\n"a\r\nb",two\r\ngone.mp4,three\r\n'.encode()
    )
    (tmp_path / "clips.txt").write_bytes("a.mp4\r\rgone\u2028.mp4\r".encode())
    with pytest.raises(CaptureError) as error:
        orders_of([], [tmp_path / "clips.csv", tmp_path / "clips.txt"], COMMON, tmp_path / "out")
    for problem in (
        "row 4 of clips.csv names a\\nb,",
        "row 6 of clips.csv names gone.mp4,",
        "row 3 of clips.txt names gone\\u2028.mp4,",
    ):
        assert problem in str(error.value)


def test_a_home_folder_and_objects_beside_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    files(tmp_path, "home/a.mp4", "home/cast.blend", "cast.blend:take")
    table = "clip,name,retarget\n~/a.mp4,one,~/cast.blend:Rig\n~/a.mp4,two,cast.blend:take\n"
    (tmp_path / "clips.csv").write_text(table, encoding="utf-8")
    one, two = orders_of([], [tmp_path / "clips.csv"], COMMON, tmp_path / "out")
    assert one.clip == two.clip == tmp_path / "home/a.mp4"
    assert one.inputs[1] == tmp_path / "home/cast.blend" and one.retarget[0].endswith("cast.blend:Rig")
    assert two.inputs[1] == tmp_path / "cast.blend:take"


def test_a_character_for_each_person(tmp_path: Path) -> None:
    files(tmp_path, "a.mp4", "anna.blend", "ben.fbx")
    cells = {
        "one": "anna.blend:Rig | ben.fbx",
        "two": "person1=anna.blend",
        "three": "ben.fbx|person1=anna.blend",
        "four": "|ben.fbx",
    }
    rows = [f"a.mp4,{name},all,{cell}" for name, cell in cells.items()]
    (tmp_path / "clips.csv").write_text("\n".join(["clip,name,person,retarget", *rows]), encoding="utf-8")
    anna, ben = str(tmp_path / "anna.blend"), str(tmp_path / "ben.fbx")
    orders = orders_of([], [tmp_path / "clips.csv"], COMMON, tmp_path / "out")
    assert [order.retarget for order in orders] == [(f"{anna}:Rig", ben), (anna,), (anna, ben), ("", ben)]
    assert all(order.inputs[-1] in (Path(anna), Path(ben)) for order in orders)


@pytest.mark.parametrize(
    ("person", "cell", "said"),
    [
        ("all", "person2=a.fbx|person2=a.fbx", "has two characters for person2"),
        ("all", "|".join(["a.fbx"] * 7), "has 7 characters, and at most 6 people are captured"),
        ("all", "a.fbx|gone.fbx", "names the character gone.fbx, which doesn't exist"),
        ("leftmost", "a.fbx|a.fbx", "has characters for 2 people, and --person asks for 1: ask for all"),
        ("1+2", "person3=a.fbx", "has characters for 3 people, and --person asks for 2"),
        ("", "person2=a.fbx", "has characters for 2 people"),
    ],
)
def test_characters_that_are_nobodys(tmp_path: Path, person: str, cell: str, said: str) -> None:
    files(tmp_path, "a.mp4", "a.fbx")
    table = f"clip,person,retarget\na.mp4,{person},{cell}\n"
    (tmp_path / "clips.csv").write_text(table, encoding="utf-8")
    with pytest.raises(CaptureError, match=said):
        orders_of([], [tmp_path / "clips.csv"], COMMON, tmp_path / "out")
