"""An artist's first capture, in a real window: `make test-gui` runs this inside a Debian with a Blender.

The name keeps it out of the suite that runs everywhere. The file is long because it is one session: each step
works on the window that the steps before have left.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from kinelift.core.capture import Capture
from kinelift.tests.gui.window import TABS, Window
from kinelift.tests.motions import filmed_moving, random_capture
from kinelift.tests.videos import SAMPLE, read_video, write_video

ROOT = Path(__file__).resolve().parents[2]
#: of the artist: /tmp is this Debian's own
CLIPS = Path("/tmp/Clips")
CLIP = CLIPS / "walk_front.mp4"
LONG_CLIP = CLIPS / "long_walk.mp4"
#: its frames: more than the fastest machine captures while a test watches
LONG = 2880
PYTHON = ROOT / ".venv/bin/python"
PANELS = (
    "Video", "Person & Range", "Capture from Video", "Result",
    "Clean Up Feet", "Re-solve", "Motions", "Preview", "Retarget", "Export",
)  # fmt: skip
#: as Blender is asked about them
PREFERENCES = "context.preferences.addons['bl_ext.user_default.kinelift'].preferences"
QUEUE = "__import__('bl_ext.user_default.kinelift.state.jobs', fromlist=['queue']).queue"
#: of the window while a capture runs, seconds
SMOOTH = 0.030
#: of each of the operator's own steps, seconds
TICK = 0.010


def mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def read_only(folder: Path) -> None:
    """Let nobody write into a folder, not even root."""
    mount("--bind", folder, folder)
    mount("-o", "remount,ro,bind", folder)


def workers() -> list[int]:
    """Processes that capture or look at a video."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"inference" in words and words[0] == str(PYTHON).encode():
            found.append(int(process.name))
    return found


@pytest.fixture(autouse=True)
def turn(request: pytest.FixtureRequest) -> Iterator[None]:
    """Wait while the other Blender's window has a test that is `alone`, or has any test if this one is."""
    (ROOT / "out").mkdir(exist_ok=True)
    with (ROOT / "out/gui.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX if request.node.get_closest_marker("alone") else fcntl.LOCK_SH)
        yield


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The light zip, made by Blender's own tool."""
    folder = tmp_path_factory.mktemp("zip")
    command = [
        "blender",
        "--command",
        "extension",
        "build",
        "--source-dir",
        str(ROOT),
        "--output-dir",
        str(folder),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.zip")
    return built


@pytest.fixture(scope="module")
def window(extension: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    """Blender with Kinelift installed, its tab open, and the sample video chosen: by hand."""
    version = subprocess.run(
        ["blender", "--version"], check=True, capture_output=True, text=True
    ).stdout.split()[1]
    shots = ROOT / "out" / "gui" / version
    shutil.rmtree(shots, ignore_errors=True)
    with Window(tmp_path_factory.mktemp("window"), shots, PYTHON) as blender:
        blender.rest()
        blender.key("Escape", "n")
        # a key that comes while Blender still starts is lost
        blender.ask(
            "[setattr(area.spaces[0], 'show_region_ui', True) for area in context.window.screen.areas"
            " if area.type == 'VIEW_3D']"
        )
        blender.ask("bpy.data.objects.remove(bpy.data.objects['Cube'])")
        # legible whatever stands behind it
        blender.ask("setattr(context.preferences.system, 'use_region_overlap', False)")
        blender.ask(
            f"bpy.ops.extensions.package_install_files(filepath={str(extension)!r}, repo='user_default',"
            " enable_on_install=True)"
        )
        blender.settle()
        read_only(
            Path(blender.ask("__import__('bl_ext.user_default.kinelift').user_default.kinelift.__path__[0]"))
        )
        blender.ask("watch()")
        blender.tab("Kinelift")
        blender.rest()
        blender.shot("tab")
        assert "Capture" in blender.text()
        # the field is the row above; what an empty one says is too dim to be read here
        x, y = blender.find("Person & Range")[0]
        blender.click_at(x, y - 34, times=2)
        blender.key("ctrl+a")
        CLIPS.mkdir(exist_ok=True)
        shutil.copy(SAMPLE, CLIP)
        blender.type(str(CLIP))
        blender.key("Return")
        blender.rest()
        blender.until(lambda: "120" in blender.text())
        blender.settle()
        yield blender
        assert b"Traceback" not in Path(blender.log.name).read_bytes()


@pytest.fixture(scope="module")
def long_video(window: Window) -> Path:
    """Long enough to be watched while it is captured: the sample, forth and back."""
    images = read_video(SAMPLE)
    images += images[::-1]
    return write_video(LONG_CLIP, LONG // len(images) * images)


def said(window: Window) -> str:
    """All that the sidebar says, in one line."""
    return " ".join(window.text().split())


def choose(window: Window, video: Path, frames: int) -> None:
    window.ask(f"context.scene.kinelift.video = {str(video)!r}")
    window.until(lambda: window.ask("context.scene.kinelift.info.frames") == frames)
    window.rest()


def things(window: Window) -> list[list[str]]:
    """What is in the file: objects, armatures and actions."""
    return window.ask(
        "[sorted(d.name for d in getattr(bpy.data, k)) for k in ('objects', 'armatures', 'actions')]"
    )


def note(window: Window, name: str, places: object) -> None:
    """Where what is shown in the README lies on the screenshots."""
    (window.shots / f"{name}.json").write_text(json.dumps(places), encoding="utf-8")


def capture(window: Window) -> None:
    window.click("Capture from Video")
    window.rest()
    window.until(workers)


def cancel(window: Window) -> None:
    """Press Cancel, or whatever asks whether that is meant."""
    window.click("Cancel")
    window.until(lambda: not workers(), 6)
    window.rest()


def frame(window: Window) -> int:
    """How far the panel says that the capture is; 0: it says nothing."""
    for line in window.text().splitlines():
        words = line.split()
        if "/" in words and words[words.index("/") - 1].isdecimal():
            return int(words[words.index("/") - 1])
    return 0


def test_the_panel_says_what_the_video_is(window: Window) -> None:
    window.shot("video")
    text = window.text()
    assert "120 frames, 30 fps" in text and "0:04" in text
    for label in ("Follow", "First", "Last", "Frame Rate", "Height", "Lens", "Capture from Video"):
        assert label in text
    assert "..." not in text and "…" not in text  # labels cut off


def test_what_is_unseen_is_trimmed_on_wish(window: Window) -> None:
    window.click("Hold")
    window.click("Trim")
    window.until(lambda: window.ask("context.scene.kinelift.unseen") == "trim")
    window.ask("context.scene.kinelift.property_unset('unseen')")


def test_it_is_found_by_search(window: Window, long_video: Path) -> None:
    choose(window, long_video, LONG)
    window.search("capture from video")
    window.shot("search")
    window.key("Return")
    window.until(workers)
    window.rest()
    cancel(window)


@pytest.mark.alone
def test_file_import_captures(window: Window) -> None:
    window.search("motion from video")
    window.shot("search_import")
    window.key("Return")
    browser = (
        "[(w, a) for w in context.window_manager.windows for a in w.screen.areas if a.type == 'FILE_BROWSER']"
    )
    window.until(lambda: window.ask(f"len({browser})") == 1)
    window.settle()
    window.ask(
        f"""
(found,) = {browser}
with context.temp_override(window=found[0], area=found[1]):
    found[1].spaces.active.params.directory = {str(CLIPS).encode()!r}
    found[1].spaces.active.params.filename = {CLIP.name!r}
    bpy.app.timers.register(lambda: found[1].tag_redraw())
"""
    )
    window.settle()
    window.shot("import")
    window.ask(
        f"""
(found,) = {browser}
region = next(r for r in found[1].regions if r.type == 'WINDOW')
def press():
    with bpy.context.temp_override(window=found[0], area=found[1], region=region):
        bpy.ops.file.execute('INVOKE_DEFAULT')
bpy.app.timers.register(press)
"""
    )
    window.until(workers)
    assert window.ask("context.scene.kinelift.video") == str(CLIP)
    window.rest()
    cancel(window)


def test_escape_stops_the_playback_and_only_over_the_progress_the_capture(
    window: Window, long_video: Path
) -> None:
    choose(window, long_video, LONG)
    before = things(window)
    capture(window)
    window.until(lambda: "Finding the person" in said(window))
    window.until(lambda: frame(window) > 0)
    first = frame(window)
    window.until(lambda: frame(window) > first)
    window.shot("progress")
    left, top, width, _ = window.sidebar()
    note(window, "progress", [left, top, left + width, window.find("Queue")[-1][1] + 24])
    window.rest()
    window.key("space")
    window.until(lambda: window.ask("context.screen.is_animation_playing"))
    window.key("Escape")
    window.until(lambda: not window.ask("context.screen.is_animation_playing"))
    window.key("Escape")
    time.sleep(1)
    assert workers()
    window.hover(*window.find("Finding")[0])
    window.key("Escape")
    window.until(lambda: not workers(), 6)
    window.until(lambda: "Cancel" not in window.text())
    assert things(window) == before
    assert not list(Path(window.folder).rglob("*.motion.npz"))


@pytest.mark.alone
def test_the_window_stays_responsive(window: Window, long_video: Path) -> None:
    choose(window, long_video, LONG)
    window.ask("[log.clear() for log in took.values()]")
    capture(window)
    window.ask("late.clear()")
    time.sleep(15)
    late = sorted(window.ask("late"))
    took = {name: sorted(log) for name, log in window.ask("took").items() if log}
    assert workers() and len(late) > 500 and len(took["KINELIFT_OT_capture.modal"]) > 100
    worst = late[int(0.99 * len(late))]
    told = [f"a timer comes {1e3 * statistics.median(late):.1f} ms late, 1 % more than {1e3 * worst:.1f} ms"]
    told += [
        f"{name}: {len(log)} times, {1e3 * statistics.median(log):.2f} ms, at most {1e3 * log[-1]:.2f} ms"
        for name, log in sorted(took.items())
    ]
    (window.shots / "responsiveness.txt").write_text("\n".join(told) + "\n", encoding="utf-8")
    print(*told, sep="\n")
    cancel(window)
    assert worst < SMOOTH
    for name in ("KINELIFT_OT_capture.invoke", "KINELIFT_OT_capture.modal"):
        assert took[name][-1] < TICK, name


def test_the_same_is_not_captured_twice(window: Window, long_video: Path) -> None:
    choose(window, long_video, LONG)
    capture(window)
    window.click("Add to Queue")
    window.rest()
    window.shot("twice")
    assert "is being captured with these settings already" in said(window)
    window.key("Escape")  # Blender's own report
    cancel(window)


def test_a_capture_arrives_while_the_artist_works(window: Window) -> None:
    choose(window, CLIP, 120)
    window.ask("setattr(context.scene.cursor, 'location', (5, 0, 0))")
    before = things(window)
    capture(window)
    window.until(lambda: window.ask("context.object is not None"))
    window.settle()
    window.shot("result")
    assert window.ask("[one.type for one in context.object.children]") == ["MESH"]
    view = "[a.spaces[0].region_3d for a in context.window.screen.areas if a.type == 'VIEW_3D'][0]"
    window.until(lambda: window.ask(f"{view}.view_location.x") > 3)  # framed
    window.ask("setattr(context.scene.cursor, 'location', (0, 0, 0))")
    assert window.ask("(context.object.type, len(context.object.data.bones))") == ["ARMATURE", 21]
    # nothing moved in the scene, so it takes over the video's range and frame rate
    assert window.ask("list(context.object.animation_data.action.frame_range)") == [1.0, 120.0]
    assert window.ask("[context.scene.frame_end, context.scene.render.fps]") == [120, 30]
    assert not workers()
    window.ask("context.scene.frame_set(40)")
    # a closer look, from the front and a little from the side and above
    window.key("KP_1", "KP_Decimal", "KP_6", "KP_6", "KP_8")
    window.settle()
    window.shot("playing")
    window.key("ctrl+z")
    window.settle()
    assert things(window) == before  # one step
    window.shot("undone")
    window.key("ctrl+shift+z")
    window.settle()
    assert things(window) != before
    text = window.text()
    assert "Result" in text and "100%" in text


def test_the_cancel_button(window: Window, long_video: Path) -> None:
    choose(window, long_video, LONG)
    before = things(window)
    capture(window)
    window.until(lambda: "Cancel" in window.text())
    window.click("Cancel")
    window.until(lambda: not workers(), 6)
    assert things(window) == before


def test_who_cancels_when_more_than_half_is_done_is_asked(window: Window) -> None:
    choose(window, CLIP, 120)
    capture(window)
    (worker, *_) = workers()
    window.until(lambda: window.ask(f"{QUEUE}.jobs[0].half_done"))
    os.kill(worker, signal.SIGSTOP)  # or it would be done before the answer
    try:
        window.rest()
        window.click("Cancel")
        window.settle()
        window.shot("cancel_asked")
        assert window.ask(f"len({QUEUE}.jobs)") == 1
        window.key("Escape")  # no
        window.settle()
        assert window.ask(f"len({QUEUE}.jobs)") == 1
        window.rest()
        window.click("Cancel")
        window.settle()
        window.key("Return")  # yes
        window.until(lambda: window.ask(f"len({QUEUE}.jobs)") == 0)
    finally:
        os.kill(worker, signal.SIGCONT)
    window.until(lambda: not workers(), 6)


def test_a_person_is_picked_on_a_still(window: Window) -> None:
    choose(window, CLIP, 120)
    window.click("Largest")
    window.click("Pick on a Still")
    window.rest()
    window.shot("follow")
    window.click("Pick")
    window.until(lambda: window.ask("any(a.type == 'IMAGE_EDITOR' for a in context.window.screen.areas)"))
    window.settle()
    window.key("Up", "Right")  # while the frame is looked at keys do nothing
    window.until(lambda: not workers())
    window.settle()
    window.shot("pick")
    assert window.ask("[one.name for one in bpy.data.images if one.name.startswith('still')]") == [
        "still 11.png"
    ]
    x, y, width, height = window.ask(
        "[(r.x, r.y, r.width, r.height) for a in context.window.screen.areas if a.type == 'IMAGE_EDITOR'"
        " for r in a.regions if r.type == 'WINDOW'][0]"
    )
    window.click_at(x + width // 2, window.ask("context.window.height") - y - height // 2)
    window.until(lambda: window.ask("context.scene.kinelift.picked"))
    assert window.ask("[a.type for a in context.window.screen.areas].count('VIEW_3D')") == 1
    pick = window.ask("list(context.scene.kinelift.pick)")
    assert pick == pytest.approx([360, 360], abs=8)
    assert window.ask("context.scene.kinelift.pick_time") == pytest.approx(10 / 30, abs=1e-3)
    # and by their number
    window.rest()
    window.click("Pick Again")
    window.until(lambda: window.ask("any(a.type == 'IMAGE_EDITOR' for a in context.window.screen.areas)"))
    window.settle()
    window.key("1")
    window.until(lambda: window.ask("context.scene.kinelift.pick_time") == 0)
    x, y = window.ask("list(context.scene.kinelift.pick)")
    assert [x, y] != pick and 0 < x < 720 and 150 < y < 500
    window.ask("context.scene.kinelift.person = 'largest'")


def refusal(window: Window, button: str = "Capture from Video") -> str:
    """What the panel says to a capture that comes to nothing; Blender's report says the same."""
    window.ask(f"setattr({QUEUE}, 'problem', '')")
    window.rest()  # the panel is drawn with what was set
    window.settle()
    window.click(button)
    window.rest()
    window.until(lambda: window.ask(f"{QUEUE}.problem") and not workers())
    window.settle()
    window.key("Escape")  # closes Blender's own report, which may lie on the panel
    problem = window.ask(f"{QUEUE}.problem")
    assert "\n" not in problem and any(problem in line for line in window.reports()[-5:])
    return said(window)


def test_refusals_are_read_in_the_panel(window: Window, tmp_path: Path) -> None:
    before = things(window)
    moved = CLIPS / "moved.mp4"
    shutil.copy(CLIP, moved)
    choose(window, moved, 120)
    moved.unlink()
    assert f"{moved} no longer exists" in refusal(window)
    window.shot("refused")

    choose(window, CLIP, 120)
    full = tmp_path / "full disk"
    full.mkdir()
    mount("-t", "tmpfs", "-o", "size=32k", "tmpfs", full)
    window.ask(f"{PREFERENCES}.cache_folder = {str(full)!r}")
    assert "No space left on device. Choose a folder that can be written and has room." in refusal(window)
    window.shot("full")
    assert not list(full.iterdir())
    window.ask(f"{PREFERENCES}.cache_folder = ''")

    window.ask(f"{PREFERENCES}.python = '/usr/bin/python3'")  # this Debian's own: it has numpy
    assert "lacks av, cv2, mediapipe, safetensors, torch: choose another" in refusal(window)
    window.shot("lacking")
    window.ask(f"{PREFERENCES}.python = ''")

    named = window.ask("__import__('os').environ.pop('KINELIFT_PYTHON')")
    try:
        text = refusal(window)  # the light zip alone
        window.shot("no_runtime")
        window.click("Open Preferences")
        window.until(lambda: window.ask("len(context.window_manager.windows)") == 2)
        window.ask(
            "with context.temp_override(window=context.window_manager.windows[-1]): bpy.ops.wm.window_close()"
        )
        window.until(lambda: window.ask("len(context.window_manager.windows)") == 1)
        window.rest()
    finally:
        window.ask(f"__import__('os').environ.update(KINELIFT_PYTHON={named!r})")
    assert text.count("lacks av, cv2, mediapipe, safetensors, torch: take the Kinelift zip") == 1
    assert things(window) == before


def test_words_are_translated(window: Window) -> None:
    gone = CLIPS / "gone.mp4"
    shutil.copy(CLIP, gone)
    choose(window, gone, 120)
    gone.unlink()
    german = {
        "Capture from Video": "Aus Video aufnehmen",
        "Person & Range": "Person und Bereich",
        "First Frame": "Erstes Bild",
        "{count} frames, {fps:.4g} fps": "{count} Bilder mit {fps:.4g}/s",
        "{video} no longer exists; choose the video again.": "Es gibt {video} nicht mehr.",
    }
    words = {(context, word): its for word, its in german.items() for context in ("*", "Operator")}
    window.ask(f"bpy.app.translations.register('artist', {{'de_DE': {words!r}}})")
    view = "context.preferences.view"
    window.ask(f"[setattr({view}, 'use_translate_' + what, True) for what in ('interface', 'reports')]")
    window.ask(f"{view}.language = 'de_DE'")
    window.rest()
    window.settle()
    assert f"Es gibt {gone} nicht mehr." in refusal(window, "Aus Video aufnehmen")
    window.shot("german")
    text = said(window)
    assert "120 Bilder mit 30/s" in text and "Person und Bereich" in text and "Erstes Bild" in text
    window.ask(f"{view}.language = 'en_US'")
    window.ask("bpy.app.translations.unregister('artist')")
    choose(window, CLIP, 120)


def test_a_dead_worker_is_told_with_how_it_died(window: Window, long_video: Path) -> None:
    choose(window, long_video, LONG)
    capture(window)
    for pid in workers():
        os.kill(pid, signal.SIGKILL)
    window.until(lambda: "SIGKILL" in window.text())
    window.shot("died")
    window.key("Escape")


def test_every_panel(window: Window) -> None:
    choose(window, CLIP, 120)
    window.ask("setattr(context.view_layer.objects, 'active', bpy.data.objects['walk_front'])")
    places = {}
    for panel, following in zip(PANELS, (*PANELS[1:], None), strict=True):
        window.open_panel(panel)
        window.shot("panel_" + panel.replace(" ", "_"))
        text = window.text()
        assert "..." not in text and "…" not in text, panel  # labels cut off
        left, _, width, _ = window.sidebar()
        top, end = (window.find(p)[0][1] if p else 0 for p in (panel, following))
        places[panel] = [left, top - 14, left + width - TABS, (end or top + 66) - 14]
    note(window, "panels", places)


def test_clean_up_body_and_camera(window: Window) -> None:
    actions = window.ask("len(bpy.data.actions)")
    window.open_panel("Clean Up Feet")
    window.click("Clean Up Feet")
    window.until(lambda: window.ask("len(bpy.data.actions)") == actions + 1)
    window.rest()
    window.open_panel("Preview")
    window.click("Add Body")
    window.until(lambda: "MESH" in window.ask("[o.type for o in context.object.children]"))
    window.rest()
    window.shot("body")
    button = window.find("Show Confidence")[-1]
    window.click_at(*button)
    window.rest()
    window.settle()
    window.shot("confidence")
    shown = "[a.spaces[0].shading.color_type for a in context.window.screen.areas if a.type == 'VIEW_3D'][0]"
    assert window.ask(shown) == "VERTEX"
    window.click_at(*button)  # pressed, its label is too bright to be read here
    window.rest()
    window.settle()
    assert window.ask(shown) == "MATERIAL"
    window.click("Add Capture Camera")
    window.until(lambda: "CAMERA" in window.ask("[o.type for o in context.object.children]"))
    window.rest()
    window.settle()
    window.click("View through Capture Camera")
    window.rest()
    window.settle()
    window.shot("camera")
    assert "CAMERA" in window.ask(
        "[a.spaces[0].region_3d.view_perspective for a in context.window.screen.areas if a.type == 'VIEW_3D']"
    )


def test_motions_are_kept_listed_and_gone_back_to(window: Window) -> None:
    playing = "context.object.animation_data.action.name"
    now = window.ask(playing)
    window.open_panel("Motions")
    window.shot("motions")
    assert "walk_front raw" in said(window)
    window.click("walk_front raw")
    window.until(lambda: window.ask(playing) == "walk_front raw")
    saved = "/tmp/motions.blend"
    window.ask(
        f"bpy.app.timers.register(lambda: bpy.ops.wm.save_as_mainfile(filepath={saved!r})"
        f" and bpy.ops.wm.open_mainfile(filepath={saved!r}) and None)"
    )
    window.until(lambda: window.ask("bpy.data.filepath") == saved)
    window.rest()
    window.settle()
    assert window.ask(playing) == "walk_front raw"
    window.click(now)
    window.until(lambda: window.ask(playing) == now)
    window.key("ctrl+z")
    window.until(lambda: window.ask(playing) == "walk_front raw")
    window.key("ctrl+shift+z")
    window.until(lambda: window.ask(playing) == now)


def save_and_reopen(window: Window, path: str) -> None:
    """Save the file and open it again, with Kinelift's tab in front."""
    window.ask(
        f"bpy.app.timers.register(lambda: bpy.ops.wm.save_as_mainfile(filepath={path!r})"
        f" and bpy.ops.wm.open_mainfile(filepath={path!r}) and None)"
    )
    window.until(lambda: window.ask("bpy.data.filepath") == path and not window.ask("bpy.data.is_dirty"))
    window.rest()
    window.settle()
    if "Kinelift" not in window.ask(
        "[r.active_panel_category for a in context.window.screen.areas if a.type == 'VIEW_3D'"
        " for r in a.regions if r.type == 'UI']"
    ):
        window.tab("Kinelift")  # a file is loaded with the first tab in front, up to Blender 4
        window.rest()


def test_keys_are_reduced_to_what_the_artist_tolerates(window: Window) -> None:
    playing, before = "context.object.animation_data.action.name", things(window)
    now = window.ask(playing)
    window.open_panel("Motions")
    window.click("Reduce Keys")
    window.settle()
    window.shot("reduce_keys")
    assert window.ask(playing) == now  # it asks for the tolerance first
    window.key("Return")
    window.until(lambda: window.ask(playing) == f"{now} reduced")
    window.rest()
    window.settle()
    window.shot("reduced")
    assert "ankles are up to" in window.reports()[-1]
    save_and_reopen(window, "/tmp/reduced.blend")
    assert window.ask(playing) == f"{now} reduced"
    window.click_at(*window.find(now)[0])
    window.until(lambda: window.ask(playing) == now)
    window.ask(f"bpy.data.actions.remove(bpy.data.actions[{now + ' reduced'!r}])")
    assert things(window) == before


def test_a_motion_is_corrected_with_a_slider(window: Window) -> None:
    leans = "round(context.object.kinelift.corrections.lean, 2)"
    playing = "context.object.animation_data.action.name"
    window.ask("setattr(context.view_layer.objects, 'active', bpy.data.objects['walk_front'])")
    before = window.ask(playing)
    window.rest()
    window.open_panel("Result")  # folds those above, so that the window shows the others
    window.open_panel("Re-solve")
    window.click("Corrections")
    window.rest()
    window.settle()
    window.shot("corrections")
    assert "Reset" in window.text() and "Head Pitch" in window.text()
    window.click("Lean")
    left, _, width, _ = window.sidebar()
    window.click_at(left + int(0.7 * width), window.find("Lean")[0][1], times=2)
    window.key("ctrl+a", "1", "0", "Return")
    window.until(lambda: window.ask(leans) == 10)
    # it is solved again without a press
    window.until(lambda: window.ask(playing) != before)
    window.rest()
    window.shot("lean")
    preview, actions = window.ask(playing), window.ask("len(bpy.data.actions)")
    window.click_at(left + int(0.7 * width), window.find("Lean")[0][1], times=2)
    window.key("ctrl+a", "8", "Return")
    window.until(lambda: window.ask(playing) != preview)
    assert window.ask("len(bpy.data.actions)") == actions  # each preview replaces the one before it
    window.rest()
    previewed = window.ask(playing)
    window.click_at(*window.find("Re-solve")[-1])
    window.until(lambda: window.ask(playing) != previewed)
    window.rest()
    window.settle()
    window.shot("leaning")
    save_and_reopen(window, "/tmp/leaning.blend")
    assert window.ask(leans) == 8
    solved = window.ask(playing)
    window.open_panel("Re-solve")
    window.click("Corrections")
    window.click("Reset")
    window.until(lambda: window.ask(leans) == 0)
    window.until(lambda: window.ask(playing) != solved)
    window.open_panel("Motions")
    assert window.find(solved)


def test_body_and_video_side_by_side_and_back(window: Window) -> None:
    seen = "[(a.x, a.spaces[0].region_3d) for a in context.screen.areas if a.type == 'VIEW_3D']"
    views = f"[view.view_perspective for _, view in sorted({seen}, key=lambda one: one[0])]"
    turns = f"[list(view.view_rotation) for _, view in {seen}]"
    for kind in ("CAMERA", "MESH", "EMPTY"):
        window.ask(
            f"[bpy.data.objects.remove(one) for one in context.object.children[:] if one.type == {kind!r}]"
        )
    window.rest()
    window.key("KP_1")
    window.settle()
    (before,) = window.ask(turns)
    away = CLIP.with_suffix(".away")
    window.open_panel("Preview")
    for gone in (True, False):
        if gone:
            CLIP.rename(away)
        button = window.find("Show Side by Side")[-1]  # pressed, its label is too bright to be read here
        window.click_at(*button)
        window.until(lambda: len(window.ask(views)) == 2)
        window.rest()
        window.settle()
        window.shot("side_by_side_without_video" if gone else "side_by_side")
        assert window.ask(views) == ["CAMERA", "PERSP"]
        assert {"MESH", "CAMERA"} <= set(window.ask("[one.type for one in context.object.children]"))
        told = [line for line in window.reports() if "is not there or can't be read" in line]
        assert len(told) == 1
        if gone:
            away.rename(CLIP)
            window.ask("bpy.data.objects.remove(context.scene.camera)")
        else:
            save_and_reopen(window, "/tmp/side_by_side.blend")
            if "Preview" not in window.text():
                window.tab("Kinelift")  # a file is loaded with the first tab in front, up to Blender 4
                window.open_panel("Preview")
        window.click_at(*button)
        window.until(lambda: len(window.ask(views)) == 1)
        window.rest()
        window.settle()
        (after,) = window.ask(turns)
        assert after == pytest.approx(before, abs=1e-4)
    window.shot("side_by_side_again")


HEAD = (
    "[round(part, 3) for part in context.object.evaluated_get(context.evaluated_depsgraph_get())"
    ".pose.bones['head'].matrix_basis.to_quaternion()]"
)


def edit_head(window: Window) -> list[float]:
    """Turn the head by hand and key it, in frame 40; the pose after that."""
    window.ask("context.scene.frame_set(40)")
    window.rest()
    window.key("ctrl+Tab")
    window.until(lambda: window.ask("context.mode") == "POSE")
    window.ask(
        """
for bone in context.object.pose.bones:
    (bone if hasattr(bone, 'select') else bone.bone).select = bone.name == 'head'
context.object.data.bones.active = context.object.data.bones['head']
"""
    )
    before = window.ask(HEAD)
    window.rest()
    window.key("r", "x", "4", "0", "Return")
    window.until(lambda: window.ask(HEAD) != before)
    window.key("i")
    window.settle()
    edited: list[float] = window.ask(HEAD)
    window.key("ctrl+Tab")
    window.until(lambda: window.ask("context.mode") == "OBJECT")
    window.ask("(context.scene.frame_set(41), context.scene.frame_set(40))")
    assert window.ask(HEAD) == edited != before
    return edited


def confirm(window: Window) -> None:
    """Press Return in the dialog about edits, where the pointer is on no button."""
    window.hover(*window.find("Edited by hand:", everywhere=True)[0])
    window.key("Return")


def test_edits_by_hand_are_asked_about_and_kept_on_a_layer(window: Window) -> None:
    playing = "context.object.animation_data.action.name"
    window.ask("bpy.data.objects['walk_front'].select_set(True)")
    window.ask("setattr(context.view_layer.objects, 'active', bpy.data.objects['walk_front'])")
    edited, now, actions = edit_head(window), window.ask(playing), window.ask("len(bpy.data.actions)")
    window.open_panel("Clean Up Feet")
    window.click("Clean Up Feet")
    window.settle()
    window.shot("edits_asked")
    assert window.find("Edited by hand: head (frame 40)", everywhere=True)
    window.key("Escape")
    window.settle()
    assert window.ask(playing) == now and window.ask("len(bpy.data.actions)") == actions
    window.rest()
    window.click("Clean Up Feet")
    window.settle()
    window.click("Keep on a Layer", everywhere=True)
    confirm(window)
    window.until(lambda: window.ask(playing) == "walk_front edits")
    assert window.ask(HEAD) == pytest.approx(edited, abs=0.002)
    window.rest()
    window.key("ctrl+z")
    window.until(lambda: window.ask(playing) == now)  # one step
    window.key("ctrl+shift+z")
    window.until(lambda: window.ask(playing) == "walk_front edits")
    # the artist goes on with the layer, as with any action
    edited = edit_head(window)
    save_and_reopen(window, "/tmp/edits.blend")
    window.rest()
    window.settle()
    assert window.ask(HEAD) == pytest.approx(edited, abs=0.002)
    window.click("Clean Up Feet")  # nothing is asked
    window.until(lambda: window.ask(playing) == "walk_front edits.001")
    assert window.ask(HEAD) == pytest.approx(edited, abs=0.002)
    window.open_panel("Motions")
    window.shot("layer")
    window.click("walk_front raw")
    window.until(lambda: window.ask(playing) == "walk_front raw")
    assert not window.ask("len(context.object.animation_data.nla_tracks)")


def only(window: Window, name: str) -> None:
    """Select one object alone, as a click in the outliner does."""
    window.ask(f"[one.select_set(one.name == {name!r}) for one in context.view_layer.objects]")
    window.ask(f"setattr(context.view_layer.objects, 'active', bpy.data.objects[{name!r}])")
    window.rest()


def rename(window: Window, name: str) -> None:
    """Rename the active object, with a step to undo as if it was done in the panel."""
    window.ask(f"setattr(context.object, 'name', {name!r})")
    window.ask("bpy.ops.ed.undo_push(message='Rename')")
    window.rest()


def test_solved_again_the_armature_stays(window: Window) -> None:
    playing = "context.object.animation_data.action.name"
    tall = "context.object.data.bones['head'].tail_local.z"
    state = f"[{playing}, {tall}, context.object.name, list(context.object.location)]"
    only(window, "walk_front")
    window.key("g", "x", "1", "Return")
    first, height, before = window.ask(playing), window.ask(tall), things(window)
    children = window.ask("sorted(one.name for one in context.object.children)")
    window.open_panel("Re-solve")
    left, _, _, _ = window.sidebar()
    (_, y), *_ = window.find("Height")
    window.click_at(left + 124, y)  # the checkbox before the field
    window.until(lambda: window.ask("context.scene.kinelift.use_height"))
    window.click_at(left + 195, y, times=2)
    window.key("ctrl+a")
    window.type("1.2")
    window.key("Return")
    window.until(lambda: window.ask("round(context.scene.kinelift.height, 3)") == 1.2)
    window.rest()
    window.shot("resolve")
    window.click("Re-solve")
    window.until(workers)
    window.rest()
    # what is undone meanwhile, or renamed, doesn't matter
    window.key("ctrl+z", "ctrl+shift+z")
    rename(window, "Hero")
    window.until(lambda: window.ask(playing) != first)
    window.rest()
    window.shot("resolved")
    after = window.ask(state)
    assert after[1] == pytest.approx(height * 1.2 / 1.71, rel=0.03)
    assert (
        after[2] == "Hero" and window.ask("sorted(one.name for one in context.object.children)") == children
    )
    objects, armatures, _ = things(window)
    assert armatures == before[1] and sorted({*before[0], "Hero"} - {"walk_front"}) == objects
    assert not workers()
    window.key("ctrl+z")
    window.until(lambda: window.ask(playing) == first)
    assert window.ask(tall) == pytest.approx(height)
    window.key("ctrl+shift+z")
    window.until(lambda: window.ask(playing) == after[0])
    assert window.ask(tall) == pytest.approx(after[1])
    save_and_reopen(window, str(CLIPS / "solved.blend"))
    assert window.ask(state) == after
    window.open_panel("Motions")
    window.click(first)
    window.until(lambda: window.ask(playing) == first)
    assert window.ask(tall) == pytest.approx(height, abs=1e-5)
    window.ask("setattr(context.scene.kinelift, 'use_height', False)")
    rename(window, "walk_front")


def test_an_armature_deleted_while_it_is_solved_again_is_told(window: Window) -> None:
    only(window, "walk_front")
    before = things(window)
    window.open_panel("Re-solve")
    window.click("Re-solve")
    window.until(workers)
    window.rest()
    window.key("Delete")
    window.until(lambda: "walk_front" not in window.ask("context.scene.objects.keys()"))
    window.until(lambda: not workers() and window.ask("context.object is not None"))
    window.rest()
    window.open_panel("Result")
    window.shot("deleted")
    assert "This armature was added for the new motion. The one that was to get it is gone." in said(window)
    window.key("ctrl+z", "ctrl+z")
    window.until(lambda: things(window) == before)


def test_what_is_undone_while_a_capture_runs(window: Window) -> None:
    choose(window, CLIP, 120)
    only(window, "walk_front")
    window.key("g", "x", "1", "Return")
    window.open_panel("Capture from Video")
    before = things(window)
    capture(window)
    window.key("ctrl+z", "ctrl+z", "ctrl+shift+z")
    window.until(lambda: not workers() and len(things(window)[1]) == len(before[1]) + 1)
    window.rest()
    window.shot("undone_meanwhile")
    window.key("ctrl+z")
    window.until(lambda: things(window) == before)
    window.key("ctrl+shift+z")
    window.until(lambda: things(window) != before)
    window.key("ctrl+z")
    window.until(lambda: things(window) == before)


#: where the scene's camera is in some frames, metres
WAY = (
    "[(context.scene.frame_set(frame), [round(part, 3) for part in"
    " context.scene.camera.matrix_world.translation])[1] for frame in (1, 8, 16)]"
)


def remove(window: Window, name: str) -> None:
    """Remove an armature and all that hangs on it."""
    window.ask(
        f"[bpy.data.objects.remove(one) for one in"
        f" [*bpy.data.objects[{name!r}].children_recursive, bpy.data.objects[{name!r}]]]"
    )


def test_the_camera_is_kept_still_and_moves_again(window: Window) -> None:
    playing, motion = "context.object.animation_data.action.name", CLIPS / "dolly.motion.npz"
    filmed_moving(random_capture(20, seed=3), seed=4).save(motion)
    window.ask(f"bpy.ops.kinelift.rebuild(motion={str(motion)!r})")
    only(window, "dolly")
    window.open_panel("Preview")
    window.click("Add Capture Camera")
    window.until(lambda: "CAMERA" in window.ask("[one.type for one in context.object.children]"))
    window.rest()
    window.settle()
    room, way = window.ask(playing), window.ask(WAY)
    assert way[0] != way[1] != way[2]
    button = window.find("Still Camera")[-1]  # pressed, its label is too bright to be read here
    window.click_at(*button)
    window.until(lambda: window.ask(playing) != room)
    window.rest()
    window.settle()
    window.shot("still_camera")
    still, held = window.ask(playing), window.ask(WAY)
    assert held[0] == held[1] == held[2]
    window.key("ctrl+z")
    window.until(lambda: window.ask(playing) == room)  # one step
    assert window.ask(WAY) == way
    window.key("ctrl+shift+z")
    window.until(lambda: window.ask(playing) == still)
    assert window.ask(WAY) == held
    save_and_reopen(window, "/tmp/still_camera.blend")
    assert window.ask(playing) == still and window.ask(WAY) == held
    window.open_panel("Preview")
    window.click_at(*button)
    window.until(lambda: window.ask(playing) == room)
    window.rest()
    window.settle()
    window.shot("camera_moves_again")
    assert window.ask(WAY) == way
    remove(window, "dolly")


def listed(window: Window) -> list[tuple[int, int]]:
    """Where "Person 1" and so on stand in the sidebar, from top to bottom, below the panel's header."""
    people = [(word.x, word.y) for word in window.words() if word.text.startswith("Person")]
    return sorted(people, key=lambda place: place[1])[1:]


def shown_beside(window: Window, place: tuple[int, int]) -> float:
    """How much is to be seen left of a label, and below: the spread of the colours there, 0 to 255."""
    left, *_ = window.sidebar()
    screen = cv2.imread(str(window.shot("beside")))
    return float(screen[place[1] : place[1] + 40, left + 20 : left + 80].std())


def test_some_of_everybody_are_captured(window: Window) -> None:
    """Three are in the picture, each has a picture to tick, and one is ticked off."""
    images = [image[:, 180:600] for image in read_video(SAMPLE)[60:80]]
    clip = write_video(CLIPS / "trio.mp4", [np.hstack([one, one[:, ::-1], one]) for one in images])
    people = "context.scene.kinelift.people"
    choose(window, clip, 20)
    window.ask("setattr(context.scene.kinelift, 'quality', 'quick')")
    window.open_panel("Person & Range")
    window.click("Largest")
    window.click("Everybody")
    window.until(lambda: window.ask("context.scene.kinelift.person") == "all")
    window.rest()
    window.click("Show People")
    window.until(lambda: window.ask(f"len({people})") == 3 and not workers())
    window.rest()
    window.until(lambda: len(listed(window)) == 3)
    window.settle()
    places = listed(window)
    window.until(lambda: min(shown_beside(window, place) for place in places) > 15, 10)
    window.shot("people")
    window.click_at(*places[1])
    window.until(lambda: not window.ask(f"{people}[1].ticked"))
    asked = "+".join(window.ask(f"[one.name for one in {people} if one.ticked]"))
    window.rest()
    window.open_panel("Capture from Video")
    before = things(window)
    capture(window)
    window.until(lambda: not workers() and "trio" in window.ask("bpy.data.objects.keys()"))
    window.rest()
    window.settle()
    window.shot("some_of_everybody")
    together = "sorted(one.name for one in bpy.data.collections['trio'].objects if one.type == 'ARMATURE')"
    assert window.ask(together) == ["trio", "trio.person2"]
    assert window.ask("context.object.name") == "trio"
    found = Capture.load(Path(window.ask("context.object.kinelift.motion")))
    assert found.settings["person"] == asked and found.people == 2
    window.key("ctrl+z")
    window.until(lambda: things(window) == before)  # one step
    window.key("ctrl+shift+z")
    window.until(lambda: window.ask("'trio' in bpy.data.collections"))
    # one camera is enough for both
    only(window, "trio")
    window.open_panel("Preview")
    window.click("Add Capture Camera")
    window.until(lambda: "CAMERA" in window.ask("[one.type for one in context.object.children]"))
    window.ask("setattr(context.scene, 'camera', None)")
    only(window, "trio.person2")
    window.click("View through Capture Camera")
    window.until(lambda: window.ask("context.scene.camera is not None"))
    window.rest()
    window.settle()
    window.shot("camera_of_another")
    assert window.ask("context.scene.camera.parent.name") == "trio"
    window.key("KP_0")
    save_and_reopen(window, "/tmp/trio.blend")
    assert window.ask(f"[one.ticked for one in {people}]") == [True, False, True]
    assert window.ask(together) == ["trio", "trio.person2"]
    remove(window, "trio.person2")
    remove(window, "trio")
    window.ask("bpy.data.collections.remove(bpy.data.collections['trio'])")
    window.ask("[context.scene.kinelift.property_unset(name) for name in ('person', 'quality')]")
    choose(window, CLIP, 120)
    only(window, "walk_front")


def test_retarget(window: Window) -> None:
    window.ask("__import__('addon_utils').enable('rigify', default_set=True)")
    window.ask("bpy.ops.object.armature_human_metarig_add()")
    window.rest()
    window.open_panel("Retarget")
    window.click("Retarget")
    window.until(lambda: window.ask("context.object.animation_data is not None"))
    window.rest()
    window.settle()
    window.shot("retarget")
    window.click("Bone Map")
    window.until(lambda: window.ask("context.scene.kinelift_retarget.show_bones"))
    window.rest()
    window.settle()
    window.shot("bone_map")
    rows = window.ask("[[row.name, row.bone] for row in context.scene.kinelift_retarget.bones]")
    assert ["thigh.L", "thigh.L"] in rows


def test_the_preferences(window: Window) -> None:
    show = "bpy.ops.preferences.addon_show(module='bl_ext.user_default.kinelift')"
    window.ask(f"bpy.app.timers.register(lambda: {show} and None)")
    window.until(lambda: window.ask("len(context.window_manager.windows)") == 2)
    window.settle()
    window.click("Test", everywhere=True)
    about = "__import__('bl_ext.user_default.kinelift.operators.runtime', fromlist=['state']).state.about"
    window.until(lambda: window.ask(about))
    window.settle()
    window.shot("preferences")
    window.ask(
        "with context.temp_override(window=context.window_manager.windows[-1]): bpy.ops.wm.window_close()"
    )
    window.until(lambda: window.ask("len(context.window_manager.windows)") == 1)
    window.rest()
    window.open_panel("Capture from Video")


def test_a_video_is_dropped_into_the_viewport(window: Window) -> None:
    dropped = CLIPS / "Straße & mehr.mp4"
    shutil.copy(CLIP, dropped)
    before = things(window)
    window.drop(dropped)
    window.shot("dropped")
    window.click("Motion from Video", everywhere=True)  # Blender also offers to show it on an empty
    assert window.ask("context.scene.kinelift.video") == str(dropped)
    assert things(window) == before
    window.until(lambda: window.ask("context.scene.kinelift.info.frames") == 120)
    choose(window, CLIP, 120)


def test_a_file_reopened_without_its_captures_has_them(window: Window) -> None:
    save_and_reopen(window, str(CLIPS / "shot.blend"))
    for motion in Path(window.folder).rglob("*.motion.npz"):
        motion.unlink()
    body = "next(one for one in bpy.data.objects['walk_front'].children if one.type == 'MESH')"
    window.ask(f"setattr(context.view_layer.objects, 'active', {body})")
    window.rest()
    window.open_panel("Result")
    window.click("From File")
    window.until(lambda: window.ask("'walk_front.001' in bpy.data.objects"))
    window.rest()
    window.shot("reopened")
    window.open_panel("Capture from Video")


def test_every_button_says_that_a_motion_that_was_not_packed_is_gone(window: Window) -> None:
    packing = "__import__('bl_ext.user_default.kinelift.state.motions', fromlist=['motions'])"
    window.ask(f"setattr({packing}, 'PACKED_UP_TO', 10)")
    window.ask("[bpy.data.texts.remove(text) for text in list(bpy.data.texts)]")
    save_and_reopen(window, str(CLIPS / "elsewhere.blend"))
    for motion in Path(window.folder).rglob("*.motion.npz"):
        motion.unlink()
    only(window, "walk_front")
    before = things(window)
    for panel, button in (
        ("Result", "From File"),
        ("Re-solve", "Re-solve"),
        ("Preview", "Show Confidence"),
        ("Preview", "Add Capture Camera"),
    ):
        window.open_panel(panel)
        told = len(window.reports())
        window.click(button)
        window.until(lambda told=told: len(window.reports()) > told)
        window.rest()
        window.shot("gone_" + button.replace(" ", "_"))
        window.key("Escape")
        assert any("is gone: put it beside this Blender file" in line for line in window.reports()[told:])
    assert things(window) == before
    window.open_panel("Capture from Video")


def test_another_file_ends_the_capture(window: Window) -> None:
    capture(window)
    window.ask("bpy.app.timers.register(lambda: bpy.ops.wm.read_homefile() and None)")
    window.until(lambda: not workers(), 8)


def test_a_closed_blender_ends_the_capture(window: Window, long_video: Path) -> None:
    choose(window, long_video, LONG)
    window.ask("bpy.app.timers.register(lambda: bpy.ops.kinelift.capture('INVOKE_DEFAULT') and None)")
    window.until(workers)
    window.ask("bpy.app.timers.register(lambda: bpy.ops.wm.quit_blender() and None, first_interval=1.0)")
    window.blender.wait(30)
    window.until(lambda: not workers(), 8)
