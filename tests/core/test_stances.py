"""What an artist says of the feet becomes contacts of heels and toes, and comes back from a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinelift.core.errors import CaptureError
from kinelift.core.options import CleanUp
from kinelift.core.stances import feet, heels_and_toes, held, not_kept, read_stances, write_stances
from kinelift.tests.walks import walk


def runs(length: int, *stretches: tuple[int, int]) -> np.ndarray:
    out = np.zeros(length, bool)
    for first, end in stretches:
        out[first:end] = True
    return out


def test_heel_and_toe_remain_where_the_foot_still_stands() -> None:
    known = np.stack([runs(60, (10, 30)), runs(60, (15, 35)), runs(60), runs(60)], 1)
    standing = np.stack([runs(60, (10, 35)), runs(60)], 1)
    np.testing.assert_array_equal(heels_and_toes(standing, known, walk(60)), known)
    shorter = np.stack([runs(60, (12, 32)), runs(60)], 1)
    np.testing.assert_array_equal(
        heels_and_toes(shorter, known, walk(60)), known & runs(60, (12, 32))[:, None]
    )


def test_a_longer_contact_goes_on_as_it_began_and_ended() -> None:
    known = np.stack([runs(60, (10, 30)), runs(60, (15, 35)), runs(60), runs(60)], 1)
    standing = np.stack([runs(60, (5, 40)), runs(60)], 1)
    expected = np.stack([runs(60, (5, 30)), runs(60, (15, 40)), runs(60), runs(60)], 1)
    np.testing.assert_array_equal(heels_and_toes(standing, known, walk(60)), expected)


def test_a_gap_that_is_closed_takes_the_nearest() -> None:
    known = np.stack([runs(30, (0, 10)), runs(30, (20, 30)), runs(30), runs(30)], 1)
    standing = np.stack([runs(30, (0, 30)), runs(30)], 1)
    found = heels_and_toes(standing, known, walk(30))
    np.testing.assert_array_equal(found[:, 0], runs(30, (0, 15)))
    np.testing.assert_array_equal(found[:, 1], runs(30, (15, 30)))


def test_a_new_contact_goes_by_the_pose() -> None:
    motion = walk(30)
    nothing = np.zeros((30, 4), bool)
    standing = np.stack([runs(30, (5, 15)), runs(30)], 1)
    flat = heels_and_toes(standing, nothing, motion)
    np.testing.assert_array_equal(flat[:, :2], runs(30, (5, 15))[:, None].repeat(2, 1))
    # on tiptoe: the foot is stretched, the heel up
    rotations = motion.rotations.copy()
    rotations[:, 17] = [np.cos(0.35), np.sin(0.35), 0, 0]
    tiptoe = heels_and_toes(standing, nothing, replace(motion, rotations=rotations))
    np.testing.assert_array_equal(tiptoe[:, 1], runs(30, (5, 15)))
    assert not tiptoe[:, 0].any() and not tiptoe[:, 2:].any()


def test_stances_come_back_from_their_file(tmp_path: Path) -> None:
    path, nothing = tmp_path / "ünï.json", np.zeros((120, 2), bool)
    for standing in (feet(walk().contacts > 0.5), nothing, ~nothing, nothing ^ [True, False]):
        write_stances(standing, np.array([True, True]), path)
        np.testing.assert_array_equal(read_stances(path, ~standing), standing)
        write_stances(standing, np.array([False, True]), path)
        mixed = np.column_stack([~standing[:, 0], standing[:, 1]])
        np.testing.assert_array_equal(read_stances(path, ~standing), mixed)


def test_a_foot_that_is_not_named_goes_on_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text('{"right": [[2, 3], [9, 9]]}')
    known = np.stack([runs(10, (4, 6)), runs(10, (5, 8))], 1)
    expected = np.stack([runs(10, (4, 6)), runs(10, (2, 4), (9, 10))], 1)
    np.testing.assert_array_equal(read_stances(path, known), expected)


@pytest.mark.parametrize(
    "says",
    [
        "", "[]", "3", "null", '{"left": 3}', '{"left": [3]}', '{"left": [[3]]}', '{"left": [[1, 2, 3]]}',
        '{"middle": []}', '{"left": [[2, 1]]}', '{"left": [[-1, 1]]}', '{"left": [[1, 10]]}',
        '{"left": [[1.0, 2]]}', '{"left": [["1", "2"]]}', '{"left": [[true, true]]}', '{"left": [[NaN, 1]]}',
        "[" * 100_000, "\x00\xff", '{"left": ' + "9" * 5000 + "}",
    ],
)  # fmt: skip
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, says: str) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(says.encode("latin-1"))
    with pytest.raises(CaptureError, match="aren't written as they should be") as told:
        read_stances(path, np.zeros((10, 2), bool))
    assert "\n" not in str(told.value)
    with pytest.raises(CaptureError, match="can't be read: No such file"):
        read_stances(tmp_path / "gone.json", np.zeros((10, 2), bool))


def test_a_foot_is_held_while_it_stays_on_its_spot() -> None:
    motion = walk(90)
    asked = feet(motion.contacts > 0.5)
    np.testing.assert_array_equal(held(motion, CleanUp()), asked)
    shift = np.zeros((90, 3))
    shift[5:9, 0] = 0.05
    moved = replace(motion, root=motion.root + shift)
    away = asked & ~held(moved, CleanUp())
    assert away[5:9, 0].all() and away.sum() == asked[5:9].sum()
    # feet that aren't planted stand where they are, and a short contact is nothing to plant
    np.testing.assert_array_equal(held(moved, CleanUp(feet=False)), asked)
    np.testing.assert_array_equal(held(moved, CleanUp(minimum=5)), asked)
    # the spots of another shot are others
    shift[:] = 0
    shift[7:] = 2
    assert held(replace(motion, root=motion.root + shift, cuts=(7,)), CleanUp())[:9, 0].all()


def test_contacts_that_are_not_kept_are_told_with_their_frames() -> None:
    asked = np.ones((100, 2), bool)
    assert not_kept(asked, asked, 30.0) == ""
    kept = asked.copy()
    kept[10:20, 0] = kept[50:52, 0] = False  # the second is too short to tell
    assert not_kept(asked, kept, 30.0).startswith(
        "Contacts can't be kept of the left foot in frames 10 to 19;"
    )
    kept[90:, 1] = False
    assert "left foot in frames 11 to 20 and of the right foot in frames 91 to 100;" in not_kept(
        asked, kept, 30.0, 1
    )
    assert not_kept(np.zeros((100, 2), bool), kept, 30.0) == ""
    kept[::10, 1] = True
    often = np.ones((100, 2), bool)
    for first in range(0, 80, 10):
        often[first : first + 5, 1] = False
    assert "frames 0 to 4, 10 to 14, 20 to 24, 30 to 34, 40 to 44, 3 more stretches;" in not_kept(
        asked, often, 30.0
    )
