"""The lifters by name."""

from __future__ import annotations

from .gcn import GraphLifter
from .lifter import Lifter
from .motionet import MotioNet
from .simple import SimpleBaseline
from .skeletonnet import SkeletonNet
from .tpnet import TemporalPoseNet
from .ugcn import UGCN

LIFTERS: dict[str, type[Lifter]] = {
    "motionet": MotioNet,
    "simple": SimpleBaseline,
    "gcn": GraphLifter,
    "ugcn": UGCN,
    "tp-net": TemporalPoseNet,
    "skeletonnet": SkeletonNet,
}
