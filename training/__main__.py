"""`python -m training train|evaluate|contacts|detect`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import torch

from inference.errors import CaptureError
from inference.lifters.weights import FOLDER, load_weights

from .bodies import make
from .contacts import fit_contacts
from .detected import fit_detector, load_sequences
from .evaluate import detected_batches, figures, test_batches
from .mocap import load_clips
from .train import CONFIGS, HELD_OUT, train

SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "mocap"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    weights = FOLDER / "motionet.safetensors"
    learn = commands.add_parser("train", help="train the lifter; an unfinished run is resumed")
    learn.add_argument("--config", choices=CONFIGS, default="small")
    learn.add_argument("--mocap", type=Path, default=SHARED / "train", help="folder of BVH clips")
    learn.add_argument("--run", type=Path, help="folder of checkpoint and log (default: runs/CONFIG)")
    learn.add_argument("--out", type=Path, default=weights)
    learn.add_argument("--start", type=Path, help="weights to begin with")
    learn.add_argument(
        "--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu"
    )
    learn.add_argument("--steps", type=int, help="fewer or more steps than the configuration's")
    learn.add_argument("--threads", type=int, help="CPU cores to use (default: all)")
    score = commands.add_parser("evaluate", help="the figures on motion that was not trained on")
    score.add_argument("--mocap", type=Path, default=SHARED / "test", help="folder of BVH clips")
    score.add_argument("--weights", type=Path, default=weights)
    contacts = commands.add_parser("contacts", help="train the network by which contacts are decided")
    contacts.add_argument("--weights", type=Path, default=weights, help="of the lifter")
    contacts.add_argument("--out", type=Path, default=FOLDER / "contacts.npz")
    film = commands.add_parser("detect", help="make detected sequences; an unfinished batch is gone on with")
    film.add_argument("--out", type=Path, required=True, help="folder of the part_*.npz")
    film.add_argument("--clips", type=int, required=True, help="how many sequences of 3 s")
    film.add_argument("--seed", type=int, default=0, help="another one makes other sequences")
    film.add_argument("--mocap", type=Path, default=SHARED / "train", help="folder of BVH clips")
    for command in (learn, score, contacts):
        command.add_argument(
            "--detected", type=Path, default=SHARED / "detected", help="folder of part_*.npz"
        )
    return parser.parse_args()


def main() -> int:
    """Run the command line; the exit code."""
    args = _arguments()
    try:
        if args.command == "train":
            config = CONFIGS[args.config]
            if args.steps:
                config = replace(config, steps=args.steps)
            if args.threads:
                torch.set_num_threads(args.threads)
            run = args.run or Path("runs") / args.config
            train(config, args.mocap, args.detected, run, args.out, args.device, args.start)
        elif args.command == "detect":
            make(args.out, load_clips(args.mocap), args.clips, args.seed)
        elif args.command == "contacts":
            model = load_weights(args.weights, torch.device("cpu"))
            right = fit_contacts(load_sequences(args.detected), model, args.out)
            print(f"{100 * right:.1f} % of the labels of sequences left out are right; written to {args.out}")
        else:
            sequences = load_sequences(args.detected)
            detector = fit_detector(sequences)
            clips, model = load_clips(args.mocap), load_weights(args.weights, torch.device("cpu"))
            held = sequences[::HELD_OUT]
            report = {
                "perfect 2D": figures(model, test_batches(clips, detector, noisy=False)),
                "detector-like noise": figures(model, test_batches(clips, detector, noisy=True)),
                "detected, held out": figures(model, detected_batches(held, detector)),
            }
            print(json.dumps(report, indent=2))
    except CaptureError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
