"""The training of `PoseLifter`: frames, then windows. Resumable at any step, bit by bit the same on the CPU.

A stage is one `Stage` of `STAGES`. A step's batch depends on the stage's seed and the step alone
(`training.pool`), and nothing else is drawn, so a checkpoint holds the network, its running mean, the
optimiser and the step. A run that is started again goes on from its checkpoint.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kinelift.core.errors import CaptureError
from kinelift.core.files import replacing
from kinelift.core.landmarks import PLACE
from kinelift.inference.lifters.pose_lifter import PoseLifter
from kinelift.inference.lifters.weights import load_weights, save_weights
from kinelift.training.detected import HELD_OUT, fit_detector, is_seen, load_detected
from kinelift.training.emulator import emulated
from kinelift.training.evaluate import detected_batches, figures, test_batches
from kinelift.training.losses import total
from kinelift.training.mistakes import Detections, Mistakes
from kinelift.training.mocap import MocapSequence, load_mocap
from kinelift.training.pool import Pool
from kinelift.training.pose_figures import calibrated, sight
from kinelift.training.pose_losses import WEIGHTS, pose_losses
from kinelift.training.poses import made_sequences
from kinelift.training.synthesis import Batch


@dataclass(frozen=True)
class Stage:
    """A training on one kind of batch.

    Attributes
    ----------
    width, blocks, context : int
        Of the network, see `PoseLifter`.
    count, frames : int
        Windows of a batch and frames of a window.
    emulated, detected : float
        Shares of the windows that are seen with the detector's mistakes, and that are real detections.
    frozen : bool
        Only the temporal part learns.
    steps : int
    every : int
        Steps between figures.
    rate : float
        Learning rate: warmed up, held, and brought to nothing over the last `_COOLING` of the steps.
    """

    width: int = 512
    blocks: int = 3
    context: int = 0
    count: int = 768
    frames: int = 1
    emulated: float = 0.0
    detected: float = 0.0
    frozen: bool = False
    steps: int = 20_000
    every: int = 2000
    rate: float = 2e-3
    decay: float = 1e-4
    seed: int = 5


#: folders of clips that are kept from training
CHECKED = ("test", "everyday")
#: clips made by rule, of each kind
MADE = 12
#: in their order: single frames that are perfectly seen, then seen by the detector; windows of them, first
#: for the temporal part alone, then for all of it. So many steps made the shipped weights, in 80 minutes of
#: one core
STAGES: dict[str, Stage] = {
    "frames": Stage(steps=6000),
    "seen": Stage(emulated=0.45, detected=0.3, steps=14_000),
    "windows": Stage(
        context=256, count=96, frames=32, emulated=0.45, detected=0.3, frozen=True,
        steps=900, every=300, rate=1e-3,
    ),
    "whole": Stage(
        context=256, count=96, frames=32, emulated=0.45, detected=0.3, steps=2300, every=400, rate=5e-4
    ),
}  # fmt: skip
#: what a GPU does more: windows of a batch, and steps between figures, times this
FULL = 5
#: steps over which the learning rate grows
_WARMING = 500
#: share of the steps over which it falls to nothing
_COOLING = 0.3
#: the network that is kept is the mean of the last steps' ones, about so many
_MEMORY = 1000
#: norm of the gradient beyond which it is shortened
_STEEPEST = 5.0
#: windows of a batch, four of which spreads are calibrated on, and their frames
_CALIBRATED_ON = 60
_CALIBRATED_FRAMES = 32
CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
EMULATOR = "emulator.pt"


class Training:
    """A stage's state: the network, the mean of its last steps, and the optimiser.

    Parameters
    ----------
    stage : Stage
    pool : Pool
    run : Path
        Folder of the checkpoint and the log.
    device : str
    """

    def __init__(self, stage: Stage, pool: Pool, run: Path, device: str) -> None:
        self.stage, self.pool, self.run, self.device = stage, pool, run, device
        torch.manual_seed(stage.seed)
        self.model, self.kept = (
            PoseLifter(stage.width, stage.blocks, stage.context).to(device) for _ in range(2)
        )
        self.kept.load_state_dict(self.model.state_dict())
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(not stage.frozen or name.startswith("context."))
        self.learnt = [p for p in self.model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(self.learnt, lr=stage.rate, weight_decay=stage.decay)
        self.step, self.seconds = 0, 0.0
        #: of the losses since the last figures
        self.sums: dict[str, Tensor] = {}

    def begin(self, start: Path) -> None:
        """Take the network of weights, or the kept one of another stage's checkpoint.

        A temporal part that only one of the two has stays as it is, or is left out.

        Raises
        ------
        CaptureError
            If anything else differs.
        """
        if start.name == CHECKPOINT:
            state = torch.load(start, weights_only=True, map_location=self.device)["kept"]
        else:
            state = load_weights(start, torch.device(self.device)).state_dict()
        for model in (self.model, self.kept):
            own = model.state_dict()
            alike = {k for k in state.keys() & own.keys() if state[k].shape == own[k].shape}
            if any(not k.startswith("context.") for k in (state.keys() | own.keys()) - alike):
                raise CaptureError(f"{start} holds another network; start from one of the same width.")
            model.load_state_dict({k: state[k] for k in alike}, strict=False)

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one.

        Raises
        ------
        CaptureError
            If it is of another stage; only `Stage.steps` and `Stage.every` may differ.
        """
        path = self.run / CHECKPOINT
        if not path.exists():
            return
        state = torch.load(path, weights_only=True, map_location=self.device)
        # a checkpoint from before a field was added has that field's default
        free = {"steps": 0, "every": 0}
        if asdict(Stage()) | state["stage"] | free != asdict(self.stage) | free:
            raise CaptureError(f"{path} is of another training; choose another --run folder.")
        self.model.load_state_dict(state["model"])
        self.kept.load_state_dict(state["kept"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds, self.sums = state["step"], state["seconds"], state["sums"]

    def save(self) -> None:
        """Write the checkpoint; it appears whole or not at all."""
        state: dict[str, Any] = {
            "stage": asdict(self.stage), "step": self.step, "seconds": self.seconds, "sums": self.sums,
            "model": self.model.state_dict(), "kept": self.kept.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }  # fmt: skip
        with replacing(self.run / CHECKPOINT) as temporary:
            torch.save(state, temporary)

    def learn(self) -> None:
        """One step."""
        begin = time.process_time()
        stage = self.stage
        for group in self.optimiser.param_groups:
            group["lr"] = stage.rate * _schedule(self.step, stage.steps)
        self.model.train()
        if stage.frozen:
            self.model.trunk.eval()
        batch = self.pool.draw(
            stage.count, stage.frames, stage.seed * 1_000_003 + self.step, stage.emulated, stage.detected
        )
        seen = self.model.see(batch.rays, batch.confidence)
        with torch.autocast(self.device, torch.bfloat16, enabled=has_bf16(self.device)):
            lifted = self.model(seen)
        parts = pose_losses(lifted, seen, batch)
        self.optimiser.zero_grad(set_to_none=True)
        total(parts, WEIGHTS).backward()
        if torch.nn.utils.clip_grad_norm_(self.learnt, _STEEPEST).isfinite():
            self.optimiser.step()
        self.step += 1
        self._follow()
        for name, value in parts.items():
            self.sums[name] = self.sums.get(name, 0.0) + value.detach()
        self.seconds += time.process_time() - begin

    def _follow(self) -> None:
        share = 1 / min(self.step / 10 + 1, _MEMORY)
        with torch.no_grad():
            for own, new in zip(
                self.kept.state_dict().values(), self.model.state_dict().values(), strict=True
            ):
                if own.dtype.is_floating_point:
                    own.lerp_(new, share)
                else:
                    own.copy_(new)

    def calibrated(self) -> PoseLifter:
        """The kept network, on the CPU, with spreads that hold on other windows of the pool."""
        stage = self.stage
        drawn = [
            self.pool.draw(_CALIBRATED_ON, _CALIBRATED_FRAMES, -1 - i, stage.emulated, stage.detected)
            for i in range(4)
        ]
        kept = PoseLifter(**self.kept.config)
        kept.load_state_dict({k: v.cpu() for k, v in self.kept.state_dict().items()})
        return calibrated(kept, [batch.to("cpu") for batch in drawn])

    def report(self, checks: dict[str, list[Batch]]) -> dict[str, Any]:
        """Measure the kept network, and add a line to the log."""
        row: dict[str, Any] = {
            "step": self.step,
            "cpu_seconds": round(self.seconds),
            "rate": self.optimiser.param_groups[0]["lr"],
            "losses": {name: round(float(value) / self.stage.every, 4) for name, value in self.sums.items()},
        }
        kept = self.calibrated()
        for name, batches in checks.items():
            values = figures(kept, batches) | sight(kept, batches)
            row[name] = {k: round(v, 3) for k, v in values.items()}
        self.sums = {}
        with (self.run / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        return row


def train_stage(
    stage: Stage,
    pool: Pool,
    checks: dict[str, list[Batch]],
    run: Path,
    device: str,
    start: Path | None = None,
) -> None:
    """Train until the stage's steps are done, from the run's checkpoint if there is one.

    A checkpoint is saved every minute, and with the figures.

    Parameters
    ----------
    start : Path, optional
        Weights, or the checkpoint of another stage, to begin with, see `Training.begin`.
    """
    run.mkdir(parents=True, exist_ok=True)
    training = Training(stage, pool, run, device)
    if start is not None:
        training.begin(start)
    training.resume()
    saved = time.monotonic()
    while training.step < stage.steps:
        training.learn()
        if training.step % stage.every == 0 or training.step == stage.steps:
            print(json.dumps(training.report(checks)), flush=True)
            save_weights(training.calibrated(), run / "weights.safetensors")
        elif time.monotonic() - saved < 60:
            continue
        training.save()
        saved = time.monotonic()


def has_bf16(device: str) -> bool:
    """Whether half precision pays: on a GPU, and on processors that multiply it (others emulate it)."""
    return device != "cpu" or bool(torch.cpu._is_avx512_bf16_supported())


def _schedule(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / _WARMING)
    return warm * min(1.0, (1 - step / steps) / _COOLING)


def full(stage: Stage) -> Stage:
    """The stage for a GPU."""
    return replace(stage, count=FULL * stage.count, every=FULL * stage.every)


def train_lifter(
    stages: dict[str, Stage],
    mocap: list[Path],
    detected: list[Path],
    run: Path,
    device: str,
    start: Path | None = None,
) -> None:
    """Train stages in the order of `STAGES`, each from what the one before left.

    Finished stages are passed over; those that aren't among `stages` count if their checkpoints are there.

    Parameters
    ----------
    stages : dict of str to Stage
    mocap : list of Path
        Folders with the folders `train`, and those of `CHECKED` that they have.
    detected : list of Path
        Folders with detected sequences.
    run : Path
        Where each stage has a folder.
    device : str
        ``cpu`` or ``cuda``.
    start : Path, optional
        Weights that the first of the stages begins with.
    """
    sequences = load_detected(*detected)
    seen = [s for i, s in enumerate(sequences) if i % HELD_OUT and is_seen(s)]
    held = [s for s in sequences[::HELD_OUT] if is_seen(s)]
    detector = fit_detector(seen)
    clips, checks = made_sequences(MADE, 5), {}
    for folder in mocap:
        clips += load_mocap(folder / "train")
        for name in CHECKED:
            if (folder / name).is_dir():
                kept = load_mocap(folder / name)
                checks[name] = test_batches(kept, detector, noisy=False)
                checks[f"{name}, noisy"] = test_batches(kept, detector, noisy=True)
    checks["detected"] = detected_batches(held, detector)
    pool = make_pool(clips, device)
    for name in STAGES:
        if name in stages:
            stage = stages[name]
            if (stage.emulated or stage.detected) and pool.mistakes is None:
                pool.mistakes = Mistakes(emulated(detector, seen, kept=run / EMULATOR), device)
                pool.detections = Detections(seen, device)
            train_stage(stage, pool, checks, run / name, device, start)
        if (run / name / CHECKPOINT).exists():
            start = run / name / CHECKPOINT


def make_pool(clips: list[MocapSequence], device: str) -> Pool:
    """The pool of clips, with landmarks where the detector puts them.

    If there is no room for all of them it holds every second one, or fewer, and that is said.

    Raises
    ------
    CaptureError
        If there is no room for a single one.
    """
    while clips:
        try:
            return Pool(clips, PLACE, device)
        except (MemoryError, torch.OutOfMemoryError):
            clips = clips[: len(clips) // 2 * 2 : 2]
            print(f"There is no room for all clips; {len(clips)} are learnt from.", file=sys.stderr)
    raise CaptureError("There is no room in memory for a single clip; close other programs and try again.")
