"""The page on accuracy: tables, targets and pictures of what `bench.accuracy` measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from kinelift.bench.score import Figures

#: methods and their labels
METHODS = {
    "mediapipe": "MediaPipe",
    "mediapipe_euro": "MediaPipe, One-Euro",
    "mediapipe_butterworth": "MediaPipe, Butterworth",
    "lifter": "lifter alone",
    "lifter_euro": "lifter, One-Euro",
    "lifter_butterworth": "lifter, Butterworth",
    "solved": "**Kinelift, solved**",
    "cleaned": "**Kinelift, cleaned**",
}
#: the method that others are compared with
BASELINE = "mediapipe"
#: the method whose motion is exported
FINAL = "cleaned"
#: figures: (heading, decimals)
COLUMNS = {
    "pa_mpjpe_mm": ("PA-MPJPE mm", 1),
    "sa_mpjpe_mm": ("SA-MPJPE mm", 1),
    "wa_mpjpe_mm": ("WA-MPJPE mm", 0),
    "ends_pa_mm": ("wrists, ankles PA mm", 1),
    "rotation_deg": ("bone rotation °", 1),
    "tilt_deg": ("tilt °", 1),
    "root_drift_pct": ("root drift %", 1),
    "accel_ratio": ("acceleration ratio", 2),
    "foot_slide_mm": ("foot slide mm/frame", 1),
    "bone_std_mm": ("bone std mm", 1),
    "asymmetry_mm": ("asymmetry mm", 1),
    "scale": ("scale", 2),
}
#: figures that also get the ratio to MediaPipe's
HEADLINE = ("pa_mpjpe_mm", "sa_mpjpe_mm")


@dataclass(frozen=True)
class Target:
    """The range of a mean, from least to most, in each group of clips."""

    figure: str
    ranges: dict[str, tuple[float, float]]


#: acceleration over the truth's: neither stiff nor jittery
LIVELY = Target("accel_ratio", {"rendered": (0.8, 1.3), "beam": (0.8, 1.8)})
#: what the means have to reach
TARGETS = (
    Target("pa_mpjpe_mm", {"rendered": (0, 45), "beam": (0, 65)}),
    Target("sa_mpjpe_mm", {"rendered": (0, 62), "beam": (0, 85)}),
    Target("tilt_deg", {"rendered": (0, 4), "beam": (0, 6)}),
    LIVELY,
    Target("rotation_deg", {"rendered": (0, 16)}),
    Target("ends_pa_mm", {"rendered": (0, 65), "beam": (0, 90)}),
)
#: figures by clip (or mean) and method
Results = dict[str, dict[str, Figures]]


def _cell(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:.{decimals}f}"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |\n"


def _header(*cells: str) -> str:
    return _row(list(cells)) + "|---" * len(cells) + "|\n"


def table(row: dict[str, Figures]) -> str:
    """A markdown table of one clip or mean: a line per method, with the headline's ratio to MediaPipe."""
    text = _header("", *(heading for heading, _ in COLUMNS.values()))
    for method, label in METHODS.items():
        cells = [label]
        for figure, (_, decimals) in COLUMNS.items():
            value, before = row[method].get(figure), row[BASELINE].get(figure)
            cell = _cell(value, decimals)
            if figure in HEADLINE and method != BASELINE and value and before:
                cell += f" ({value / before:.2f})"
            cells.append(cell)
        text += _row(cells)
    return text


def summary(results: Results) -> str:
    """A markdown table: a line per clip or mean; MediaPipe's figure, Kinelift's, the headline's ratio."""

    def cell(row: dict[str, Figures], figure: str) -> str:
        before, after = row[BASELINE].get(figure), row[FINAL].get(figure)
        decimals = COLUMNS[figure][1]
        if before is None:
            return _cell(after, decimals)
        text = f"{_cell(before, decimals)} → {_cell(after, decimals)}"
        return f"{text} ({after / before:.2f})" if figure in HEADLINE and before and after else text

    text = _header("clip", *(heading for heading, _ in COLUMNS.values()))
    for name, row in results.items():
        text += _row([name, *(cell(row, figure) for figure in COLUMNS)])
    return text


def targets(means: Results, further: list[tuple[str, str, str]]) -> str:
    """Tables of the targets beside the means, and of further lines (what, target, measured)."""
    groups = [g for g in ("rendered", "beam") if g in means]
    text = (
        _row(["mean", *(f"{g}: target | measured" for g in groups)]) + "|---" * (1 + 2 * len(groups)) + "|\n"
    )
    for target in TARGETS:
        heading, decimals = COLUMNS[target.figure]
        cells = [heading]
        for group in groups:
            value = means[group][FINAL].get(target.figure)
            if group not in target.ranges or value is None:
                cells += ["", _cell(value, decimals)]
                continue
            least, most = target.ranges[group]
            met = least <= value <= most
            cells += [
                f"{least:g} to {most:g}" if least else f"at most {most:g}",
                f"{_cell(value, decimals)} {'met' if met else '**missed**'}",
            ]
        text += _row(cells)
    text += "\n" + _header("", "target", "measured")
    return text + "".join(_row(list(line)) for line in further)


def plot_clips(results: Results, path: Path) -> None:
    """Bars of the headline figures by clip."""
    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplots(len(HEADLINE), 1, sharex=True)
    at = np.arange(len(results))
    shown = {"mediapipe": "#9aa5b1", "lifter": "#f3c39b", "cleaned": "#e8702a"}
    for axis, key in zip(axes, HEADLINE, strict=True):
        for place, (method, colour) in zip((-0.27, 0.0, 0.27), shown.items(), strict=True):
            values = [row[method][key] for row in results.values()]
            bars = axis.bar(at + place, values, 0.27, label=METHODS[method].strip("*"), color=colour)
            axis.bar_label(bars, fmt="%.0f", fontsize=7)
        axis.set_ylabel(COLUMNS[key][0])
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, ncols=3)
    axes[-1].set_xticks(at, list(results), rotation=30, ha="right")
    figure.savefig(path, dpi=110)


def plot_filters(means: Results, path: Path) -> None:
    """Error against acceleration of every method, one plot for each group of clips."""
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    axes = figure.subplots(1, len(means), squeeze=False)[0]
    colours = {"mediapipe": "#68727d", "lifter": "#c98344", "solved": "#d0460e", "cleaned": "#d0460e"}
    shapes = {"": "o", "euro": "^", "butterworth": "s"}
    for axis, (group, row) in zip(axes, means.items(), strict=True):
        axis.axvspan(*LIVELY.ranges.get(group, (1, 1)), color="#e7f3e7")
        for method, label in METHODS.items():
            of, _, way = method.partition("_")
            axis.scatter(
                [row[method]["accel_ratio"]], [row[method]["sa_mpjpe_mm"]], s=60, color=colours[of],
                marker="*" if method == FINAL else shapes[way], label=label.strip("*"),
            )  # fmt: skip
        axis.set_xscale("log")
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_xticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
        axis.set_title(group)
        axis.set_xlabel("acceleration over the truth's; the band is the target")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel(COLUMNS["sa_mpjpe_mm"][0])
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


#: the head of the page
HEAD = """# Accuracy

Written by `python -m bench.accuracy --docs`; don't edit it. The capture {lens} the lens. Every clip has a
reference that was made without MediaPipe or Kinelift; the head of `bench/score.py` explains the figures.
*Rendered* clips show dressed bodies that move to motion capture held out from training, with exact truth.
*Beam* and *pair* show a man on a stage, alone and with a woman beside him, filmed by calibrated cameras, with
joints triangulated from four of them (good to about 25 mm). *Lab* shows two women with marker motion
capture. *Wrists, ankles PA* is the PA-MPJPE of these four joints alone. *Bone rotation* is the mean angle to
the true rotation, all three axes, of {bones} bones, after the one rotation of the clip that SA-MPJPE removes
too.

- **MediaPipe**: its own 3D landmarks, which is what a user gets without Kinelift.
- **lifter alone**: the network's answer, frame by frame on one skeleton, before the solver.
- **Kinelift, solved**: after the solver; **cleaned**: with planted feet too, as in every export.
- **One-Euro** (Casiez, Roussel and Vogel 2012; 1 Hz, 3 Hz more for every m/s) and **Butterworth** (second
  order, forwards and backwards, 6 Hz; Winter 2009) smooth the joints of MediaPipe and of the lifter; the
  solver has to beat them.

In brackets: the ratio to MediaPipe's figure in the same run.
"""


def page(results: Results, means: Results, extra: str, lens: str, pictures: dict[str, str]) -> str:
    """The whole page; `pictures` has the paths of the plots and sheets that it may show."""
    text = HEAD.format(lens=lens, bones=16)
    text += f"\n## Targets\n\n{extra}\n## Means\n"
    for group, row in means.items():
        text += f"\n{group}\n\n{table(row)}"
    text += f"\n![Error against liveliness]({pictures['filters']})\n"
    everything = results | {f"mean of {group}": row for group, row in means.items()}
    text += f"\n## Clips, MediaPipe → Kinelift (cleaned)\n\n{summary(everything)}"
    text += f"\n![Headline figures of every clip]({pictures['clips']})\n"
    text += (
        "\n## Every clip\n\nThe sheets show the captured skeleton over the picture above, and the same "
        "moments from the camera's\nright below: captured (orange left, blue right) over true (grey). "
        "Pictures of the real clips may not be\npublished: they stay in `--out`.\n"
    )
    for name, row in results.items():
        text += f"\n### {name}\n\n{table(row)}"
        if name in pictures:
            text += f"\n![{name}]({pictures[name]})\n"
    return text
