"""Clips to files without a window: videos, or motions captured earlier, become .blend, BVH, FBX and GLB.

    blender --command kinelift CLIP... --out DIR               (the extension, enabled)
    blender -b --python batch.py -- CLIP... --out DIR --format blend,bvh,fbx,glb
    .venv/bin/python batch.py CLIP... --out DIR

A clip is a video, a folder of them or a captured motion. Next to the files of each lie its motion, a rendered
still and a summary, all named after it; a journal notes what is done, so that the same command goes on where
it ended. The exit status is 0: all are done, 1: refused before anything ran, 2: no such options, 3: some
clips failed, 4: stopped before the end (a full disk, `--no-keep-going`), 130: interrupted.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Blender runs this file from a folder of its own
sys.path.append(str(Path(__file__).resolve().parent))

from kinelift.batch.command import run_script

if __name__ == "__main__":
    run_script()
