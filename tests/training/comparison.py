"""A tiny comparison: its budget, and what a row of it leaves."""

import json
from dataclasses import replace

from kinelift.training.compare import BUDGETS, result_file

FRAMES = 24
SEED = 11


TINY = replace(BUDGETS["small"], steps=4, later=2, frames=64, points=2, every=1)


def figures(results, name, seed=SEED):
    """What a row left, without how long it took."""
    left = json.loads(result_file(results, "steps", name, seed).read_text())
    left["curve"] = [[step, error] for step, _, error in left["curve"]]
    return {key: value for key, value in left.items() if key not in ("seconds", "ms_per_1000")}
