"""A tiny comparison: its budget, and what a row of it leaves."""

import json
from dataclasses import replace

from kinelift.training.compare import BUDGETS, FIGURES

FRAMES = 24


TINY = replace(BUDGETS["small"], steps=4, later=2, batch=2, clips=6, every=1)


def figures(run, name):
    """What a row left, without how long it took."""
    left = json.loads((run / name / FIGURES).read_text())
    return {key: value for key, value in left.items() if key not in ("seconds", "ms_per_1000")}
