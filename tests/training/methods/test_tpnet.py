"""TP-Net: which poses it hears of."""

import pytest
import torch

from kinelift.inference.lifters.view import FEATURES
from kinelift.training.methods.tpnet import TemporalPoseNet


@pytest.mark.parametrize(
    ("online", "poses", "first", "last"),
    [(True, 20, 0, 19), (True, 4, 0, 3), (False, 20, -9, 10), (False, 4, -1, 2), (True, 0, 0, 5),
     (False, 0, -6, 5)],
)  # fmt: skip
def test_a_pose_is_heard_of_at_its_time_and_as_long_as_it_is_in_the_window(online, poses, first, last):
    torch.manual_seed(0)
    model = TemporalPoseNet(16, online, poses, channels=16, dropout=0).eval()
    middle = 30 if poses else 6  # what an LSTM remembers soon fades
    still = torch.randn(1, 2 * middle, FEATURES)
    struck = still.clone()
    struck[:, middle] += 1
    with torch.no_grad():
        changed = (model.encode(still) - model.encode(struck))[0].abs().amax((1, 2)) > 0
    at = (changed.nonzero().flatten() - middle).tolist()
    assert (at[0], at[-1]) == (first, last)
