"""Batches of the training's test data."""

from kinelift.training.detected import (
    fit_detector,
    load_detected,
)
from kinelift.training.mocap import load_mocap
from kinelift.training.synthesis import Synthesis


def batch_of(mocap, detected, share, spoil=False, seed=0):
    sequences = load_detected(detected)
    draw = Synthesis(load_mocap(mocap), sequences, fit_detector(sequences), 32, share, seed, spoil)
    return draw.batch(12)
