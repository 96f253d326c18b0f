"""Writes docs/methods.md and its plots from the figures of the comparison's rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from kinelift.core.files import replacing
from kinelift.training.columns import COLUMNS
from kinelift.training.compare import FIGURES, TRUTH
from kinelift.training.rows import ROWS

#: figures of a row: those of each set, `parameters`, `ms_per_1000`, `seconds`, `budget`
Figures = dict[str, Any]
#: the words of the page
TEMPLATE = Path(__file__).with_name("methods.md")
#: sets of sequences, and their headings
SETS = {
    "perfect": "`mocap/test`, perfect 2D",
    "noisy": "`mocap/test`, a detector's errors",
    "rendered": "benchmark clips, rendered",
    "real": "benchmark clips, filmed",
}
#: what follows a figure that isn't on perfect 2D
_ON = {
    "perfect": "",
    "noisy": ", a detector's errors",
    "rendered": ", rendered clips",
    "real": ", filmed clips",
}
#: stands for the figures of unfinished rows
MISSING = "missing"


@dataclass(frozen=True)
class Claim:
    """A gain that a paper claims from one of its parts.

    Attributes
    ----------
    about : str
    without, with_it : str
        The rows.
    figure : str
        One of `COLUMNS`.
    paper : (float, float), optional
        The paper's own figures without the part and with it.
    bound : float, optional
        Percent by which our figure has to fall at least.
    group : str
        One of `SETS`.
    """

    about: str
    without: str
    with_it: str
    figure: str = "mpjpe_mm"
    paper: tuple[float, float] | None = None
    bound: float | None = None
    group: str = "perfect"


#: the claims of the papers; those with bounds come first
CLAIMS = (
    Claim("UGCN: motion loss", "ugcn", "ugcn-motion", "mpjpe_mm", (32.0, 25.6), 10),
    Claim("UGCN: motion loss", "ugcn", "ugcn-motion", "mpjve_mm", (3.4, 2.3), 25),
    Claim(
        "UGCN: motion loss that is best here",
        "ugcn", "ugcn-subtraction-4", "mpjpe_mm", (32.0, 25.6), 10,
    ),
    Claim("UGCN: motion loss that is best here", "ugcn", "ugcn-subtraction-4", "mpjve_mm", (3.4, 2.3), 25),
    Claim("UGCN: U shape", "ugcn-no-u", "ugcn", "mpjpe_mm", (38.6, 32.0), 0),
    Claim("UGCN: spatial graph", "ugcn-no-graph", "ugcn", "mpjpe_mm", (39.2, 32.0), 0),
    Claim(
        "SkeletonNet: Gram-Schmidt against 3x3 left as they are",
        "skeletonnet-unconstrained", "skeletonnet", "mpjpe_mm", (124.06, 112.42), 0,
    ),
    Claim("TP-Net, online", "sap-net", "tp-net-online", "bone_std_mm", (61.4, 46.3), 20),
    Claim("TP-Net, semi-online", "sap-net", "tp-net-semi-online", "bone_std_mm", None, 20),
    Claim("SAP-Net: symmetry loss", "simple", "sap-net-symmetry", "asymmetry_mm", (44.9, 31.0), 25),
    Claim("UGCN: merging stage", "ugcn-no-merge", "ugcn", "mpjpe_mm", (32.5, 32.0)),
    Claim("motion loss: cross product, interval 12", "ugcn", "ugcn-cross", "mpjpe_mm", (32.0, 27.1)),
    Claim("motion loss: subtraction, interval 12", "ugcn", "ugcn-subtraction"),
    Claim("motion loss: inner product, interval 12", "ugcn", "ugcn-inner"),
    Claim("motion loss: four intervals against one", "ugcn-cross", "ugcn-motion", "mpjpe_mm", (27.1, 25.6)),
    Claim("motion loss in the simple baseline", "simple", "simple-motion", "mpjve_mm"),
    Claim(
        "SkeletonNet: class against regression",
        "skeletonnet-regression", "skeletonnet", "mpjpe_mm", (119.18, 112.42),
    ),
    Claim(
        "SkeletonNet: class against regression",
        "skeletonnet-regression", "skeletonnet", "global_deg", (21.64, 20.81),
    ),
    Claim(
        "SkeletonNet: Gram-Schmidt against axis-angle",
        "skeletonnet-axis-angle", "skeletonnet", "mpjpe_mm", (175.06, 112.42),
    ),
    Claim("SkeletonNet: Gram-Schmidt against quaternions", "skeletonnet-quaternion", "skeletonnet"),
    Claim("SkeletonNet: bones relative to the hips", "skeletonnet-absolute", "skeletonnet"),
    Claim("SkeletonNet: positions refined, dR", "skeletonnet", "skeletonnet-refined",
          paper=(112.42, 87.05)),
    Claim("SAP-Net: illegal-angle loss", "simple", "sap-net-illegal", "mpjpe_mm", (58.5, 57.7)),
    Claim("SAP-Net: illegal-angle loss", "simple", "sap-net-illegal", "illegal_pct"),
    Claim("SAP-Net: bone-length ratio loss", "simple", "sap-net-ratio", "mpjpe_mm", (58.5, 58.3)),
    Claim("SAP-Net: symmetry loss", "simple", "sap-net-symmetry", "mpjpe_mm", (58.5, 58.3)),
    Claim("SAP-Net: all three losses", "simple", "sap-net", "mpjpe_mm", (58.5, 55.51)),
    Claim("TP-Net, online", "sap-net", "tp-net-online", "mpjpe_mm", (55.51, 52.1)),
    Claim("TP-Net, semi-online", "sap-net", "tp-net-semi-online", "mpjpe_mm", (55.51, 51.1)),
    Claim("TP-Net that keeps SAP-Net's losses", "tp-net-semi-online", "tp-net-structure", "bone_std_mm"),
    Claim("MotioNet: adversarial loss", "motionet-no-adversarial", "motionet"),
    Claim("MotioNet: E_S against lengths by frame", "motionet-frame-lengths", "motionet"),
    Claim("MotioNet: E_S against lengths by frame", "motionet-frame-lengths", "motionet", "bone_std_mm"),
    Claim("TP-Net, online", "sap-net", "tp-net-online", "bone_std_mm", group="noisy"),
    Claim("TP-Net, semi-online", "sap-net", "tp-net-semi-online", "bone_std_mm", group="noisy"),
    Claim("TP-Net, semi-online", "sap-net", "tp-net-semi-online", "mpjve_mm", group="noisy"),
    Claim("MotioNet: confidence", "motionet-no-confidence", "motionet", group="noisy"),
    Claim("MotioNet: confidence", "motionet-no-confidence", "motionet", group="rendered"),
    Claim("MotioNet: MediaPipe's 3D as a further input", "motionet", "motionet-hint", group="noisy"),
    Claim("MotioNet: MediaPipe's 3D as a further input", "motionet", "motionet-hint", group="rendered"),
    Claim("graph convolutions: weights by class of edge", "gcn-shared", "gcn-classes"),
)  # fmt: skip
#: MPJPE that the best row has to reach, mm
BEST = 40.0


def write_report(run: Path, docs: Path, longer: Path | None = None, tries: Iterable[Path] = ()) -> Path:
    """Write methods.md and its plots of the finished rows; the others are called missing.

    The words come from `training/methods.md`. Names in braces are replaced: a table's name, or
    ``row.set.figure``, with ``longer.`` before it for the figure after the longer run.

    Parameters
    ----------
    run, docs : Path
    longer : Path, optional
        A run of some rows with more steps; the table of claims shows it beside.
    tries : iterable of Path
        Runs of some rows with other steps, rates or seeds.
    """
    rows = finished(run)
    far = finished(longer) if longer else {}
    tried = [far, *(finished(one) for one in tries)]
    tables = {
        "budget": _budget(rows),
        "took": _took(rows),
        "claims": claims_table(rows, far),
        "bones": _bones_table(rows),
        "truth": _truth(run / TRUTH),
        "missing": ", ".join(f"`{name}`" for name in ROWS if name not in rows) or "none",
        "longer_budget": _budget(far),
        "longer": set_table(far, "perfect", far) if far else MISSING,
        "tries": tries_table(tried),
        **{name: set_table(rows, name) for name in SETS},
    }

    def said(match: re.Match[str]) -> str:
        if match[1] in tables:
            return tables[match[1]]
        *run_of, name, group, figure = match[1].split(".")
        return _cell(_value(far if run_of else rows, name, group, figure))

    (docs / "images").mkdir(parents=True, exist_ok=True)
    text = re.sub(r"\{([a-z0-9_.-]+)\}", said, TEMPLATE.read_text(encoding="utf-8"))
    _plot_rows(rows, docs / "images" / "methods-rows.png")
    _plot_claims(rows, docs / "images" / "methods-claims.png")
    with replacing(docs / "methods.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    return docs / "methods.md"


def finished(run: Path) -> dict[str, Figures]:
    """The figures of a run's finished rows."""
    return {name: _read(run / name / FIGURES) for name in ROWS if (run / name / FIGURES).exists()}


def _read(path: Path) -> Figures:
    """A row's figures; those of benchmark clips become means by folder."""
    figures: Figures = json.loads(path.read_text(encoding="utf-8"))
    clips = figures.pop("clips")
    for group in {name.split("/")[0] for name in clips}:
        some = [value for name, value in clips.items() if name.startswith(f"{group}/")]
        figures[group] = {column: _mean([one[column] for one in some]) for column in COLUMNS}
    return figures


def _mean(values: list[float | None]) -> float | None:
    there = [v for v in values if v is not None]
    return float(np.mean(there)) if there else None


def _value(rows: dict[str, Figures], row: str, group: str, figure: str) -> float | None:
    value = rows.get(row, {}).get(group, {}).get(figure)
    return None if value is None else float(value)


def _cell(value: float | None) -> str:
    return MISSING if value is None else f"{value:.1f}"


def _table(headings: list[str], lines: list[list[str]]) -> str:
    rule = "|".join("---" for _ in headings)
    return "\n".join(
        [f"| {' | '.join(headings)} |", f"|{rule}|", *(f"| {' | '.join(cells)} |" for cells in lines)]
    )


def set_table(rows: dict[str, Figures], group: str, names: Iterable[str] = ROWS) -> str:
    """The table of one set: these rows, all columns; a dash if the truth lacks what a figure needs."""
    lines = []
    for name in names:
        row = ROWS[name]
        if name not in rows:
            lines.append([f"`{name}`", row.about, *[MISSING] * (len(COLUMNS) + 2)])
            continue
        figures = rows[name].get(group, {})
        cells = ["–" if figures.get(c) is None else f"{figures[c]:.1f}" for c in COLUMNS]
        size = f"{rows[name]['parameters'] / 1e6:.2f}"
        lines.append([f"`{name}`", row.about, *cells, size, f"{rows[name]['ms_per_1000']:.0f}"])
    return _table(["row", "what it is", *COLUMNS.values(), "million parameters", "ms per 1000 frames"], lines)


def claims_table(rows: dict[str, Figures], longer: dict[str, Figures]) -> str:
    """The table of claims: the papers' figures, ours (also after the longer run), and the bounds."""
    lines = []
    for claim in CLAIMS:
        paper = "–" if claim.paper is None else _change(*claim.paper)
        bound = "–" if claim.bound is None else f"-{claim.bound:.0f} % or less" if claim.bound else "lower"
        rows_named = f"`{claim.without}` → `{claim.with_it}`"
        figure = f"{COLUMNS[claim.figure]}{_ON[claim.group]}"
        lines.append([claim.about, rows_named, figure, paper, bound, *_held(claim, rows)])
        if longer:
            lines[-1] += ["–" if cell == MISSING else cell for cell in _held(claim, longer)]
    if rows:
        best = ["the best row", "", COLUMNS["mpjpe_mm"], "25.6", f"at most {BEST:.0f}", *_best(rows)]
        lines.insert(sum(c.bound is not None for c in CLAIMS), best + (_best(longer) if longer else []))
    headings = ["claim", "rows", "figure", "paper", "bound", "here", "holds"]
    if longer:
        headings += ["after the longer run", "holds"]
    return _table(headings, lines)


def tries_table(runs: list[dict[str, Figures]]) -> str:
    """The table of the claims with bounds in runs with other steps, rates and seeds."""
    lines = []
    for claim in (c for c in CLAIMS if c.bound is not None):
        for rows in runs:
            change, held = _held(claim, rows)
            if change == MISSING:
                continue
            budget, rate = rows[claim.with_it]["budget"], rows[claim.with_it]["row"]["rate"]
            how = [f"{budget['steps']}", f"{rate * budget.get('rate', 1):g}", f"{budget['seed']}"]
            lines.append([claim.about, COLUMNS[claim.figure], *how, change, held])
    return _table(["claim", "figure", "steps", "rate", "seed", "here", "holds"], lines) if lines else MISSING


def _held(claim: Claim, rows: dict[str, Figures]) -> list[str]:
    """The change that the rows show for a claim, and whether its bound holds."""
    before, after = (_value(rows, row, claim.group, claim.figure) for row in (claim.without, claim.with_it))
    if before is None or after is None:
        return [MISSING, "–" if claim.bound is None else MISSING]
    if claim.bound is None:
        return [_change(before, after), "–"]
    met = after <= before * (1 - claim.bound / 100) and after < before
    return [_change(before, after), "yes" if met else "**no**"]


def _best(rows: dict[str, Figures]) -> list[str]:
    """The best row and its figure, and whether it reaches `BEST`."""
    reached = {name: _value(rows, name, "perfect", "mpjpe_mm") for name in rows}
    best, value = min(((n, v) for n, v in reached.items() if v is not None), key=lambda pair: pair[1])
    return [f"`{best}` {_cell(value)}", "yes" if value <= BEST else "**no**"]


def _change(before: float, after: float) -> str:
    return (
        f"{before:.1f} → {after:.1f} ({100 * (after / before - 1):+.1f} %)" if before else f"0 → {after:.1f}"
    )


def _bones_table(rows: dict[str, Figures]) -> str:
    """The table of rotation errors by joint, relative to the hips, of one row of each lifter."""
    names = [n for n in ("motionet", "skeletonnet", "ugcn-motion", "gcn-classes", "simple") if n in rows]
    if not names:
        return MISSING
    joints = list(rows[names[0]]["perfect"]["bones"])
    lines = [[joint, *(_cell(rows[n]["perfect"]["bones"][joint]) for n in names)] for joint in joints]
    return _table(["joint", *(f"`{n}`" for n in names)], lines)


def _budget(rows: dict[str, Figures]) -> str:
    """The budget of each row, in words."""
    if not rows:
        return MISSING
    budgets = {json.dumps(r["budget"], sort_keys=True): r["budget"] for r in rows.values()}
    parts = []
    for b in budgets.values():
        parts.append(
            f"{b['steps']} steps on perfect 2D and {b['later']} on detections, of {b['batch']} clips of "
            f"96 frames (from {b['clips']} of each kind), seed {b['seed']}"
        )
    return "; ".join(parts)


def _took(rows: dict[str, Figures]) -> str:
    seconds = sorted(r["seconds"] for r in rows.values())
    return f"{seconds[0]:.0f} to {seconds[-1]:.0f} s" if seconds else MISSING


def _truth(path: Path) -> str:
    if not path.exists():
        return MISSING
    shares = json.loads(path.read_text(encoding="utf-8"))
    return f"{shares['elbows']:.1f} % of the elbows and {shares['knees']:.1f} % of the knees"


def _plot_rows(rows: dict[str, Figures], path: Path) -> None:
    """Bars: MPJPE of every row on three sets."""
    figure = Figure(figsize=(9, 0.45 * len(ROWS) + 1), layout="constrained")
    axis = figure.subplots()
    at = np.arange(len(ROWS))
    for place, (group, colour) in zip(
        (-0.27, 0, 0.27),
        (("perfect", "#2a6fb0"), ("noisy", "#e8702a"), ("rendered", "#9aa5b1")),
        strict=True,
    ):
        values = [_value(rows, name, group, "mpjpe_mm") or 0 for name in ROWS]
        bars = axis.barh(at + place, values, 0.27, label=SETS[group].replace("`", ""), color=colour)
        axis.bar_label(bars, fmt=lambda v: f"{v:.0f}" if v else "", fontsize=6, padding=2)
    axis.set_yticks(at, list(ROWS), fontsize=8)
    axis.invert_yaxis()
    axis.margins(y=0.01)
    axis.set_xlabel("MPJPE mm")
    axis.legend(frameon=False, fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def _plot_claims(rows: dict[str, Figures], path: Path) -> None:
    """Bars: the change that each part makes to its figure, in the paper and here."""
    found = []
    for claim in CLAIMS:
        before, after = (
            _value(rows, row, claim.group, claim.figure) for row in (claim.without, claim.with_it)
        )
        if before and after is not None:
            theirs = 100 * (claim.paper[1] / claim.paper[0] - 1) if claim.paper else 0.0
            label = f"{claim.about}: {COLUMNS[claim.figure]}{_ON[claim.group]}"
            found.append((label, 100 * (after / before - 1), theirs, claim.bound))
    figure = Figure(figsize=(9, 0.34 * len(found) + 1), layout="constrained")
    axis = figure.subplots()
    at = np.arange(len(found))
    axis.barh(at - 0.2, [ours for _, ours, _, _ in found], 0.4, label="here", color="#2a6fb0")
    axis.barh(at + 0.2, [theirs for _, _, theirs, _ in found], 0.4, label="the paper", color="#c9ced6")
    bounds = [(i, -bound) for i, (_, _, _, bound) in enumerate(found) if bound is not None]
    axis.scatter(
        [b for _, b in bounds], [i for i, _ in bounds], marker="|", s=180, color="#d02020", label="bound"
    )
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(at, [label for label, *_ in found], fontsize=7)
    axis.invert_yaxis()
    axis.margins(y=0.01)
    axis.set_xlabel("change, %")
    axis.legend(frameon=False, fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
