"""SkeletonNet: any numbers become rotations."""

import pytest
import torch

from kinelift.training.methods.skeletonnet import REPRESENTATIONS, rotation_from


@pytest.mark.parametrize("representation", ["gram-schmidt", "quaternion", "axis-angle"])
def test_any_numbers_become_rotations_and_pass_gradients(representation):
    torch.manual_seed(0)
    said = (3 * torch.randn(500, REPRESENTATIONS[representation])).requires_grad_()
    turns = rotation_from(said, representation)
    assert torch.allclose(turns @ turns.mT, torch.eye(3).expand_as(turns), atol=1e-5)
    assert torch.allclose(torch.linalg.det(turns), torch.ones(500), atol=1e-5)
    (turns * torch.randn(500, 3, 3)).sum().backward()
    assert said.grad.isfinite().all() and (said.grad.abs().sum(1) > 0).all()
    nothing = rotation_from(torch.zeros(1, REPRESENTATIONS[representation]), representation)
    assert torch.allclose(nothing, torch.eye(3), atol=1e-5)
