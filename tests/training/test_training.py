"""The training's data say what is true, and a training can be interrupted."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from kinelift.core.bvh import write_bvh
from kinelift.core.camera import WORLD_FROM_LEVEL_CAMERA
from kinelift.core.landmarks import MIRRORED, PLACES
from kinelift.core.rotations import axis_angle
from kinelift.core.skeleton import STANDARD_HEIGHT, standing_height
from kinelift.inference.lifters.lifter import Lifted
from kinelift.inference.lifters.motionet import MotioNet
from kinelift.inference.lifters.weights import load_weights, save_weights
from kinelift.tests.motions import random_capture, random_motion
from kinelift.tests.walks import walk
from kinelift.training import detected as detected_module
from kinelift.training import emulator
from kinelift.training.detected import (
    CARRIERS,
    DetectorModel,
    fit_detector,
    is_seen,
    landmarks_on,
    load_sequences,
    seen_straight,
)
from kinelift.training.evaluate import errors, perfect, similarity_aligned, solved
from kinelift.training.losses import losses
from kinelift.training.mocap import load_clips
from kinelift.training.synthesis import Synthesis, mirrored, rolled
from kinelift.training.train import CONFIGS, mix, train


def test_a_clip_is_what_the_bvh_says_at_standard_size(mocap):
    motion = random_motion(60, 0)
    clip = load_clips(mocap)[0]
    scale = STANDARD_HEIGHT / motion.height
    assert np.allclose(clip.rotations, motion.world_rotations, atol=1e-4)
    assert np.allclose(np.diff(clip.root, axis=0), np.diff(motion.root, axis=0) * scale, atol=1e-4)
    assert np.allclose(clip.lengths, motion.lengths * scale, atol=1e-4)


def test_detected_sequences_hold_the_truth_in_camera_axes(detected):
    for seed, sequence in enumerate(load_sequences(detected)):
        capture = random_capture(40 + seed, seed + 20)
        motion = capture.motion
        level = WORLD_FROM_LEVEL_CAMERA @ capture.camera.camera_from_world[:3]
        scale = STANDARD_HEIGHT / motion.height
        joints = (motion.joints @ level[:, :3].T + level[:, 3]) * scale
        known = detected_module.POSITIONED
        assert np.allclose(sequence.joints[:, known], joints[:, known], atol=2e-3)
        turned = detected_module.ROTATED
        assert np.allclose(
            sequence.rotations[:, turned], (level[:, :3] @ motion.world_rotations)[:, turned], atol=2e-3
        )
        assert np.allclose(sequence.up, level[:, 2])


def test_what_a_lifter_got_wrong_is_solved_as_a_capture_does(tmp_path):
    """Every bone turned by 9 degrees, seen without errors."""
    write_bvh(walk(60), tmp_path / "walk.bvh")
    clips = load_clips(tmp_path)
    places = DetectorModel(np.array([place for _, _, place in PLACES]), [], [], [])
    batch = Synthesis(clips, [], perfect(places, 40), 40, 0.0, seed=3, spoil=False).batch(3)
    torch.manual_seed(0)
    axes = torch.nn.functional.normalize(torch.randn(3, 1, 21, 3), dim=-1)
    said = Lifted(
        batch.lengths,
        axis_angle(axes, torch.full(axes.shape[:-1], 0.15)) @ batch.rotations,
        batch.joints[:, :, 0],
        torch.full((3, 40, 4), -5.0),
        batch.up[:, None].expand(3, 40, 3),
    )
    before, after = errors(said, batch), errors(solved(said, batch), batch)
    assert after["mpjpe_mm"] < 0.8 * before["mpjpe_mm"], (before, after)


def test_the_placement_of_landmarks_is_found_again(detected, placement):
    detector = fit_detector(load_sequences(detected))
    swap = detected_module.LANDMARK
    other = [swap[detected_module._swap(n)] for n in detected_module.LANDMARKS]
    symmetric = (placement + placement[other] * [-1, 1, 1]) / 2
    assert np.abs(detector.placement - symmetric).max() < 2e-3


def batch_of(mocap, detected, share, spoil=False, seed=0):
    sequences = load_sequences(detected)
    draw = Synthesis(load_clips(mocap), sequences, fit_detector(sequences), 32, share, seed, spoil)
    return draw.batch(12)


@pytest.mark.parametrize("share", [0.0, 1.0, 0.5])
@pytest.mark.parametrize("spoil", [False, True])
def test_batches_are_finite_and_drawn_alike_from_one_seed(mocap, detected, share, spoil):
    a, b = (batch_of(mocap, detected, share, spoil) for _ in range(2))
    for name, value in vars(a).items():
        lost = torch.isnan(value)
        assert not torch.isinf(value).any() and (name == "hint" or not lost.any()), name
        assert torch.equal(value.nan_to_num(), getattr(b, name).nan_to_num()), name
    assert torch.allclose(standing_height(a.lengths), torch.tensor(STANDARD_HEIGHT), atol=1e-3)


def test_a_body_seen_straight_is_the_same_wherever_the_camera_looks():
    points = np.random.default_rng(0).normal(0, 0.4, (20, 33, 3)) + np.array([0.0, 4, 0])
    hips = [detected_module.LANDMARK[f"hip.{side}"] for side in "LR"]
    points[:, :, ::2] -= points[:, hips, ::2].mean(1, keepdims=True)  # straight ahead
    straight = detected_module.seen_straight(points)
    ahead = points - points[:, hips].mean(1, keepdims=True)
    assert np.allclose(straight, ahead[..., [0, 2, 1]] * [1, -1, 1])
    panned = points @ axis_angle(np.array([0.0, 0, 1]), np.array(0.4)).T
    assert np.allclose(detected_module.seen_straight(panned), straight)


def test_landmarks_lie_on_the_body_that_they_are_said_to_be_of(mocap, detected):
    """The rays through hips and shoulders pass by the joints, within the placement and its noise."""
    batch = batch_of(mocap, detected, 0.0)
    depth = batch.joints[..., 1:2]
    seen = torch.cat([batch.joints[..., :1], -batch.joints[..., 2:]], -1) / depth
    for k, (at, _) in enumerate(CARRIERS):
        off = torch.linalg.vector_norm((batch.rays[:, :, k] - seen[:, :, at]) * depth[:, :, at], dim=-1)
        assert off.max() < 0.3, detected_module.LANDMARKS[k]


def test_landmarks_stay_on_the_body_when_the_camera_rolls(mocap, detected):
    batch = batch_of(mocap, detected, 0.0)
    clip = {name: value[0].numpy() for name, value in vars(batch).items()}
    turned = rolled(clip, 0.7)

    def offsets(c):
        at = c["joints"][:, [j for j, _ in CARRIERS]]
        depth = at[..., 1:2]
        return (c["rays"] - np.concatenate([at[..., :1], -at[..., 2:]], -1) / depth) * depth

    assert np.allclose(
        np.linalg.norm(offsets(turned), axis=-1), np.linalg.norm(offsets(clip), axis=-1), atol=1e-5
    )
    assert not np.allclose(turned["rotations"], clip["rotations"])
    assert np.isclose(turned["up"] @ clip["up"], np.cos(0.7), atol=0.2)


def test_mistakes_that_go_with_the_pose_are_learnt_and_the_rest_is_left(detected, monkeypatch):
    monkeypatch.setattr(emulator, "_EPOCHS", 1500)
    sequences = load_sequences(detected)
    plain = fit_detector(sequences)
    rng = np.random.default_rng(3)
    # depth is half of what it is, who is aside is seen worse, and all is a little too low
    bodies = [landmarks_on(s.joints, s.rotations, plain.placement) for s in sequences]
    hints = [rng.normal(0, 0.01, b.shape) + seen_straight(b) * [0, 0, -0.5] for b in bodies]
    seen = [0.9 - 0.2 * abs(b[..., 0] / b[..., 1]) for b in bodies]
    errors = [np.full((*b.shape[:2], 2), [0.0, 0.02]) for b in bodies]
    known = replace(plain, errors=errors, visibility=seen, hint_errors=hints)
    sequences = [replace(s, visibility=v) for s, v in zip(sequences, seen, strict=True)]
    learnt = emulator.emulated(known, sequences)
    assert np.abs(np.concatenate(learnt.hint_errors)).mean() < 0.25 * np.abs(np.concatenate(hints)).mean()
    assert np.abs(np.concatenate(learnt.errors)).mean() < 0.002
    assert np.abs(np.concatenate(learnt.visibility)).mean() < 0.01
    said = learnt.emulator.errors(bodies[0], sequences[0].up)
    left = (learnt.errors[0], learnt.visibility[0], learnt.hint_errors[0])
    for mean, rest, whole in zip(said, left, (errors[0], seen[0], hints[0]), strict=True):
        assert np.allclose(mean + rest, whole, atol=1e-6)
    order, flip = list(MIRRORED), np.array([-1.0, 1, 1])
    other = learnt.emulator.errors(bodies[0][:, order] * flip, sequences[0].up * flip)
    assert np.abs(other[2] - said[2][:, order] * flip).mean() < 0.03


def test_the_mirror_of_a_mirror_is_the_clip(mocap, detected):
    batch = batch_of(mocap, detected, 0.0)
    clip = {name: value[0].numpy() for name, value in vars(batch).items()}
    once = mirrored(clip)
    twice = mirrored(once)
    for name, value in clip.items():
        assert np.allclose(twice[name], value, atol=1e-6), name
    assert not np.allclose(once["joints"], clip["joints"])


def test_the_truth_has_no_loss_and_anything_else_has(mocap, detected):
    batch = batch_of(mocap, detected, 0.5)
    lifted = Lifted(
        lengths=batch.lengths,
        rotations=batch.rotations,
        root=batch.joints[:, :, 0],
        contacts=(batch.contacts * 2 - 1) * 20,
        up=batch.up[:, None].expand(-1, 32, -1),
    )
    synthetic = {k: v[6:] for k, v in vars(batch).items()}
    parts = losses(
        Lifted(**{k: v[6:] for k, v in vars(lifted).items() if torch.is_tensor(v)}),
        replace(batch, **synthetic),
    )
    for name, value in parts.items():
        if name != "slide":  # the feet of random motion do slide
            assert value < 1e-4, name
    wrong = losses(replace(lifted, rotations=lifted.rotations.roll(1, 1), root=lifted.root + 0.1), batch)
    for name in ("joints", "velocity", "rotations", "depth", "aside"):
        assert wrong[name] > 1e-3, name


def test_similarity_alignment_finds_any_similarity():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(5, 12, 3))
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.linalg.det(q)
    assert np.allclose(
        similarity_aligned(points, 1.7 * points @ q.T + [1, 2, 3]), 1.7 * points @ q.T + [1, 2, 3]
    )


def test_an_interrupted_training_goes_on_and_its_weights_load(mocap, detected, tmp_path):
    config = replace(CONFIGS["small"], channels=16, static_channels=8, stages=2, frames=16, batch=4, steps=4)
    weights, run = tmp_path / "w.safetensors", tmp_path / "run"
    train(replace(config, steps=4), mocap, [detected], run, weights, "cpu", every=2)
    steps = [json.loads(line)["step"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert steps == [2, 4]
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    state["step"] = 2  # as if it had been stopped half way
    torch.save(state, run / "checkpoint.pt")
    train(config, mocap, [detected], run, weights, "cpu", every=2)
    steps = [json.loads(line)["step"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert steps == [2, 4, 4]
    assert load_weights(weights, torch.device("cpu")).config["channels"] == 16
    assert list(itertools.islice(tmp_path.glob(".kinelift-*"), 1)) == []


def test_what_is_about_something_else_is_told(detected):
    sequence = load_sequences(detected)[0]
    assert is_seen(sequence)
    rays = sequence.rays.copy()
    rays[: len(rays) // 4] += 0.5
    assert not is_seen(replace(sequence, rays=rays))
    rays[: len(rays) // 4] = np.nan
    assert not is_seen(replace(sequence, rays=rays))


def test_weights_are_mixed(tmp_path):
    size = {"channels": 16, "static_channels": 8, "stages": 2}
    a, b = (MotioNet(**size).eval() for _ in range(2))
    for name, model in (("a", a), ("b", b)):
        save_weights(model, tmp_path / f"{name}.safetensors")
    mix(tmp_path / "a.safetensors", tmp_path / "b.safetensors", 0.25, tmp_path / "c.safetensors")
    mixed = load_weights(tmp_path / "c.safetensors", torch.device("cpu"))
    for name, value in mixed.state_dict().items():
        one, other = a.state_dict()[name].float(), b.state_dict()[name].float()
        assert torch.allclose(value.float(), 0.75 * one + 0.25 * other, atol=2e-3), name
