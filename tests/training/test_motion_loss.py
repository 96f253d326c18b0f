"""UGCN's motion loss against values worked out by hand."""

import pytest
import torch

from kinelift.training.motion_loss import motion_loss


@pytest.mark.parametrize(("operator", "value"), [("subtraction", 2**0.5), ("inner", 1.0), ("cross", 2.0)])
def test_the_motion_loss_is_what_it_is_by_hand(operator, value):
    """Said: from x to y; true: from x to x, and at the longer interval nothing."""
    x, y = torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 0])
    said = torch.stack([x, 2 * y if operator == "cross" else y])[None, :, None]
    true = torch.stack([x, x])[None, :, None]
    assert motion_loss(said, true, [operator], (1, 5)).item() == pytest.approx(value)
    assert motion_loss(said, true, [operator, operator], (1,)).item() == pytest.approx(2 * value)
    assert motion_loss(true, true, [operator], (1,)).item() == 0
