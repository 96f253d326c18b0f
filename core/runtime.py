"""The Python that captures: finds one that has the packages, or installs one if the artist wants that."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
from contextlib import suppress
from pathlib import Path

from .errors import CaptureError

#: modules that the worker's Python must have
RUNTIME_MODULES: tuple[str, ...] = ("av", "cv2", "mediapipe", "numpy", "safetensors", "torch")
#: environment variable that names the Python that captures
PYTHON_VARIABLE = "KINELIFT_PYTHON"
#: environment variables that tell a Python where its modules are; a worker doesn't inherit them
_MODULE_VARIABLES = ("PYTHONHOME", "PYTHONPATH")
#: pins the versions of the bundled and of the installed packages
_LOCK = Path(__file__).resolve().parent.parent / "wheels" / "lock.toml"
#: packages whose name differs from their module's
_PACKAGES = {"cv2": "opencv-contrib-python"}
#: file that marks a runtime as completely installed
_COMPLETE = "complete"


def missing_modules() -> tuple[str, ...]:
    """Those of `RUNTIME_MODULES` that the running Python can't find. Imports nothing."""
    return tuple(name for name in RUNTIME_MODULES if importlib.util.find_spec(name) is None)


def find_python(preferred: str = "", installed: Path | None = None) -> Path:
    """The Python that captures.

    That is the first of: `preferred`; the one that `KINELIFT_PYTHON` names; the running one, if it has all
    modules (Blender's own with the wheels of the full zip); `installed`.

    Parameters
    ----------
    preferred : str
        The artist's choice; empty if there is none.
    installed : Path, optional
        Python of the installed runtime, see `installed_python`.

    Raises
    ------
    CaptureError
        If the named Python isn't a file, or none is named and none has all modules.
    """
    named = preferred or os.environ.get(PYTHON_VARIABLE, "")
    if named:
        python = Path(named).expanduser().absolute()
        if not python.is_file():
            raise CaptureError(
                f"There is no Python at {python}: correct {PYTHON_VARIABLE} or the preferences."
            )
        return python
    missing = missing_modules()
    if not missing:
        return Path(sys.executable)
    if installed is not None:
        return installed
    raise CaptureError(
        f"This Python ({sys.executable}) lacks {', '.join(missing)}: take the Kinelift zip that brings them, "
        f"or install a runtime or name another Python in the preferences, or in {PYTHON_VARIABLE}."
    )


def environment_of(python: Path) -> dict[str, str]:
    """Environment variables of a worker on `python`; only the running Python gets its own packages."""
    environment = {name: value for name, value in os.environ.items() if name not in _MODULE_VARIABLES}
    environment["PYTHONUTF8"] = "1"
    if python == Path(sys.executable):
        # Blender puts the wheels of extensions on sys.path, which its Python started alone doesn't do
        found = [importlib.util.find_spec(name) for name in RUNTIME_MODULES]
        folders = dict.fromkeys(str(Path(s.origin).parent.parent) for s in found if s and s.origin)
        environment["PYTHONPATH"] = os.pathsep.join(folders)
        environment["PYTHONNOUSERSITE"] = "1"
    return environment


def installed_python(folder: Path) -> Path | None:
    """The Python of the runtime in `folder`; None unless one was installed completely."""
    python = _python_in(folder)
    return python if (folder / _COMPLETE).exists() and python.is_file() else None


def requirements() -> tuple[str, ...]:
    """Requirements for pip: the pinned packages. They require numpy and the others themselves."""
    locked = tomllib.loads(_LOCK.read_text(encoding="utf-8"))["wheel"]
    versions = {wheel["name"]: wheel["version"].partition("+")[0] for wheel in locked}
    names = [_PACKAGES.get(module, module) for module in RUNTIME_MODULES]
    return tuple(f"{name}=={versions[name]}" for name in names if name in versions)


class Installation:
    """The installation of a runtime into a folder, in a thread; it changes nothing outside of the folder.

    Parameters
    ----------
    python : Path
        Makes the virtual environment.
    folder : Path
        Gets the runtime, which replaces what is there.

    Attributes
    ----------
    line : str
        The last line of output.
    running : bool
        Whether it is still going on.
    error : CaptureError or None
        Why it failed.
    """

    def __init__(self, python: Path, folder: Path) -> None:
        self.line = ""
        self.running = True
        self.error: CaptureError | None = None
        self._folder = folder
        self._cancelled = False
        self._process: subprocess.Popen[str] | None = None
        pip = (str(_python_in(folder)), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input")
        self._steps = (
            (str(python), "-I", "-m", "venv", "--clear", str(folder)),
            (*pip, "install", "--only-binary=:all:", "--progress-bar=off", *requirements()),
        )
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._install, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def cancel(self) -> None:
        """End it without waiting; the folder is removed."""
        with self._lock:
            self._cancelled = True
            process = self._process
        if process is None or process.poll() is not None:
            return
        if sys.platform == "win32":
            process.terminate()
        else:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)

    def _install(self) -> None:
        complete = False
        try:
            complete = all(self._run(step) for step in self._steps)
            if complete:
                (self._folder / _COMPLETE).touch()
        except OSError as error:
            complete = False
            self.line = f"{error.filename or self._folder}: {error.strerror}"
        if not complete:
            shutil.rmtree(self._folder, ignore_errors=True)
            if not self._cancelled:
                self.error = CaptureError(
                    f"The runtime can't be installed ({self.line}); check the connection and the free space, "
                    "or name another Python in the preferences."
                )
        self.running = False

    def _run(self, command: tuple[str, ...]) -> bool:
        """Run a command; False if it failed or was cancelled."""
        with self._lock:
            if self._cancelled:
                return False
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self.line = line.strip() or self.line
        return self._process.wait() == 0 and not self._cancelled


def _python_in(folder: Path) -> Path:
    """The Python of a virtual environment."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
