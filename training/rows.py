"""The rows of the comparison: every method of the papers, and every part that a paper claims a gain from.

The networks are small enough for two CPU cores (`--config small`); `FULL` has the sizes for a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: weights of the losses of positions (`training.losses`, metres)
POSITIONS = {"joints": 1.0, "depth": 0.1, "aside": 0.2}
#: weights of the losses of bodies (metres; squared chord lengths)
BODY = POSITIONS | {"rotations": 0.3, "lengths": 0.2, "contacts": 0.02, "slide": 0.5, "up": 0.2}
#: weight of SAP-Net's illegal-angle loss (Dabral et al. 2018, section 4.3)
ILLEGAL = {"illegal": 0.03}
#: weight of its bone-length ratio loss
RATIO = {"ratio": 0.03}
#: weight of its symmetry loss
SYMMETRY = {"symmetry": 0.05}
#: intervals of UGCN's best motion loss, frames (Wang et al. 2020, table 2)
INTERVALS = (8, 12, 16, 24)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    about : str
        Description in the table.
    lifter : str
        One of `training.methods.table.LIFTERS`.
    options : dict
        The lifter's arguments.
    losses : dict
        Weights of `training.losses`.
    motion : str
        Operator of the motion loss; empty for none.
    intervals : tuple of int
        Intervals of the motion loss, frames.
    weight : float
        Weight of the motion loss.
    structure : dict
        Weights of SAP-Net's bone-structure losses (`illegal`, `ratio`, `symmetry`).
    adversarial : float
        Weight of MotioNet's adversarial loss.
    classes : float
        Weight of the classification of the global rotation.
    refined : float
        Weight of SkeletonNet's refined positions.
    inner : str
        The row whose finished lifter this one contains; empty for none.
    confidence, hint : bool
        Whether the lifter's input has the detector's confidence and its 3D.
    rate : float
        The highest learning rate.
    """

    about: str
    lifter: str
    options: dict[str, Any] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=lambda: POSITIONS)
    motion: str = ""
    intervals: tuple[int, ...] = INTERVALS
    weight: float = 1.0
    structure: dict[str, float] = field(default_factory=dict)
    adversarial: float = 0.0
    classes: float = 0.0
    refined: float = 0.0
    inner: str = ""
    confidence: bool = True
    hint: bool = False
    rate: float = 3e-3


#: sizes of the networks
_UGCN = {"channels": 32, "dropout": 0.0}
_SIMPLE = {"channels": 384, "dropout": 0.0}
_GCN = {"channels": 32, "layers": 6}
_MOTIONET = {"channels": 128, "static_channels": 64}
_SKELETON: dict[str, Any] = {"channels": 384, "dropout": 0.0}


def _ugcn(
    about: str, motion: str = "", intervals: tuple[int, ...] = INTERVALS, weight: float = 1.0, **options: Any
) -> Row:
    options = _UGCN | options
    return Row(about, "ugcn", options, motion=motion, intervals=intervals, weight=weight, rate=5e-3)


def _simple(about: str, **changed: Any) -> Row:
    return Row(about, "simple", _SIMPLE, **changed)


def _skeletonnet(about: str, **options: Any) -> Row:
    classes = 0.02 if options.get("centres", 1) else 0.0
    refined = 1.0 if options.get("refined") else 0.0
    return Row(about, "skeletonnet", _SKELETON | options, BODY, classes=classes, refined=refined, rate=2e-3)


def _motionet(about: str, losses: dict[str, float] = BODY, **changed: Any) -> Row:
    options = _MOTIONET | changed.pop("options", {})
    return Row(about, "motionet", options, losses, **{"adversarial": 0.01, "rate": 2e-3} | changed)


def _tpnet(about: str, online: bool, **changed: Any) -> Row:
    options = _SIMPLE | {"hidden": 1024, "online": online}
    return Row(about, "tp-net", options, inner="sap-net", rate=1e-3, **changed)


#: rows of claims with bounds first; a row that another starts from comes before it
ROWS: dict[str, Row] = {
    "ugcn": _ugcn("UGCN without motion loss"),
    "ugcn-motion": _ugcn("UGCN, motion loss: cross product, 8 12 16 24", "cross"),
    "ugcn-no-u": _ugcn("UGCN without down- and upsampling", pairs=0),
    "ugcn-no-graph": _ugcn("UGCN without the spatial graph", graph=False),
    "skeletonnet": _skeletonnet("SkeletonNet: 3x3 and Gram-Schmidt, global rotation by class"),
    "skeletonnet-unconstrained": _skeletonnet(
        "SkeletonNet, 3x3 left as they are", representation="unconstrained"
    ),
    "skeletonnet-quaternion": _skeletonnet("SkeletonNet, quaternions", representation="quaternion"),
    "skeletonnet-axis-angle": _skeletonnet("SkeletonNet, axis-angle", representation="axis-angle"),
    "simple": _simple("simple baseline"),
    "sap-net-symmetry": _simple("simple baseline, symmetry loss", structure=SYMMETRY),
    "sap-net": _simple("simple baseline, all of SAP-Net's losses", structure=ILLEGAL | RATIO | SYMMETRY),
    "tp-net-online": _tpnet("TP-Net, online, on SAP-Net's losses", online=True),
    "tp-net-semi-online": _tpnet("TP-Net, semi-online, on SAP-Net's losses", online=False),
    "tp-net-structure": _tpnet(
        "TP-Net, semi-online, that keeps SAP-Net's losses",
        online=False,
        structure=ILLEGAL | RATIO | SYMMETRY,
    ),
    "motionet": _motionet("MotioNet, complete"),
    "gcn-classes": Row(
        "graph convolutions, weights by class of edge", "gcn", _GCN | {"shared": False}, rate=5e-3
    ),
    "gcn-shared": Row("graph convolutions, shared weights", "gcn", _GCN | {"shared": True}, rate=5e-3),
    "ugcn-subtraction": _ugcn("UGCN, motion loss: subtraction, 12", "subtraction", (12,)),
    "ugcn-inner": _ugcn("UGCN, motion loss: inner product, 12", "inner", (12,)),
    "ugcn-cross": _ugcn("UGCN, motion loss: cross product, 12", "cross", (12,)),
    "skeletonnet-regression": _skeletonnet("SkeletonNet, global rotation by regression", centres=0),
    "skeletonnet-refined": _skeletonnet("SkeletonNet, positions refined, bones turned by dR", refined=True),
    "sap-net-illegal": _simple("simple baseline, illegal-angle loss", structure=ILLEGAL),
    "sap-net-ratio": _simple("simple baseline, bone-length ratio loss", structure=RATIO),
    "ugcn-subtraction-4": _ugcn("UGCN, motion loss: subtraction, 1 4 12 24", "subtraction", (1, 4, 12, 24)),
    "ugcn-subtraction-4-heavy": _ugcn(
        "UGCN, motion loss: subtraction, 1 4 12 24, three times as heavy", "subtraction", (1, 4, 12, 24), 3.0
    ),
    "motionet-no-adversarial": _motionet("MotioNet without the adversarial loss", adversarial=0.0),
    "motionet-frame-lengths": _motionet(
        "MotioNet without E_S: bone lengths for every frame", options={"static_channels": 0}
    ),
    "motionet-no-confidence": _motionet("MotioNet without confidence", confidence=False),
    "ugcn-no-merge": _ugcn("UGCN without the merging stage", merge=False),
    "skeletonnet-absolute": _skeletonnet("SkeletonNet, bones not relative to the hips", relative=False),
    "motionet-hint": _motionet("MotioNet, MediaPipe's 3D as a further input", hint=True),
    "simple-motion": _simple("simple baseline, motion loss: cross product, 8 12 16 24", motion="cross"),
}

#: options of the lifters that `--config full` replaces
FULL: dict[str, dict[str, Any]] = {
    "ugcn": {"channels": 128, "dropout": 0.5},
    "simple": {"channels": 1024, "dropout": 0.5},
    "tp-net": {"channels": 1024, "dropout": 0.5, "hidden": 4096},
    "gcn": {"channels": 128, "layers": 8},
    "motionet": {"channels": 384, "static_channels": 192},
    "skeletonnet": {"channels": 1024, "dropout": 0.5},
}
