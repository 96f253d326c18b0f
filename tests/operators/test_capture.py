"""Capture from Video, and what follows it, without a window; `tests/gui` presses it in a window."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from kinelift.core.capture import Capture
from kinelift.core.errors import CaptureError
from kinelift.core.options import Place, read_people, read_person
from kinelift.core.skeleton import INDEX
from kinelift.core.worker import Message
from kinelift.operators.build import build
from kinelift.operators.capture import new_job
from kinelift.rig.body import body_of
from kinelift.state import jobs
from kinelift.state.jobs import queue
from kinelift.state.pictures import icon_of
from kinelift.tests.motions import random_capture
from kinelift.tests.videos import SAMPLE, read_video, write_video

# captures, detects or starts other programs
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def choose(video: Path = SAMPLE, **chosen: object) -> None:
    settings = bpy.context.scene.kinelift
    settings.video = str(video)
    settings.info.frames, settings.info.fps = 120, 30.0
    settings.quality = "quick"
    for name, value in chosen.items():
        setattr(settings, name, value)


def refusal(operator: object, **options: object) -> str:
    with pytest.raises(RuntimeError) as caught:
        operator(**options)  # type: ignore[operator]
    return str(caught.value)


def test_the_settings_reach_the_worker_and_the_result_the_scene(tmp_path: Path) -> None:
    bpy.context.scene.render.fps = 60
    choose(
        first=31,
        last=60,
        rate="SCENE",
        use_height=True,
        height=1.9,
        use_focal=True,
        focal=35.0,
        unseen="trim",
    )
    assert bpy.ops.kinelift.capture() == {"FINISHED"}
    armature = bpy.context.object
    result = armature.kinelift
    capture = Capture.load(Path(result.motion))
    motion = capture.motion
    assert len(motion) == 30 and motion.start == pytest.approx(1.0)
    assert motion.height == pytest.approx(1.9, abs=1e-3)
    assert [capture.settings[name] for name in ("focal", "quality", "unseen")] == [35.0, "quick", "trim"]
    assert bpy.context.scene.kinelift.bl_rna.properties["quality"].default == "normal"
    assert result.detected == 1.0 and result.video == SAMPLE.name
    # one second stays a second at the scene's rate
    assert tuple(armature.animation_data.action.frame_range) == (1, 59)
    assert bpy.context.scene.render.fps == 60 and bpy.context.scene.frame_end == 59
    assert not queue.jobs

    # and again from the file alone, in another file
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.context.scene.kinelift.rate = "VIDEO"
    assert bpy.ops.kinelift.rebuild(motion=result_path(tmp_path)) == {"FINISHED"}
    assert bpy.context.object.name == "walk_front" and bpy.context.scene.render.fps == 30
    for kind in ("bvh", "fbx", "glb"):
        out = tmp_path / f"ö ut.{kind}"
        assert (
            bpy.ops.kinelift.export(kind=kind, filepath=str(out)) == {"FINISHED"}
            and out.stat().st_size > 1000
        )


def result_path(folder: Path) -> str:
    (path,) = (folder / "captures").iterdir()
    return str(path)


@pytest.mark.parametrize(
    ("chosen", "option"),
    [
        ({"person": "leftmost"}, "leftmost"),
        ({"person": "number", "number": 2}, "2"),
        ({"person": "pick", "picked": True, "pick": (100.0, 50.0), "pick_time": 1.5}, "100.0,50.0@1.5000"),
        ({"person": "pick"}, "largest"),
        ({"person": "all"}, "all"),
    ],
)
def test_whom_to_follow(chosen: dict[str, object], option: str) -> None:
    choose(**chosen)
    job = new_job(bpy.context)
    job.end()
    assert job.settings["person"] == option
    assert (job.settings["start"], job.settings["end"]) == (0.0, None)


@pytest.mark.any_blender
def test_whom_of_everybody_is_captured(tmp_path: Path) -> None:
    """A small picture of everybody to tick; a file keeps the ticks, and another range has other people."""
    pictures = [np.hstack([image, image[:, ::-1]]) for image in read_video(SAMPLE)[60:90]]
    video = write_video(tmp_path / "two.mp4", pictures)
    choose(video, last=30, person="all")
    scene = bpy.context.scene.kinelift
    scene.info.frames, scene.info.fps = 30, 30.0
    assert bpy.ops.kinelift.show_people() == {"FINISHED"}
    one, two = scene.people
    for person in (one, two):
        assert Path(person.picture).stat().st_size > 1000
        icon_of(person.picture)  # there are none without a window
        assert isinstance(read_person(person.name), Place) and person.ticked
    assert scene.who() == "all"
    one.ticked = False
    assert scene.who() == two.name
    two.ticked = False
    assert "Nobody is ticked" in refusal(bpy.ops.kinelift.capture)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    scene = bpy.context.scene.kinelift
    one, two = scene.people
    one.ticked, three = True, scene.people.add()
    two.ticked, three.name = True, "3"
    three.ticked = False
    assert scene.who() == f"{one.name}+{two.name}"
    job = new_job(bpy.context)
    job.end()
    assert read_people(job.settings["person"]) == [read_person(one.name), read_person(two.name)]
    scene.first = 5
    assert not scene.people and scene.who() == "all"


def test_settings_are_saved_with_the_scene(tmp_path: Path) -> None:
    choose(first=5, person="rightmost", use_height=True, height=1.5)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    assert bpy.context.scene.kinelift.video == ""
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    settings = bpy.context.scene.kinelift
    assert (settings.video, settings.first, settings.person) == (str(SAMPLE), 5, "rightmost")
    assert settings.height == pytest.approx(1.5)


def test_what_cannot_be_captured_is_told_in_the_panel_and_in_the_report(tmp_path: Path) -> None:
    preferences = bpy.context.preferences.addons["kinelift"].preferences
    captured = bpy.ops.kinelift.capture
    for video, says in (
        ("", "No video is chosen"),
        ("//clip.mp4", "never saved"),
        (str(tmp_path / "moved.mp4"), "no longer exists"),
        (str(tmp_path), "is a folder"),
    ):
        bpy.context.scene.kinelift.video = video
        assert says in refusal(captured) and says in queue.problem
        assert "\n" not in queue.problem and "Traceback" not in queue.problem
    choose()
    preferences.cache_folder = "/proc/nowhere"
    assert "Can't write" in refusal(captured) and "Can't write" in queue.problem
    preferences.cache_folder = str(tmp_path / "captures")
    preferences.python = str(tmp_path / "no python")
    assert "no Python at" in refusal(captured) and "no Python at" in queue.problem
    bpy.ops.wm.read_homefile(use_empty=True)
    assert not queue.problem  # it was the other file's
    assert not queue.jobs and len(bpy.data.objects) == 0


@pytest.mark.any_blender
def test_captures_queue_and_the_same_is_not_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    choose(last=30)
    first = new_job(bpy.context)
    with pytest.raises(CaptureError, match="already"):
        new_job(bpy.context)
    choose(last=20)
    second = new_job(bpy.context)
    assert first.motion != second.motion
    assert not first.step() and first.seconds_left is None
    for frame, told in ((0, False), (4, True), (5, False)):  # it doesn't say "0:00" before the next stage
        first.progress = Message("shots", frame, 5, "")
        assert (first.seconds_left is not None) == told
    until = time.monotonic() + 120
    while not first.step() and time.monotonic() < until:
        assert not second.step()
        assert second.progress.stage == "start"  # it waits
        time.sleep(0.05)
    first.end()
    while not second.step() and time.monotonic() < until:
        time.sleep(0.05)
    second.end()
    assert [len(Capture.load(job.motion)) for job in (first, second)] == [30, 20]

    third = new_job(bpy.context)
    monkeypatch.setattr(jobs, "HANGS_AFTER", 0.0)
    with pytest.raises(CaptureError, match="said nothing"):
        third.step()
    third.end()
    assert not queue.jobs


@pytest.mark.parametrize(
    ("stage", "frame", "half"),
    [("start", 1, False), ("shots", 5, False), ("detect", 5, False), ("detect", 6, True), ("lift", 0, True)],
)
def test_only_the_named_capture_is_cancelled(stage: str, frame: int, half: bool) -> None:
    choose(last=30)
    job = new_job(bpy.context)
    job.progress = Message(stage, frame, 10, "")
    assert job.half_done == half
    assert bpy.ops.kinelift.cancel(motion="one that has ended") == {"FINISHED"} and queue.jobs == [job]
    assert bpy.ops.kinelift.cancel(motion=str(job.motion)) == {"FINISHED"} and not queue.jobs


@pytest.mark.any_blender
def test_two_blenders_at_once_share_a_cache(tmp_path: Path) -> None:
    code = f"""
        import json, os, sys, time
        sys.path.insert(0, {str(ROOT)!r})
        import bpy, kinelift
        kinelift.register()
        from kinelift.state import access as place
        place.runtime_folder = lambda: __import__("pathlib").Path({str(tmp_path)!r}, "runtime")
        addon = bpy.context.preferences.addons.new()
        addon.module = "kinelift"
        addon.preferences.python = sys.executable
        addon.preferences.cache_folder = {str(tmp_path / "captures")!r}
        scene = bpy.context.scene
        scene.kinelift.video = {str(SAMPLE)!r}
        scene.kinelift.info.frames, scene.kinelift.info.fps = 120, 30.0
        scene.kinelift.last, scene.kinelift.rate = int(sys.argv[1]), "VIDEO"
        print("ready", flush=True)
        sys.stdin.readline()
        began = time.time()
        bpy.ops.kinelift.capture()
        built = bpy.context.object
        print(json.dumps({{"motion": built.kinelift.motion, "began": began, "ended": time.time(),
            "keys": list(built.animation_data.action.frame_range)}}), flush=True)
        os._exit(0)
    """
    blenders = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), frames],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for frames in ("20", "30")
    ]
    answers = []
    for blender in blenders:
        assert blender.stdout is not None
        while blender.stdout.readline() != "ready\n":
            assert blender.poll() is None
    for blender in blenders:
        assert blender.stdin is not None
        blender.stdin.write("go\n")
        blender.stdin.flush()
    for blender in blenders:
        said, _ = blender.communicate(timeout=300)
        answers.append(json.loads(said.splitlines()[-1]))
    one, other = answers
    assert one["began"] < other["ended"] and other["began"] < one["ended"]  # at the same time
    assert [answer["keys"] for answer in answers] == [[1, 20], [1, 30]]
    assert [len(Capture.load(Path(answer["motion"]))) for answer in answers] == [20, 30]
    kept = sorted(str(path) for path in (tmp_path / "captures").iterdir())
    assert kept == sorted([one["motion"], other["motion"]])


def test_the_artist_stays_where_they_are(tmp_path: Path) -> None:
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    bpy.ops.object.mode_set(mode="EDIT")
    random_capture(20).save(tmp_path / "m.npz")
    (armature,) = build(tmp_path / "m.npz", "m", bpy.context.scene.name, False)
    assert bpy.context.object == cube and cube.mode == "EDIT" and not armature.select_get()
    bpy.ops.object.mode_set(mode="OBJECT")
    assert build(tmp_path / "m.npz", "m", "a scene that is gone", False) == [bpy.context.object]


def test_the_first_capture_gives_an_empty_scene_its_rate_and_range(tmp_path: Path) -> None:
    random_capture(20, fps=25.0).save(tmp_path / "m.motion.npz")
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start = 60, 7
    bpy.ops.mesh.primitive_cube_add()  # which doesn't move
    assert bpy.ops.kinelift.rebuild(motion=str(tmp_path / "m.motion.npz")) == {"FINISHED"}
    assert (scene.render.fps, scene.frame_start, scene.frame_end) == (25, 1, 20)
    random_capture(50, fps=50.0).save(tmp_path / "other.motion.npz")
    scene.frame_start = 3
    assert bpy.ops.kinelift.rebuild(motion=str(tmp_path / "other.motion.npz")) == {"FINISHED"}
    assert (scene.render.fps, scene.frame_start, scene.frame_end) == (25, 3, 25)


def test_captures_stand_beside_each_other_and_have_bodies(tmp_path: Path) -> None:
    random_capture(5).save(tmp_path / "m.motion.npz")
    scene = bpy.context.scene

    def added() -> bpy.types.Object:
        assert bpy.ops.kinelift.rebuild(motion=str(tmp_path / "m.motion.npz")) == {"FINISHED"}
        assert bpy.context.object.type == "ARMATURE" and bpy.context.selected_objects == [bpy.context.object]
        return bpy.context.object

    scene.cursor.location = (0, 3, 0.5)
    first = added()
    assert tuple(first.location) == (0, 3, 0.5) and body_of(first) is not None
    second, third = added(), added()
    assert [one.location.x for one in (second, third)] == [2, 4]
    second.location.x += 10  # the artist moves it: its place is free
    assert tuple(added().location) == (2, 3, 0.5)
    scene.kinelift.add_body = False
    assert body_of(added()) is None


def test_everybody_gets_an_armature_in_one_place(tmp_path: Path) -> None:
    """In a collection of their own, the first one active; the next capture stands beside them."""
    first = replace(random_capture(20), people=2)
    first.save(tmp_path / "dance.motion.npz")
    motion = replace(first.motion, root=first.motion.root + np.array([1.5, 0.5, 0]))
    replace(first, motion=motion).save(tmp_path / "dance.person2.motion.npz")
    scene = bpy.context.scene
    scene.cursor.location = (0, 3, 0)
    assert bpy.ops.kinelift.rebuild(motion=str(tmp_path / "dance.motion.npz")) == {"FINISHED"}
    one, two = bpy.data.objects["dance"], bpy.data.objects["dance.person2"]
    assert bpy.context.object == one and set(bpy.context.selected_objects) == {one, two}
    assert one.location == two.location and tuple(one.location) == (0, 3, 0)
    (together,) = one.users_collection
    assert together.name == "dance" and together in tuple(scene.collection.children_recursive)
    for armature in (one, two):
        assert armature.users_collection == (together,)
        assert body_of(armature).users_collection == (together,)
        assert armature.animation_data.action.frame_range == one.animation_data.action.frame_range
    hips = [armature.matrix_world @ armature.pose.bones["hips"].head for armature in (one, two)]
    assert np.allclose(hips[1] - hips[0], (1.5, 0.5, 0), atol=1e-3)
    assert [Path(armature.kinelift.motion).name for armature in (one, two)] == [
        "dance.motion.npz", "dance.person2.motion.npz"
    ]  # fmt: skip
    assert Path(scene.kinelift.last_motion).name == "dance.motion.npz"
    # a damaged one: nothing is added
    (tmp_path / "dance.person2.motion.npz").write_bytes(b"no motion")
    before = len(bpy.data.objects)
    assert "person2" in refusal(bpy.ops.kinelift.rebuild, motion=str(tmp_path / "dance.motion.npz"))
    assert len(bpy.data.objects) == before
    # one of them alone, and one who was captured again alone
    first.save(tmp_path / "dance.person2.motion.npz")
    replace(first, people=1).save(tmp_path / "dance.motion.npz")
    for file in ("dance.person2.motion.npz", "dance.motion.npz"):
        assert bpy.ops.kinelift.rebuild(motion=str(tmp_path / file)) == {"FINISHED"}
        assert len(bpy.context.selected_objects) == 1 and bpy.context.object.location.x >= 2
    assert (tmp_path / "dance.person2.motion.npz").is_file()


def test_unsure_stretches_become_markers_once(tmp_path: Path) -> None:
    capture = random_capture(60, fps=30.0, warnings=("Mind the gap.",))
    capture.confidence[:] = 1.0
    capture.confidence[10:20] = 0.1
    capture.confidence[22:30] = 0.1  # next to it: one stretch
    capture.confidence[50] = 0.1  # a single frame isn't a stretch
    capture.landmarks[10:30] = np.nan
    capture.confidence[40:46, INDEX["head"]] = 0
    capture = replace(capture, unsure_sides=((54, 59),))
    capture.save(tmp_path / "m.npz")
    bpy.context.scene.render.fps = 60
    (armature,) = build(tmp_path / "m.npz", "m", bpy.context.scene.name, False)
    result = armature.kinelift
    assert [(s.name, s.first, s.last) for s in result.unsure] == [("", 21, 59), ("head", 81, 91)]
    assert result.detected == pytest.approx(2 / 3)
    assert (result.guessed_limbs, result.unsure_sides) == (pytest.approx(7 / 60), pytest.approx(0.1))
    assert [w.name for w in result.warnings] == ["Mind the gap."]
    for _ in range(2):
        bpy.ops.kinelift.mark_unsure()
    markers = {(m.name, m.frame) for m in bpy.context.scene.timeline_markers}
    assert markers == {("Unsure", 21), ("Sure", 60), ("Unsure: head", 81), ("Sure: head", 92)}
    assert len(bpy.context.scene.timeline_markers) == 4


def test_a_dropped_video_is_chosen() -> None:
    (handler,) = (h for h in bpy.types.FileHandler.__subclasses__() if h.__name__ == "KINELIFT_FH_video")
    assert ".mp4" in handler.bl_file_extensions and handler.bl_import_operator == "kinelift.choose_video"
    assert bpy.ops.kinelift.choose_video(filepath=str(SAMPLE)) == {"FINISHED"}
    assert bpy.context.scene.kinelift.video == str(SAMPLE)
