"""What the running Python captures with: versions of packages, devices, size on disk."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

import cv2
import mediapipe
import torch

from ..core.errors import CaptureError
from ..core.option import options_of
from ..core.options import Settings
from .lifters.weights import load_weights
from .pipeline import WEIGHTS, torch_device


def about(device: str) -> dict[str, Any]:
    """Describe the runtime, after loading the lifter to prove that it works.

    Parameters
    ----------
    device : str
        See `Settings.device`.

    Returns
    -------
    dict
        ``executable``: path; ``python``, ``torch``, ``mediapipe``, ``opencv``: versions; ``devices``: names
        by kind, of devices that could load the lifter's weights; ``device``: the kind that a capture uses;
        ``size``: bytes of all packages in the folder where torch is.

    Raises
    ------
    CaptureError
        If `device` isn't there, or the weights are damaged.
    """
    chosen = torch_device(device)
    load_weights(WEIGHTS, chosen)
    devices = {}
    for kind in options_of(Settings)["device"].choices:
        if kind == "auto":
            continue
        try:
            load_weights(WEIGHTS, torch_device(kind))
        except CaptureError:
            continue
        devices[kind] = _device_name(kind)
    folder = Path(torch.__file__).parent.parent
    return {
        "executable": sys.executable,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "mediapipe": mediapipe.__version__,
        "opencv": cv2.__version__,
        "devices": devices,
        "device": chosen.type,
        "size": sum(
            file.size or 0
            for package in importlib.metadata.distributions(path=[str(folder)])
            for file in package.files or ()
        ),
    }


def _device_name(kind: str) -> str:
    if kind == "cpu":
        return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    return torch.cuda.get_device_name() if kind == "cuda" else "Apple GPU"
