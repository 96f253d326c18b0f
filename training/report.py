"""Writes docs/methods.md and its plots from the figures of the comparison's rows."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from kinelift.core.files import replacing
from kinelift.training.claims import CLAIMS, Claim, interval, verdict
from kinelift.training.columns import COLUMNS
from kinelift.training.compare import SEEDS, TRUTH, plain, result_file
from kinelift.training.rows import ROWS

#: what a seed of a row left: figures of each set, `parameters`, `ms_per_1000`, `seconds`, `curve`, `budget`
Figures = dict[str, Any]
#: by row and seed
Results = dict[str, dict[int, Figures]]
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
#: steps that take this much more or less time, as a share, call for a comparison at equal time
_DEARER = 0.2
#: MPJPE that the best row has to reach, mm
BEST = 40.0
#: rows whose learning curves are in one picture
_CURVES = {
    "UGCN": ("ugcn", "ugcn-motion", "ugcn-no-u", "ugcn-1-pair", "ugcn-2-pairs", "ugcn-no-graph"),
    "motion loss": ("ugcn", "ugcn-cross", "ugcn-subtraction", "ugcn-inner", "ugcn-norm", "ugcn-norm-motion"),
    "SkeletonNet": tuple(name for name in ROWS if name.startswith("skeletonnet")),
    "SAP-Net, TP-Net": ("simple", "sap-net", "sap-net-half", "tp-net-online", "tp-net-semi-online",
                        "tp-net-lstm", "tp-net-bi-lstm"),
    "MotioNet": tuple(name for name in ROWS if name.startswith("motionet")),
    "graph convolutions": ("ugcn", "gcn-shared", "gcn-classes", "local-to-global"),
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """What a part changes: means without and with it, the interval of the difference in percent, seeds."""

    before: float
    after: float
    low: float
    high: float
    seeds: int

    def __str__(self) -> str:
        if not self.before:
            return f"0 → {self.after:.1f}"
        percent = 100 * (self.after / self.before - 1)
        return f"{self.before:.1f} → {self.after:.1f} ({percent:+.1f} %; {self.low:+.1f} to {self.high:+.1f})"


def write_report(results: Path, docs: Path) -> Path:
    """Write methods.md and its plots of the finished rows; the others are called missing.

    The words come from `training/methods.md`. Names in braces are replaced: a table's name, a figure as
    ``row.set.figure``, or the change from one row to another as ``row>row.set.figure``.

    Parameters
    ----------
    results, docs : Path
    """
    rows, timed = (finished(results, kind) for kind in ("steps", "seconds"))
    tables = {
        "budget": _budget(rows),
        "times": _times(timed),
        "claims": claims_table(rows, timed),
        "bones": _bones_table(rows),
        "truth": _truth(results / TRUTH),
        "missing": _missing(rows),
        **{name: set_table(rows, name) for name in SETS},
    }

    def said(match: re.Match[str]) -> str:
        if match[1] in tables:
            return tables[match[1]]
        names, group, figure = match[1].split(".")
        if ">" in names:
            without, with_it = names.split(">")
            found = change(Claim("", without, with_it, figure, group=group), rows)
            return str(found or MISSING)
        return _cell(_value(rows, names, group, figure))

    (docs / "images").mkdir(parents=True, exist_ok=True)
    text = re.sub(PLACE, said, TEMPLATE.read_text(encoding="utf-8"))
    _plot_rows(rows, docs / "images" / "methods-rows.png")
    _plot_claims(rows, docs / "images" / "methods-claims.png")
    _plot_curves(rows, docs / "images" / "methods-curves.png")
    with replacing(docs / "methods.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    return docs / "methods.md"


#: what is replaced in the words of the page
PLACE = r"\{([a-z0-9_.>-]+)\}"


def finished(results: Path, kind: str) -> Results:
    """The figures of the finished rows; those of a row that has changed since don't count."""
    out: Results = {}
    for path in sorted(result_file(results, kind, "*", 0).parent.glob("*.json")):
        figures = json.loads(path.read_text(encoding="utf-8"))
        name = path.name.split(".")[0]
        if name in ROWS and figures["row"] == plain(ROWS[name]):
            out.setdefault(name, {})[figures["seed"]] = figures
    return out


def _value(rows: Results, row: str, group: str, figure: str) -> float | None:
    """A figure's mean over seeds."""
    values = [one.get(group, {}).get(figure) for one in rows.get(row, {}).values()]
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None


def change(claim: Claim, rows: Results) -> Change | None:
    """What the rows show for a claim; None if they aren't finished, or not with the same budget."""
    before, after = (rows.get(name, {}) for name in (claim.without, claim.with_it))
    seeds = sorted(before.keys() & after.keys())
    clips = [[one[s].get(claim.group, {}).get("clips", {}).get(claim.figure) for s in seeds]
             for one in (before, after)]  # fmt: skip
    if not seeds or None in clips[0] or None in clips[1]:
        return None
    if len({json.dumps(one[s]["budget"], sort_keys=True) for one in (before, after) for s in seeds}) > 1:
        return None
    without, with_it = (np.array(one) for one in clips)
    mean = float(without.mean())
    scale = 100 / mean if mean else 1.0
    low, high = interval(with_it - without)
    return Change(mean, float(with_it.mean()), scale * low, scale * high, len(seeds))


def cost(rows: Results, name: str) -> float | None:
    """Seconds of a row's steps on perfect 2D, those of the row inside of it included."""
    inner = ROWS[name].inner
    inside = cost(rows, inner) if inner else 0.0
    if not rows.get(name) or inside is None:
        return None
    return inside + float(np.mean([one["seconds"][0] for one in rows[name].values()]))


def claims_table(rows: Results, timed: Results) -> str:
    """The table of claims: the papers' figures and ours, at equal steps, and at equal time."""
    lines = []
    for claim in CLAIMS:
        paper = "–" if claim.paper is None else _percent(*claim.paper)
        bound = "–" if claim.bound is None else f"-{claim.bound:.0f} % or less" if claim.bound else "lower"
        pair, figure = f"`{claim.without}` → `{claim.with_it}`", COLUMNS[claim.figure] + _ON[claim.group]
        here = [*_judged(claim, rows), *_at_equal_time(claim, rows, timed)]
        lines.append([claim.about, pair, figure, paper, bound, *here])
    value, best = min(
        ((v, n) for n in rows if (v := _value(rows, n, "perfect", "mpjpe_mm"))), default=(np.inf, "")
    )
    reached = [MISSING, MISSING]
    if best:
        reached = [f"`{best}` {value:.1f}", "yes" if value <= BEST else "**no**"]
    lines.insert(
        sum(bool(c.bound) for c in CLAIMS),
        ["the best row", "", "MPJPE mm", "25.6", f"at most {BEST:.0f}", *reached, "–", "–", "–"],
    )
    headings = ["claim", "rows", "figure", "paper", "bound", "here (95 % interval)", "holds"]
    return _table([*headings, "time of a step", "at equal time", "holds"], lines)


def _judged(claim: Claim, rows: Results) -> list[str]:
    found = change(claim, rows)
    if found is None:
        return [MISSING, "–" if claim.bound is None else MISSING]
    # one seed tells nothing of how seeds vary
    holds = verdict(found.low, found.high, claim.bound) if found.seeds > 1 else "one seed"
    return [str(found), holds]


def _at_equal_time(claim: Claim, rows: Results, timed: Results) -> list[str]:
    """How much dearer the part is, and what is left of its gain at equal time."""
    costs = [cost(rows, name) for name in (claim.without, claim.with_it)]
    if None in costs or claim.group != "perfect":
        return ["–", "–", "–"]
    ratio = float(costs[1] or 0) / float(costs[0] or 1)
    if abs(np.log(max(ratio, 1e-3))) < np.log(1 + _DEARER):
        return [f"× {ratio:.2f}", "–", "–"]
    return [f"× {ratio:.2f}", *_judged(claim, timed)]


def _percent(before: float, after: float) -> str:
    return f"{before:.1f} → {after:.1f} ({100 * (after / before - 1):+.1f} %)"


def _cell(value: float | None) -> str:
    return MISSING if value is None else f"{value:.1f}"


def _table(headings: list[str], lines: list[list[str]]) -> str:
    rule = "|".join("---" for _ in headings)
    return "\n".join(
        [f"| {' | '.join(headings)} |", f"|{rule}|", *(f"| {' | '.join(cells)} |" for cells in lines)]
    )


def set_table(rows: Results, group: str) -> str:
    """The table of one set: finished rows, all columns; a dash if the truth lacks what a figure needs."""
    lines = []
    for name, row in ROWS.items():
        seeds = [one for one in rows.get(name, {}).values() if group in one]
        if not seeds:
            continue
        cells = []
        for column in COLUMNS:
            value = _value(rows, name, group, column)
            cells.append("–" if value is None else f"{value:.1f}")
        if len(seeds) > 1:
            cells[0] += f" ± {np.std([one[group]['mpjpe_mm'] for one in seeds], ddof=1):.1f}"
        size, pace = (np.mean([one[key] for one in seeds]) for key in ("parameters", "ms_per_1000"))
        took = cost(rows, name)
        time = MISSING if took is None else f"{took:.0f}"
        lines.append([f"`{name}`", row.about, *cells, f"{size / 1e6:.2f}", f"{pace:.0f}", time])
    sizes = ["million parameters", "ms per 1000 frames", "s of training"]
    return _table(["row", "what it is", *COLUMNS.values(), *sizes], lines) if lines else MISSING


def _bones_table(rows: Results) -> str:
    """The table of rotation errors by joint, relative to the hips, of one row of each lifter."""
    names = [n for n in ("motionet", "skeletonnet", "ugcn-motion", "local-to-global", "simple") if n in rows]
    if not names:
        return MISSING
    bones = {n: [one["perfect"]["bones"] for one in rows[n].values()] for n in names}
    lines = [
        [joint, *(f"{np.mean([seed[joint] for seed in bones[n]]):.1f}" for n in names)]
        for joint in bones[names[0]][0]
    ]
    return _table(["joint", *(f"`{n}`" for n in names)], lines)


def _budget(rows: Results) -> str:
    """The budget of the rows, in words."""
    budgets = {json.dumps(one["budget"], sort_keys=True) for seeds in rows.values() for one in seeds.values()}
    parts = [
        f"{b['steps']} steps on perfect 2D and {b['later']} on detections, of {b['frames']} frames"
        for b in map(json.loads, sorted(budgets))
    ]
    return "; ".join(parts) or MISSING


def _times(timed: Results) -> str:
    """The budgets in time, in words."""
    seconds = {one["budget"]["seconds"] for seeds in timed.values() for one in seeds.values()}
    return ", ".join(f"{s:.0f} s" for s in sorted(seconds)) or MISSING


def _missing(rows: Results) -> str:
    """Which rows lack which seeds, in words."""
    lacking = {name: [str(s) for s in SEEDS if s not in rows.get(name, {})] for name in ROWS}
    parts = [
        f"`{name}`" + (f" (seed {', '.join(seeds)})" if len(seeds) < len(SEEDS) else "")
        for name, seeds in lacking.items()
        if seeds
    ]
    return ", ".join(parts) or "none"


def _truth(path: Path) -> str:
    if not path.exists():
        return MISSING
    shares = json.loads(path.read_text(encoding="utf-8"))
    return f"{shares['elbows']:.1f} % of the elbows and {shares['knees']:.1f} % of the knees"


def _plot_rows(rows: Results, path: Path) -> None:
    """Bars: MPJPE of every row on three sets."""
    figure = Figure(figsize=(9, 0.42 * len(ROWS) + 1), layout="constrained")
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
    axis.set_xlabel("MPJPE mm")
    _bars(figure, axis, path)


def _plot_claims(rows: Results, path: Path) -> None:
    """Bars: the change that each part makes to its figure, with its interval, in the paper and here."""
    found = [(claim, c) for claim in CLAIMS if (c := change(claim, rows)) is not None and c.before]
    figure = Figure(figsize=(9, 0.34 * len(found) + 1), layout="constrained")
    axis = figure.subplots()
    at = np.arange(len(found))
    ours = np.array([100 * (c.after / c.before - 1) for _, c in found])
    spread = np.array([(now - c.low, c.high - now) for now, (_, c) in zip(ours, found, strict=True)])
    theirs = [100 * (c.paper[1] / c.paper[0] - 1) if c.paper else 0.0 for c, _ in found]
    axis.barh(at - 0.2, ours, 0.4, xerr=spread.reshape(-1, 2).T, label="here", color="#2a6fb0")
    axis.barh(at + 0.2, theirs, 0.4, label="the paper", color="#c9ced6")
    bounds = [(i, -claim.bound) for i, (claim, _) in enumerate(found) if claim.bound]
    axis.scatter(
        [b for _, b in bounds], [i for i, _ in bounds], marker="|", s=180, color="#d02020", label="bound"
    )
    axis.axvline(0, color="black", linewidth=0.8)
    labels = [f"{c.about}: {COLUMNS[c.figure]}{_ON[c.group]}" for c, _ in found]
    axis.set_yticks(at, labels, fontsize=7)
    axis.set_xlabel("change, %")
    _bars(figure, axis, path)


def _bars(figure: Figure, axis: Any, path: Path) -> None:
    """From the top down, with a legend, into the file."""
    axis.invert_yaxis()
    axis.margins(y=0.01)
    axis.legend(frameon=False, fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def _plot_curves(rows: Results, path: Path) -> None:
    """Lines: MPJPE over the time of the steps, mean of the seeds, those of the row inside included."""
    figure = Figure(figsize=(11, 12), layout="constrained")
    for axis, (title, names) in zip(figure.subplots(3, 2).flat, _CURVES.items(), strict=True):
        for name in names:
            curves = [one["curve"] for one in rows.get(name, {}).values() if one["curve"]]
            before = cost(rows, ROWS[name].inner) if ROWS[name].inner else 0.0
            if curves and before is not None:
                _, seconds, error = np.mean(curves, axis=0).T
                axis.plot(before + seconds, error, marker=".", label=name)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("s of steps")
        axis.set_ylabel("MPJPE mm")
        axis.set_yscale("log")
        axis.spines[["top", "right"]].set_visible(False)
        if axis.lines:
            axis.legend(frameon=False, fontsize=7)
    figure.savefig(path, dpi=100)
