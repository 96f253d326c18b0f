"""A capture's file: what was saved comes back, earlier versions are read, and anything else is refused."""

from __future__ import annotations

import json
import math
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinelift.core.arrays import Array
from kinelift.core.camera import Camera
from kinelift.core.capture import Capture, Source, joined
from kinelift.core.errors import CaptureError, UnsoundError
from kinelift.core.landmarks import COLUMNS, IN_SPACE, evidence_of, nothing_known
from kinelift.core.motion import Motion
from kinelift.core.rotations import axis_angle, matrix_from_quaternion, quaternion_from_matrix
from kinelift.core.skeleton import JOINTS, TEMPLATE_LENGTHS, rest_offsets
from kinelift.tests.motions import filmed_moving, random_capture

OF_MOTION = ("offsets", "rotations", "root", "contacts")
OF_FRAMES = (
    *("confidence", "landmarks", "world_landmarks", "spread", "presence", "turn_spread"),
    *("camera_turns", "camera_places", "camera_zooms"),
)
OF_CAPTURE = (*OF_FRAMES, "others")


def test_file_gives_the_same_capture_back(tmp_path: Path) -> None:
    capture = random_capture(30, seed=1, fps=29.97, size=(1080, 1920), warnings=("One.", "Two."))
    capture = replace(
        capture,
        motion=replace(capture.motion, start=2.5, slow_motion=4.0),
        settings={"end": None, "focal": 28.0},
        unsure_sides=((2, 5), (29, 29)),
        source=Source('tänz "1".mp4', "/a folder", 90, True, 270, ("It was dark.",)),
    )
    capture = filmed_moving(capture)
    capture.landmarks[3] = np.nan
    capture.save(tmp_path / "m.npz")
    again = Capture.load(tmp_path / "m.npz")
    for name in OF_MOTION:
        np.testing.assert_array_equal(getattr(again.motion, name), getattr(capture.motion, name))
    for name in OF_CAPTURE:
        np.testing.assert_array_equal(getattr(again, name), getattr(capture, name))
    assert (again.motion.fps, again.motion.start, again.motion.slow_motion) == (29.97, 2.5, 4.0)
    for name in ("settings", "source", "warnings", "unsure_sides"):
        assert getattr(again, name) == getattr(capture, name)
    assert (again.camera.focal, again.camera.size) == (capture.camera.focal, capture.camera.size)
    np.testing.assert_array_equal(again.camera.camera_from_world, capture.camera.camera_from_world)


def shots() -> list[Capture]:
    """Two shots of one skeleton, with different people around."""
    one, other = (
        random_capture(12, seed=1, warnings=("One.",)),
        random_capture(8, seed=2, warnings=("One.", "Two.")),
    )
    motion = replace(other.motion, offsets=one.motion.offsets, start=0.4)
    others = np.stack([evidence_of(random_capture(8, seed=seed)) for seed in (3, 4)])
    one, other = filmed_moving(one, seed=5), filmed_moving(other, seed=6)
    one, other = replace(one, unsure_sides=((1, 2), (11, 11))), replace(other, unsure_sides=((0, 7),))
    return [one, replace(other, motion=motion, others=others)]


def test_shots_are_joined_saved_and_told_apart_again(tmp_path: Path) -> None:
    apart = shots()
    whole = joined(apart)
    assert (len(whole), whole.motion.cuts, whole.warnings) == (20, (12,), ("One.", "Two."))
    whole.save(tmp_path / "m.npz")
    for before, after in zip(apart, Capture.load(tmp_path / "m.npz").shots, strict=True):
        assert after.motion.start == pytest.approx(before.motion.start) and not after.motion.cuts
        for name in OF_MOTION:
            np.testing.assert_allclose(getattr(after.motion, name), getattr(before.motion, name), atol=1e-6)
        for name in OF_FRAMES:
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
        np.testing.assert_array_equal(after.camera.camera_from_world, before.camera.camera_from_world)
        assert after.camera.focal == before.camera.focal
        assert after.unsure_sides == before.unsure_sides
        np.testing.assert_array_equal(after.others, before.others)
        for name in ("focal", "camera_from_world"):
            np.testing.assert_array_equal(getattr(after.cameras, name), getattr(before.cameras, name))
    for name in ("focal", "camera_from_world"):
        np.testing.assert_array_equal(
            getattr(whole.cameras, name), np.concatenate([getattr(one.cameras, name) for one in apart])
        )


def test_each_frame_is_seen_by_its_own_camera() -> None:
    capture = filmed_moving(random_capture(20, seed=3), seed=4)
    assert capture.camera_moves and not random_capture(20).camera_moves
    cameras, joints = capture.cameras, capture.motion.joints
    pixels = cameras.project(joints)
    for frame in range(20):
        relative = np.eye(4)
        relative[:3, :3] = matrix_from_quaternion(capture.camera_turns[frame].astype(float))
        relative[:3, 3] = -relative[:3, :3] @ capture.camera_places[frame]
        focal = float(capture.camera.focal * capture.camera_zooms[frame])
        one = Camera(focal, capture.camera.size, relative @ capture.camera.camera_from_world)
        np.testing.assert_allclose(pixels[frame], one.project(joints[frame]), atol=1e-3)
        np.testing.assert_allclose(cameras.eyes[frame], one.eye, atol=1e-6)
        np.testing.assert_allclose(cameras.rays(pixels)[frame], one.rays(pixels[frame]), atol=1e-9)


def test_what_the_numbers_of_a_frames_camera_mean() -> None:
    """A metre to the right of the shot's camera, turned to the left by a right angle, at half the zoom."""
    capture = random_capture(3)
    left = axis_angle(np.array([0, 1.0, 0]), np.array(np.pi / 2))
    aside = replace(
        capture,
        camera_turns=np.tile(quaternion_from_matrix(left), (3, 1)),
        camera_places=np.tile([1.0, 0, 0], (3, 1)),
        camera_zooms=np.full(3, 0.5),
    )
    # three metres before it, and 0.2 to its right
    point = np.linalg.inv(capture.camera.camera_from_world) @ [-2.0, 0.1, 0.2, 1]
    seen = aside.cameras.project(np.tile(point[:3], (3, 1, 1)))
    wanted = capture.camera.centre + capture.camera.focal / 2 * np.array([0.2, 0.1]) / 3
    np.testing.assert_allclose(seen, np.tile(wanted, (3, 1, 1)), atol=1e-3)


def test_a_camera_that_is_kept_still_sees_the_same() -> None:
    still, moving = random_capture(6), filmed_moving(random_capture(5, seed=2))
    whole = joined([still, replace(moving, motion=replace(moving.motion, offsets=still.motion.offsets))])
    held = whole.with_still_camera()
    for shot in held.shots:
        poses = [shot.camera.camera_from_world] * len(shot)
        np.testing.assert_array_equal(shot.cameras.camera_from_world, poses)
    # the zoom stays the camera's
    np.testing.assert_array_equal(held.camera_zooms, whole.camera_zooms)
    pixels = (
        one.cameras.project(np.concatenate([one.motion.joints, one.motion.sole_points()], axis=1))
        for one in (held, whole)
    )
    np.testing.assert_allclose(*pixels, atol=0.01)
    assert (held.motion.contacts[6:] == 0).all()
    for name in ("rotations", "root", "contacts"):
        before, after = (getattr(one.motion, name)[:6] for one in (whole, held))
        np.testing.assert_allclose(after, before, atol=1e-6)
    assert held.with_still_camera() is held and still.with_still_camera() is still


def test_one_shot_of_several_may_move() -> None:
    still, moving = random_capture(6), filmed_moving(random_capture(5))
    whole = joined([still, replace(moving, motion=replace(moving.motion, offsets=still.motion.offsets))])
    assert whole.camera_moves and [shot.camera_moves for shot in whole.shots] == [False, True]
    part = moving.part(slice(2, 4))
    np.testing.assert_array_equal(part.cameras.camera_from_world, moving.cameras.camera_from_world[2:4])


@pytest.mark.parametrize("cuts", [(0,), (20,), (12, 12), (12, 5), (True,), (1.5,), (-3,)])
def test_cuts_that_are_none(cuts: tuple[int, ...]) -> None:
    motion = joined(shots()).motion
    with pytest.raises(UnsoundError, match="its cut is"):
        replace(motion, cuts=cuts)


@pytest.mark.parametrize(
    "stretches",
    [((-1, 3),), ((3, 2),), ((0, 5),), ((0, 2), (2, 3)), ((3, 4), (0, 1)), ((0.5, 2),), ((True, 2),)],
)
def test_stretches_that_are_none(stretches: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(UnsoundError, match="stretch of unsure sides"):
        replace(random_capture(5), unsure_sides=stretches)


def test_every_shot_has_a_camera() -> None:
    whole = joined(shots())
    with pytest.raises(UnsoundError, match="a camera for each shot"):
        replace(whole, later_cameras=())


def test_a_file_from_before_spread_and_presence_is_read(tmp_path: Path) -> None:
    whole = joined(shots())
    whole.save(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz", allow_pickle=False) as data:
        arrays = {name: data[name] for name in data.files if name not in OF_FRAMES[3:]}
    arrays["others"] = arrays["others"][..., : IN_SPACE.stop]
    arrays["header"] = np.array(str(arrays["header"]).replace('"version": 5', '"version": 2'))
    np.savez(tmp_path / "old.npz", **arrays)
    again = Capture.load(tmp_path / "old.npz")
    np.testing.assert_array_equal(again.landmarks, whole.landmarks)
    assert again.spread.shape == whole.spread.shape and np.isnan(again.spread).all()
    assert np.isnan(again.presence).all() and np.isnan(again.others[..., IN_SPACE.stop :]).all()
    assert again.turn_spread.shape == (20, len(JOINTS)) and np.isnan(again.turn_spread).all()
    np.testing.assert_array_equal(again.others[..., : IN_SPACE.stop], arrays["others"])
    # what an empty array says of its shape isn't believed either
    for name, shape in (("landmarks", (1 << 33, 0)), ("others", (1 << 30, 1 << 20, 0))):
        np.savez(tmp_path / "old.npz", **arrays | {name: np.zeros(shape)})
        assert "the shapes of its landmarks" in refusal(tmp_path / "old.npz")


def test_a_file_from_before_the_spread_of_turns_is_read(tmp_path: Path) -> None:
    whole = joined(shots())
    whole.save(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz", allow_pickle=False) as data:
        arrays = {name: data[name] for name in data.files if name not in OF_FRAMES[5:]}
    np.savez(tmp_path / "no.npz", **arrays)
    assert "is not a Kinelift motion file" in refusal(tmp_path / "no.npz")
    arrays["header"] = np.array(str(arrays["header"]).replace('"version": 5', '"version": 3'))
    np.savez(tmp_path / "old.npz", **arrays)
    again = Capture.load(tmp_path / "old.npz")
    assert again.turn_spread.shape == (20, len(JOINTS)) and np.isnan(again.turn_spread).all()
    for name in OF_CAPTURE[:5]:
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))


def test_a_file_from_before_cameras_moved_is_read(tmp_path: Path) -> None:
    whole = joined(shots())
    whole.save(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz", allow_pickle=False) as data:
        arrays = {
            name: data[name] for name in data.files if not name.startswith("camera_") or "world" in name
        }
    np.savez(tmp_path / "no.npz", **arrays)
    assert "is not a Kinelift motion file" in refusal(tmp_path / "no.npz")
    arrays["header"] = np.array(str(arrays["header"]).replace('"version": 5', '"version": 4'))
    np.savez(tmp_path / "old.npz", **arrays)
    again = Capture.load(tmp_path / "old.npz")
    assert whole.camera_moves and not again.camera_moves
    np.testing.assert_array_equal(again.turn_spread, whole.turn_spread)
    for shot in again.shots:
        pixels = shot.camera.project(shot.motion.joints)
        np.testing.assert_array_equal(shot.cameras.project(shot.motion.joints), pixels)


def test_a_file_from_before_motions_and_captures_were_two_is_read(tmp_path: Path) -> None:
    capture = random_capture(5, warnings=("One.",))
    header = {
        "version": 1, "joints": list(JOINTS), "fps": 30.0, "start": 1.5, "focal": capture.camera.focal,
        "size": [1920, 1080], "warnings": ["One."],
        "settings": {
            "video": "clip.mp4", "folder": "/clips", "video_warnings": ["It was dark."], "start": 1.5,
            "end": None, "fps": None, "focal": 28.0, "person": "largest", "device": "auto", "height": None,
        },
    }  # fmt: skip
    np.savez_compressed(
        tmp_path / "old.npz",
        header=np.array(json.dumps(header)),
        camera_from_world=capture.camera.camera_from_world,
        **{name: getattr(capture.motion, name) for name in OF_MOTION},
        **{name: getattr(capture, name) for name in OF_FRAMES[:3]},
        others=np.zeros((0, 0, 33, 6)),
    )
    again = Capture.load(tmp_path / "old.npz")
    assert again.others.shape == (0, 0, 33, COLUMNS)
    np.testing.assert_array_equal(again.motion.rotations, capture.motion.rotations)
    assert again.motion.start == 1.5 and again.warnings == ("One.",)
    assert again.source == Source("clip.mp4", "/clips", warnings=("It was dark.",))
    assert (
        again.settings["focal"] == 28.0 and not {"video", "folder", "video_warnings"} & again.settings.keys()
    )


def test_file_holds_no_pickles(tmp_path: Path) -> None:
    random_capture(3).save(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz", allow_pickle=False) as data:
        assert {*OF_MOTION, *OF_CAPTURE, "header", "camera_from_world"} == set(data.files)
        assert all(data[name].dtype != object for name in data.files)


def test_wrong_shapes_are_refused() -> None:
    capture = random_capture(5)
    for name in OF_CAPTURE:
        with pytest.raises(ValueError, match=name):
            replace(capture, **{name: getattr(capture, name)[..., :-1]})


def repacked(path: Path, **changes: object) -> Path:
    """A capture's file with other arrays, or other values in its header (None: without it)."""
    random_capture(12).save(path)
    with np.load(path, allow_pickle=False) as source:
        arrays = {key: source[key] for key in source.files}
    header = json.loads(str(arrays.pop("header")))
    for name, value in changes.items():
        (arrays if name in {*arrays, "header"} else header)[name] = value
    kept = {name: value for name, value in header.items() if value is not None}
    arrays.setdefault("header", np.array(json.dumps(kept, ensure_ascii=False)))
    np.savez(path, **{name: np.asarray(value) for name, value in arrays.items()})
    return path


def refusal(path: Path) -> str:
    with pytest.raises(CaptureError) as caught:
        Capture.load(path)
    sentence = str(caught.value)
    assert str(path) in sentence and sentence.endswith(".") and "\n" not in sentence
    assert len(sentence) < 300 + len(str(path))
    return sentence.replace(str(path), "")


def spoilt(content: bytes, kind: str) -> bytes:
    middle = len(content) // 2
    return {
        "empty": b"",
        "text": b"a text file that somebody renamed",
        "cut off": content[:middle],
        "flipped": content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :],
        "extended": content + b"PK",
    }[kind]


@pytest.mark.parametrize("kind", ["empty", "text", "cut off", "flipped", "extended"])
def test_a_file_that_was_damaged_is_refused(tmp_path: Path, kind: str) -> None:
    path = repacked(tmp_path / "m.npz")
    path.write_bytes(spoilt(path.read_bytes(), kind))
    assert "is not a Kinelift motion file, or it is damaged" in refusal(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for ever
    for path in (tmp_path, tmp_path / "gone.npz", tmp_path / "pipe"):
        assert "There is no motion file" in refusal(path)


def test_archives_of_other_things_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "reference.npz", joints_world=np.zeros((4, 22, 3)))
    with zipfile.ZipFile(tmp_path / "zip.npz", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    for path in tmp_path.iterdir():
        assert "is not a Kinelift motion file" in refusal(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 99}, "another version of Kinelift (format 99, this one reads 5)"),
        ({"joints": ["hips"]}, "another version of Kinelift"),
        ({"version": None}, "not a Kinelift motion file"), ({"size": None}, "not a Kinelift motion file"),
        ({"header": "[" * 100_000}, "not a Kinelift motion file"), ({"header": "7"}, "not a Kinelift motion"),
        ({"header": "[" + "0," * 2_000_000 + "0]"}, "not a Kinelift motion file"),
        ({"fps": -3}, "its frame rate is -3"), ({"fps": 0}, "its frame rate is 0"),
        ({"fps": math.nan}, "its frame rate is nan"), ({"fps": "30"}, "its frame rate is '30'"),
        ({"fps": True}, "its frame rate is True"), ({"fps": 10**400}, "its frame rate is 1000"),
        ({"fps": 1e-9}, "its frame rate is 1e-09"), ({"fps": 1000}, "its frame rate is 1000"),
        ({"start": math.nan}, "its start is nan"), ({"start": 1e30}, "its start is 1e+30"),
        ({"focal": 0}, "its focal length is 0"), ({"focal": math.inf}, "its focal length is inf"),
        ({"size": [1920, -1]}, "its height is -1"), ({"size": [1e3, 720]}, "its width is 1000.0"),
        ({"size": [10**9, 720]}, "its width is 1000000000"), ({"size": [1, 2, 3]}, "not a Kinelift motion"),
        *(({"people": number}, f"its number of people is {number!r}") for number in (0, 7, True, "2", 1.0)),
        ({"warnings": "Mind the gap."}, "its warnings are no list"),
        ({"warnings": ["x" * 10**5]}, "no short texts"), ({"warnings": ["a\x1b[2Jb"]}, "no short texts"),
        ({"warnings": ["\ud800"]}, "no short texts"), ({"warnings": [["a"]]}, "no short texts"),
        ({"warnings": ["One."] * 10**4}, "no short texts"),
        ({"source": {"video": "../../a.mp4"}}, "its video"), ({"source": {"video": "/a.mp4"}}, "its video"),
        ({"source": {"video": ".."}}, "its video"), ({"source": {"video": "a\0.mp4"}}, "its video"),
        ({"source": {"video": 7}}, "its video"), ({"source": {"folder": "../clips"}}, "no whole path"),
        ({"source": {"folder": "/a\nb"}}, "no whole path"), ({"source": {"turn": "90"}}, "turn is '90'"),
        ({"source": {"turn": 1e9}}, "turn is 1000000000.0"), ({"source": [1]}, "not a Kinelift motion file"),
        ({"source": {"warnings": [None]}}, "no short texts"),
        ({"settings": {"fps": 1000}}, "it says fps 1000"), ({"settings": {"focal": math.nan}}, "focal nan"),
        ({"settings": {"person": "x" * 10**5}}, "person 'xxx"), ({"settings": {"start": None}}, "start None"),
        ({"settings": {"height": 10**400}}, "height 1000"), ({"settings": {"device": ["cpu"]}}, "device ['c"),
        ({"settings": {"start": 2.0, "end": 1.0}}, "the end has to lie after the start"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_nothing_that_a_header_says_is_believed(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    assert said in refusal(repacked(tmp_path / "m.npz", **changes))


def test_what_other_versions_ask_is_left_out(tmp_path: Path) -> None:
    asked = {"settings": {"focal": 35.0, "made_up": [1]}, "source": {"video": "a.mp4", "made_up": 2}}
    capture = Capture.load(repacked(tmp_path / "m.npz", **asked))
    assert capture.settings == {"focal": 35.0} and capture.source == Source("a.mp4")


def spoilt_array(name: str, kind: str) -> Array:
    capture = random_capture(12)
    owner = capture.motion if name in OF_MOTION else capture
    value = np.array(getattr(owner, name), np.float64)
    if kind == "missing frame":
        return value[1:]
    value.reshape(-1)[-2] = {"nan": np.nan, "inf": np.inf, "far": 1e30, "below": -0.5, "beyond": 3.5}[kind]
    return value


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(
            (name, kind)
            for name in (*OF_MOTION, "confidence", *OF_FRAMES[6:])
            for kind in ("nan", "inf", "far")
        ),
        *((name, kind) for name in OF_FRAMES[1:6] for kind in ("inf", "far")),
        *(
            (name, kind)
            for name in ("contacts", "confidence", "presence", "turn_spread")
            for kind in ("below", "beyond")
        ),
        *((name, "missing frame") for name in OF_MOTION + OF_CAPTURE[:-1]),
    ],
)
def test_no_array_holds_what_it_cannot(tmp_path: Path, name: str, kind: str) -> None:
    sentence = refusal(repacked(tmp_path / "m.npz", **{name: spoilt_array(name, kind)}))
    assert f"its {name}" in sentence or (name == "root" and kind == "missing frame")
    with pytest.raises(UnsoundError):  # neither does a stage of the pipeline make one
        capture = random_capture(12)
        owner = capture.motion if name in OF_MOTION else capture
        other = replace(owner, **{name: spoilt_array(name, kind)})
        replace(capture, motion=other) if isinstance(other, Motion) else other


def mixed(shape: tuple[int, ...], **columns: float) -> Array:
    """Landmarks of a person who is seen at one place, with some columns changed."""
    value = np.full(shape, 0.5)
    for column, number in columns.items():
        value[..., int(column[1:])] = number
    return value


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rotations": np.zeros((12, len(JOINTS), 4))}, "rotations are no rotations"),
        ({"rotations": np.full((12, len(JOINTS), 4), 0.9)}, "rotations are no rotations"),
        ({"camera_turns": np.zeros((12, 4))}, "its camera's turns are no rotations"),
        ({"camera_turns": np.full((12, 4), 0.9)}, "its camera's turns are no rotations"),
        ({"camera_zooms": np.zeros(12)}, "its camera_zooms aren't numbers from 0.05 to 20"),
        ({"camera_zooms": np.full(12, 21.0)}, "its camera_zooms aren't numbers from 0.05 to 20"),
        ({"camera_zooms": np.ones((12, 1))}, "its camera_zooms is (12, 1)"),
        ({"offsets": np.zeros((len(JOINTS), 3))}, "its skeleton isn't a person's"),
        ({"offsets": rest_offsets(TEMPLATE_LENGTHS * 100)}, "its skeleton isn't a person's"),
        ({"offsets": rest_offsets(TEMPLATE_LENGTHS) * [1, 1, -1]}, "its skeleton isn't a person's"),
        ({"landmarks": mixed((12, 33, 3), c2=1.5)}, "its landmarks"),
        ({"spread": mixed((12, 33, 3), c0=-1.0)}, "its spread"),
        ({"spread": mixed((12, 33, 3), c0=0.0)}, "its spreads are no covariances"),
        ({"spread": mixed((12, 33, 3), c1=-0.6)}, "its spreads are no covariances"),
        ({"spread": mixed((12, 33, 3), c1=np.nan)}, "its spreads are no covariances"),
        ({"others": mixed((1, 12, 33, 10), c2=-0.5)}, "its others"),
        ({"others": mixed((1, 12, 33, 10), c5=np.inf)}, "its others"),
        ({"others": mixed((1, 12, 33, 10), c7=0.6)}, "its spreads are no covariances"),
        ({"others": mixed((1, 12, 33, 10), c9=1.5)}, "its others"),
        ({"others": np.zeros((1, 11, 33, 10))}, "its others"),
        ({"camera_from_world": np.full((4, 4), np.nan)}, "its camera"),
        ({"camera_from_world": np.diag([2.0, 2, 2, 1])}, "its camera"),
        ({"camera_from_world": np.diag([1.0, 1, -1, 1])}, "its camera"),
        ({"camera_from_world": np.zeros((4, 4))}, "its camera"),
        ({"camera_from_world": np.eye(3)}, "its camera"),
        ({name: np.zeros((0, *shape)) for name, shape in
          (("root", (3,)), ("rotations", (len(JOINTS), 4)), ("contacts", (4,)))}, "it has no frames"),
    ],
)  # fmt: skip
def test_arrays_are_those_of_a_person_and_a_camera(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    assert said in refusal(repacked(tmp_path / "m.npz", **changes))


def test_where_nobody_was_found_there_is_no_number(tmp_path: Path) -> None:
    capture = Capture.load(repacked(tmp_path / "m.npz", **nothing_known(12)))
    assert np.isnan(evidence_of(capture)).all() and np.isfinite(capture.motion.joints).all()


def test_folder_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CaptureError, match="Can't write"):
        random_capture(3).save(tmp_path / "file" / "m.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
