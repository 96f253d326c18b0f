"""Heights in a captured motion against those of a made-up scene: floors, the peak of a jump, a seat."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kinelift.bench.feet import touching
from kinelift.bench.score import Figures
from kinelift.core.arrays import Array, Floats
from kinelift.core.motion import Motion

#: who jumps stands still for so long at the beginning, seconds
_STILL = 0.4
#: a peak is sought up to this long before and after the true flight, seconds
_NEAR = 0.1


def heights(motion: Motion, truth: Mapping[str, Array], scale: float) -> Figures:
    """How far heights are off, as far as the scene has them.

    All are measured from the level on which the person stands at first, because a capture doesn't know which
    one its z = 0 is to be.

    Parameters
    ----------
    motion : Motion
        At the frame rate of the truth.
    truth : dict
        A reference by `stage.reference`.
    scale : float
        True size over captured size.

    Returns
    -------
    dict
        `height_cm`, the mean error of the hips; `steps_cm`, the largest error of another level; `peak_pct`
        and `peak_frames`, the errors of how high and when a jump is highest; `seat_cm`, the error of the hips
        while the person sits.
    """
    count = min(len(motion), len(truth["levels"]))
    soles = scale * touching(motion)[:count, :, 2]
    levels = truth["levels"][:count]
    base = levels[np.isfinite(levels)][0]
    ground = np.median(soles[levels == base]) - base
    hips = scale * motion.root[:count, 2].astype(float) - ground
    true = truth["joints_world"][:count, 0, 2]
    out: Figures = {"height_cm": 100 * float(np.abs(hips - true).mean())}
    others = [level for level in _levels(levels) if level != base]
    if others:
        off = [abs(np.median(soles[levels == level]) - ground - level) for level in others]
        out["steps_cm"] = 100 * float(max(off))
    if "peak" in truth:
        when, high = peak(hips, motion.fps, truth["flight"])
        rise = high - float(np.median(hips[: round(_STILL * motion.fps)]))
        out["peak_pct"] = 100 * abs(rise / float(truth["peak"][1]) - 1)
        out["peak_frames"] = abs(when - float(truth["peak"][0])) * motion.fps
    if "seated" in truth:
        sits = truth["seated"][:count]
        out["seat_cm"] = 100 * abs(float(np.median(hips[sits]) - np.median(true[sits])))
    return out


def floors(truth: Mapping[str, Array]) -> list[float]:
    """Heights of the levels on which the person of a reference stands, metres; 0 where it has none."""
    return _levels(truth["levels"]) if "levels" in truth else [0.0]


def _levels(levels: Array) -> list[float]:
    return [float(level) for level in np.unique(levels[np.isfinite(levels)])]


def peak(height: Floats, fps: float, flight: Array) -> tuple[float, float]:
    """Time, seconds, and value of the greatest of `height` (T,) near a flight from one second to another."""
    first = max(round((flight[0] - _NEAR) * fps), 1)
    last = min(round((flight[1] + _NEAR) * fps), len(height) - 2)
    top = first + int(height[first : last + 1].argmax())
    # a parabola through the highest frame and its neighbours
    before, here, after = height[top - 1 : top + 2]
    bend = before - 2 * here + after
    aside = float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0
    return (top + aside) / fps, float(here - (before - after) * aside / 4)
