"""Blender in a real window on a screen of its own, used as a person does: by looking, clicking and typing."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from kinelift.tests.gui.drop import drop

HERE = Path(__file__).resolve().parent
SCREEN = (1600, 900)
#: width of the strip of tabs beside the panels, pixels
TABS = 20
#: a window manager that leaves all of the screen to the window
_OPENBOX = """<openbox_config xmlns="http://openbox.org/3.4/rc"><applications>
<application class="*"><decor>no</decor><maximized>yes</maximized></application>
</applications></openbox_config>"""
#: nobody but this Debian reaches the screen, so that another one may have a screen of this number
_ALONE = ("-nolisten", "tcp", "-nolisten", "local")
#: nobody keeps the pictures that are read, so they are hardly compressed
_FAST = ("-quality", "10")
#: text is enlarged so much before it is read
_ENLARGE = 3


@dataclass(frozen=True)
class Word:
    """A word that can be read on the screen, and the middle of where it stands, pixels."""

    text: str
    x: int
    y: int
    line: tuple[int, ...]


class Window:
    """A running Blender.

    Parameters
    ----------
    folder : Path
        For Blender's user files, and its socket.
    shots : Path
        Folder for screenshots.
    python : Path
        For `KINELIFT_PYTHON`.
    arguments : str
        Further ones for Blender.
    """

    def __init__(self, folder: Path, shots: Path, python: Path, *arguments: str) -> None:
        self.folder, self.shots = folder, shots
        shots.mkdir(parents=True, exist_ok=True)
        self._number = len(list(shots.iterdir()))
        self._programs: list[subprocess.Popen[bytes]] = []
        self._environment = {
            **os.environ,
            "DISPLAY": ":77",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "BLENDER_USER_RESOURCES": str(folder / "Künstler Ordner"),
            "KINELIFT_PYTHON": str(python),
            "KINELIFT_GUI_SOCKET": str(folder / "socket"),
        }
        (folder / "Künstler Ordner").mkdir(exist_ok=True)
        (folder / "socket").unlink(missing_ok=True)
        self._start("Xvfb", ":77", "-screen", "0", f"{SCREEN[0]}x{SCREEN[1]}x24", *_ALONE)
        self.until(lambda: self._run("xdotool", "getdisplaygeometry", check=False) != "")
        (folder / "openbox.xml").write_text(_OPENBOX, encoding="utf-8")
        self._start("openbox", "--config-file", str(folder / "openbox.xml"))
        self.log = (folder / "blender.log").open("ab")
        self.blender = self._start(
            "blender", "--factory-startup", "--python", str(HERE / "inside.py"), *arguments, out=self.log
        )
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.until(lambda: self._socket.connect_ex(str(folder / "socket")) == 0, 60)
        self._answers = self._socket.makefile()
        self.until(lambda: self.ask("context.window is not None"))
        time.sleep(1)

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.shot("failed")
        shutil.copy(self.log.name, self.shots)
        for program in reversed(self._programs):
            program.kill()
            program.wait()

    def _start(self, *command: str, out: Any = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        program = subprocess.Popen(command, env=self._environment, stdout=out, stderr=subprocess.STDOUT)
        self._programs.append(program)
        return program

    def _run(self, *command: str, check: bool = True) -> str:
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=check, timeout=60
        )
        return done.stdout

    def ask(self, question: str) -> Any:
        """What Blender's Python says to a question (`inside.answered`)."""
        self._socket.sendall(json.dumps(question).encode())
        said = json.loads(self._answers.readline())
        assert "error" not in said, said["error"]
        return said["answer"]

    def reports(self) -> list[str]:
        """What Blender has reported so far, as its Info editor lists it."""
        self.ask(
            """
area = next(a for a in context.window.screen.areas if a.type == 'OUTLINER')
area.type = 'INFO'
region = next(r for r in area.regions if r.type == 'WINDOW')
with context.temp_override(window=context.window, area=area, region=region):
    bpy.ops.info.select_all(action='SELECT')
    bpy.ops.info.report_copy()
area.type = 'OUTLINER'
"""
        )
        return str(self.ask("context.window_manager.clipboard")).strip().splitlines()

    @staticmethod
    def until(holds: Callable[[], object], seconds: float = 120) -> None:
        """Wait until something holds; fail if it takes too long."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.1)

    def shot(self, name: str) -> Path:
        """A screenshot."""
        self._number += 1
        path = self.shots / f"{self._number:02d}_{name}.png"
        self._run("import", "-window", "root", str(path))
        return path

    # --- looking ---

    def sidebar(self) -> tuple[int, int, int, int]:
        """Left, top, width and height of the 3D viewport's sidebar, pixels."""
        x, y, width, height = self.ask(
            "[(r.x, r.y, r.width, r.height) for a in context.window.screen.areas if a.type == 'VIEW_3D'"
            " for r in a.regions if r.type == 'UI'][0]"
        )
        return x, self.ask("context.window.height") - y - height, width, height

    def words(self) -> list[Word]:
        """What can be read in the sidebar."""
        left, top, width, height = self.sidebar()
        return [
            Word(text, left + x, top + y, line)
            for text, x, y, line in self._read(left, top, width - TABS, height)
        ]

    def tab(self, label: str) -> None:
        """Click on a tab of the sidebar; their names run downwards."""
        left, top, width, height = self.sidebar()
        strip = self._read(left + width - TABS, top, TABS, height, "-rotate", "-90")
        places = {text: y for text, y, _, _ in strip}
        assert label in places, f"no tab {label} among {places}"
        self.click_at(left + width - TABS // 2, top + places[label])

    def _read(
        self, left: int, top: int, width: int, height: int, *turn: str
    ) -> list[tuple[str, int, int, tuple[int, ...]]]:
        """Words in a part of the screen, with their middles (in the turned part) and lines."""
        shot = subprocess.run(
            ["import", "-window", "root", *_FAST, "png:-"],
            env=self._environment,
            check=True,
            capture_output=True,
        ).stdout
        picture = subprocess.run(
            ["convert", "-", "-crop", f"{width}x{height}+{left}+{top}", "+repage", *turn,
             "-colorspace", "Gray", "-negate", "-resize", f"{_ENLARGE * 100}%", "-level", "15%,75%",
             *_FAST, "png:-"],
            input=shot, check=True, capture_output=True,
        ).stdout  # fmt: skip
        read = subprocess.run(
            ["tesseract", "-", "-", "--psm", "11", "--dpi", "250", "tsv"],
            input=picture, check=True, capture_output=True, env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        ).stdout  # fmt: skip
        return [
            (
                row["text"],
                (int(row["left"]) + int(row["width"]) // 2) // _ENLARGE,
                (int(row["top"]) + int(row["height"]) // 2) // _ENLARGE,
                (int(row["block_num"]), int(row["par_num"]), int(row["line_num"])),
            )
            for row in csv.DictReader(io.StringIO(read.decode()), delimiter="\t", quoting=csv.QUOTE_NONE)
            if row["text"].strip()
        ]

    def text(self) -> str:
        """The same as lines."""
        lines: dict[tuple[int, ...], list[str]] = {}
        for word in self.words():
            lines.setdefault(word.line, []).append(word.text)
        return "\n".join(" ".join(line) for line in lines.values())

    def find(self, label: str, everywhere: bool = False) -> list[tuple[int, int]]:
        """Where a label stands in the sidebar, or on the whole screen, from top to bottom."""
        wanted = label.split()
        places = []
        words = self.words() if not everywhere else [Word(*word) for word in self._read(0, 0, *SCREEN)]
        for i, word in enumerate(words):
            group = words[i : i + len(wanted)]
            if [w.text for w in group] == wanted and len({w.line for w in group}) == 1:
                places.append((sum(w.x for w in group) // len(group), word.y))
        assert places, f"no '{label}' in:\n{' '.join(word.text for word in words)}"
        return sorted(places, key=lambda place: place[1])

    # --- doing ---

    def settle(self) -> None:
        """Wait until Blender has handled what was done, and has drawn what came of it."""
        time.sleep(0.2)
        for _ in range(3):  # it answers between its events
            self.ask("None")

    def click(self, label: str, everywhere: bool = False) -> None:
        """Click on a label: the last one, as buttons are below the headers that are called alike."""
        self.click_at(*self.find(label, everywhere)[-1])

    def open_panel(self, label: str) -> None:
        """Open a panel of the sidebar and close all others, as Ctrl and a click on its header do."""
        place = self.find(label)[0]
        self._run("xdotool", "keydown", "ctrl")
        self.click_at(*place)
        self._run("xdotool", "keyup", "ctrl")
        self.rest()

    def hover(self, x: int, y: int) -> None:
        """Move the mouse."""
        self._run("xdotool", "mousemove", str(x - 3), str(y - 1))
        self.settle()
        self._run("xdotool", "mousemove", str(x), str(y))
        self.settle()

    def click_at(self, x: int, y: int, times: int = 1) -> None:
        """Move the mouse and click."""
        self.hover(x, y)
        for _ in range(times):
            self._run("xdotool", "click", "1")
            time.sleep(0.1)
        self.settle()

    def rest(self) -> None:
        """Move the mouse into the middle of the viewport, where it highlights nothing, and draw all anew."""
        self._run("xdotool", "mousemove", str(SCREEN[0] // 3), str(SCREEN[1] // 3))
        self.ask("[area.tag_redraw() for area in context.window.screen.areas]")
        self.settle()

    def key(self, *keys: str) -> None:
        """Press keys, as xdotool calls them."""
        self._run("xdotool", "key", *keys)
        self.settle()

    def drop(self, path: Path) -> None:
        """Drop a file into the middle of the viewport."""
        self.rest()
        window = int(self._run("xdotool", "getactivewindow"))
        drop(self._environment["DISPLAY"], window, path, SCREEN[0] // 3, SCREEN[1] // 3)
        self.settle()

    def search(self, text: str) -> None:
        """Open Blender's search of menus, as F3 does, and type into it; Return takes what it found first."""
        self.rest()
        self.ask(
            """
area = next(a for a in context.window.screen.areas if a.type == 'VIEW_3D')
region = next(r for r in area.regions if r.type == 'WINDOW')
with context.temp_override(window=context.window, area=area, region=region):
    bpy.ops.wm.search_menu('INVOKE_DEFAULT')
"""
        )
        self.settle()
        # its field takes letters once the mouse has stirred
        self._run("xdotool", "mousemove_relative", "3", "2")
        self.settle()
        self.type(text)

    def type(self, text: str) -> None:
        """Type a text."""
        self._run("xdotool", "type", "--delay", "8", text)
        self.settle()
