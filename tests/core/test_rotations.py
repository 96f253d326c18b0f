import numpy as np
import pytest
import torch

from kinelift.core import rotations as r


def random_matrices(n, seed=0):
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, 3, 3)))
    return q * np.linalg.det(q)[:, None, None]


def half_turns():
    """Rotations by 180 degrees, where three of the four ways to a quaternion divide by zero."""
    return np.stack([np.diag(d) for d in ([1.0, -1, -1], [-1.0, 1, -1], [-1.0, -1, 1])])


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
def test_every_form_comes_back_as_the_same_rotation(kind):
    m = kind(np.concatenate([random_matrices(500), half_turns(), np.eye(3)[None]]))
    q = r.quaternion_from_matrix(m)
    assert np.allclose(np.linalg.norm(q, axis=-1), 1)
    assert np.allclose(r.matrix_from_quaternion(q), m, atol=1e-9)
    assert np.allclose(r.matrix_from_6d(r.sixd_from_matrix(m)), m, atol=1e-9)


def test_gram_schmidt_makes_rotations_of_any_six_numbers():
    numbers = torch.randn(2000, 6, generator=torch.Generator().manual_seed(1)) * 3
    m = r.matrix_from_6d(numbers)
    assert torch.allclose(m @ m.mT, torch.eye(3).expand_as(m), atol=1e-5)
    assert torch.allclose(torch.linalg.det(m), torch.ones(2000), atol=1e-5)


def test_gradients_pass_through_every_conversion():
    numbers = torch.randn(20, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: r.quaternion_from_matrix(r.matrix_from_6d(x)), numbers)


def test_quaternions_multiply_as_a_rotation_about_an_axis_does():
    axis, angle = np.array([0.0, 0, 1]), np.array(np.radians(90))
    assert np.allclose(r.axis_angle(axis, angle) @ [1, 0, 0], [0, 1, 0])  # right-handed
    assert np.allclose(
        r.quaternion_from_matrix(r.axis_angle(axis, angle)), [np.sqrt(0.5), 0, 0, np.sqrt(0.5)]
    )


def test_no_step_in_time_takes_the_long_way():
    angles = np.linspace(0, 4 * np.pi, 100)
    q = r.quaternion_from_matrix(r.axis_angle(np.tile([0.0, 1, 0], (100, 1)), angles))
    assert (np.sum(q[1:] * q[:-1], -1) < 0).any()  # w >= 0 flips signs on the way
    smooth = r.continuous_quaternions(q)
    assert (np.sum(smooth[1:] * smooth[:-1], -1) > 0.9).all()
    assert np.allclose(r.matrix_from_quaternion(smooth), r.matrix_from_quaternion(q))


def test_the_smallest_rotation_between_directions():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    a[0], b[0] = [1.0, 0, 0], [-1.0, 0, 0]
    a[1], b[1] = [0.0, 0, 2], [0.0, 0, -1]
    turn = r.rotation_between(a, b)
    turned = (turn @ a[..., None])[..., 0]
    assert np.allclose(np.cross(turned, b), 0, atol=1e-9) and ((turned * b).sum(-1) > 0).all()
    between = np.arccos(
        np.clip((a * b).sum(-1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1), -1, 1)
    )
    assert np.allclose(r.geodesic_angle(np.tile(np.eye(3), (50, 1, 1)), turn), between, atol=1e-6)


def test_angles_are_exact_when_tiny_and_when_half_turns():
    axis = np.tile([0.6, 0.0, 0.8], (4, 1))
    angles = np.array([0.0, 1e-7, 1.0, np.pi])
    found = r.geodesic_angle(np.tile(np.eye(3), (4, 1, 1)), r.axis_angle(axis, angles))
    assert np.allclose(found, angles, atol=1e-9)


def test_the_mean_turn_is_found_through_noise_and_is_a_rotation():
    rng = np.random.default_rng(4)
    before = r.matrix_from_vector(rng.normal(0, 1, (50, 4, 3)))
    turn = r.matrix_from_vector(np.array([0.3, -1.2, 0.5]))
    np.testing.assert_allclose(r.mean_turn(before, turn @ before), turn, atol=1e-9)
    noisy = r.matrix_from_vector(rng.normal(0, 0.2, (50, 4, 3))) @ turn @ before
    found = r.mean_turn(before, noisy)
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(found) > 0 and np.degrees(r.geodesic_angle(found, turn)) < 4
