"""Curves with fewer keys stay within the tolerance, and need no key where they already are near enough."""

from __future__ import annotations

import numpy as np
import pytest

from kinelift.core.key_reduction import cubic, farthest, slopes_of, with_needed_keys


def ends(frames: int) -> np.ndarray:
    keys = np.zeros(frames, dtype=bool)
    keys[[0, -1]] = True
    return keys


def off(values: np.ndarray, tolerance: float = 0.01):
    return lambda others: np.linalg.norm(others - values, axis=1) / tolerance


def waves(frames: int = 400, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    at = np.arange(frames)[:, None, None] / 30
    phase = rng.uniform(0, 6, (1, 3, 4))
    return np.sin(at * rng.uniform(1, 9, (1, 3, 4)) + phase).mean(axis=1) + rng.normal(0, 1e-3, (frames, 4))


@pytest.mark.parametrize("keys", [[0, 49], [0, 7, 8, 30, 49], list(range(50))])
def test_a_cubic_polynomial_goes_through_any_keys(keys: list[int]) -> None:
    at = np.arange(50.0)
    values = np.stack([(at / 20) ** 3 - at / 9, 3 - at], axis=1)
    slopes = np.stack([3 * at**2 / 20**3 - 1 / 9, np.full(50, -1.0)], axis=1)
    np.testing.assert_allclose(cubic(values, slopes, np.array(keys)), values, atol=1e-9)


@pytest.mark.parametrize("tolerance", [0.3, 0.01, 1e-9])
def test_no_frame_is_farther_off_than_is_tolerated(tolerance: float) -> None:
    values = waves()
    slopes = slopes_of(values)
    keys = with_needed_keys(values, slopes, off(values, tolerance), ends(400))
    kept = cubic(values, slopes, np.flatnonzero(keys))
    assert np.linalg.norm(kept - values, axis=1).max() <= tolerance
    np.testing.assert_array_equal(kept[keys], values[keys])
    assert keys.sum() < {0.3: 60, 0.01: 250, 1e-9: 401}[tolerance]


def test_a_straight_line_and_a_rest_need_two_keys() -> None:
    at = np.arange(100.0)
    values = np.stack([at, np.ones(100)], axis=1)
    keys = with_needed_keys(values, slopes_of(values), off(values), ends(100))
    assert np.flatnonzero(keys).tolist() == [0, 99]


def test_what_has_a_key_anyway_keeps_it() -> None:
    values = waves()
    must = ends(400)
    must[[17, 18, 200]] = True
    keys = with_needed_keys(values, slopes_of(values), off(values), must)
    assert keys[must].all()


def test_a_cut_needs_no_keys_but_its_own() -> None:
    values = np.concatenate([np.zeros((50, 1)), np.linspace(5, 6, 50)[:, None]])
    must = ends(100)
    must[[49, 50]] = True
    keys = with_needed_keys(values, slopes_of(values, [50]), off(values), must)
    assert np.flatnonzero(keys).tolist() == [0, 49, 50, 99]


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_shortest_clips(frames: int) -> None:
    values = waves(frames)
    slopes = slopes_of(values)
    keys = with_needed_keys(values, slopes, off(values, 1e-6), ends(frames))
    np.testing.assert_allclose(cubic(values, slopes, np.flatnonzero(keys)), values, atol=1e-6)


def test_one_frame_of_each_stretch_is_the_farthest_off() -> None:
    apart = np.array([0.5, 2, 3, 3, 0.2, 1.0, 9])
    assert farthest(apart, np.array([0, 0, 0, 0, 1, 1, 2])).tolist() == [2, 6]
    assert farthest(np.array([]), np.array([])).tolist() == []
