"""Lists of clips: what their rows give, and everything that can be wrong with them."""

from __future__ import annotations

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
        "row 3 of clips.csv names gone.mp4, which doesn't exist",
        "row 4 of clips.csv names no clip",
        "row 5 of clips.csv says start 'soon', which isn't a number",
        "row 6 of clips.csv asks for 5 to 3 s, but the end has to lie after the start",
        "row 7 of clips.csv says fps 1000, which is not within 5 and 240",
        "says height 18, which is not within 0.3 and 3",
        "row 8 of clips.csv has the name '../up', which isn't a path inside the output folder",
        "row 9 of clips.csv has more cells than there are columns",
        "row 4 of more.txt names missing.mov, which doesn't exist",
        "none.txt can't be read",
    ):
        assert problem in said
    assert "row 2" not in said and said.count("\n") == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"clip,speed\na.mp4,2\n", "unknown column 'speed'"),
        (b"name,fps\nx,30\n", "needs one column 'clip'"),
        (b"clip\n\xff\xfe\n", "isn't UTF-8 text"),
        (b'clip,name\n"a.mp4,x\n', "isn't valid CSV"),
    ],
)
def test_files_that_are_not_lists(tmp_path: Path, content: bytes, said: str) -> None:
    files(tmp_path, "a.mp4")
    (tmp_path / "clips.csv").write_bytes(content)
    with pytest.raises(CaptureError, match=said):
        orders_of([], [tmp_path / "clips.csv"], COMMON, tmp_path / "out")
