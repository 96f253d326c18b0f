"""The lifters that are compared, by name: MotioNet and the papers' other networks."""

from __future__ import annotations

from kinelift.inference.lifters.lifter import Lifter
from kinelift.training.methods.gcn import GraphLifter, LocalToGlobal
from kinelift.training.methods.motionet import MotioNet
from kinelift.training.methods.simple import SimpleBaseline
from kinelift.training.methods.skeletonnet import SkeletonNet
from kinelift.training.methods.tpnet import TemporalPoseNet
from kinelift.training.methods.ugcn import UGCN

#: lifters by the name that weight files hold
LIFTERS: dict[str, type[Lifter]] = {
    "motionet": MotioNet,
    "simple": SimpleBaseline,
    "gcn": GraphLifter,
    "local-to-global": LocalToGlobal,
    "ugcn": UGCN,
    "tp-net": TemporalPoseNet,
    "skeletonnet": SkeletonNet,
}
