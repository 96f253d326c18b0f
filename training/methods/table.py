"""All lifters by name: the shipped one and the papers' networks."""

from __future__ import annotations

from kinelift.inference.lifters.lifter import Lifter
from kinelift.inference.lifters.weights import SHIPPED
from kinelift.training.methods.gcn import GraphLifter
from kinelift.training.methods.simple import SimpleBaseline
from kinelift.training.methods.skeletonnet import SkeletonNet
from kinelift.training.methods.tpnet import TemporalPoseNet
from kinelift.training.methods.ugcn import UGCN

#: lifters by the name that weight files hold
LIFTERS: dict[str, type[Lifter]] = {
    **SHIPPED,
    "simple": SimpleBaseline,
    "gcn": GraphLifter,
    "ugcn": UGCN,
    "tp-net": TemporalPoseNet,
    "skeletonnet": SkeletonNet,
}
