"""An artist's contacts go into the solver: feet, body and picture follow, as far as they can be kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinelift.core.arrays import Bools, Floats
from kinelift.core.capture import Capture, joined
from kinelift.core.errors import CaptureError
from kinelift.core.foot_ik import clean_up
from kinelift.core.landmarks import evidence_of
from kinelift.core.options import CleanUp
from kinelift.core.quality import off_picture
from kinelift.core.stances import feet, held
from kinelift.inference.__main__ import main
from kinelift.inference.pipeline import resolve, resolve_range
from kinelift.tests.inference.test_bad_input import bent_back, filmed, walking
from kinelift.tests.motions import capture_of
from kinelift.tests.walks import sliding, walk

# solves again and again
pytestmark = pytest.mark.slow

LENS = {"focal": 28.0}
FRAMES = 80


@pytest.fixture(scope="module")
def solved() -> Capture:
    """A walk, solved from its landmarks, with the contacts that were found."""
    return resolve(filmed(walking(FRAMES)), LENS)


def contacts_of(capture: Capture) -> Bools:
    return np.asarray(capture.motion.contacts >= 0.5)


def off(capture: Capture) -> Floats:
    """Mean distance (T,) from the landmarks, % of the person's height."""
    return 100 * off_picture(capture).mean(axis=1)


def sound(capture: Capture) -> None:
    for motion in (capture.motion, clean_up(capture.motion)):
        assert all(np.isfinite(part).all() for part in (motion.rotations, motion.root, motion.contacts))
        assert bent_back(motion).max() < 8


def test_the_contacts_that_were_found_give_the_same_motion(solved: Capture) -> None:
    again = resolve(solved, None, None, contacts_of(solved))
    np.testing.assert_allclose(again.motion.joints, solved.motion.joints, atol=0.01)
    assert again.contacts_given and not solved.contacts_given


def test_contacts_are_used_as_they_are_and_kept_for_the_next_time(solved: Capture, tmp_path: Path) -> None:
    given = contacts_of(solved)
    given[:, :2] = False
    one_foot = resolve(solved, None, None, given)
    np.testing.assert_array_equal(contacts_of(one_foot), given)
    assert off(one_foot).mean() < 1.1 * off(solved).mean()
    one_foot.save(tmp_path / "m.npz")
    taller = resolve(Capture.load(tmp_path / "m.npz"), {"height": 1.9})
    np.testing.assert_array_equal(contacts_of(taller), given)
    assert taller.contacts_given and taller.motion.height == pytest.approx(1.9, abs=1e-3)


def test_a_longer_stance_is_stood_and_the_body_stays_on_the_picture(solved: Capture) -> None:
    given = contacts_of(solved)
    first, end = 3, int(np.flatnonzero(~given[:, :2].any(1) & (np.arange(FRAMES) > 3))[0])
    given[first : end + 4, :2] = True
    longer = resolve(solved, None, None, given)
    assert contacts_of(longer)[first : end + 3, :2].any(1).all()
    ball = longer.motion.sole_points()[first + 1 : end + 3, 1]
    before = solved.motion.sole_points()[first + 1 : end + 3, 1]
    assert np.ptp(ball, axis=0).max() < 0.02 < np.ptp(before, axis=0).max()
    assert off(longer).mean() < off(solved).mean() + 0.2
    planted = clean_up(longer.motion)
    assert held(planted, CleanUp())[first : end + 3, 0].all()


@pytest.mark.parametrize("where", [slice(None), slice(0, 2)], ids=["both feet", "the left foot"])
def test_who_is_to_stand_all_the_time_stands_where_the_picture_allows(solved: Capture, where: slice) -> None:
    given = contacts_of(solved)
    given[:, where] = True
    stands = resolve(solved, None, None, given)
    kept, found = feet(contacts_of(stands)), feet(contacts_of(solved))
    # steps of 0.7 m remain, and all that stood stands
    assert (kept[:, 0] & found[:, 0]).sum() > 0.95 * found[:, 0].sum()
    assert 0.03 < 1 - kept[:, 0].mean() < 1 - found[:, 0].mean()
    planted = replace(stands, motion=clean_up(stands.motion))
    assert off(planted).mean() < off(solved).mean() + 1
    np.testing.assert_array_equal(held(planted.motion, CleanUp()), kept)
    sound(stands)


def test_nobody_stands_if_no_foot_is_to(solved: Capture) -> None:
    floats = resolve(solved, None, None, np.zeros((FRAMES, 4), bool))
    assert not floats.motion.contacts.any() and off(floats).mean() < 1.1 * off(solved).mean()
    sound(floats)


def test_another_person_and_an_upper_body_stand_on_feet_of_their_own(solved: Capture) -> None:
    beside = evidence_of(solved)
    beside[..., 0] -= 250
    beside[FRAMES // 2 :] = np.nan
    both = replace(solved, others=beside[None])
    none = np.zeros((FRAMES, 4), bool)
    other = resolve(both, {"person": "2"}, None, none)
    assert other.motion.contacts[: FRAMES // 2].any() and not other.contacts_given
    assert [said for said in other.warnings if "set for another person" in said]
    upper = resolve(solved, {"body": "upper"}, None, ~none)
    assert not upper.motion.contacts.any() and not upper.contacts_given


def test_outside_of_a_range_nothing_changes_and_its_ends_are_smooth(solved: Capture) -> None:
    how = CleanUp(first=30, last=60)
    given = contacts_of(solved)
    given[:] = False
    part = resolve_range(solved, how, given)
    outside = np.r_[0:30, 61:FRAMES]
    np.testing.assert_allclose(part.motion.joints[outside], solved.motion.joints[outside], atol=1e-6)
    np.testing.assert_array_equal(contacts_of(part)[outside], contacts_of(solved)[outside])
    assert not part.motion.contacts[30:61].any() and part.contacts_given
    moved = part.motion.joints - solved.motion.joints
    jolts = np.abs(np.diff(moved, 2, axis=0)).max(axis=(1, 2))
    assert np.abs(moved[38:53]).max() > 0.03 and np.abs(moved[[30, 60]]).max() < 0.005
    # single frames of feet in the air follow the landmarks' noise, but not where the motion goes over
    assert max(jolts[27:32].max(), jolts[57:62].max()) < 0.01
    assert part.camera is solved.camera and part.settings == solved.settings
    assert off(part).mean() < 1.1 * off(solved).mean()
    with pytest.raises(CaptureError, match="nothing to clean from frame 90"):
        resolve_range(solved, CleanUp(first=90), given)


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("stands", [True, False])
def test_a_clip_of_few_frames(frames: int, stands: bool) -> None:
    capture = filmed(walking(frames))
    given = np.full((frames, 4), stands)
    sound(resolve(capture, LENS, None, given))
    once = resolve(capture, LENS)
    part = resolve_range(once, CleanUp(first=frames - 1), given)
    np.testing.assert_allclose(part.motion.joints[:-1], once.motion.joints[:-1], atol=1e-6)
    sound(part)


def test_each_shot_keeps_its_own_contacts(solved: Capture) -> None:
    cut = joined([solved, solved])
    given = contacts_of(cut)
    given[FRAMES:, :2] = False
    given[FRAMES - 10 : FRAMES + 10, 2:] = True  # across the cut
    again = resolve(cut, LENS, None, given)
    assert again.motion.cuts == (FRAMES,) and len(again.later_cameras) == 1
    one, other = again.shots
    np.testing.assert_array_equal(contacts_of(one)[:-10], given[: FRAMES - 10])
    assert not other.motion.contacts[:, :2].any() and contacts_of(one)[:, :2].any()
    sound(again)
    part = resolve_range(cut, CleanUp(first=FRAMES - 20, last=FRAMES + 20), given)
    outside = np.r_[0 : FRAMES - 20, FRAMES + 21 : 2 * FRAMES]
    np.testing.assert_allclose(part.motion.joints[outside], cut.motion.joints[outside], atol=1e-6)
    sound(part)


# --- from the command line ----------------------------------------------------------------------------------


def run(path: Path, contacts: dict[str, list[tuple[int, int]]], *options: str) -> Capture:
    (path.parent / "c.json").write_text(json.dumps(contacts))
    out = path.with_name("out.npz")
    words = ["solve", str(path), "--out", str(out), "--contacts", str(path.parent / "c.json"), *options]
    assert main(words) == 0
    return Capture.load(out)


def test_a_file_of_stances_is_solved_with(
    solved: Capture, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.npz"
    solved.save(path)
    none = run(path, {"left": [], "right": []})
    assert not none.motion.contacts.any() and none.contacts_given
    assert "Contacts" not in capsys.readouterr().err
    right = run(path, {"left": []}, "--first", "40", "--last", "70")
    np.testing.assert_array_equal(contacts_of(right)[:, 2:], contacts_of(solved)[:, 2:])
    assert not contacts_of(right)[40:71, :2].any()
    np.testing.assert_array_equal(contacts_of(right)[:40], contacts_of(solved)[:40])
    np.testing.assert_allclose(right.motion.joints[:40], solved.motion.joints[:40], atol=1e-6)
    run(path, {"left": [[0, FRAMES - 1]]})
    (said,) = (line for line in capsys.readouterr().err.splitlines() if "Contacts" in line)
    assert said.startswith("Note: Contacts can't be kept of the left foot in frames ") and "right" not in said
    first, last = map(int, said.split("frames ")[1].split(",")[0].split(";")[0].split(" to "))
    assert not contacts_of(solved)[first : last + 1, :2].any() and last > first
    run(path, {"left": [[0, FRAMES - 1]]}, "--last", str(first - 1))
    assert "Contacts" not in capsys.readouterr().err


def test_a_motion_without_a_video_is_planted_by_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "raw.npz"
    capture_of(sliding(walk())).save(path)
    cleaned = run(path, {"left": []}).motion
    assert not cleaned.contacts[:, :2].any() and held(cleaned, CleanUp())[:, 1].any()
    assert "Contacts" not in capsys.readouterr().err
    # the right foot goes on by 2.8 m
    torn = run(path, {"left": [[0, 119]]}).motion
    said = capsys.readouterr().err
    assert "Contacts can't be kept of the left foot in frames" in said and "right" not in said
    assert np.isfinite(torn.joints).all() and bent_back(torn).max() < 8


def test_what_goes_with_a_range(solved: Capture, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.npz"
    solved.save(path)
    words = ["solve", str(path), "--out", str(tmp_path / "n.npz"), "--first", "3"]
    for own in ("--height=1.9", "--lean=10"):
        assert main([*words, own]) == 1
        assert "can't get a lens, height, person or correction of its own" in capsys.readouterr().err
    assert main([*words, "--contacts", str(tmp_path / "gone.json")]) == 1
    assert "can't be read: No such file" in capsys.readouterr().err
    assert not (tmp_path / "n.npz").exists()
