"""Run a command in another Debian release, where its Blender with a real window lives.

    scripts/in_debian.py RELEASE COMMAND...

The release (`trixie`: Blender 4.3, `sid`: the newest) is installed once into ``$XDG_CACHE_HOME/kinelift``.
The command sees the checkout and its Python 3.11 at their usual paths, so that ``.venv/bin/python`` runs in
it. The mounts are in a namespace of their own, so none stays when the command ends, however it ends. It needs
root on Debian.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: releases that it can install
RELEASES = ("trixie", "sid")
#: raise it when `PACKAGES` change, so that older installations are updated
_EDITION = "1"
PACKAGES = (
    "blender", "python3", "python3-numpy", "python3-zstandard", "python3-requests", "python3-cattr",
    "xvfb", "xdotool", "openbox", "imagemagick", "tesseract-ocr", "tesseract-ocr-eng",
    "libgl1-mesa-dri", "libegl1", "libgl1", "libgles2", "libglib2.0-0t64",
)  # fmt: skip
#: the lists of an unstable release are sometimes older than their expiry date
_UPDATE = ("apt-get", "-qq", "-o", "Acquire::Check-Valid-Until=false", "update")
_INSTALL = ("apt-get", "-qq", "install", "-y", "--no-install-recommends", *PACKAGES)


def cached(release: str) -> Path:
    """The folder that a release is installed in."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache).absolute() / "kinelift" / release


def check() -> None:
    """Install debootstrap if it is missing; exit with a sentence if tests in a window can't work here."""
    if os.geteuid() != 0:
        sys.exit("Tests in a real window need root, to install Debian's Blender: run 'sudo make test-gui'.")
    if shutil.which("debootstrap") is None or shutil.which("unshare") is None:
        if shutil.which("apt-get") is None:
            sys.exit("Tests in a real window need debootstrap, which only Debian has: run them on Debian 12.")
        subprocess.run(["apt-get", "-qq", "update"], check=True)
        install = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", "debootstrap", "util-linux"]
        subprocess.run(install, check=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode != 0:
        sys.exit("Tests in a real window need to mount folders, which is forbidden here: run them elsewhere.")


def ensure(release: str) -> None:
    """Install the release and its packages unless they are there; start again after an interruption."""
    folder = cached(release)
    ready = folder / "kinelift-ready"
    if ready.exists() and ready.read_text(encoding="utf-8") == _EDITION:
        return
    print(f"Installing Debian {release} with Blender into {folder}: some minutes, once.", flush=True)
    if not ready.exists():
        if folder.exists():
            shutil.rmtree(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        log = folder.parent / f"{release}.log"
        with log.open("w", encoding="utf-8") as file:
            command = ["debootstrap", "--variant=minbase", release, str(folder)]
            if subprocess.run(["unshare", "--mount", *command], stdout=file, check=False).returncode != 0:
                sys.exit(f"Debian {release} can't be installed; {log} tells why.")
    for command in (_UPDATE, _INSTALL, ("apt-get", "clean")):
        if enter(release, command, quiet=True) != 0:
            sys.exit(f"Debian {release} can't be completed; it failed at: {shlex.join(command)}")
    ready.write_text(_EDITION, encoding="utf-8")


def enter(release: str, command: tuple[str, ...], quiet: bool = False) -> int:
    """Run a command in the installed release, in the checkout's folder; return its exit status."""
    folder = cached(release)
    shutil.copy("/etc/resolv.conf", folder / "etc/resolv.conf")
    root = shlex.quote(str(folder))
    steps = [
        f"mount -t proc proc {root}/proc",
        f"mount --rbind /sys {root}/sys",
        f"mount --rbind /dev {root}/dev",
        f"mount -t tmpfs tmpfs {root}/tmp",
    ]
    for path in _seen_inside():
        outside, inside = shlex.quote(str(path)), shlex.quote(str(folder / path.relative_to("/")))
        steps += (
            [f"mkdir -p {inside}"] if path.is_dir() else [f"mkdir -p $(dirname {inside})", f"touch {inside}"]
        )
        steps.append(f"mount --rbind {outside} {inside}")
    there = f"cd {shlex.quote(str(ROOT))} && {shlex.join(command)}"
    steps.append(f"exec chroot {root} sh -c {shlex.quote(there)}")
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive",
        **{name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")},
    }  # fmt: skip
    own = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", " && ".join(steps)]
    return subprocess.run(
        own, env=environment, check=False, stdout=subprocess.DEVNULL if quiet else None
    ).returncode


def _seen_inside() -> list[Path]:
    """The folders to mount: the checkout, and those of its Python 3.11."""
    prefix = Path(sys.base_prefix).resolve()
    if prefix != Path("/usr"):
        return [ROOT, prefix]
    # the system's Python shares its prefix with everything else, so mount only its own parts
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    return [ROOT, python, Path(sysconfig.get_path("stdlib"))]


def main(arguments: list[str]) -> int:
    """Run the command line; return the exit status."""
    if len(arguments) < 2 or arguments[0] not in RELEASES:
        print(f"usage: in_debian.py {{{','.join(RELEASES)}}} COMMAND...", file=sys.stderr)
        return 2
    check()
    ensure(arguments[0])
    return enter(arguments[0], tuple(arguments[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
