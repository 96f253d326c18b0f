"""The rows of the comparison: every method of the papers, and every part that a paper claims a gain from.

The networks are small enough for a CPU core (`--config small`); for a GPU they are `WIDER`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: weights of the losses of positions (`training.losses`, metres)
POSITIONS = {"joints": 1.0, "depth": 0.1, "aside": 0.2}
#: the same with a squared base loss, about as heavy where joints are off by a decimetre
SQUARED = {"squared": 10.0, "depth": 0.1, "aside": 0.2}
#: weights of the losses of bodies (metres; squared chord lengths)
BODY = POSITIONS | {"rotations": 0.3, "lengths": 0.2, "contacts": 0.02, "slide": 0.5, "up": 0.2}
#: weight of SAP-Net's illegal-angle loss (Dabral et al. 2018, section 4.3)
ILLEGAL = {"illegal": 0.03}
#: weight of its bone-length ratio loss
RATIO = {"ratio": 0.03}
#: weight of its symmetry loss
SYMMETRY = {"symmetry": 0.05}
#: frames of a window, for networks that see more than one; others get single frames
WINDOW = 32
#: lifters that see single frames
SINGLE = ("simple", "skeletonnet")
#: how much wider networks are with `--config full`, and their dropout
WIDER = 3
DROPOUT = 0.5
_WIDTHS = ("channels", "static_channels", "hidden")


def at_30(*intervals: int) -> tuple[int, ...]:
    """UGCN's intervals, which are in frames at 50 a second, in frames at 30 a second."""
    return tuple(max(1, round(0.6 * interval)) for interval in intervals)


#: intervals of UGCN's best motion loss (Wang et al. 2020, table 2)
INTERVALS = at_30(8, 12, 16, 24)


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
    motion : tuple of str
        Operators of the motion loss; empty for none.
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
    bones : float
        Weight of the bones' rotations before Gram-Schmidt.
    refined : float
        Weight of SkeletonNet's refined positions.
    inner : str
        The row whose finished lifter this one contains or begins as; empty for none.
    share : float
        Share of the budget; the inner row has the rest.
    detections : bool
        Whether it also learns from detections.
    confidence : bool
        Whether the lifter's input has the detector's confidence.
    rate : float
        The highest learning rate.
    """

    about: str
    lifter: str
    options: dict[str, Any] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=lambda: POSITIONS)
    motion: tuple[str, ...] = ()
    intervals: tuple[int, ...] = INTERVALS
    weight: float = 1.0
    structure: dict[str, float] = field(default_factory=dict)
    adversarial: float = 0.0
    classes: float = 0.0
    bones: float = 0.0
    refined: float = 0.0
    inner: str = ""
    share: float = 1.0
    detections: bool = False
    confidence: bool = True
    rate: float = 3e-3

    @property
    def frames(self) -> int:
        """Frames of each independent part of a batch."""
        return 1 if self.lifter in SINGLE else WINDOW

    def sized(self, full: bool) -> dict[str, Any]:
        """The lifter's arguments, for a CPU or a GPU."""
        if not full:
            return self.options
        wider = {name: WIDER * self.options[name] for name in _WIDTHS if name in self.options}
        return self.options | wider | ({"dropout": DROPOUT} if "dropout" in self.options else {})


#: sizes of the networks
_UGCN = {"channels": 32, "dropout": 0.0, "window": WINDOW}
#: width without a graph at which a step costs as much as with it
_NO_GRAPH = 224
_SIMPLE = {"channels": 384, "dropout": 0.0}
_TPNET = _SIMPLE | {"hidden": 1024, "online": False}
_LSTM: dict[str, Any] = {"poses": 0, "hidden": 256}
_GCN = {"channels": 32, "layers": 6}
_MOTIONET = {"channels": 128, "static_channels": 64}
_SKELETON: dict[str, Any] = {"channels": 384, "dropout": 0.0}


def _ugcn(
    about: str,
    *motion: str,
    intervals: tuple[int, ...] = at_30(12),
    weight: float = 10.0,
    losses: dict[str, float] = SQUARED,
    detections: bool = False,
    **options: Any,
) -> Row:
    return Row(
        about, "ugcn", _UGCN | options, losses, motion, intervals, weight, detections=detections, rate=5e-3
    )


def _simple(about: str, **changed: Any) -> Row:
    return Row(about, "simple", _SIMPLE, **changed)


def _skeletonnet(about: str, detections: bool = False, **options: Any) -> Row:
    return Row(
        about,
        "skeletonnet",
        _SKELETON | options,
        BODY,
        classes=0.02 if options.get("centres", 1) else 0.0,
        bones=0.3,
        refined=1.0 if options.get("refined") else 0.0,
        detections=detections,
        rate=2e-3,
    )


def _motionet(about: str, losses: dict[str, float] = BODY, **changed: Any) -> Row:
    options = _MOTIONET | changed.pop("options", {})
    return Row(about, "motionet", options, losses, **{"adversarial": 0.1, "rate": 2e-3} | changed)


def _tpnet(about: str, changed: dict[str, Any] | None = None, **options: Any) -> Row:
    half: dict[str, Any] = {"inner": "sap-net-half", "share": 0.5, "rate": 1e-3}
    return Row(about, "tp-net", _TPNET | options, **half | (changed or {}))


_STRUCTURE = ILLEGAL | RATIO | SYMMETRY
#: rows of claims with bounds first; a row that another starts from comes before it
ROWS: dict[str, Row] = {
    "ugcn": _ugcn("UGCN without motion loss", detections=True),
    "ugcn-motion": _ugcn(
        "UGCN, motion loss: cross product, 8 12 16 24", "cross", intervals=INTERVALS, detections=True
    ),
    "ugcn-no-u": _ugcn("UGCN without down- and upsampling", pairs=0),
    "ugcn-no-graph": _ugcn(
        "UGCN without the spatial graph: all joints in one node", graph=False, channels=_NO_GRAPH
    ),
    "skeletonnet": _skeletonnet(
        "SkeletonNet: 3x3 and Gram-Schmidt, global rotation by class", detections=True
    ),
    "skeletonnet-unconstrained": _skeletonnet(
        "SkeletonNet, 3x3 left as they are", representation="unconstrained"
    ),
    "simple": _simple("simple baseline", detections=True),
    "sap-net-symmetry": _simple("simple baseline, symmetry loss", structure=SYMMETRY),
    "sap-net": _simple("simple baseline, all of SAP-Net's losses", structure=_STRUCTURE, detections=True),
    "sap-net-half": _simple(
        "the same in half the budget, inside of TP-Net", structure=_STRUCTURE, share=0.5, detections=True
    ),
    "tp-net-online": _tpnet("TP-Net, online", {"detections": True}, online=True),
    "tp-net-semi-online": _tpnet("TP-Net, semi-online", {"detections": True}),
    "ugcn-subtraction-4": _ugcn(
        "UGCN, motion loss: subtraction, 2 4 12 24", "subtraction", intervals=at_30(2, 4, 12, 24)
    ),
    "motionet": _motionet("MotioNet, complete", detections=True),
    "motionet-no-adversarial": _motionet("MotioNet without the adversarial loss", adversarial=0.0),
    "motionet-adversarial-1": _motionet(
        "MotioNet, adversarial loss as heavy as in the paper", adversarial=1.0
    ),
    "motionet-frame-lengths": _motionet(
        "MotioNet without E_S: bone lengths for every frame", options={"static_channels": 0}
    ),
    "motionet-no-confidence": _motionet("MotioNet without confidence", confidence=False, detections=True),
    "skeletonnet-quaternion": _skeletonnet("SkeletonNet, quaternions", representation="quaternion"),
    "skeletonnet-axis-angle": _skeletonnet("SkeletonNet, axis-angle", representation="axis-angle"),
    "skeletonnet-chained": _skeletonnet(
        "SkeletonNet, axis-angle along the chain of joints", representation="axis-angle", relative="parent"
    ),
    "skeletonnet-absolute": _skeletonnet(
        "SkeletonNet, absolute rotations by regression", centres=0, relative="world"
    ),
    "skeletonnet-absolute-unconstrained": _skeletonnet(
        "SkeletonNet, absolute 3x3 left as they are",
        representation="unconstrained", centres=0, relative="world",
    ),
    "skeletonnet-regression": _skeletonnet("SkeletonNet, global rotation by regression", centres=0),
    "skeletonnet-refined": _skeletonnet("SkeletonNet, positions refined, bones turned by dR", refined=True),
    "simple-squared": _simple("simple baseline, squared loss as in its paper", losses=SQUARED),
    "sap-net-illegal": _simple("simple baseline, illegal-angle loss", structure=ILLEGAL),
    "sap-net-ratio": _simple("simple baseline, bone-length ratio loss", structure=RATIO),
    "tp-net-structure": _tpnet(
        "TP-Net, semi-online, that keeps SAP-Net's losses", {"structure": _STRUCTURE}
    ),
    "tp-net-fitted": _tpnet(
        "TP-Net, semi-online, then the skeleton fit",
        {"inner": "tp-net-semi-online", "share": 0.0, "detections": True}, fitted=True,
    ),
    "tp-net-4": _tpnet("TP-Net, online, 4 poses", online=True, poses=4),
    "tp-net-10": _tpnet("TP-Net, online, 10 poses", online=True, poses=10),
    "tp-net-semi-online-4": _tpnet("TP-Net, semi-online, 4 poses", poses=4),
    "tp-net-semi-online-10": _tpnet("TP-Net, semi-online, 10 poses", poses=10),
    "tp-net-lstm": _tpnet("an LSTM instead of TP-Net, online", online=True, **_LSTM),
    "tp-net-bi-lstm": _tpnet("an LSTM in both directions instead of TP-Net", **_LSTM),
    "gcn-classes": Row(
        "graph convolutions, weights by class of edge", "gcn", _GCN | {"shared": False}, rate=5e-3
    ),
    "gcn-shared": Row("graph convolutions, shared weights", "gcn", _GCN | {"shared": True}, rate=5e-3),
    "local-to-global": Row(
        "graph convolutions, local to global", "local-to-global", {"channels": 32, "layers": 2},
        detections=True, rate=5e-3,
    ),
    "ugcn-cross": _ugcn("UGCN, motion loss: cross product, 12", "cross"),
    "ugcn-subtraction": _ugcn("UGCN, motion loss: subtraction, 12", "subtraction"),
    "ugcn-inner": _ugcn("UGCN, motion loss: inner product, 12", "inner"),
    "ugcn-derivative": _ugcn("UGCN, derivative loss: subtraction, 1", "subtraction", intervals=at_30(1)),
    "ugcn-no-u-motion": _ugcn("UGCN without the U shape, motion loss as `ugcn-cross`", "cross", pairs=0),
    "ugcn-1-pair": _ugcn("UGCN, one down- and upsampling", pairs=1),
    "ugcn-1-pair-motion": _ugcn("UGCN, one pair, motion loss as `ugcn-cross`", "cross", pairs=1),
    "ugcn-2-pairs": _ugcn("UGCN, two down- and upsamplings", pairs=2),
    "ugcn-2-pairs-motion": _ugcn("UGCN, two pairs, motion loss as `ugcn-cross`", "cross", pairs=2),
    "ugcn-no-merge": _ugcn("UGCN without the merging stage", merge=False),
    "ugcn-no-merge-motion": _ugcn(
        "UGCN without the merging stage, motion loss as `ugcn-motion`",
        "cross", intervals=INTERVALS, merge=False,
    ),
    "ugcn-two-operators": _ugcn("UGCN, motion loss: subtraction and cross, 12", "subtraction", "cross"),
    "ugcn-three-operators": _ugcn(
        "UGCN, motion loss: all three operators, 12", "subtraction", "inner", "cross"
    ),
    **{
        f"ugcn-cross-{interval}": _ugcn(
            f"UGCN, motion loss: cross product, {interval}", "cross", intervals=at_30(interval)
        )
        for interval in (2, 4, 8, 16, 24, 36)
    },
    "ugcn-motion-light": _ugcn(
        "UGCN, motion loss as `ugcn-motion`, a tenth as heavy", "cross", intervals=INTERVALS, weight=1.0
    ),
    "ugcn-norm": _ugcn("UGCN, base loss not squared", losses=POSITIONS),
    "ugcn-norm-motion": _ugcn(
        "UGCN, base loss not squared, motion loss as `ugcn-motion`",
        "cross", intervals=INTERVALS, weight=1.0, losses=POSITIONS,
    ),
}  # fmt: skip
