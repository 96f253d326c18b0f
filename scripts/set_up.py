"""Set up `.venv` with everything that Kinelift runs on: `make` calls this whenever the pins have changed.

It runs on the system's Python 3.11 with nothing installed. The pins are in pyproject.toml. `.venv/ready`
holds the list of pins that the environment was made from. If that list is missing (an earlier run was
interrupted) or differs, the script makes the environment anew; otherwise it does nothing.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
READY = VENV / "ready"

#: libraries that the wheels of bpy, OpenCV and MediaPipe load from the system, and their Debian packages
LIBRARIES = {
    "libX11.so.6": "libx11-6",
    "libXrender.so.1": "libxrender1",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6",
    "libGL.so.1": "libgl1",
    "libgomp.so.1": "libgomp1",
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
    "libgthread-2.0.so.0": "libglib2.0-0",
}


def requirements() -> list[str]:
    """The pinned packages, as pip reads them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    return [*project["project"]["dependencies"], *groups["blender"], *groups["cluster"], *groups["dev"]]


def missing_packages() -> list[str]:
    """Missing Debian packages that the environment needs."""
    missing = [] if importlib.util.find_spec("ensurepip") else ["python3.11-venv"]
    for library, package in LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    return missing


def install_packages(packages: list[str]) -> None:
    """Install Debian packages as root; otherwise exit with the command to run."""
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if shutil.which("apt-get") is None:
        sys.exit(f"Kinelift needs what Debian calls {' '.join(packages)}: install it, then run make again.")
    if os.geteuid() != 0:
        sys.exit(
            "Kinelift needs some Debian packages that are missing; install them, then run make again:\n"
            f"    sudo {shlex.join(command)}"
        )
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update"], check=True, env=environment)
    subprocess.run(command, check=True, env=environment)


def main() -> None:
    """Install missing system packages and bring `.venv` up to date with the pins."""
    packages = missing_packages()
    if packages:
        install_packages(packages)
    wanted = requirements()
    if not READY.exists() or READY.read_text(encoding="utf-8").split() != wanted:
        print("Setting up .venv: this takes some minutes, once.", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        pip = [VENV / "bin/python", "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", *wanted], check=True)
        READY.write_text("\n".join(wanted) + "\n", encoding="utf-8")
    READY.touch()


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"The set-up failed (see above) at: {shlex.join(map(str, error.cmd))}\nRun make again to retry."
        )
    except KeyboardInterrupt:
        sys.exit("The set-up was interrupted; run make again to begin it anew.")
