"""MediaPipe finds the people in a clip, for real."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from kinelift.bench.gatherings import GATHERINGS
from kinelift.bench.stage import Stage, looking
from kinelift.core.errors import CaptureError
from kinelift.core.landmarks import LANDMARK
from kinelift.core.options import MAX_THREADS, default_threads
from kinelift.inference.blazepose import landmarks as landmarks_module
from kinelift.inference.blazepose import people as people_module
from kinelift.inference.blazepose.runner import MediaPipeRunner, TorchRunner
from kinelift.inference.blazepose.task import HEAVY
from kinelift.inference.detect import detector as module
from kinelift.inference.detect import follower
from kinelift.inference.detect.appearance import alike
from kinelift.inference.detect.detector import detect
from kinelift.inference.detect.painting import painted_out
from kinelift.inference.detect.people import CROWD, Detections, Person, torso
from kinelift.inference.track import track
from kinelift.inference.video import VideoReader
from kinelift.tests.videos import (
    SAMPLE,
    TRUTH_OF_LANDMARK,
    Image,
    background,
    numbered,
    read_video,
    recoloured,
    with_times,
    write_video,
)

# captures, detects or starts other programs
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def walk() -> list[Image]:
    return read_video(SAMPLE)


@pytest.fixture(scope="module")
def found(walk: list[Image]) -> Detections:
    return detect(VideoReader(SAMPLE, 1, 2))


def _truth() -> tuple[list[int], np.ndarray]:
    """Which landmarks, and where they are in the sample (120, n, 2)."""
    with np.load(SAMPLE.with_suffix(".npz"), allow_pickle=False) as data:
        names = list(data["joint_names"])
        columns = [names.index(joint) for joint in TRUTH_OF_LANDMARK.values()]
        return [LANDMARK[name] for name in TRUTH_OF_LANDMARK], data["joints_px"][:, columns]


def _error(found: Detections, truth: np.ndarray, landmarks: list[int], height: float) -> float:
    """Mean distance from the truth, in heights of the person in the picture."""
    off = [
        np.linalg.norm(person.landmarks[landmarks, :2] - here, axis=-1).mean()
        for (person,), here in zip(found.people, truth, strict=True)
    ]
    return float(np.mean(off)) / height


def test_one_person_is_found_where_they_are(found: Detections) -> None:
    assert found.frames == len(found.people) == 30
    np.testing.assert_allclose(found.times, 1 + np.arange(30) / 30, atol=1e-3)
    landmarks, truth = _truth()
    truth = truth[30:60]
    height = float(np.ptp(truth[..., 1], axis=1).mean()) / 0.8
    assert _error(found, truth, landmarks, height) < 0.04
    for (person,) in found.people:
        assert person.world_landmarks.shape == (33, 3)
        assert 1.2 < np.ptp(person.world_landmarks[:, 1]) < 2.0, "as tall as a person, in metres"
        assert np.linalg.norm(person.appearance) == pytest.approx(1, abs=1e-3)


def test_a_shadow_on_the_floor_is_nobody() -> None:
    """A patch beside the walker's feet looks like a person in some frames of the sample."""
    assert {len(people) for people in detect(VideoReader(SAMPLE)).people} == {1}


@pytest.mark.parametrize("quality", ["quick", "best"])
def test_each_quality_finds_the_same_person(found: Detections, quality: str) -> None:
    landmarks, truth = _truth()
    other = detect(VideoReader(SAMPLE, 1, 2), quality=quality)
    height = float(np.ptp(truth[30:60, :, 1], axis=1).mean()) / 0.8
    assert _error(other, truth[30:60], landmarks, height) < 0.04
    assert not _same(other, found)


def test_progress_counts_the_frames() -> None:
    calls: list[tuple[str, int, int]] = []
    detect(VideoReader(SAMPLE, 0, 0.2), lambda *call: calls.append(call))
    assert calls == [("detect", i, 6) for i in range(1, 7)]


# --- in stretches ---


@pytest.fixture
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip of a second is a long one."""
    monkeypatch.setattr(module, "_STRETCH", 15)
    monkeypatch.setattr(module, "_OVERLAP", 8)


def _same(one: Detections, other: Detections) -> bool:
    return np.array_equal(one.times, other.times) and all(
        len(some) == len(others)
        and all(
            np.array_equal(a.landmarks, b.landmarks) and np.array_equal(a.world_landmarks, b.world_landmarks)
            for a, b in zip(some, others, strict=True)
        )
        for some, others in zip(one.people, other.people, strict=True)
    )


@pytest.mark.usefixtures("short_stretches")
def test_stretches_at_once_are_stretches_one_by_one_without_a_seam(found: Detections) -> None:
    calls: list[tuple[str, int, int]] = []
    one_by_one, at_once = (
        detect(VideoReader(SAMPLE, 1, 2), lambda *call: calls.append(call), threads) for threads in (1, 2)
    )
    assert calls == 2 * [("detect", i, 30) for i in range(1, 31)]
    assert _same(one_by_one, at_once) and one_by_one.frames == 30
    for some, others in zip(*(one.background.points.pairs for one in (one_by_one, at_once)), strict=True):
        assert some[:2] == others[:2]
        np.testing.assert_array_equal(some.after, others.after)
    frames = [pair.frame for pair in at_once.background.points.pairs]
    assert frames == list(range(1, 30)), "each frame but the first, once"
    np.testing.assert_array_equal(one_by_one.times, found.times)
    assert not _same(one_by_one, found), "there are several stretches"
    split, whole = (np.stack([p.landmarks[:, :2] for (p,) in d.people]) for d in (at_once, found))
    off = np.linalg.norm(split - whole, axis=-1).mean(1)
    assert off.max() < 4, "pixels, of a person 250 high"
    jerks = [np.linalg.norm(np.diff(way, 2, axis=0), axis=-1).mean(1) for way in (split, whole)]
    joint = int(np.flatnonzero(off)[0])
    split_there, whole_there = (jerk[joint - 2 : joint + 1].max() for jerk in jerks)
    assert split_there < whole_there + 1


def _irregular(count: int) -> np.ndarray:
    """29.97 frames per second, then 12, with frames left out."""
    steps = np.where(np.arange(count) < 60, 1001 / 30000, 1 / 12)
    steps[[17, 40, 41, 80]] *= 7
    return np.cumsum(steps) - steps[0]


@pytest.mark.usefixtures("short_stretches")
@pytest.mark.parametrize("fps", [None, 23.976, 50.0])
def test_every_frame_is_seen_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fps: float | None) -> None:
    video = with_times(write_video(tmp_path / "odd.mp4", numbered(110)), _irregular(110))
    split = detect(VideoReader(video, 0.2, fps=fps))
    monkeypatch.undo()
    whole = detect(VideoReader(video, 0.2, fps=fps))
    np.testing.assert_array_equal(split.times, whole.times)
    assert split.frames == whole.frames


@pytest.mark.usefixtures("short_stretches")
def test_somebody_away_where_stretches_meet(tmp_path: Path, walk: list[Image]) -> None:
    scene = background(walk)
    images = [scene if 20 <= i < 34 else image for i, image in enumerate(walk[30:80])]
    found = detect(VideoReader(write_video(tmp_path / "away.mp4", images)), threads=2)
    there = np.array([bool(people) for people in found.people])
    assert len(there) == 50 and there[:20].all() and not there[20:34].any() and there[36:].all()


@pytest.mark.usefixtures("short_stretches")
def test_a_video_that_breaks_off_in_a_stretch(tmp_path: Path) -> None:
    """What the file promises is cut into stretches; those behind the break find nothing."""
    cut = tmp_path / "cut.mp4"
    data = SAMPLE.read_bytes()
    cut.write_bytes(data[: len(data) // 3])
    clip = VideoReader(cut)
    count = sum(1 for _ in clip)
    found = detect(VideoReader(cut), threads=2)
    assert found.frames == len(found.times) == count < 60
    assert found.warnings == tuple(clip.warnings) and len(found.warnings) == 1


@pytest.mark.usefixtures("short_stretches")
def test_cancelling_ends_all_stretches() -> None:
    def cancel(_stage: str, frame: int, _of: int) -> None:
        if frame == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detect(VideoReader(SAMPLE), cancel, 3)
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith(("detect", "decode"))]


@pytest.mark.usefixtures("short_stretches")
def test_what_goes_wrong_in_a_stretch_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(follower, "HEAVY", tmp_path / HEAVY.name)
    with pytest.raises(CaptureError, match="is missing"):
        detect(VideoReader(SAMPLE), threads=2)


def test_landmarks_are_in_pixels_of_the_original_picture(tmp_path: Path, walk: list[Image]) -> None:
    large = [cv2.resize(image, (4320, 4320)) for image in walk[60:62]]
    found = detect(VideoReader(write_video(tmp_path / "large.mp4", large)))  # type: ignore[arg-type]
    landmarks, truth = _truth()
    assert found.size == (4320, 4320)
    assert _error(found, truth[60:62] * 6, landmarks, 6 * 250) < 0.05


def test_what_lies_outside_the_picture_is_not_seen(tmp_path: Path, walk: list[Image]) -> None:
    # cut off at the thighs
    found = detect(VideoReader(write_video(tmp_path / "half.mp4", [image[:340] for image in walk[70:90]])))
    people = [person for people in found.people for person in people]
    assert people
    landmarks = np.stack([person.landmarks for person in people])
    outside = ((landmarks[..., :2] < 0) | (landmarks[..., :2] >= (720, 340))).any(-1)
    assert outside[:, [LANDMARK["ankle.L"], LANDMARK["ankle.R"]]].all()
    assert (landmarks[outside][:, 2] == 0).all()
    assert (landmarks[:, LANDMARK["shoulder.L"], 2] > 0.5).all()


def test_everybody_is_found_with_a_look_of_their_own(tmp_path: Path, walk: list[Image]) -> None:
    pair = [np.hstack([image[120:520, 240:640], recoloured(image)[120:520, 80:480]]) for image in walk[60:80]]
    found = detect(VideoReader(write_video(tmp_path / "pair.mp4", pair)))
    assert np.mean([len(people) == 2 for people in found.people]) > 0.9
    looks: list[list[np.ndarray]] = [[], []]
    for people in found.people:
        for person in people:
            looks[int(torso(person.landmarks)[0][0] > 400)].append(person.appearance)
    left, right = (np.stack(side) for side in looks)
    own, other = np.median(left, axis=0), np.median(right, axis=0)
    assert (left @ own > left @ other + 0.1).all() and (right @ other > right @ own + 0.1).all()


def test_somebody_who_comes_later_is_noticed(tmp_path: Path, walk: list[Image]) -> None:
    """The picture is searched now and then, and who is found late is followed back."""
    scene = background(walk)
    late = [
        np.hstack([image[:, 180:540], (recoloured(image) if i >= 23 else scene)[:, 180:540]])
        for i, image in enumerate(walk[:60])
    ]
    found = detect(VideoReader(write_video(tmp_path / "late.mp4", late)), quality="quick")
    counts = np.array([len(people) for people in found.people])
    assert counts[:23].max() == 1 and np.mean(counts[34:] == 2) > 0.95
    assert len({person.trail for people in found.people for person in people}) == 2


def test_two_who_cross_keep_their_identities(tmp_path: Path, walk: list[Image]) -> None:
    """One walks in front of another, who is hidden for a while."""
    scene = np.hstack([background(walk), background(walk)[:, ::-1]])
    images = []
    for i, image in enumerate(walk[60:110]):
        shown = scene.copy()
        for one, shift in ((image, 8 * i), (image[..., ::-1], 400 - 8 * i)):
            person = np.abs(image.astype(int) - background(walk)).max(2) > 30
            rows, columns = np.nonzero(person)
            inside = (columns + shift >= 0) & (columns + shift < shown.shape[1])
            shown[rows[inside], columns[inside] + shift] = one[rows[inside], columns[inside]]
        images.append(shown)
    found = detect(VideoReader(write_video(tmp_path / "cross.mp4", images)), quality="quick")
    first, last = ({p.trail: p for p in found.people[at]} for at in (5, -1))
    assert len(first) == 2 and first.keys() == last.keys()
    for trail, one in first.items():
        across = torso(last[trail].landmarks)[0][0] - torso(one.landmarks)[0][0]
        (other,) = first.keys() - {trail}
        other_way = torso(last[other].landmarks)[0][0] - torso(first[other].landmarks)[0][0]
        assert across * other_way < 0, "they went past each other"
        assert alike(one.appearance, last[trail].appearance) > alike(
            one.appearance, last[other].appearance
        ), "and are who they were"


def _gathering(name: str, frames: range, out: Path) -> Detections:
    """What is found in some frames of a made-up scene."""
    scene = GATHERINGS[name]()
    camera = looking(*scene.cameras[""])
    stage = Stage(scene, [camera] * len(scene.motion), np.random.default_rng(22))
    return detect(VideoReader(write_video(out, [stage.frame(i) for i in frames])))


def test_who_embrace_are_found_both(tmp_path: Path) -> None:
    """In the crop of one the landmark model sees the other one, unless that one is painted out."""
    found = _gathering("hug", range(34, 62), tmp_path / "hug.mp4")
    assert len(_trails(found)) == 2
    assert np.mean([len(people) == 2 for people in found.people[14:]]) > 0.3
    orders = {tuple(p.trail for p in sorted(people, key=_across)) for people in found.people}
    assert len([order for order in orders if len(order) == 2]) == 1, "nobody is taken for the other one"


def test_who_change_places_behind_a_post_are_who_they_were(tmp_path: Path) -> None:
    found = _gathering("post", range(18, 84, 2), tmp_path / "post.mp4")
    tracked = track(found)
    assert len(tracked.others) == 1
    ways = []
    for one in (tracked, *tracked.others):
        across = torso(one.landmarks[one.found])[0][:, 0]
        ways.append(across[-1] - across[0])
        # nobody turned back behind the post, in the middle
        assert min(across[0], across[-1]) < 560 and max(across[0], across[-1]) > 720
    assert ways[0] * ways[1] < 0


def _across(person: Person) -> float:
    return float(torso(person.landmarks)[0][0])


def test_who_is_painted_out_is_not_to_be_seen(walk: list[Image], found: Detections) -> None:
    image, scene = walk[round(found.times[0] * 30)], background(walk)
    person = np.abs(image.astype(int) - scene).max(2) > 40
    left = painted_out(image, [found.people[0][0].landmarks])
    assert (np.abs(left.astype(int) - scene).max(2)[person] < 40).mean() > 0.7
    changed = (left != image).any(2)
    assert changed.mean() < 0.2


def test_somebody_small_is_found(tmp_path: Path, walk: list[Image]) -> None:
    """60 pixels high in a picture of 1080p."""
    scene = cv2.resize(background(walk), (1920, 1080))
    images = []
    for image in walk[60:90]:
        small = cv2.resize(image, None, fx=0.22, fy=0.22, interpolation=cv2.INTER_AREA)
        shown = scene.copy()
        shown[700 : 700 + len(small), 1300 : 1300 + small.shape[1]] = small
        images.append(shown)
    found = detect(VideoReader(write_video(tmp_path / "small.mp4", images)))
    heights = [np.ptp(p.landmarks[:, 1]) for people in found.people for p in people]
    assert np.mean([bool(people) for people in found.people]) > 0.95
    assert np.median(heights) < 65


def test_somebody_who_turns_upside_down_is_followed(tmp_path: Path, walk: list[Image]) -> None:
    images = [
        cv2.warpAffine(image, cv2.getRotationMatrix2D((360, 330), 6.0 * i, 1.0), (720, 720))
        for i, image in enumerate(walk[60:91])
    ]
    found = detect(VideoReader(write_video(tmp_path / "over.mp4", images)))  # type: ignore[arg-type]
    assert all(len(people) == 1 for people in found.people)
    nose, hips = LANDMARK["nose"], [LANDMARK["hip.L"], LANDMARK["hip.R"]]
    (last,) = found.people[-1]
    assert last.landmarks[nose, 1] > last.landmarks[hips, 1].mean() + 30, "head down"
    assert last.world_landmarks[nose, 1] > 0.3


def _trails(found: Detections) -> set[int]:
    return {person.trail for people in found.people for person in people}


def test_a_crowd(tmp_path: Path, walk: list[Image]) -> None:
    """Thirty people: as many as are followed, each as one person."""
    scene = np.tile(cv2.resize(background(walk), (360, 360)), (3, 5, 1))
    images = []
    for i in range(60, 68):
        shown = scene.copy()
        for k in range(30):
            x, y = 10 + 178 * (k % 10), 20 + 340 * (k // 10)
            shown[y : y + 300, x : x + 150] = walk[i + k % 4][180:480, 350:500]
        images.append(shown)
    found = detect(VideoReader(write_video(tmp_path / "crowd.mp4", images)), quality="quick")
    assert 1 <= max(len(people) for people in found.people) <= CROWD
    assert len(_trails(found)) <= CROWD + 2


def test_somebody_behind_a_post_is_one_person(tmp_path: Path, walk: list[Image]) -> None:
    images = [image.copy() for image in walk[60:80]]
    for image in images:
        image[:, 425:440] = 60
    found = detect(VideoReader(write_video(tmp_path / "post.mp4", images)), quality="quick")
    assert np.mean([len(people) == 1 for people in found.people]) > 0.9 and len(_trails(found)) == 1


def test_somebody_before_a_mirror_is_the_larger_of_two(tmp_path: Path, walk: list[Image]) -> None:
    images = []
    for image in walk[60:80]:
        shown = np.hstack([image[:, 200:600], background(walk)[:, 200:500]])
        other = cv2.resize(image[150:500, 330:530], None, fx=0.7, fy=0.7)[:, ::-1]
        shown[200 : 200 + len(other), 480 : 480 + other.shape[1]] = other
        images.append(shown)
    video = VideoReader(write_video(tmp_path / "mirror.mp4", images))
    followed = track(detect(video, quality="quick"))
    assert followed.found.mean() > 0.9
    assert (torso(followed.landmarks[followed.found])[0][:, 0] < 400).all(), "never the one in the mirror"


def test_a_frame_that_stands_for_several_moments_is_looked_at_once(tmp_path: Path) -> None:
    times = np.array([0.0, 0.1, 0.3, 0.35])
    video = with_times(write_video(tmp_path / "uneven.mp4", numbered(4)), times)
    found = detect(VideoReader(video, fps=60))
    np.testing.assert_allclose(found.times, times, atol=1e-3)
    assert found.frames > 20


@pytest.mark.parametrize("size", [(64, 64), (3, 5)])
def test_nobody(tmp_path: Path, size: tuple[int, int]) -> None:
    images = [np.full((size[1], size[0], 3), 90, np.uint8)] * 3
    if min(size) < 16:  # no encoder writes so little
        images = [np.kron(image, np.ones((16, 1, 1), np.uint8)) for image in images]
    found = detect(VideoReader(write_video(tmp_path / "grey.mp4", images)))
    assert found.people == ((), (), ())


def test_a_scene_without_people(tmp_path: Path, walk: list[Image]) -> None:
    found = detect(VideoReader(write_video(tmp_path / "scene.mp4", [background(walk)] * 3)))
    assert found.people == ((), (), ())


def _missing(path: Path) -> None:
    path.unlink()


def _altered(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[5_000_000] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(("spoil", "says"), [(_missing, "is missing"), (_altered, "damaged or was altered")])
def test_the_model_has_to_be_the_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None], says: str
) -> None:
    path = tmp_path / HEAVY.name
    path.write_bytes(HEAVY.read_bytes())
    spoil(path)
    monkeypatch.setattr(follower, "HEAVY", path)
    with pytest.raises(CaptureError, match=says):
        detect(VideoReader(SAMPLE, 0, 0.1))


def test_memory_does_not_grow_with_the_clip() -> None:
    """Ten times the frames need at most 100 MB more (the frames alone would take 170)."""
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from kinelift.inference.detect.detector import detect; from kinelift.inference.track import track\n"
        "from kinelift.inference.video import VideoReader\n"
        "track(detect(VideoReader(Path(sys.argv[1]), 0, float(sys.argv[2]))))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    short, long = (
        int(
            subprocess.run(
                [sys.executable, "-c", program, str(SAMPLE), seconds],
                cwd=ROOT, capture_output=True, text=True, check=True,
            ).stdout
        )
        for seconds in ("0.4", "4.0")
    )  # fmt: skip
    assert long - short <= 100


@pytest.mark.usefixtures("short_stretches")
def test_mediapipe_keeps_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    detect(VideoReader(SAMPLE, 0, 1), threads=2)
    assert capfd.readouterr() == ("", "")
    print("heard", file=sys.stderr)
    assert capfd.readouterr() == ("", "heard\n"), "and lets others speak again"


def _on_torch(data, graph, wanted, device, scale, offset):
    """A processor in the place of a GPU."""
    return TorchRunner(graph, wanted, torch.device("cpu"), scale, offset)


def test_a_gpu_sees_the_same_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GPU_STRETCH", 6)
    monkeypatch.setattr(module, "_OVERLAP", 3)
    for user in (landmarks_module, people_module):
        monkeypatch.setattr(user, "runner_of", _on_torch)
    batches: list[int] = []
    answer = TorchRunner._answer

    def counted(self: TorchRunner, requests: Sequence[Any]) -> None:
        end = time.monotonic() + 30
        while not batches and len(self._waiting) < 2 and time.monotonic() < end:
            time.sleep(0.001)  # a device that is busy until others ask, however the processor is shared
        batches.append(len(requests))
        answer(self, requests)

    monkeypatch.setattr(TorchRunner, "_answer", counted)
    there = detect(VideoReader(SAMPLE, 1, 2), quality="quick", device=torch.device("meta"))
    monkeypatch.undo()
    here = detect(VideoReader(SAMPLE, 1, 2), quality="quick")
    for (one,), (other,) in zip(there.people, here.people, strict=True):
        assert np.median(np.linalg.norm(one.landmarks[:, :2] - other.landmarks[:, :2], axis=1)) < 2
    assert {person.trail for people in there.people for person in people} == {0}
    assert max(batches) > 1, "stretches wait for each other's crops"


def test_a_gpu_without_room_leaves_it_to_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(TorchRunner):
        def _answer(self, requests: Sequence[Any]) -> None:
            for request in requests:
                request.error = torch.OutOfMemoryError("no room")

    def made(data, graph, wanted, device, scale, offset):
        if device.type == "cpu":
            return MediaPipeRunner(data, graph, wanted)
        return Full(graph, wanted, torch.device("cpu"), scale, offset)

    for user in (landmarks_module, people_module):
        monkeypatch.setattr(user, "runner_of", made)
    found = detect(VideoReader(SAMPLE, 1, 1.2), quality="quick", device=torch.device("meta"))
    assert all(len(people) == 1 for people in found.people)
    assert [w for w in found.warnings if "ran out of memory" in w]


def test_captures_that_share_the_cores_take_their_share() -> None:
    assert 1 <= default_threads(2) <= default_threads() <= MAX_THREADS
    assert default_threads(10_000) == 1
