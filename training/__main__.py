"""`python -m training lifter|evaluate|contacts|detect|compare`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from kinelift.core.contacts import NETWORK
from kinelift.core.errors import CaptureError
from kinelift.inference.lifters.weights import load_weights
from kinelift.inference.pipeline import WEIGHTS
from kinelift.training.bodies import make
from kinelift.training.compare import BUDGETS, SEEDS, compare, load_material
from kinelift.training.contacts import fit_contacts
from kinelift.training.detected import HELD_OUT, fit_detector, load_detected
from kinelift.training.evaluate import detected_batches, figures, solved, test_batches, turn_errors
from kinelift.training.mocap import load_mocap
from kinelift.training.pose_training import STAGES, full, train_lifter
from kinelift.training.report import write_report
from kinelift.training.rows import ROWS

ROOT = Path(__file__).resolve().parent.parent
#: the project's benchmark clips, beside the checkout
BENCH = ROOT.parent / "shared/bench"
#: the project's mocap and detected sequences, beside the checkout
SHARED = ROOT.parent / "shared/mocap"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    lifter = _lifter(commands)
    score = commands.add_parser("evaluate", help="measure the lifter on motion that it was not trained on")
    score.add_argument("--mocap", type=Path, default=SHARED / "test", help="folder of BVH files")
    score.add_argument("--weights", type=Path, default=WEIGHTS)
    contacts = commands.add_parser("contacts", help="train the network that decides contacts")
    contacts.add_argument("--weights", type=Path, default=WEIGHTS, help="weights of the lifter")
    contacts.add_argument("--out", type=Path, default=NETWORK)
    film = commands.add_parser("detect", help="make detected sequences; continues an unfinished batch")
    film.add_argument("--out", type=Path, required=True, help="folder of the part_*.npz")
    film.add_argument("--clips", type=int, required=True, help="number of sequences of 1.5 s")
    film.add_argument("--seed", type=int, default=0, help="draws other sequences")
    film.add_argument("--mocap", type=Path, default=SHARED / "train", help="folder of BVH files")
    papers = _comparison(commands)
    for command in (lifter, papers):
        command.add_argument(
            "--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu"
        )
        command.add_argument("--threads", type=int, help="CPU cores to use (default: all)")
    for command in (lifter, score, contacts, papers):
        command.add_argument(
            "--detected",
            type=Path,
            nargs="+",
            default=[SHARED / "detected"],
            metavar="FOLDER",
            help="folders of part_*.npz",
        )
    return parser.parse_args()


def _lifter(commands: Any) -> argparse.ArgumentParser:
    """The command `lifter` and its options, except those that others share."""
    lifter: argparse.ArgumentParser = commands.add_parser(
        "lifter", help="train the lifter, stage by stage; continues an unfinished run"
    )
    lifter.add_argument("--config", choices=["small", "full"], default="small", help="full is for a GPU")
    lifter.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES), metavar="STAGE")
    lifter.add_argument(
        "--mocap",
        type=Path,
        nargs="+",
        default=[SHARED],
        metavar="FOLDER",
        help="folders with train, and test or everyday (`scripts/retarget_mocap.py` makes such)",
    )
    lifter.add_argument("--start", type=Path, help="weights to begin with")
    lifter.add_argument("--run", type=Path, default=Path("runs/lifter"), help="each stage has a folder in it")
    return lifter


def _comparison(commands: Any) -> argparse.ArgumentParser:
    """The command `compare` and its options, except those that others share."""
    papers: argparse.ArgumentParser = commands.add_parser(
        "compare", help="train and measure the papers' methods, a row each; continues an unfinished run"
    )
    papers.add_argument("--config", choices=BUDGETS, default="small")
    papers.add_argument(
        "--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW", help="only these"
    )
    papers.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS), metavar="SEED")
    budget = papers.add_mutually_exclusive_group()
    budget.add_argument(
        "--steps",
        type=int,
        help="of every row on perfect 2D, and half as many on detections (default: the configuration's)",
    )
    budget.add_argument(
        "--seconds", type=float, default=0.0, help="of every row's steps on perfect 2D, instead of steps"
    )
    papers.add_argument("--report", action="store_true", help="only write the report of the finished rows")
    papers.add_argument(
        "--results", type=Path, default=ROOT / "docs/methods", help="folder of the finished rows' figures"
    )
    papers.add_argument("--run", type=Path, default=Path("runs/compare"), help="folder of checkpoints")
    papers.add_argument("--mocap", type=Path, default=SHARED, help="folder with the folders train and test")
    papers.add_argument("--clips", type=Path, default=BENCH, help="folder of videos with references")
    papers.add_argument("--out", type=Path, default=ROOT / "docs", help="folder of methods.md and its plots")
    return papers


def main() -> int:
    """Run the command line; the exit code."""
    args = _arguments()
    if getattr(args, "threads", None):
        torch.set_num_threads(args.threads)
    try:
        if args.command == "compare":
            _compare(args)
        elif args.command == "lifter":
            stages = {name: STAGES[name] for name in args.stages}
            if args.config == "full":
                stages = {name: full(stage) for name, stage in stages.items()}
            train_lifter(stages, args.mocap, args.detected, args.run, args.device, args.start)
        elif args.command == "detect":
            make(args.out, load_mocap(args.mocap), args.clips, args.seed)
        elif args.command == "contacts":
            model = load_weights(args.weights, torch.device("cpu"))
            right = fit_contacts(load_detected(*args.detected), model, args.out)
            print(f"{100 * right:.1f} % of the labels of held-out sequences are right; written to {args.out}")
        else:
            sequences = load_detected(*args.detected)
            detector = fit_detector(sequences)
            mocap, model = load_mocap(args.mocap), load_weights(args.weights, torch.device("cpu"))
            held = sequences[::HELD_OUT]
            sets = {
                "perfect 2D": test_batches(mocap, detector, noisy=False),
                "detector-like noise": test_batches(mocap, detector, noisy=True),
                "detected, held out": detected_batches(held, detector),
            }
            report = {name: figures(model, batches) for name, batches in sets.items()}
            report |= {f"{name}, solved": figures(model, b, then=solved) for name, b in sets.items()}
            turns = turn_errors(model, sets["detected, held out"])
            print(json.dumps({**report, "turns by confidence, degrees": turns}, indent=2))
    except CaptureError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _compare(args: argparse.Namespace) -> None:
    if not args.report:
        budget = replace(BUDGETS[args.config], seconds=args.seconds)
        if args.steps:
            budget = replace(budget, steps=args.steps, later=args.steps // 2)
        material = load_material(
            args.rows, budget, args.mocap, args.detected, args.clips, args.run, args.device
        )
        compare(args.rows, args.seeds, budget, material, args.results, args.run, args.device, _say)
    print(f"Written: {write_report(args.results, args.out)}")


def _say(row: str, seed: int, lesson: int, step: int) -> None:
    print(f"{row}, seed {seed}: lesson {lesson + 1}, {step} steps", flush=True)


if __name__ == "__main__":
    sys.exit(main())
