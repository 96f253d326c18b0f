"""The filters that the solver is measured against do what their papers say."""

import numpy as np
import pytest

from kinelift.bench.filters import butterworth, one_euro

FPS = 30.0
T = np.arange(300) / FPS


def wave(hertz):
    return np.sin(2 * np.pi * hertz * T)[:, None, None] * np.ones((1, 2, 3))


@pytest.mark.parametrize("smooth", [one_euro, butterworth])
def test_what_rests_stays_and_what_is_short_is_filtered_too(smooth):
    still = np.full((50, 2, 3), 1.5)
    np.testing.assert_allclose(smooth(still, FPS), still, atol=1e-9)
    for frames in (1, 2, 3):
        assert smooth(still[:frames], FPS).shape == (frames, 2, 3)


def test_butterworth_keeps_the_slow_halves_the_power_at_its_cutoff_and_is_never_late():
    inner = slice(60, -60)
    slow, cut, quick = (butterworth(wave(hertz), FPS)[inner] for hertz in (1.0, 6.0, 12.0))
    np.testing.assert_allclose(slow, wave(1.0)[inner], atol=0.01)
    assert cut.std() / wave(6.0)[inner].std() == pytest.approx(0.5**0.5, abs=0.01)
    assert quick.std() < 0.05


def test_one_euro_opens_with_speed():
    small, large = (one_euro(size * wave(2.0), FPS)[60:] / size for size in (0.005, 0.5))
    assert np.abs(small).max() < 0.6 < 0.85 < np.abs(large).max()
