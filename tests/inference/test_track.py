"""The same person throughout, left kept left, gaps marked: known detections in, known track out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from kinelift.core.errors import CaptureError
from kinelift.core.landmarks import LANDMARK, MIRRORED, evidence_of, fields_of
from kinelift.inference.detect import detector
from kinelift.inference.detect.detector import detect
from kinelift.inference.detect.people import Detections, Person, torso
from kinelift.inference.track import track
from kinelift.inference.video import VideoReader
from kinelift.tests.videos import SAMPLE, background, read_video, recoloured, write_video

# captures, detects or starts other programs
pytestmark = pytest.mark.slow

FPS = 30.0
_FIRST_LEG = LANDMARK["hip.L"]
#: a standing figure, 1 high: x, y about the middle of the torso
_FIGURE = np.zeros((33, 2))
for _name, _place in {
    "shoulder": (0.11, -0.14), "elbow": (0.15, 0.0), "wrist": (0.16, 0.12), "pinky": (0.16, 0.15),
    "index": (0.16, 0.16), "thumb": (0.15, 0.14), "hip": (0.06, 0.14), "knee": (0.06, 0.38),
    "ankle": (0.06, 0.6), "heel": (0.06, 0.63), "foot_index": (0.07, 0.65),
}.items():  # fmt: skip
    for _side, _sign in (("L", 1), ("R", -1)):
        _FIGURE[LANDMARK[f"{_name}.{_side}"]] = _sign * _place[0], _place[1]
_FIGURE[: LANDMARK["shoulder.L"]] = 0.0, -0.28


def look(*bins: int) -> npt.NDArray[np.float32]:
    out = np.zeros(22, np.float32)
    out[list(bins)] = 1 / np.sqrt(len(bins))
    return out


RED, BLUE = look(0, 20), look(5, 19)


def person(
    x: float, y: float = 300, height: float = 300, colours: npt.NDArray[np.float32] = RED, trail: int = 0
) -> Person:
    landmarks = np.ones((33, 3), np.float32)
    landmarks[:, :2] = _FIGURE * height + [x, y]
    world = np.zeros((33, 3), np.float32)
    world[:, :2] = (_FIGURE - [0, 0.14]) * 1.7
    return Person(landmarks, world, colours, trail)


def clip_of(people: Sequence[Sequence[Person]], times: Sequence[float] | None = None) -> Detections:
    at = np.arange(len(people)) / FPS if times is None else np.array(times)
    frames = round((at[-1] - at[0]) * FPS) + 1
    return Detections(at, tuple(tuple(p) for p in people), frames, FPS, float(at[0]), (1280, 720), ())


def middles(landmarks: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    return torso(landmarks)[0][:, 0].astype(float)


def swapped(person: Person, part: slice) -> Person:
    mirrored = np.array(MIRRORED)[part]
    evidence = evidence_of(person)
    evidence[part] = evidence[mirrored]
    return replace(person, **fields_of(evidence))


@pytest.fixture(scope="module")
def walk() -> Detections:
    return detect(VideoReader(SAMPLE), quality="quick")


# --- one person ---


def test_a_plain_clip_comes_through_unchanged(walk: Detections) -> None:
    followed = track(walk)
    np.testing.assert_array_equal(followed.landmarks, [p.landmarks for (p,) in walk.people])
    np.testing.assert_array_equal(followed.world_landmarks, [p.world_landmarks for (p,) in walk.people])
    assert followed.found.all() and followed.warnings == ()


def test_uneven_times_are_interpolated() -> None:
    times = [0.0, 0.02, 0.09, 0.11, 0.19, 0.3, 0.32, 0.4, 0.5]
    followed = track(clip_of([[person(200 + 300 * t)] for t in times], times))
    np.testing.assert_allclose(middles(followed.landmarks), 200 + 300 * np.arange(16) / FPS, atol=0.01)
    assert followed.found.all()


def test_one_frame() -> None:
    one = person(400)
    followed = track(clip_of([[one]]))
    np.testing.assert_array_equal(followed.landmarks, [one.landmarks])


def test_short_gaps_are_bridged_and_marked() -> None:
    people = [[person(300 + 4 * i)] if not 20 <= i < 32 else [] for i in range(150)]
    followed = track(clip_of(people))
    np.testing.assert_allclose(middles(followed.landmarks), 300 + 4 * np.arange(150), atol=0.01)
    gap = np.arange(150)[~followed.found]
    np.testing.assert_array_equal(gap, np.arange(20, 32))
    assert (followed.landmarks[gap, :, 2] == 0).all() and (
        followed.landmarks[followed.found, :, 2] == 1
    ).all()
    assert followed.warnings == ()


def known(one: Person, seed: int) -> Person:
    """The same, with a spread and a presence of each landmark."""
    rng = np.random.default_rng(seed)
    spread = rng.uniform([4, -2, 4], [9, 2, 9], (33, 3)).astype(np.float32)
    return replace(one, spread=spread, presence=rng.random(33).astype(np.float32))


def test_spread_and_presence_go_with_their_landmarks() -> None:
    people = [known(person(300 + 4 * i), i) for i in range(60)]
    seen = [[swapped(one, slice(None))] if 30 <= i < 34 else [one] for i, one in enumerate(people)]
    seen[10:14] = [[]] * 4
    followed = track(clip_of(seen))
    for name in ("spread", "presence"):
        found, true = getattr(followed, name), np.stack([getattr(one, name) for one in people])
        np.testing.assert_array_equal(found[followed.found], true[followed.found])
        assert np.isnan(found[10:14]).all(), "nobody was there to be measured"
    between = track(clip_of([[one] for one in people], [(i + (i > 0) / 3) / FPS for i in range(60)]))
    np.testing.assert_allclose(between.spread[20], (2 * people[20].spread + people[19].spread) / 3, rtol=1e-3)


def test_a_frame_doesn_t_lose_its_spread_to_a_neighbour_that_has_none() -> None:
    people = [known(person(300), i) if i % 2 else person(300) for i in range(20)]
    followed = track(clip_of([[one] for one in people]))
    np.testing.assert_array_equal(np.isfinite(followed.spread).all((1, 2)), np.arange(20) % 2 == 1)


def test_long_gaps_stay_open_and_are_reported() -> None:
    people = [[person(300)] if not 30 <= i < 90 else [] for i in range(150)]
    followed = track(clip_of(people))
    assert np.isnan(followed.landmarks[30:90]).all() and np.isnan(followed.world_landmarks[30:90]).all()
    assert np.isfinite(followed.landmarks[followed.found]).all()
    assert len(followed.warnings) == 1 and "from 1.0 to 3.0 s" in followed.warnings[0]


def test_before_and_after_the_person_there_is_nothing() -> None:
    followed = track(clip_of([[person(300)] if 5 <= i < 20 else [] for i in range(25)]))
    assert np.isnan(followed.landmarks[:5]).all() and np.isnan(followed.landmarks[20:]).all()
    np.testing.assert_array_equal(np.flatnonzero(followed.found), np.arange(5, 20))


def test_a_part_that_was_taken_for_a_whole_smaller_person_is_a_gap() -> None:
    """Somebody too near to be seen whole: the detector puts a body into the belt and the trousers."""
    people = [[person(300, height=600 if not 60 <= i < 80 else 220)] for i in range(150)]
    followed = track(clip_of(people))
    np.testing.assert_array_equal(np.flatnonzero(~followed.found), np.arange(60, 80))
    np.testing.assert_allclose(torso(followed.landmarks)[1], torso(followed.landmarks[:1])[1][0], rtol=1e-5)


def test_a_thing_that_is_taken_for_somebody_doesn_t_part_them() -> None:
    """They are too near for a while, and the follower takes a chair beside for them."""
    chair = person(700, height=220, colours=BLUE)
    people = [[person(300, height=600)] if i < 60 else [chair] for i in range(79)]
    people += [[person(300, height=600, trail=1)] for _ in range(60)]
    followed = track(clip_of(people))
    np.testing.assert_array_equal(np.flatnonzero(~followed.found), np.arange(60, 79))
    np.testing.assert_allclose(middles(followed.landmarks), middles(followed.landmarks[:1])[0], rtol=1e-5)


def test_who_is_who_in_a_capture_stays_decided() -> None:
    """Captures keep no colours, by which parts of a trail could be told to be of one person."""
    colours = np.zeros(22, np.float32)
    people = [[person(300, height=600 if i < 60 else 220, colours=colours)] for i in range(150)]
    assert track(clip_of(people)).found.all()


def test_somebody_who_comes_nearer_or_stays_small_was_found() -> None:
    nearer = [[person(300, height=150 * 1.03**i)] for i in range(60)]
    assert track(clip_of(nearer)).found.all()
    smaller = [[person(300, height=600 if i < 60 else 220)] for i in range(150)]
    assert track(clip_of(smaller)).found.all()


def test_nobody_is_an_error() -> None:
    with pytest.raises(CaptureError, match="no person"):
        track(clip_of([[]] * 10))


# --- one of several ---


def test_the_person_asked_for() -> None:
    people = [
        [person(900, height=200), person(200, height=300, trail=1), person(500, height=400, trail=2)]
        for _ in range(20)
    ]
    for asked, x in {"largest": 500, "leftmost": 200, "rightmost": 900, "1": 500, "2": 200, "3": 900}.items():
        np.testing.assert_allclose(middles(track(clip_of(people), asked).landmarks), x, atol=0.01)
    with pytest.raises(CaptureError, match="only 3"):
        track(clip_of(people), "4")
    for nonsense in ("0", "tallest", "-1", ""):
        with pytest.raises(CaptureError, match="largest, leftmost, rightmost, all or a number"):
            track(clip_of(people), nonsense)


def test_the_person_picked_in_the_picture() -> None:
    x = 200 + 8.0 * np.arange(100)
    people = [[person(x[i], 300), person(1200 - x[i], 310, colours=BLUE, trail=1)] for i in range(100)]
    for asked, start in {"210,300": 200, "990,310": 1000, "980,310@3": 200, "220.5,300@3.0": 1000}.items():
        assert middles(track(clip_of(people), asked).landmarks)[0] == pytest.approx(start, abs=0.01)
    # a hand away from the body is still that person's
    hand = person(200).landmarks[LANDMARK["wrist.L"], :2]
    assert middles(track(clip_of(people), f"{hand[0] + 5:.0f},{hand[1]:.0f}").landmarks)[0] == pytest.approx(
        200
    )
    for nobody in ("600,650", "210,300@9"):
        with pytest.raises(CaptureError, match="Nobody was found at"):
            track(clip_of(people), nobody)


def test_no_jump_to_a_bystander_and_back_to_the_same_person() -> None:
    """The one who left, then a bystander, then the first again."""
    people = [
        [person(900, colours=BLUE, trail=1)] if 40 <= i < 80 else [person(300 + i, trail=2 * (i // 80))]
        for i in range(140)
    ]
    followed = track(clip_of(people))
    np.testing.assert_array_equal(np.flatnonzero(~followed.found), np.arange(40, 80))
    np.testing.assert_allclose(middles(followed.landmarks)[followed.found][-1], 439, atol=0.01)
    assert "from 1.3 to 2.7 s" in followed.warnings[0]


def test_a_bystander_who_looks_the_same_but_is_too_far_away() -> None:
    people = [[person(300)] if i < 40 else [person(1100, trail=1)] for i in range(60)]
    followed = track(clip_of(people))
    assert not followed.found[40:].any()


def test_who_comes_back_is_recognised_by_what_they_wear() -> None:
    """Two are hidden at once, and come back in each other's reach."""
    people = [
        []
        if 40 <= i < 55
        else [person(300, trail=2 * (i // 55)), person(420, colours=BLUE, trail=1 + 2 * (i // 55))]
        if i < 55
        else [person(420, trail=2), person(300, colours=BLUE, trail=3)]
        for i in range(100)
    ]
    followed = track(clip_of(people), "300,300@0")
    np.testing.assert_allclose(middles(followed.landmarks)[[0, 99]], [300, 420], atol=0.01)


def test_a_picture_of_a_person_counts_less_than_a_person() -> None:
    """A poster is larger, but doesn't move."""
    people = []
    for i in range(60):
        walker, poster = person(200 + 4 * i, height=250), person(900, height=400, trail=1)
        walker.landmarks[LANDMARK["elbow.L"] :: 2, 1] += 60 * np.sin(i)
        people.append([walker, poster])
    assert middles(track(clip_of(people)).landmarks)[0] == pytest.approx(200, abs=0.01)


def test_much_bridging_is_said_however_short_the_gaps() -> None:
    people = [[person(300)] if i % 4 else [] for i in range(1, 62)]
    followed = track(clip_of(people))
    assert np.isfinite(followed.landmarks).all()
    (warning,) = followed.warnings
    assert "found in 75 % of the frames" in warning
    assert track(clip_of([[person(300)] if i % 12 else [] for i in range(1, 62)])).warnings == ()


def test_a_real_bystander(tmp_path: Path) -> None:
    """Two walk side by side; the left one is gone for a second."""
    images = read_video(SAMPLE)[50:110]
    scene = background(read_video(SAMPLE))
    pair = [
        np.hstack([(scene if 20 <= i < 40 else image)[120:560, 240:680], recoloured(image)[120:560, 40:480]])
        for i, image in enumerate(images)
    ]
    followed = track(detect(VideoReader(write_video(tmp_path / "pair.mp4", pair))), "leftmost")
    assert not followed.found[22:40].any()
    assert followed.found[:20].mean() > 0.9 and followed.found[43:].mean() > 0.9
    assert (middles(followed.landmarks[followed.found]) < 440).all()


def test_people_are_followed_from_stretch_to_stretch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two walk side by side through a clip that is looked at in two stretches; one is picked at its end."""
    monkeypatch.setattr(detector, "_STRETCH", 22)
    pair = [
        np.hstack([image[120:560, 240:680], recoloured(image)[120:560, 40:480]])
        for image in read_video(SAMPLE)[50:95]
    ]
    detections = detect(VideoReader(write_video(tmp_path / "pair.mp4", pair)), threads=2)
    x, y = min(tuple(p.landmarks[0, :2]) for p in detections.people[42])
    followed = track(detections, f"{x:.0f},{y:.0f}@{detections.times[42]:.2f}")
    assert followed.found.mean() > 0.9 and (middles(followed.landmarks[followed.found]) < 440).all()
    assert len(followed.others) == 1


# --- left and right ---


@pytest.mark.parametrize(
    ("part", "stretches"),
    [
        (slice(None), [(30, 31)]),
        (slice(None), [(20, 60)]),
        (slice(None), [(0, 25), (40, 45), (100, 120)]),
        (slice(0, _FIRST_LEG), [(30, 31), (50, 55)]),
        (slice(_FIRST_LEG, None), [(30, 31), (50, 55)]),
    ],
)
def test_swaps_are_repaired(walk: Detections, part: slice, stretches: list[tuple[int, int]]) -> None:
    wrong = {i for first, last in stretches for i in range(first, last)}
    people = tuple((swapped(one, part),) if i in wrong else (one,) for i, (one,) in enumerate(walk.people))
    followed, truth = track(replace(walk, people=people)), track(walk)
    np.testing.assert_array_equal(followed.landmarks, truth.landmarks)
    np.testing.assert_array_equal(followed.world_landmarks, truth.world_landmarks)


def test_swaps_are_repaired_across_gaps(walk: Detections) -> None:
    people = tuple(
        () if 50 <= i < 56 else (swapped(one, slice(None)),) if 56 <= i < 80 else (one,)
        for i, (one,) in enumerate(walk.people)
    )
    followed = track(replace(walk, people=people))
    expected = np.stack([one.landmarks for (one,) in walk.people])
    np.testing.assert_array_equal(followed.landmarks[followed.found], expected[followed.found])


def test_legs_that_pass_each_other_are_no_swap() -> None:
    """Seen from the side both ankles go through the same place; they go on as they went."""
    people = []
    for i in range(90):
        one = person(300)
        swing = 60 * np.sin(2 * np.pi * i / 30)
        for side, sign in (("L", 1), ("R", -1)):
            for name, share in (("knee", 0.5), ("ankle", 1), ("heel", 1), ("foot_index", 1)):
                one.landmarks[LANDMARK[f"{name}.{side}"], 0] = 300 + sign * share * swing
        people.append([one])
    followed = track(clip_of(people))
    np.testing.assert_array_equal(followed.landmarks, [one.landmarks for (one,) in people])
