"""The k-means centres of the global rotation."""

import torch

from kinelift.core.rotations import axis_angle, geodesic_angle
from kinelift.training.rotation_classes import nearest_class, rotation_centres


def test_centres_are_rotations_and_those_of_tight_clusters():
    torch.manual_seed(0)
    true = axis_angle(torch.nn.functional.normalize(torch.randn(5, 3), dim=-1), torch.linspace(0.5, 3, 5))
    label = torch.arange(200) // 40
    near = axis_angle(torch.nn.functional.normalize(torch.randn(200, 3), dim=-1), 0.05 * torch.rand(200))
    centres = rotation_centres(true[label] @ near, 5)
    order = nearest_class(true, centres)
    assert sorted(order.tolist()) == [0, 1, 2, 3, 4]
    assert geodesic_angle(centres[order], true).max() < 0.03
