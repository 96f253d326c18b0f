"""The training loop: `python -m training train`; run again, it continues where it stopped."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kinelift.core.files import replacing
from kinelift.inference.lifters.lifter import Lifter
from kinelift.inference.lifters.motionet import MotioNet
from kinelift.inference.lifters.view import view
from kinelift.inference.lifters.weights import load_weights, save_weights
from kinelift.training.detected import fit_detector, is_seen, load_detected
from kinelift.training.emulator import emulated
from kinelift.training.evaluate import detected_batches, figures, test_batches
from kinelift.training.losses import WEIGHTS, losses, total
from kinelift.training.mocap import load_mocap
from kinelift.training.synthesis import Batch, Synthesis

#: every n-th detected sequence is held out from training, to measure on real detections
HELD_OUT = 12


@dataclass(frozen=True)
class Config:
    """Sizes and rates of a training."""

    channels: int
    static_channels: int
    stages: int
    frames: int
    batch: int
    steps: int
    detected_share: float = 0.5
    rate: float = 1e-3
    decay: float = 1e-2
    seed: int = 7


#: `small` is for two CPU cores, `full` for a GPU
CONFIGS: dict[str, Config] = {
    "small": Config(channels=256, static_channels=128, stages=4, frames=64, batch=32, steps=14000, rate=7e-4),
    "full": Config(channels=384, static_channels=192, stages=4, frames=96, batch=256, steps=60000),
}


def train(
    config: Config,
    mocap: Path,
    detected: list[Path],
    run: Path,
    out: Path,
    device: str,
    start: Path | None = None,
    every: int = 500,
) -> None:
    """Train a MotioNet and write its weights.

    Parameters
    ----------
    config : Config
    mocap : Path
        Folder with BVH files.
    detected : list of Path
        Folders with detected sequences.
    run : Path
        Folder of the checkpoint and the log (JSON lines); the training continues an unfinished run in it.
    out : Path
        The safetensors file to write.
    device : str
        ``cpu`` or ``cuda``.
    start : Path, optional
        Weights of the same configuration to start from, instead of random ones.
    every : int
        Steps between two checkpoints with their figures.
    """
    run.mkdir(parents=True, exist_ok=True)
    motions, sequences = load_mocap(mocap), load_detected(*detected)
    held = [s for s in sequences[::HELD_OUT] if is_seen(s)]
    seen = [s for i, s in enumerate(sequences) if i % HELD_OUT and is_seen(s)]
    detector = fit_detector(seen)
    checks = {
        "noisy": test_batches(motions, detector, noisy=True, frames=config.frames, count=2, size=64),
        "detected": detected_batches(held, detector, config.frames),
    }
    torch.manual_seed(config.seed)
    model = _network(config, device)
    if start is not None:
        model.load_state_dict(load_weights(start, torch.device(device)).state_dict())
    # the weights to keep: an exponential mean over the last steps, smoother than those of any step
    kept = _network(config, device)
    kept.load_state_dict(model.state_dict())
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.rate, weight_decay=config.decay)
    parts: dict[str, Any] = {"model": model, "kept": kept, "optimiser": optimiser}
    checkpoint = run / "checkpoint.pt"
    step = _resume(checkpoint, config, parts, device) if checkpoint.exists() else 0
    draw = Synthesis(
        motions, seen, emulated(detector, seen), config.frames, config.detected_share, config.seed + step
    )
    sums: dict[str, float] = {}
    started = time.monotonic()
    while step < config.steps:
        rate = config.rate * _schedule(step / config.steps, step)
        for group in optimiser.param_groups:
            group["lr"] = rate
        found = _learn(model, optimiser, _to(draw.batch(config.batch), device), device)
        step += 1
        _follow(kept, model, min(0.999, step / (step + 20)))
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if step % every == 0 or step == config.steps:
            _log(run, step, {k: v / every for k, v in sums.items()}, kept, checks, time.monotonic() - started)
            sums = {}
            state = {name: part.state_dict() for name, part in parts.items()}
            with replacing(checkpoint) as temporary:
                torch.save(state | {"config": asdict(config), "step": step}, temporary)
    save_weights(kept.cpu(), out)


def _network(config: Config, device: str) -> MotioNet:
    return MotioNet(config.channels, config.static_channels, config.stages).to(device)


def _resume(checkpoint: Path, config: Config, parts: dict[str, Any], device: str) -> int:
    """Load the parts of an unfinished run; return the steps done."""
    state = torch.load(checkpoint, weights_only=True, map_location=device)
    if state["config"] != asdict(config):
        raise ValueError(f"{checkpoint} is of another configuration; choose another --run folder")
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["step"])


def _learn(model: Lifter, optimiser: torch.optim.Optimizer, batch: Batch, device: str) -> dict[str, Tensor]:
    """Take one optimiser step; return the losses, unweighted."""
    model.train()
    normalised = view(batch.rays, batch.confidence, batch.hint)
    with torch.autocast(device, dtype=torch.bfloat16):
        lifted = model(normalised)
    found = losses(lifted, batch)
    optimiser.zero_grad(set_to_none=True)
    total(found, WEIGHTS).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    return found


def _schedule(done: float, step: int) -> float:
    """Factor of the learning rate: warm-up over 200 steps, then a cosine down to a hundredth."""
    return min(1.0, (step + 1) / 200) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def _follow(kept: Lifter, model: Lifter, inertia: float) -> None:
    target: dict[str, Tensor] = kept.state_dict()
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.dtype.is_floating_point:
                target[name].lerp_(value, 1 - inertia)
            else:
                target[name].copy_(value)


def _to(batch: Batch, device: str) -> Batch:
    return Batch(**{name: value.to(device) for name, value in vars(batch).items()})


def _log(
    run: Path,
    step: int,
    means: dict[str, float],
    kept: Lifter,
    checks: dict[str, list[Batch]],
    seconds: float,
) -> None:
    device = next(kept.parameters()).device
    row = {
        "step": step,
        "seconds": round(seconds, 1),
        "losses": {k: round(v, 4) for k, v in means.items()},
        **{
            name: {k: round(v, 2) for k, v in figures(kept.cpu(), batches).items()}
            for name, batches in checks.items()
        },
    }
    kept.to(device)
    with (run / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps(row), flush=True)


def mix(before: Path, after: Path, share: float, out: Path) -> None:
    """Write the weighted mean of two sets of weights, one of which was trained on from the other.

    The mean can be a better network than either (model soups, Wortsman et al. 2022, arXiv
    2203.05482).

    Parameters
    ----------
    before, after : Path
        Safetensors files of the same configuration.
    share : float
        Weight of `after`, 0 to 1.
    out : Path
        The safetensors file.
    """
    mixed, other = (load_weights(path, torch.device("cpu")) for path in (before, after))
    with torch.no_grad():
        for own, new in zip(mixed.state_dict().values(), other.state_dict().values(), strict=True):
            own.copy_(torch.lerp(own.float(), new.float(), share))
    save_weights(mixed, out)
