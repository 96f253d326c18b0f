"""Trains and measures the papers' methods alike: `python -m training compare`; an interrupted run resumes.

Every step of every row sees the same number of frames, as many of them independent as its network can take:
single frames, or short windows if it sees more than one. Every frame or window has a clip, a body and a
camera of its own (`training.pool`). Rows of the same kind get the same batches in the same order.

There are two lessons: perfect 2D, then, for rows that a claim needs it of, detections (half real ones of
rendered bodies, half mocap with their errors). The second continues from the first. After the first, a row is
measured on `mocap/test` with perfect 2D; after the second, on the same with a detector's errors and on the
benchmark clips. A budget is a number of steps, or of seconds that the steps of the first lesson take.
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
from kinelift.inference.lifters.weights import load_weights, save_weights
from kinelift.training.adversary import RATE, Discriminator, adversarial_loss, discriminator_loss
from kinelift.training.benchmark_clips import load_batches
from kinelift.training.bone_structure import bone_ratio, illegal_angle, symmetry
from kinelift.training.claims import kept_by_clip
from kinelift.training.columns import measure, pace, truth
from kinelift.training.detected import HELD_OUT, fit_detector, is_seen, load_detected
from kinelift.training.emulator import emulated
from kinelift.training.evaluate import test_batches
from kinelift.training.losses import losses, position_losses, total
from kinelift.training.methods.positions import PositionLifter
from kinelift.training.methods.skeletonnet import SkeletonNet
from kinelift.training.methods.table import LIFTERS
from kinelift.training.methods.tpnet import TemporalPoseNet
from kinelift.training.mistakes import Detections, Mistakes
from kinelift.training.mocap import load_mocap
from kinelift.training.motion_loss import motion_loss
from kinelift.training.pool import Pool
from kinelift.training.pose_training import EMULATOR, has_bf16, make_pool
from kinelift.training.rotation_classes import class_loss, rotation_centres
from kinelift.training.rows import ROWS, Row
from kinelift.training.synthesis import Batch


@dataclass(frozen=True)
class Budget:
    """What every row gets.

    Attributes
    ----------
    steps, later : int
        Steps on perfect 2D, and after them on detections.
    frames : int
        Frames in a step.
    seconds : float
        What the first lesson's steps take, instead of a number of them, and no second lesson: CPU time, or
        time on a GPU. Batches aren't drawn in that time: that costs all rows alike.
    points : int
        Points of the learning curve.
    every : int
        Steps between checkpoints.
    full : bool
        Use the networks for a GPU (`Row.sized`).
    """

    steps: int
    later: int
    frames: int
    seconds: float = 0.0
    points: int = 10
    every: int = 100
    full: bool = False

    @property
    def kind(self) -> str:
        """The folder of its results: ``steps`` or ``seconds``."""
        return "seconds" if self.seconds else "steps"


BUDGETS = {
    "small": Budget(steps=1000, later=500, frames=1024),
    "full": Budget(steps=20000, later=10000, frames=16384, every=1000, full=True),
}
#: seeds of the rows' weights and batches
SEEDS = (11, 12, 13)
#: SAP-Net's stages (section 4.3): share of the steps before each of its losses starts; after the last share
#: the cosine is at a tenth of the learning rate, which is the paper's for that stage
_WARM = {"illegal": 0.4, "ratio": 0.4, "symmetry": 0.8}
#: SAP-Net's losses
_STRUCTURE = {"illegal": illegal_angle, "ratio": bone_ratio, "symmetry": symmetry}
#: factor of the rate in the second lesson
_LATER_RATE = 0.5
#: poses whose hips' rotations SkeletonNet's classes are the centres of
_POSES = 20_000
#: name of the file beside the results with the true joints that SAP-Net calls illegal (`columns.truth`)
TRUTH = "truth.json"
#: called with row, seed, lesson and steps done
Told = Callable[[str, int, int, int], None]


@dataclass(frozen=True)
class Material:
    """Where training data comes from, and test data."""

    pool: Pool
    perfect: list[Batch]
    noisy: list[Batch]
    clips: dict[str, Batch]


def load_material(
    names: Iterable[str],
    budget: Budget,
    mocap: Path,
    detected: list[Path],
    clips: Path,
    run: Path,
    device: str,
) -> Material:
    """Read what the rows need; what takes long is kept for the next time.

    Parameters
    ----------
    names : iterable of str
        The rows; if none of them goes on to detections, there are no errors and no benchmark clips.
    budget : Budget
    mocap : Path
        Folder with the folders `train` and `test`.
    detected, clips : Path
        Folders of detected sequences and of benchmark clips.
    run : Path
        Folder that keeps it.
    device : str
    """
    run.mkdir(parents=True, exist_ok=True)
    sequences = load_detected(*detected)
    seen = [s for i, s in enumerate(sequences) if i % HELD_OUT and is_seen(s)]
    detector = fit_detector(seen)
    pool = make_pool(load_mocap(mocap / "train"), device)
    test = load_mocap(mocap / "test")
    perfect = test_batches(test, detector, noisy=False)
    if all(_lessons(ROWS[name], budget) == [0] for name in with_inner(names)):
        return Material(pool, perfect, [], {})
    pool.mistakes = Mistakes(emulated(detector, seen, kept=run / EMULATOR), device)
    pool.detections = Detections(seen, device)
    kept = run / "clips.pt"
    if not kept.exists():
        with replacing(kept) as temporary:
            torch.save({name: vars(b) for name, b in load_batches(clips).items()}, temporary)
    known = torch.load(kept, weights_only=True)
    noisy = test_batches(test, detector, noisy=True)
    return Material(pool, perfect, noisy, {name: Batch(**b) for name, b in known.items()})


def compare(
    names: Iterable[str],
    seeds: Iterable[int],
    budget: Budget,
    material: Material,
    results: Path,
    run: Path,
    device: str,
    told: Told | None = None,
) -> None:
    """Train and measure the unfinished rows, for one seed after the other.

    Rows that others start from are added.

    Parameters
    ----------
    results : Path
        Gets a file of every finished row and seed, in a folder of the kind of budget.
    run : Path
        Gets checkpoints and weights.
    told : callable, optional
        Called with the row, the seed, the lesson and the steps done.
    """
    results.mkdir(parents=True, exist_ok=True)
    _write(results / TRUTH, truth(material.perfect))
    names = list(names)
    for seed in seeds:
        unfinished = [n for n in with_inner(names) if not _is_finished(n, seed, budget, results)]
        for name in with_inner(unfinished):
            # another row may start from one whose weights were left elsewhere
            last = _folder(run, budget, name, seed) / _weights(_lessons(ROWS[name], budget)[-1])
            if name in unfinished or not last.exists():
                figures = _finish(name, seed, budget, material, run, device, told)
                _write(result_file(results, budget.kind, name, seed), figures)


def result_file(results: Path, kind: str, name: str, seed: int) -> Path:
    """The file of a row's figures."""
    return results / kind / f"{name}.{seed}.json"


def _is_finished(name: str, seed: int, budget: Budget, results: Path) -> bool:
    path = result_file(results, budget.kind, name, seed)
    if not path.exists():
        return False
    known = json.loads(path.read_text(encoding="utf-8"))
    if known["budget"] != asdict(budget):
        raise CaptureError(f"{path} is of another budget; choose another folder with --results.")
    # a claim that was added since may need other figures by clip
    sets = {group: value for group, value in known.items() if isinstance(value, dict) and "clips" in value}
    has_all = all(kept_by_clip(name, group) <= value["clips"].keys() for group, value in sets.items())
    return has_all and known["row"] == plain(ROWS[name])


def _write(path: Path, figures: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(figures, separators=(",", ":")) + "\n", encoding="utf-8")


def with_inner(names: Iterable[str]) -> list[str]:
    """The rows and the rows that they start from, in the order of the table."""
    wanted = set(names)
    for name in reversed(ROWS):
        if name in wanted:
            wanted |= {ROWS[name].inner} - {""}
    return [name for name in ROWS if name in wanted]


def _lessons(row: Row, budget: Budget) -> list[int]:
    return [0, 1] if row.detections and budget.later and not budget.seconds else [0]


def _folder(run: Path, budget: Budget, name: str, seed: int) -> Path:
    return run / budget.kind / f"{name}.{seed}"


def _finish(
    name: str, seed: int, budget: Budget, material: Material, run: Path, device: str, told: Told | None
) -> dict[str, Any]:
    """Train a row, resuming from its checkpoints, and return its figures."""
    row, folder = ROWS[name], _folder(run, budget, name, seed)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    model = build(row, budget.full)
    if isinstance(model, SkeletonNet) and len(model.centres):
        batch = material.pool.draw(_POSES, 1, seed).to("cpu")
        hips = (model.see(batch.rays, batch.confidence).turn.mT @ batch.rotations[:, :, 0])[:, 0]
        model.centres.copy_(rotation_centres(hips, len(model.centres)))
    clips: dict[str, list[Batch]] = {}
    for clip, batch in material.clips.items():
        clips.setdefault(clip.split("/")[0], []).append(batch)
    tests = ({"perfect": material.perfect}, {"noisy": material.noisy, **clips})
    out: dict[str, Any] = {"row": plain(row), "budget": asdict(budget), "seed": seed, "seconds": []}
    for lesson in _lessons(row, budget):
        if row.inner:
            _begin(model, _folder(run, budget, row.inner, seed) / _weights(lesson))
        taught = Lesson(model, row, seed, budget, lesson, device)
        tell = partial(told, name, seed, lesson) if told else None
        taught.through(material, folder / f"lesson{lesson + 1}.pt", tell)
        save_weights(model.cpu(), folder / _weights(lesson), LIFTERS)
        out["seconds"].append(_short(taught.seconds))
        if lesson == 0:
            out["steps"], out["curve"] = taught.done_steps, taught.curve
        for group, batches in tests[lesson].items():
            figures = measure(model, [_known_to(row, b) for b in batches])
            by_clip = kept_by_clip(name, group) & figures["clips"].keys()
            figures["clips"] = {figure: figures["clips"][figure] for figure in sorted(by_clip)}
            out[group] = _short(figures)
    parameters = sum(p.numel() for p in model.parameters())
    return out | {"parameters": parameters, "ms_per_1000": _short(pace(model))}


def _short(figures: Any) -> Any:
    """The same with four digits of every number."""
    if isinstance(figures, dict):
        return {name: _short(value) for name, value in figures.items()}
    if isinstance(figures, list):
        return [_short(value) for value in figures]
    return None if figures is None else float(f"{figures:.4g}")


def build(row: Row, full: bool) -> Lifter:
    """A row's network, untrained."""
    return LIFTERS[row.lifter](**row.sized(full))


class Lesson:
    """One of a row's two trainings: 0 on perfect 2D, 1 on detections.

    Attributes
    ----------
    done_steps : int
    seconds : float
        What the steps took.
    curve : list of (int, float, float)
        Steps, seconds, and MPJPE of the first of the test batches, mm, without the mirror image.
    """

    def __init__(self, model: Lifter, row: Row, seed: int, budget: Budget, lesson: int, device: str) -> None:
        self.model, self.row, self.budget, self.lesson = model.to(device), row, budget, lesson
        self.seed, self.device = seed, device
        self.rate = row.rate * (1.0, _LATER_RATE)[lesson]
        self.learnt = [p for p in model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(self.learnt, lr=self.rate, weight_decay=1e-4)
        self.judge = Discriminator().to(device)
        self.judging = torch.optim.Adam(self.judge.parameters(), lr=RATE)
        self.done_steps, self.seconds = 0, 0.0
        self.curve: list[list[float]] = []

    def through(self, material: Material, checkpoint: Path, told: Callable[[int], None] | None) -> None:
        """Do all steps, resuming from the checkpoint if it exists."""
        parts: dict[str, Any] = {
            "model": self.model, "optimiser": self.optimiser, "judge": self.judge, "judging": self.judging
        }  # fmt: skip
        known = {"row": plain(self.row), "budget": asdict(self.budget), "seed": self.seed}
        if checkpoint.exists():
            state = torch.load(checkpoint, weights_only=True, map_location=self.device)
            if state["known"] != known:
                raise CaptureError(f"{checkpoint} is of another budget or row; choose another --run folder.")
            self.done_steps, self.seconds, self.curve = (state[n] for n in ("step", "seconds", "curve"))
            for name, part in parts.items():
                part.load_state_dict(state[name])
        check = _known_to(self.row, material.perfect[0]).to(self.device)
        while (done := self.done()) < 1:
            # an interrupted run gets the same random numbers as an uninterrupted one
            torch.manual_seed(self.number())
            batch = self.drawn(material.pool)
            begin = self.clock()
            self.step(batch, done)
            self.seconds += self.clock() - begin
            self.done_steps += 1
            ended = self.done() >= 1
            if self.lesson == 0 and (len(self.curve) + 1) / self.budget.points <= self.done():
                self.curve.append([self.done_steps, _short(self.seconds), _short(self.error(check))])
            if self.done_steps % self.budget.every == 0 or ended:
                state = {name: part.state_dict() for name, part in parts.items()}
                state |= {"known": known, "step": self.done_steps, "seconds": self.seconds}
                with replacing(checkpoint) as temporary:
                    torch.save(state | {"curve": self.curve}, temporary)
                if told:
                    told(self.done_steps)

    def done(self) -> float:
        """Share of the budget that is used up, 0 to 1."""
        if self.budget.seconds:
            used, whole = self.seconds, self.budget.seconds
        else:
            used, whole = self.done_steps, (self.budget.steps, self.budget.later)[self.lesson]
        return used / (whole * self.row.share) if self.row.share else 1.0

    def clock(self) -> float:
        """Seconds; on a GPU those that pass until it has done what it was told."""
        if self.device == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    def number(self) -> int:
        """The seed of a step."""
        return 1_000_003 * self.seed + 500_009 * self.lesson + self.done_steps

    def drawn(self, pool: Pool) -> Batch:
        """The batch of the next step, the same for all rows that see as many frames at once."""
        half = 0.5 if self.lesson else 0.0
        count = self.budget.frames // self.row.frames
        return _known_to(self.row, pool.draw(count, self.row.frames, self.number(), half, half))

    def error(self, batch: Batch) -> float:
        """MPJPE, mm."""
        self.model.eval()
        with torch.no_grad():
            lifted = self.model(self.model.see(batch.rays, batch.confidence))
        joints, true = (x - x[:, :, :1] for x in (lifted.joints(), batch.joints))
        return 1000 * float(torch.linalg.vector_norm(joints - true, dim=-1).mean())

    def step(self, batch: Batch, done: float) -> None:
        """Take one optimiser step after the share `done` of the budget."""
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * _schedule(done)
        loss, lifted = self.loss(batch, done)
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
        """The row's loss after the share `done` of the budget, and the body if the network gives one."""
        row, lifted = self.row, None
        seen = self.model.see(batch.rays, batch.confidence)
        with torch.autocast(self.device, torch.bfloat16, enabled=has_bf16(self.device)):
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
        # as in the paper these losses only teach depth: across the line of sight they see the truth
        deep = torch.stack([true[..., 0], relative[..., 1], true[..., 2]], -1)
        for name, weight in row.structure.items():
            if self.lesson or done >= _WARM[name]:
                out = out + weight * _STRUCTURE[name](deep)
        if isinstance(self.model, SkeletonNet) and lifted is not None:
            inside = seen.turn.mT[:, :, None] @ batch.rotations
            chord = ((lifted.raw["bones"] - self.model.related(inside)) ** 2).sum((-2, -1))
            turned = batch.rotated[:, None, 1:].expand_as(chord)
            out = out + row.bones * (chord * turned).sum() / turned.sum()
            if row.classes:
                scores = lifted.raw["classes"]
                out = out + row.classes * class_loss(scores, inside[:, :, 0], self.model.centres)
            if row.refined:
                target = (seen.turn.mT[:, :, None] @ true[..., None])[..., 0]
                away = torch.linalg.vector_norm((lifted.raw["refined"] - target) * known, dim=-1)
                out = out + row.refined * away.mean()
        if lifted is not None and row.adversarial:
            out = out + row.adversarial * adversarial_loss(self.judge, lifted.rotations)
        return out, lifted


def _schedule(done: float) -> float:
    """Factor of the learning rate: warm-up over a twentieth of the budget, then a cosine down to 0."""
    return min(1.0, 20 * done + 0.01) * 0.5 * (1 + math.cos(math.pi * done))


def plain(row: Row) -> dict[str, Any]:
    """A row as it comes back from JSON."""
    return dict(json.loads(json.dumps(asdict(row))))


def _known_to(row: Row, batch: Batch) -> Batch:
    """The batch with only the inputs that the row uses."""
    return batch if row.confidence else replace(batch, confidence=torch.ones_like(batch.confidence))


def _weights(lesson: int) -> str:
    return f"lesson{lesson + 1}.safetensors"


def _begin(model: Lifter, weights: Path) -> None:
    """Load another row's lifter, as it was after the same lesson: as the same one, or inside of this one."""
    other = load_weights(weights, torch.device("cpu"), LIFTERS)
    own = model if type(other) is type(model) else cast(TemporalPoseNet, model).inner
    own.load_state_dict(other.state_dict())
