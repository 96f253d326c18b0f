"""Paths of cameras are measured up to a similarity, and drawn from above."""

import numpy as np
import pytest

from kinelift.bench.camera import from_above, off_path
from kinelift.core.rotations import axis_angle

WAY = np.column_stack([np.linspace(0, 4, 50), np.sin(np.linspace(0, 3, 50)), np.ones(50)])


def test_a_path_that_is_turned_moved_and_scaled_is_no_other():
    turned = 3 * WAY @ axis_angle(np.array([0, 0, 1.0]), np.array(1.0)).T + [1, 2, 3]
    assert off_path(turned, WAY) == pytest.approx(0, abs=1e-9)
    assert off_path(turned * [1, 1.2, 1], WAY) > 0.1


def test_paths_are_drawn_from_above():
    along = np.column_stack([np.linspace(0, 4, 50), np.zeros((50, 2))])
    picture = from_above([(along, (0, 0, 255), 3)])
    assert picture.shape == (100, 300, 3)
    # a metre of margin around it
    assert (picture[50, 60:240] == [0, 0, 255]).all() and not (picture[20] == [0, 0, 255]).all(1).any()
