"""No trunk and no neck comes out wrung, and what bodies do is left alone."""

import numpy as np

from kinelift.core.limits import limit_spine_twist
from kinelift.core.rotations import axis_angle, geodesic_angle
from kinelift.core.skeleton import INDEX, JOINTS
from kinelift.tests.walks import walk


def posed(**turns):
    """World rotations (1, J, 3, 3): degrees about the long axis of some joints."""
    world = np.tile(np.eye(3), (1, len(JOINTS), 1, 1))
    for joint, degrees in turns.items():
        world[0, INDEX[joint]] = axis_angle(np.array([0.0, 0, 1]), np.array(np.radians(float(degrees))))
    return world


def degrees(world, a, b):
    return np.degrees(geodesic_angle(world[:, INDEX[a]], world[:, INDEX[b]]))


def test_what_bodies_do_is_left_alone():
    world = walk().world_rotations
    np.testing.assert_array_equal(limit_spine_twist(world), world)
    twisted = posed(spine=30, chest=60, neck=80, head=120)
    np.testing.assert_allclose(limit_spine_twist(twisted), twisted, atol=1e-9)


def test_a_spine_that_turns_about_between_hips_and_chest_that_don_t():
    out = limit_spine_twist(posed(spine=160, chest=10, neck=10, head=10))
    assert degrees(out, "hips", "spine")[0] < 10 and degrees(out, "spine", "chest")[0] < 10
    np.testing.assert_allclose(degrees(out, "hips", "chest"), 10, atol=1e-6)


def test_a_turn_through_nonsense_passes_without_a_jump():
    through = np.concatenate([posed(spine=angle) for angle in range(0, 360, 3)])
    spine = limit_spine_twist(through)[:, INDEX["spine"]]
    assert np.degrees(geodesic_angle(spine[1:], spine[:-1])).max() < 6  # twice as fast as it goes in, at most
    assert np.degrees(geodesic_angle(spine, np.eye(3))).max() < 42


def test_a_wrung_head_looks_the_same_way_as_far_as_necks_go():
    out = limit_spine_twist(posed(head=130))
    assert np.isclose(degrees(out, "chest", "head")[0], 85, atol=0.1)
    assert degrees(out, "chest", "neck")[0] < 45
