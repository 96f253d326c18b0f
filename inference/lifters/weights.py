"""The weights of the lifters: safetensors in half precision, with a checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ...core.errors import CaptureError
from ...core.files import replacing
from .lifter import Lifter
from .pose_lifter import PoseLifter

#: the folder of the shipped weights
FOLDER = Path(__file__).parent.parent / "weights"
#: the lifters that a capture can load, by the name in the file of their weights
SHIPPED: Mapping[str, type[Lifter]] = {"pose": PoseLifter}


def save_weights(model: Lifter, path: Path, lifters: Mapping[str, type[Lifter]] = SHIPPED) -> str:
    """Write `path` (safetensors, float16) and its checksum beside it (``.sha256``); return the checksum."""
    tensors = {
        name: value.detach().contiguous().half() if value.dtype.is_floating_point else value
        for name, value in model.state_dict().items()
    }
    name = next(name for name, kind in lifters.items() if type(model) is kind)
    content = save(tensors, metadata={"lifter": name, "config": json.dumps(model.config)})
    digest = hashlib.sha256(content).hexdigest()
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    with replacing(_checksum_file(path)) as temporary:
        temporary.write_text(digest + "\n", encoding="ascii")
    return digest


def load_weights(path: Path, device: torch.device, lifters: Mapping[str, type[Lifter]] = SHIPPED) -> Lifter:
    """Load a lifter that `save_weights` wrote, in float32, ready to lift.

    Raises
    ------
    CaptureError
        If the file is missing or altered, or doesn't hold the weights of a lifter.
    """
    again = "Install Kinelift again, or restore the file."
    try:
        content = path.read_bytes()
        expected = _checksum_file(path).read_text(encoding="ascii").strip()
    except OSError as error:
        raise CaptureError(f"The lifter's weights {path.name} are missing. {again}") from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise CaptureError(f"The lifter's weights {path.name} are damaged or altered. {again}")
    try:
        tensors = load(content)
        if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
            raise ValueError("not all weights are numbers")
        told = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
        model = lifters[told["lifter"]](**json.loads(told["config"]))
        model.load_state_dict({k: v.float() if v.dtype.is_floating_point else v for k, v in tensors.items()})
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CaptureError(f"{path.name} holds no weights that this lifter can use. {again}") from error
    return model.to(device).eval()


def _checksum_file(path: Path) -> Path:
    return path.with_suffix(".sha256")
