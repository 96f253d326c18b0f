"""Trains and measures the papers' methods alike: `python -m training compare`; an interrupted run resumes.

Every row gets the same batches in the same order, the same number of steps and the same two lessons: first
perfect 2D, then detections (half real ones of rendered bodies, half mocap with their errors). The second
lesson continues from the first. After the first, a row is measured on `mocap/test` with perfect 2D; after the
second, on the same with a detector's errors and on the benchmark clips.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from kinelift.core.errors import CaptureError
from kinelift.core.files import replacing
from kinelift.inference.lifters.lifter import Lifted, Lifter
from kinelift.inference.lifters.view import View, view
from kinelift.inference.lifters.weights import load_weights, save_weights
from kinelift.training.adversary import Discriminator, adversarial_loss, discriminator_loss
from kinelift.training.benchmark_clips import load_batches
from kinelift.training.bone_structure import bone_ratio, illegal_angle, symmetry
from kinelift.training.columns import measure, pace, truth
from kinelift.training.detected import fit_detector, load_detected
from kinelift.training.evaluate import perfect, test_batches
from kinelift.training.losses import losses, position_losses, total
from kinelift.training.methods.positions import PositionLifter
from kinelift.training.methods.skeletonnet import SkeletonNet
from kinelift.training.methods.table import LIFTERS
from kinelift.training.methods.tpnet import TemporalPoseNet
from kinelift.training.methods.ugcn import WINDOW
from kinelift.training.mocap import load_mocap
from kinelift.training.motion_loss import motion_loss
from kinelift.training.rotation_classes import class_loss, rotation_centres
from kinelift.training.rows import FULL, ROWS, Row
from kinelift.training.synthesis import Batch, Synthesis
from kinelift.training.train import HELD_OUT


@dataclass(frozen=True)
class Budget:
    """What every row gets.

    Attributes
    ----------
    steps, later : int
        Steps on perfect 2D, and after them on detections.
    batch : int
        Sequences of `WINDOW` frames in a step.
    clips : int
        Different sequences of each lesson, drawn once.
    every : int
        Steps between checkpoints.
    full : bool
        Use the networks for a GPU (`rows.FULL`).
    seed : int
    rate : float
        Factor of every row's learning rate.
    """

    steps: int
    later: int
    batch: int
    clips: int
    every: int = 100
    full: bool = False
    seed: int = 11
    rate: float = 1.0


BUDGETS = {
    "small": Budget(steps=8000, later=2400, batch=8, clips=4000),
    "full": Budget(steps=60000, later=18000, batch=128, clips=60000, full=True),
}
#: SAP-Net's stages (section 4.3): share of the steps before each of its losses starts
_WARM = {"illegal": 0.4, "ratio": 0.4, "symmetry": 0.6}
#: SAP-Net's losses
_STRUCTURE = {"illegal": illegal_angle, "ratio": bone_ratio, "symmetry": symmetry}
#: name of the file that a finished row writes
FIGURES = "figures.json"
#: name of the file beside the rows with the true joints that SAP-Net calls illegal (`columns.truth`)
TRUTH = "truth.json"
#: called with row, lesson and steps done
Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Material:
    """Training data (a batch with all sequences of each lesson) and test data."""

    lessons: tuple[Batch, Batch]
    perfect: list[Batch]
    noisy: list[Batch]
    clips: dict[str, Batch]


def load_material(budget: Budget, mocap: Path, detected: list[Path], clips: Path, run: Path) -> Material:
    """Draw the material, or read it if an earlier run drew it for the same budget.

    Parameters
    ----------
    budget : Budget
    mocap : Path
        Folder with the folders `train` and `test`.
    detected, clips : Path
        Folders of detected sequences and of benchmark clips.
    run : Path
        Folder that keeps it.
    """
    kept = run / f"material-{budget.clips}-{budget.seed}.pt"
    if kept.exists():
        known = torch.load(kept, weights_only=True)
    else:
        run.mkdir(parents=True, exist_ok=True)
        sequences = load_detected(*detected)
        seen = [s for i, s in enumerate(sequences) if i % HELD_OUT]
        detector = fit_detector(seen)
        training, test = load_mocap(mocap / "train"), load_mocap(mocap / "test")
        without_errors = perfect(detector, WINDOW)
        first = Synthesis(training, [], without_errors, WINDOW, 0.0, budget.seed, spoil=False)
        second = Synthesis(training, seen, detector, WINDOW, 0.5, budget.seed + 1)
        known = {
            "lessons": [vars(draw.batch(budget.clips)) for draw in (first, second)],
            "perfect": [vars(b) for b in test_batches(test, detector, False, WINDOW, 2)],
            "noisy": [vars(b) for b in test_batches(test, detector, True, WINDOW, 2)],
            "clips": {name: vars(b) for name, b in load_batches(clips).items()},
        }
        with replacing(kept) as temporary:
            torch.save(known, temporary)
    lessons, clear, noisy = ([Batch(**b) for b in known[name]] for name in ("lessons", "perfect", "noisy"))
    clips_seen = {name: Batch(**b) for name, b in known["clips"].items()}
    return Material((lessons[0], lessons[1]), clear, noisy, clips_seen)


def compare(
    names: Iterable[str], budget: Budget, material: Material, run: Path, device: str, told: Told | None = None
) -> None:
    """Train and measure the unfinished rows; each writes `figures.json` into a folder of its own.

    Rows that others start from are added. `told` is called with the row, the lesson and the steps done.
    """
    run.mkdir(parents=True, exist_ok=True)
    with replacing(run / TRUTH) as temporary:
        temporary.write_text(json.dumps(truth(material.perfect)), encoding="utf-8")
    for name in with_inner(names):
        done = run / name / FIGURES
        if not done.exists():
            done.parent.mkdir(parents=True, exist_ok=True)
            figures = _finish(name, budget, material, run, device, told or (lambda row, lesson, step: None))
            with replacing(done) as temporary:
                temporary.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def with_inner(names: Iterable[str]) -> list[str]:
    """The rows and the rows that they start from, in the order of the table."""
    wanted = set(names)
    wanted |= {ROWS[name].inner for name in wanted} - {""}
    return [name for name in ROWS if name in wanted]


def _finish(
    name: str, budget: Budget, material: Material, run: Path, device: str, told: Told
) -> dict[str, Any]:
    """Train a row, resuming from its checkpoints, and return its figures."""
    row, folder = ROWS[name], run / name
    torch.manual_seed(budget.seed)
    model = build(row, budget.full)
    if isinstance(model, SkeletonNet) and len(model.centres):
        batch = material.lessons[0]
        hips = (_seen(batch).turn.mT @ batch.rotations[:, :, 0]).flatten(0, 1)
        model.centres.copy_(rotation_centres(hips, len(model.centres)))
    seconds = 0.0
    figures = {}
    for lesson, batches in enumerate(material.lessons):
        if row.inner:
            _put_inside(model, run / row.inner / _weights(lesson))
        taught = Lesson(model, row, budget, lesson, device)
        seconds += taught.through(batches, folder / f"lesson{lesson + 1}.pt", partial(told, name, lesson))
        save_weights(model.cpu(), folder / _weights(lesson), LIFTERS)
        if lesson == 0:
            figures["perfect"] = measure(model, [_known_to(row, b) for b in material.perfect])
    figures["noisy"] = measure(model, [_known_to(row, b) for b in material.noisy])
    return {
        "row": _plain(row),
        "budget": asdict(budget),
        "parameters": sum(p.numel() for p in model.parameters()),
        "ms_per_1000": pace(model),
        "seconds": seconds,
        **figures,
        "clips": {clip: measure(model, [_known_to(row, b)]) for clip, b in material.clips.items()},
    }


def build(row: Row, full: bool) -> Lifter:
    """A row's network, untrained."""
    return LIFTERS[row.lifter](**row.options | (FULL[row.lifter] if full else {}))


class Lesson:
    """One of a row's two trainings: 0 on perfect 2D, 1 on detections."""

    def __init__(self, model: Lifter, row: Row, budget: Budget, lesson: int, device: str) -> None:
        self.model, self.row, self.budget, self.lesson = model.to(device), row, budget, lesson
        self.device = device
        self.steps = (budget.steps, budget.later)[lesson]
        # a lower rate, so that the second lesson doesn't erase the first
        self.rate = row.rate * budget.rate * (1.0, 0.3)[lesson]
        self.learnt = [p for p in model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(self.learnt, lr=self.rate, weight_decay=1e-4)
        self.judge = Discriminator().to(device)
        self.judging = torch.optim.Adam(self.judge.parameters(), lr=1e-4)

    def through(self, batches: Batch, checkpoint: Path, told: Callable[[int], None]) -> float:
        """Do all steps, resuming from the checkpoint if it exists; return the seconds that they took."""
        parts: dict[str, Any] = {
            "model": self.model, "optimiser": self.optimiser, "judge": self.judge, "judging": self.judging
        }  # fmt: skip
        known = {"row": _plain(self.row), "budget": asdict(self.budget)}
        step, seconds = 0, 0.0
        if checkpoint.exists():
            state = torch.load(checkpoint, weights_only=True, map_location=self.device)
            if state["known"] != known:
                raise CaptureError(f"{checkpoint} is of another budget or row; choose another --run folder.")
            step, seconds = state["step"], state["seconds"]
            for name, part in parts.items():
                part.load_state_dict(state[name])
        begin = time.perf_counter()
        while step < self.steps:
            # an interrupted run gets the same random numbers as an uninterrupted one
            torch.manual_seed(1_000_003 * self.budget.seed + 500_009 * self.lesson + step)
            self.step(self.drawn(batches, step), step)
            step += 1
            if step % self.budget.every == 0 or step == self.steps:
                seconds += time.perf_counter() - begin
                begin = time.perf_counter()
                state = {name: part.state_dict() for name, part in parts.items()}
                with replacing(checkpoint) as temporary:
                    torch.save(state | {"known": known, "step": step, "seconds": seconds}, temporary)
                told(step)
        return seconds

    def drawn(self, batches: Batch, step: int) -> Batch:
        """The batch of a step, the same for all rows; every sequence comes once before any repeats."""
        size, count = self.budget.batch, len(batches.rays)
        epoch, place = divmod(step, count // size)
        order = torch.randperm(count, generator=torch.Generator().manual_seed(self.budget.seed + epoch))
        at = order[place * size : (place + 1) * size]
        part = Batch(**{name: value[at].to(self.device) for name, value in vars(batches).items()})
        return _known_to(self.row, part)

    def step(self, batch: Batch, step: int) -> None:
        """Take one optimiser step."""
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * _schedule(step, self.steps)
        loss, lifted = self.loss(batch, step / self.steps)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        # the illegal-angle loss grows exponentially: skip steps whose gradient overflows
        if torch.nn.utils.clip_grad_norm_(self.learnt, 1.0).isfinite():
            self.optimiser.step()
        if lifted is not None and self.row.adversarial:
            real = batch.rotations[batch.rotated.bool().all(1)]
            self.judging.zero_grad(set_to_none=True)
            discriminator_loss(self.judge, real, lifted.rotations).backward()
            self.judging.step()

    def loss(self, batch: Batch, done: float) -> tuple[Tensor, Lifted | None]:
        """The row's loss after the share `done` of the steps, and the body if the network gives one."""
        row, seen, lifted = self.row, _seen(batch), None
        with torch.autocast(self.device, dtype=torch.bfloat16):
            if isinstance(self.model, PositionLifter):
                joints = self.model.positions(seen)
            else:
                lifted = self.model(seen)
        if lifted is None:
            out = total(position_losses(joints, batch), row.losses)
        else:
            joints = lifted.joints()
            out = total(losses(lifted, batch), row.losses)
        relative, true = (x - x[:, :, :1] for x in (joints, batch.joints))
        known = batch.positioned[:, None, :, None]
        if row.motion:
            moved = motion_loss(relative * known, true * known, row.motion, row.intervals)
            out = out + row.weight * moved
        for name, weight in row.structure.items():
            if self.lesson or done >= _WARM[name]:
                out = out + weight * _STRUCTURE[name](joints)
        if lifted is not None:
            inside = seen.turn.mT
            if row.classes:
                hips = inside @ batch.rotations[:, :, 0]
                centres = cast(SkeletonNet, self.model).centres
                out = out + row.classes * class_loss(lifted.raw["classes"], hips, centres)
            if row.refined:
                target = (inside[:, :, None] @ true[..., None])[..., 0]
                away = torch.linalg.vector_norm((lifted.raw["refined"] - target) * known, dim=-1)
                out = out + row.refined * away.mean()
            if row.adversarial:
                out = out + row.adversarial * adversarial_loss(self.judge, lifted.rotations)
        return out, lifted


def _schedule(step: int, steps: int) -> float:
    """Factor of the learning rate: warm-up over a twentieth of the steps, then a cosine down to 0."""
    return min(1.0, 20 * (step + 1) / steps) * 0.5 * (1 + math.cos(math.pi * step / steps))


def _plain(row: Row) -> dict[str, Any]:
    """A row as it comes back from JSON."""
    return dict(json.loads(json.dumps(asdict(row))))


def _known_to(row: Row, batch: Batch) -> Batch:
    """The batch with only the inputs that the row uses."""
    hint = batch.hint if row.hint else torch.full_like(batch.hint, torch.nan)
    confidence = batch.confidence if row.confidence else torch.ones_like(batch.confidence)
    return replace(batch, hint=hint, confidence=confidence)


def _seen(batch: Batch) -> View:
    return view(batch.rays, batch.confidence, batch.hint)


def _weights(lesson: int) -> str:
    return f"lesson{lesson + 1}.safetensors"


def _put_inside(model: Lifter, weights: Path) -> None:
    """Load another row's lifter, as it was after the same lesson, into a temporal network."""
    inner = load_weights(weights, torch.device("cpu"), LIFTERS)
    cast(TemporalPoseNet, model).inner.load_state_dict(inner.state_dict())
