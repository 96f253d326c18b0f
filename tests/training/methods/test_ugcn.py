"""UGCN: its neighbourhoods, its windows, and how far its U shape sees."""

import pytest
import torch

from kinelift.core.skeleton import INDEX
from kinelift.inference.lifters.view import FEATURES
from kinelift.training.methods.ugcn import STEP, UGCN, WINDOW, subsets


def test_neighbours_are_parted_by_hops_to_the_hips():
    same, farther, nearer = subsets()
    shin = INDEX["shin.L"]
    assert same[shin].nonzero().flatten().tolist() == [shin]
    assert farther[shin].nonzero().flatten().tolist() == [INDEX["foot.L"]]
    assert nearer[shin].nonzero().flatten().tolist() == [INDEX["thigh.L"]]
    assert torch.allclose(farther[0].sum(), torch.tensor(1.0))


def test_an_impulse_is_felt_in_the_windows_that_hold_it_and_the_windows_are_averaged():
    torch.manual_seed(0)
    model = UGCN(8).eval()
    frames = WINDOW + 3 * STEP
    still = torch.randn(1, frames, FEATURES)
    struck = still.clone()
    struck[:, 0] += 1
    with torch.no_grad():
        windows = [model.encode(still[:, i * STEP : i * STEP + WINDOW]) for i in range(4)]
        whole, changed = model.encode(still), model.encode(struck)
    assert torch.allclose(whole[:, :STEP], windows[0][:, :STEP], atol=1e-5)
    assert torch.allclose(
        whole[:, STEP : 2 * STEP], (windows[0][:, STEP : 2 * STEP] + windows[1][:, :STEP]) / 2, atol=1e-5
    )
    assert not torch.equal(whole[:, :WINDOW], changed[:, :WINDOW])
    assert torch.equal(whole[:, WINDOW:], changed[:, WINDOW:])


@pytest.mark.parametrize("pairs", [0, 4])
def test_the_u_shape_sees_farther(pairs):
    """Fourteen blocks of five frames see 28 to either side; with the U every block sees more."""
    torch.manual_seed(0)
    model = UGCN(8, pairs=pairs, dropout=0).eval().double()
    clip = torch.randn(1, WINDOW, FEATURES, dtype=torch.float64, requires_grad=True)
    model.encode(clip)[:, WINDOW // 2].square().sum().backward()
    felt = clip.grad.abs().amax((0, 2)) > 0
    away = (torch.arange(WINDOW) - WINDOW // 2).abs()[felt]
    assert away.max() == 28 if pairs == 0 else away.max() > 40
