"""Run a batch with a Python or a Blender that doesn't have Kinelift installed: see `batch.command`.

blender -b --python batch.py -- CLIP... --out DIR
.venv/bin/python batch.py CLIP... --out DIR
"""

from __future__ import annotations

import sys
from pathlib import Path

# Blender doesn't put the folder of this file on Python's path
sys.path.append(str(Path(__file__).resolve().parent))

from kinelift.batch.command import run_script

if __name__ == "__main__":
    run_script()
