"""What the papers claim, and whether it holds here: paired differences by clip and seed, with an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinelift.core.arrays import Array


@dataclass(frozen=True)
class Claim:
    """A gain that a paper claims from one of its parts.

    Attributes
    ----------
    about : str
    without, with_it : str
        The rows.
    figure : str
        One of `columns.COLUMNS`.
    paper : (float, float), optional
        The paper's own figures without the part and with it.
    bound : float, optional
        Percent by which our figure has to fall at least; None if nothing is claimed.
    group : str
        One of `report.SETS`.
    """

    about: str
    without: str
    with_it: str
    figure: str = "mpjpe_mm"
    paper: tuple[float, float] | None = None
    bound: float | None = 0.0
    group: str = "perfect"


#: the claims of the papers; those that have to gain a certain share come first
CLAIMS = (
    Claim("UGCN: motion loss", "ugcn", "ugcn-motion", "mpjpe_mm", (32.0, 25.6), 10),
    Claim("UGCN: motion loss", "ugcn", "ugcn-motion", "mpjve_mm", (3.4, 2.3), 25),
    Claim("UGCN: motion loss by subtraction", "ugcn", "ugcn-subtraction-4", "mpjpe_mm", (32.0, 25.6), 10),
    Claim("UGCN: motion loss by subtraction", "ugcn", "ugcn-subtraction-4", "mpjve_mm", (3.4, 2.3), 25),
    Claim("TP-Net, online", "sap-net", "tp-net-online", "bone_std_mm", (61.4, 46.3), 20),
    Claim("TP-Net, semi-online", "sap-net", "tp-net-semi-online", "bone_std_mm", None, 20),
    Claim("SAP-Net: symmetry loss", "simple", "sap-net-symmetry", "asymmetry_mm", (44.9, 31.0), 25),
    Claim("UGCN: U shape", "ugcn-no-u", "ugcn", paper=(38.6, 32.0)),
    Claim("UGCN: U shape, with motion loss", "ugcn-no-u-motion", "ugcn-cross", paper=(36.9, 27.1)),
    Claim("UGCN: four pairs against one", "ugcn-1-pair", "ugcn", paper=(37.2, 32.0)),
    Claim("UGCN: four pairs against one, with motion loss", "ugcn-1-pair-motion", "ugcn-cross",
          paper=(34.8, 27.1)),
    Claim("UGCN: four pairs against two", "ugcn-2-pairs", "ugcn", paper=(36.9, 32.0)),
    Claim("UGCN: four pairs against two, with motion loss", "ugcn-2-pairs-motion", "ugcn-cross",
          paper=(33.7, 27.1)),
    Claim("UGCN: spatial graph", "ugcn-no-graph", "ugcn", paper=(39.2, 32.0)),
    Claim("UGCN: merging stage", "ugcn-no-merge", "ugcn", paper=(32.5, 32.0)),
    Claim("UGCN: merging stage, with motion loss", "ugcn-no-merge-motion", "ugcn-motion",
          paper=(28.4, 25.6)),
    Claim("motion loss: cross product, 12", "ugcn", "ugcn-cross", paper=(32.0, 27.1)),
    Claim("motion loss: subtraction, 12", "ugcn", "ugcn-subtraction"),
    Claim("motion loss: inner product, 12", "ugcn", "ugcn-inner"),
    *(Claim(f"motion loss: cross product, {interval}", "ugcn", f"ugcn-cross-{interval}")
      for interval in (2, 4, 8, 16, 24, 36)),
    Claim("motion loss: 12 against 2", "ugcn-cross-2", "ugcn-cross"),
    Claim("motion loss: 12 against 36", "ugcn-cross-36", "ugcn-cross"),
    Claim("motion loss: cross product against subtraction", "ugcn-subtraction", "ugcn-cross"),
    Claim("motion loss: cross product against inner product", "ugcn-inner", "ugcn-cross"),
    Claim("motion loss: four intervals against one", "ugcn-cross", "ugcn-motion", paper=(27.1, 25.6)),
    Claim("motion loss: two operators against one", "ugcn-cross", "ugcn-two-operators",
          paper=(27.1, 27.1), bound=None),
    Claim("motion loss: three operators against one", "ugcn-cross", "ugcn-three-operators",
          paper=(27.1, 27.1), bound=None),
    Claim("motion loss: a tenth as heavy", "ugcn-motion", "ugcn-motion-light", bound=None),
    Claim("derivative loss", "ugcn", "ugcn-derivative", paper=(32.0, 31.6)),
    Claim("motion loss against the derivative loss", "ugcn-derivative", "ugcn-cross", paper=(31.6, 27.1)),
    Claim("motion loss on a base loss that isn't squared", "ugcn-norm", "ugcn-norm-motion"),
    Claim("motion loss on a base loss that isn't squared", "ugcn-norm", "ugcn-norm-motion", "mpjve_mm"),
    Claim("UGCN: base loss not squared", "ugcn", "ugcn-norm", bound=None),
    Claim("SkeletonNet: Gram-Schmidt against 3x3 left as they are",
          "skeletonnet-unconstrained", "skeletonnet", paper=(124.06, 112.42)),
    Claim("SkeletonNet: class against regression", "skeletonnet-regression", "skeletonnet",
          paper=(119.18, 112.42)),
    Claim("SkeletonNet: class against regression", "skeletonnet-regression", "skeletonnet", "global_deg",
          (21.64, 20.81)),
    Claim("SkeletonNet: against absolute rotations", "skeletonnet-absolute", "skeletonnet"),
    Claim("SkeletonNet: against absolute 3x3 left as they are",
          "skeletonnet-absolute-unconstrained", "skeletonnet", paper=(114.7, 112.42)),
    Claim("SkeletonNet: against absolute 3x3 left as they are",
          "skeletonnet-absolute-unconstrained", "skeletonnet", "mirrored_pct"),
    Claim("SkeletonNet: against axis-angle", "skeletonnet-axis-angle", "skeletonnet", paper=(175.06, 112.42)),
    Claim("SkeletonNet: against axis-angle", "skeletonnet-axis-angle", "skeletonnet", "bones_deg",
          (37.34, 29.46)),
    Claim("SkeletonNet: axis-angle against the chain of joints",
          "skeletonnet-chained", "skeletonnet-axis-angle", paper=(197.44, 175.06)),
    Claim("SkeletonNet: axis-angle against the chain of joints",
          "skeletonnet-chained", "skeletonnet-axis-angle", "bones_deg", (44.77, 37.34)),
    Claim("SkeletonNet: against quaternions", "skeletonnet-quaternion", "skeletonnet", bound=None),
    Claim("SkeletonNet: positions refined, dR", "skeletonnet", "skeletonnet-refined",
          paper=(112.42, 87.05)),
    Claim("simple baseline: loss not squared", "simple-squared", "simple", bound=None),
    Claim("SAP-Net: illegal-angle loss", "simple", "sap-net-illegal", paper=(58.5, 57.7)),
    Claim("SAP-Net: illegal-angle loss", "simple", "sap-net-illegal", "illegal_pct"),
    Claim("SAP-Net: bone-length ratio loss", "simple", "sap-net-ratio", paper=(58.5, 58.3)),
    Claim("SAP-Net: symmetry loss", "simple", "sap-net-symmetry", paper=(58.5, 58.3)),
    Claim("SAP-Net: all three losses", "simple", "sap-net", paper=(58.5, 55.51)),
    Claim("TP-Net, online", "sap-net", "tp-net-online", paper=(55.51, 52.1)),
    Claim("TP-Net, semi-online", "sap-net", "tp-net-semi-online", paper=(55.51, 51.1)),
    Claim("TP-Net, online", "sap-net", "tp-net-online", "bone_std_mm", group="noisy"),
    Claim("TP-Net, semi-online", "sap-net", "tp-net-semi-online", "bone_std_mm", group="noisy"),
    Claim("TP-Net, semi-online", "sap-net", "tp-net-semi-online", "mpjve_mm", group="noisy"),
    Claim("TP-Net, semi-online", "sap-net", "tp-net-semi-online", group="noisy"),
    Claim("TP-Net, online: 20 poses against 4", "tp-net-4", "tp-net-online", paper=(53.0, 52.1)),
    Claim("TP-Net, online: 20 poses against 10", "tp-net-10", "tp-net-online", paper=(52.24, 52.1)),
    Claim("TP-Net, semi-online: 20 poses against 4", "tp-net-semi-online-4", "tp-net-semi-online",
          paper=(52.4, 51.1)),
    Claim("TP-Net, semi-online: 20 poses against 10", "tp-net-semi-online-10", "tp-net-semi-online",
          paper=(51.36, 51.1)),
    Claim("TP-Net, online, against an LSTM", "tp-net-lstm", "tp-net-online", paper=(54.05, 52.1)),
    Claim("TP-Net, semi-online, against an LSTM in both directions",
          "tp-net-bi-lstm", "tp-net-semi-online", paper=(53.65, 51.1)),
    Claim("TP-Net: skeleton fit", "tp-net-semi-online", "tp-net-fitted"),
    Claim("TP-Net: skeleton fit", "tp-net-semi-online", "tp-net-fitted", group="noisy"),
    Claim("TP-Net that keeps SAP-Net's losses", "tp-net-semi-online", "tp-net-structure", "bone_std_mm",
          bound=None),
    Claim("MotioNet: adversarial loss", "motionet-no-adversarial", "motionet", bound=None),
    Claim("MotioNet: adversarial loss", "motionet-no-adversarial", "motionet", "velocity_gap"),
    Claim("MotioNet: adversarial loss", "motionet-no-adversarial", "motionet", "acceleration_gap"),
    Claim("MotioNet: adversarial loss as heavy as in the paper",
          "motionet-no-adversarial", "motionet-adversarial-1", bound=None),
    Claim("MotioNet: adversarial loss as heavy as in the paper",
          "motionet-no-adversarial", "motionet-adversarial-1", "velocity_gap"),
    Claim("MotioNet: adversarial loss as heavy as in the paper",
          "motionet-no-adversarial", "motionet-adversarial-1", "acceleration_gap"),
    Claim("MotioNet: E_S against lengths by frame", "motionet-frame-lengths", "motionet"),
    Claim("MotioNet: E_S against lengths by frame", "motionet-frame-lengths", "motionet", "bone_std_mm"),
    Claim("MotioNet: confidence", "motionet-no-confidence", "motionet", group="noisy"),
    Claim("MotioNet: confidence", "motionet-no-confidence", "motionet", group="rendered"),
    Claim("graph convolutions: weights by class of edge", "gcn-shared", "gcn-classes"),
    Claim("graph convolutions: local to global", "gcn-classes", "local-to-global"),
)  # fmt: skip


def kept_by_clip(row: str, group: str) -> set[str]:
    """The figures of a row on a set that are needed by clip."""
    return {
        "mpjpe_mm",
        *(c.figure for c in CLAIMS if row in (c.without, c.with_it) and c.group == group),
    }


def interval(differences: Array) -> tuple[float, float]:
    """95 % interval of the mean of paired differences (seeds, clips).

    Seeds and clips are random and crossed: every seed was measured on the same clips. The variance of the
    mean has a share of each and of what is left, estimated by the mean squares of a two-way analysis of
    variance, with Satterthwaite's degrees of freedom. One seed tells nothing of how seeds vary.
    """
    seeds, clips = differences.shape
    mean = differences.mean()
    by_clip = differences.mean(0) - mean
    square_clips = seeds * (by_clip**2).sum() / (clips - 1)
    if seeds == 1:
        variance, freedom = square_clips / clips, clips - 1.0
    else:
        by_seed = differences.mean(1) - mean
        square_seeds = clips * (by_seed**2).sum() / (seeds - 1)
        rest = differences - mean - by_clip - by_seed[:, None]
        square_rest = (rest**2).sum() / ((seeds - 1) * (clips - 1))
        # a component may be estimated as negative: then it is none
        square = max(square_seeds + square_clips - square_rest, square_seeds, square_clips)
        parts = (
            square_seeds**2 / (seeds - 1)
            + square_clips**2 / (clips - 1)
            + square_rest**2 / ((seeds - 1) * (clips - 1))
        )
        variance, freedom = square / (seeds * clips), max(1.0, square**2 / parts) if parts else 1.0
    half = student(freedom) * variance**0.5
    return float(mean - half), float(mean + half)


def student(freedom: float) -> float:
    """What the size of Student's t exceeds in 5 % of cases, with these degrees of freedom, at least 1.

    With t = sqrt(freedom) tan(a) the density of the angle is a power of its cosine.
    """
    angle = np.linspace(0, np.pi / 2, 100_001)
    share = np.cumsum(np.cos(angle) ** (freedom - 1))
    return float(np.sqrt(freedom) * np.tan(np.interp(0.95, share / share[-1], angle)))


def verdict(low: float, high: float, bound: float | None) -> str:
    """Whether a figure fell by `bound` percent at least, by the interval of its change in percent."""
    if bound is None:
        return "–"
    if high < 0 and high <= -bound:
        return "yes"
    return "**no**" if low >= 0 or low > -bound else "undecided"
