"""Which Python captures, and the runtime that is installed: whole or not at all, in its own folder."""

from __future__ import annotations

import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from kinelift.core import runtime
from kinelift.core.errors import CaptureError
from kinelift.core.runtime import Installation, find_python, installed_python, requirements

# captures, detects or starts other programs
pytestmark = pytest.mark.slow

PYTHON = Path(sys.executable)


def wheel(shelf: Path, name: str, needs: str = "") -> None:
    """A package of our own that pip finds in a folder."""
    requires = f"Requires-Dist: {needs}\n" if needs else ""
    with zipfile.ZipFile(shelf / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        info = f"{name}-1.0.dist-info"
        archive.writestr(f"{name}.py", "import sys\nwhere = sys.prefix\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(
            f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setattr(runtime, "requirements", lambda: ("captures==1.0",))
    return folder


def test_what_is_fetched() -> None:
    assert [pin.partition("==")[0] for pin in requirements()] == [
        "av",
        "opencv-contrib-python",
        "mediapipe",
        "safetensors",
        "torch",
    ]
    assert all(pin.partition("==")[2].replace(".", "").isdigit() for pin in requirements())


def test_it_is_installed_where_it_belongs_and_nowhere_else(shelf: Path, tmp_path: Path) -> None:
    wheel(shelf, "captures", needs="numbers_too")
    wheel(shelf, "numbers_too")
    folder = tmp_path / "Ein Ordner für später" / "runtime"
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "left over").touch()
    installation = Installation(PYTHON, folder)
    assert installed_python(folder) is None
    installation.join()
    assert installation.error is None and not installation.running
    python = installed_python(folder)
    assert python is not None and not (folder / "lib" / "left over").exists()
    run = [python, "-c", "import captures, numbers_too; print(captures.where)"]
    assert subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip() == str(folder)
    assert subprocess.run([PYTHON, "-c", "import captures"], check=False, capture_output=True).returncode == 1


def test_what_can_not_be_had_is_told_and_nothing_stays(shelf: Path, tmp_path: Path) -> None:
    installation = Installation(PYTHON, tmp_path / "runtime")
    installation.join()
    assert "No matching distribution found for captures==1.0" in str(installation.error)
    assert "\n" not in str(installation.error)
    assert not (tmp_path / "runtime").exists()


def test_a_folder_that_can_not_be_made_is_told(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    installation = Installation(PYTHON, tmp_path / "file" / "runtime")
    installation.join()
    assert "can't be installed" in str(installation.error)
    installation = Installation(tmp_path / "no python", tmp_path / "runtime")
    installation.join()
    assert "No such file" in str(installation.error)


def test_cancel_ends_it_and_nothing_stays(shelf: Path, tmp_path: Path) -> None:
    wheel(shelf, "captures")
    folder = tmp_path / "runtime"
    installation = Installation(PYTHON, folder)
    until = time.monotonic() + 60
    while not folder.exists() and time.monotonic() < until:
        time.sleep(0.01)
    began = time.monotonic()
    installation.cancel()
    assert time.monotonic() - began < 1  # nobody waits
    installation.join()
    assert installation.error is None and not installation.running
    assert not folder.exists() and installed_python(folder) is None


def test_a_runtime_that_was_cut_off_or_lost_its_python_is_none(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(PYTHON)
    assert installed_python(tmp_path) is None
    (tmp_path / "complete").touch()
    assert installed_python(tmp_path) == python
    python.unlink()
    python.symlink_to(tmp_path / "a Blender that was moved")
    assert installed_python(tmp_path) is None


def test_the_named_python_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named, preferred = tmp_path / "named", tmp_path / "preferred"
    for python in (named, preferred):
        python.touch()
    monkeypatch.delenv("KINELIFT_PYTHON", raising=False)
    assert find_python() == PYTHON
    monkeypatch.setenv("KINELIFT_PYTHON", str(named))
    assert find_python() == named
    assert find_python(str(preferred)) == preferred
    named.unlink()
    with pytest.raises(CaptureError, match="no Python at"):
        find_python()


def test_the_installed_runtime_is_the_last_resort(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KINELIFT_PYTHON", raising=False)
    installed = tmp_path / "python"
    assert find_python(installed=installed) == PYTHON  # this one has all it takes
    monkeypatch.setattr(runtime, "RUNTIME_MODULES", ("numpy", "not_there"))
    assert find_python(installed=installed) == installed
    with pytest.raises(CaptureError, match=r"lacks not_there: .* preferences, or in KINELIFT_PYTHON"):
        find_python()
