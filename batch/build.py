"""The second half of a job: build a clip's files from its motion, in a process that has bpy.

`job.make` starts it as ``batch.py --build REQUEST``; the request is a JSON file, which the result replaces.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ..core.errors import CaptureError, UnsoundError
from .orders import order_from


def build(request_path: Path) -> int:
    """Build the files of a request beside it; return the exit status.

    Parameters
    ----------
    request_path : Path
        JSON with ``motion``, a path, and ``order``, an `Order` as a dict. Gets the fields of `journal.Made`
        that this process knows.
    """
    from ..core.capture import Capture
    from ..rig.deliver import deliver

    request = json.loads(request_path.read_text(encoding="utf-8"))
    try:
        path, order = Path(request["motion"]), order_from(request["order"])
        told = deliver(path, order.clip, order.outputs, order.clean_up, order.retarget, order.retargeting)
        first, *others = [_seen(one, warnings) for one, warnings in told.items()]
        captured = Capture.load(path)
        result = {"frames": len(captured), "fps": captured.motion.fps, **first, "others": others}
        request_path.write_text(json.dumps(result, allow_nan=False), encoding="utf-8")
    except (CaptureError, UnsoundError, OSError) as error:
        # the motion is a copy in the staging folder: name the clip, which the artist knows
        print(str(error).replace(request["motion"], request["order"]["clip"]), file=sys.stderr)
        return 1
    return 0


def _seen(path: Path, warnings: tuple[str, ...]) -> dict[str, Any]:
    """How well a person was captured, by the fields of a `journal.Seen`."""
    from ..core.capture import Capture
    from ..core.chart import quality_strip
    from ..core.quality import detected_share, doubt

    captured = Capture.load(path)
    return {
        "detected": detected_share(captured),
        "confidence": float(1 - doubt(captured).mean()),
        "strip": quality_strip(captured),
        "warnings": warnings,
    }
