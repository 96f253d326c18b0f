"""Least squares over time: banded equations are solved as dense ones are."""

import numpy as np
import pytest
import torch

from kinelift.core.banded import (
    banded_product,
    second_difference_bands,
    solve_banded,
    solve_blocks,
    whittaker,
)
from kinelift.inference.solve.equations import solve_cholesky


def dense(values, weight, stiffness):
    bend = np.diff(np.eye(len(values)), 2, axis=0)
    return np.linalg.solve(np.diag(weight) + stiffness * bend.T @ bend, weight[:, None] * values)


@pytest.mark.parametrize("frames", [3, 4, 5, 61, 62, 63, 64, 65, 66, 127, 128, 129, 400])
def test_it_solves_the_whole_system(frames):
    rng = np.random.default_rng(frames)
    values, weight = rng.normal(size=(frames, 3)), rng.uniform(0.5, 2, frames)
    weight[1:-1:3] = 0
    assert np.allclose(whittaker(values, weight, 40.0), dense(values, weight, 40.0), atol=1e-8)


@pytest.mark.parametrize("frames", [1, 2])
def test_nothing_bends_in_one_or_two_frames(frames):
    values = np.arange(3.0 * frames).reshape(frames, 3)
    assert np.allclose(whittaker(values, np.ones(frames), 1e6), values)


def test_straight_lines_stay_and_gaps_are_bridged_straight():
    line = np.linspace(0, 5, 300)[:, None] * [1.0, -2.0]
    weight = np.ones(300)
    weight[40:200] = 0
    holed = np.where(weight[:, None] > 0, line, 99.0)
    assert np.allclose(whittaker(holed, weight, 100.0), line, atol=1e-6)


def test_a_wave_of_the_stated_period_keeps_half_its_height():
    period = 40
    wave = np.sin(2 * np.pi * np.arange(2000) / period)[:, None]
    smooth = whittaker(wave, np.ones(2000), (period / (2 * np.pi)) ** 4)
    assert np.isclose(smooth[500:1500].std() / wave[500:1500].std(), 0.5, atol=0.01)


def _eliminated(*parts):
    return solve_cholesky(*map(torch.from_numpy, parts)).numpy()


@pytest.mark.parametrize("solve", [solve_banded, _eliminated])
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 8, 9])
def test_entries_beyond_the_edge_are_ignored(frames, solve):
    size = 3
    rng = np.random.default_rng(frames)
    ahead, after = rng.normal(size=(2, frames, size, size))
    here = 20 * np.eye(size) + rng.normal(size=(frames, size, size))
    here = (here + here.swapaxes(1, 2)) / 2
    right = rng.normal(size=(frames, size, 2))
    whole = np.zeros((frames, size, frames, size))
    for t in range(frames):
        whole[t, :, t] = here[t]
        for step, blocks in ((1, ahead), (2, after)):
            if t + step < frames:
                whole[t, :, t + step], whole[t + step, :, t] = blocks[t], blocks[t].T
    solved = solve(here, ahead, after, right)
    assert np.allclose(np.einsum("tksl,slc->tkc", whole, solved), right)


@pytest.mark.parametrize("frames", [1, 2, 3, 7])
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_second_differences_and_their_product(frames, kind):
    rng = np.random.default_rng(frames)
    weight, x = rng.uniform(size=(frames, 2)), rng.normal(size=(frames, 2, 3))
    bend = np.diff(np.eye(frames), 2, axis=0)
    expected = [
        bend.T @ (weight[1:-1, c, None] * (bend @ x[:, c])) if frames > 2 else 0 * x[:, c] for c in (0, 1)
    ]
    product = banded_product(second_difference_bands(kind(weight)), kind(x))
    assert np.allclose(np.asarray(product), np.stack(expected, axis=1))


@pytest.mark.parametrize("blocks", [1, 2, 3, 12, 13])
def test_blocks_of_any_size_are_solved(blocks):
    size = 5
    rng = np.random.default_rng(blocks)
    root = rng.normal(size=(blocks * size, blocks * size))
    whole = root @ root.T + np.eye(blocks * size)
    row, column = np.indices(whole.shape) // size
    whole[abs(row - column) > 1] = 0
    whole += 2 * size * blocks * np.eye(blocks * size)  # still positive definite
    right = rng.normal(size=(blocks, size, 2))
    tiles = whole.reshape(blocks, size, blocks, size)
    own = np.array([tiles[b, :, b] for b in range(blocks)])
    link = np.array([tiles[b, :, b + 1] for b in range(blocks - 1)]).reshape(-1, size, size)
    expected = np.linalg.solve(whole, right.reshape(-1, 2)).reshape(right.shape)
    assert np.allclose(solve_blocks(own, link, right), expected, atol=1e-9)
