"""The figures of the evaluation."""

import numpy as np
import torch

from kinelift.core.bvh import write_bvh
from kinelift.core.landmarks import PLACE
from kinelift.core.rotations import axis_angle
from kinelift.inference.lifters.lifter import Lifted, Lifter
from kinelift.tests.walks import walk
from kinelift.training.detected import perfect
from kinelift.training.evaluate import errors, similarity_aligned, solved, turn_errors
from kinelift.training.mocap import load_mocap
from kinelift.training.synthesis import Synthesis


def test_what_a_lifter_got_wrong_is_solved_as_a_capture_does(tmp_path):
    """Every bone turned by 9 degrees, seen without errors."""
    write_bvh(walk(60), tmp_path / "walk.bvh")
    clips = load_mocap(tmp_path)
    batch = Synthesis(clips, [], perfect(PLACE, 40), 40, 0.0, seed=3, spoil=False).batch(3)
    torch.manual_seed(0)
    axes = torch.nn.functional.normalize(torch.randn(3, 1, 21, 3), dim=-1)
    said = Lifted(
        batch.lengths,
        axis_angle(axes, torch.full(axes.shape[:-1], 0.15)) @ batch.rotations,
        batch.joints[:, :, 0],
        torch.full((3, 40, 4), -5.0),
        batch.up[:, None].expand(3, 40, 3),
    )
    before, after = errors(said, batch), errors(solved(said, batch), batch)
    assert after["mpjpe_mm"] < 0.8 * before["mpjpe_mm"], (before, after)


class _Turned(Lifter):
    """Says the truth, but every joint is turned by normal deviates of so many degrees about each axis."""

    def __init__(self, truth, degrees):
        super().__init__()
        self.truth, self.degrees = truth, degrees

    def forward(self, seen, flip=False):
        batch = self.truth
        shape = batch.rotations.shape[:3]
        vectors = np.radians(self.degrees) * torch.randn(*shape, 3, generator=torch.manual_seed(1))
        angle = torch.linalg.vector_norm(vectors, dim=-1)
        turned = axis_angle(vectors / angle[..., None], angle) @ batch.rotations
        return Lifted(batch.lengths, turned, batch.joints[:, :, 0], torch.zeros(*shape[:2], 4), batch.up)


def test_errors_of_rotations_are_told_by_joint_and_confidence(tmp_path):
    write_bvh(walk(60), tmp_path / "walk.bvh")
    batch = Synthesis(load_mocap(tmp_path), [], perfect(PLACE, 40), 40, 0.0, seed=3, spoil=False).batch(6)
    found = turn_errors(_Turned(batch, 7.0), [batch])
    for joint in ("hips", "head", "foot"):
        hardly, between, well = found[joint]
        assert hardly is None and between is None and abs(well - 7) < 0.7


def test_similarity_alignment_finds_any_similarity():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(5, 12, 3))
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.linalg.det(q)
    assert np.allclose(
        similarity_aligned(points, 1.7 * points @ q.T + [1, 2, 3]), 1.7 * points @ q.T + [1, 2, 3]
    )
