"""SkeletonNet: any numbers become rotations, whatever they are relative to."""

import pytest
import torch

from kinelift.core.skeleton import JOINTS
from kinelift.inference.lifters.view import FEATURES
from kinelift.training.methods.skeletonnet import REPRESENTATIONS, SkeletonNet, rotation_from


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


@pytest.mark.parametrize("relative", ["hips", "parent", "world"])
@pytest.mark.parametrize("representation", ["gram-schmidt", "quaternion", "axis-angle"])
def test_the_bones_are_what_the_rotations_are_made_of(relative, representation):
    torch.manual_seed(0)
    model = SkeletonNet(16, dropout=0, representation=representation, centres=0, relative=relative).eval()
    said, raw = model.encode(torch.randn(2, 3, FEATURES))
    turns = rotation_from(
        torch.cat([said.rotations - torch.eye(3)[:2].flatten(), torch.zeros(2, 3, len(JOINTS), 3)], -1),
        "gram-schmidt",
    )
    bones = raw["bones"]
    if representation == "gram-schmidt":  # the loss is on the matrices before they are made rotations
        assert not torch.allclose(bones.mT @ bones, torch.eye(3).expand_as(bones), atol=1e-2)
        bones = rotation_from((bones - torch.eye(3)).mT.flatten(-2), representation)
    assert torch.allclose(model.related(turns), bones, atol=1e-5)
