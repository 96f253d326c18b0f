import numpy as np

from kinelift.core.camera import Camera, focal_pixels
from kinelift.core.kinematics import joint_positions
from kinelift.core.rotations import axis_angle
from kinelift.core.skeleton import INDEX, JOINTS, TEMPLATE_LENGTHS, rest_offsets, standing_height
from kinelift.inference.lift import Estimate
from kinelift.inference.world import by_lengths, placed_on_floor

SIZE = (1920, 1080)
FOCAL = focal_pixels(28.0, SIZE)


def standing_body(frames=30, pitch=20.0, roll=5.0):
    """Somebody who faces a tilted camera and walks to their left, as that camera sees it."""
    camera_from_world = axis_angle(np.array([1.0, 0, 0]), np.radians(pitch)) @ axis_angle(
        np.array([0.0, 1, 0]), np.radians(roll)
    )
    world = np.tile(np.eye(3), (frames, len(JOINTS), 1, 1))
    root = np.stack([np.linspace(0, 1, frames), np.full(frames, 4.0), np.full(frames, -0.6)], 1)
    return Estimate(
        lengths=TEMPLATE_LENGTHS,
        rotations=camera_from_world @ world,
        root=root @ camera_from_world.T,
        contacts=np.ones((frames, 4)),
        up=camera_from_world[:, 2],
    )


def test_the_body_stands_upright_on_the_floor_whatever_the_camera_tilt():
    rotations, root, _ = placed_on_floor(standing_body(), FOCAL, SIZE)
    joints = joint_positions(rotations, root, rest_offsets(TEMPLATE_LENGTHS))
    spine = joints[:, INDEX["head"]] - joints[:, INDEX["hips"]]
    assert (spine[:, 2] / np.linalg.norm(spine, axis=1) > 0.99).all()
    assert np.allclose(root[0, :2], 0)
    assert np.allclose(root[-1] - root[0], [1, 0, 0], atol=0.02)  # it walked to +X, at one height
    assert 0.05 < joints[:, INDEX["foot.L"], 2].min() < 0.12  # ankles, with the soles on the floor
    # it faced the camera: toes point to -Y
    assert ((joints[:, INDEX["toe.L"]] - joints[:, INDEX["foot.L"]])[:, 1] < -0.1).all()


def test_the_camera_still_sees_the_body_where_it_was():
    body = standing_body()
    rotations, root, camera = placed_on_floor(body, FOCAL, SIZE)
    before = joint_positions(body.rotations, body.root, rest_offsets(body.lengths))
    after = joint_positions(rotations, root, rest_offsets(body.lengths))
    level = Camera(FOCAL, SIZE, np.eye(4))
    seen = level.centre + FOCAL * np.stack([before[..., 0], -before[..., 2]], -1) / before[..., 1:2]
    assert np.allclose(camera.project(after), seen, atol=1e-6)


def test_projection_and_rays_are_inverse():
    _, _, camera = placed_on_floor(standing_body(), FOCAL, SIZE)
    pixels = np.random.default_rng(0).uniform([0, 0], SIZE, (200, 2))
    points = camera.rays(pixels) * np.random.default_rng(1).uniform(1, 9, (200, 1))
    turn, shift = camera.camera_from_world[:3, :3], camera.camera_from_world[:3, 3]
    assert np.allclose(camera.project((points - shift) @ turn), pixels, atol=1e-6)
    assert np.isnan(camera.project((-points - shift) @ turn)).all()


def test_another_body_looks_as_large():
    small = standing_body()
    tall = by_lengths(small, small.lengths * 1.2)
    assert np.isclose(standing_height(tall.lengths), 1.2 * standing_height(small.lengths))
    pixels = []
    for body in (small, tall):
        rotations, root, camera = placed_on_floor(body, FOCAL, SIZE)
        pixels.append(camera.project(joint_positions(rotations, root, rest_offsets(body.lengths))))
    assert np.allclose(*pixels, atol=1e-6)  # to the camera nothing has changed
