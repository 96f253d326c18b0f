"""Draws training batches: mocap on random bodies before random cameras, with a detector's real errors.

A batch mixes two kinds of sequences:

- *synthetic*: a stretch of mocap on a body of random proportions before a random perspective camera. The
  stretch may be mirrored, changes its speed, and sometimes gets the upper body of another sequence, other
  arms, or a seated or lying pose. Its landmarks are projected and then moved by a stretch of the detector's
  real errors, in 2D and 3D.
- *detected*: a stretch of the detector's landmarks of a rendered body, with that body's truth.

Both are sometimes cropped, partly hidden and given a wrong focal length, as happens in real footage.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from kinelift.core.arrays import Array
from kinelift.core.kinematics import joint_positions
from kinelift.core.landmarks import MIRRORED, bridge, landmarks_on
from kinelift.core.motion import CONTACT_MIRROR
from kinelift.core.rotations import axis_angle
from kinelift.core.skeleton import (
    INDEX,
    JOINTS,
    LENGTHS,
    MIRROR,
    STANDARD_HEIGHT,
    TEMPLATE_LENGTHS,
    rest_offsets,
    standing_height,
)
from kinelift.training.detected import (
    NEAREST,
    POSITIONED,
    ROTATED,
    DetectedSequence,
    DetectorModel,
    rays_through,
)
from kinelift.training.mocap import MocapSequence, resample

#: mirrors left and right
_S = np.diag([-1.0, 1.0, 1.0])
_LEGS = [INDEX[f"{n}.{s}"] for s in "LR" for n in ("thigh", "shin", "foot", "toe")]
_UPPER = [j for j in range(1, len(JOINTS)) if j not in _LEGS]
_ARM = ("upper_arm", "forearm", "hand")


@dataclass(frozen=True)
class Batch:
    """A lifter's input and the truth, in the camera's level axes, metres at `STANDARD_HEIGHT`.

    Attributes
    ----------
    rays, confidence : (B, T, 33, 2), (B, T, 33)
        The lifter's input, see `inference.lifters.view`.
    rotations, joints : (B, T, J, 3, 3), (B, T, J, 3)
    rotated, positioned : (B, J)
        1 if the truth gives the rotation or position of the joint, else 0.
    contacts : (B, T, 4)
    lengths : (B, len(LENGTHS))
    up : (B, 3)
    """

    rays: Tensor
    confidence: Tensor
    rotations: Tensor
    joints: Tensor
    rotated: Tensor
    positioned: Tensor
    contacts: Tensor
    lengths: Tensor
    up: Tensor

    def to(self, device: str) -> Batch:
        """The same on a device."""
        return Batch(**{name: value.to(device) for name, value in vars(self).items()})


class Synthesis:
    """Draws batches; the same seed draws the same batches.

    Parameters
    ----------
    mocap : list of MocapSequence
    sequences : list of DetectedSequence
        Detected sequences to draw from; empty if `detected_share` is 0.
    detector : DetectorModel
    frames : int
        Length of a training sequence.
    detected_share : float
        Share of detected sequences in a batch.
    spoil : bool
        Sometimes crop, hide landmarks and change the focal length; off for evaluation.
    """

    def __init__(
        self,
        mocap: list[MocapSequence],
        sequences: list[DetectedSequence],
        detector: DetectorModel,
        frames: int,
        detected_share: float,
        seed: int,
        spoil: bool = True,
    ) -> None:
        self.mocap = [m for m in mocap if len(m.root) > 8]
        self.sequences = sequences
        self.detector = detector
        self.frames = frames
        self.detected_share = detected_share
        self.random = np.random.default_rng(seed)
        self.spoil = spoil
        # between equal sequences and equal frames: most of the frames are dance, few are running
        weight = np.array([len(m.root) for m in self.mocap]) ** 0.6
        self.mocap_weight = weight / max(weight.sum(), 1)

    def batch(self, size: int) -> Batch:
        """Draw `size` sequences."""
        detected = round(size * self.detected_share)
        drawn = [self._detected() for _ in range(detected)]
        drawn += [self._synthetic() for _ in range(size - detected)]
        parts = [self._finish(d) for d in drawn]
        names = [f.name for f in fields(Batch)]
        return Batch(*(torch.from_numpy(np.stack([p[n] for p in parts]).astype(np.float32)) for n in names))

    def _stretch(self, length: int, speed: float = 1.0) -> Array:
        """Fractional frames of a stretch of `self.frames`; a sequence that is too short rests at its ends."""
        span = (self.frames - 1) * speed
        start = self.random.uniform(min(0.0, length - 1 - span), max(0.0, length - 1 - span))
        return np.clip(start + np.arange(self.frames) * speed, 0, length - 1)

    def _synthetic(self) -> dict[str, Array]:
        rng = self.random
        mocap = self.mocap[rng.choice(len(self.mocap), p=self.mocap_weight)]
        at = self._warped(len(mocap.root))
        rotations, root = resample(mocap.rotations, at), resample(mocap.root, at)
        contacts = mocap.contacts[np.round(at).astype(int)]
        if self.spoil:
            rotations, root, contacts = self._varied(rotations, root, contacts)
        if rng.random() < 0.5:
            rotations, root = _S @ rotations[:, list(MIRROR)] @ _S, root * [-1, 1, 1]
            contacts = contacts[:, CONTACT_MIRROR]

        # half the bodies get about the mocap's proportions, half about the template's
        base = mocap.lengths if rng.random() < 0.5 else TEMPLATE_LENGTHS
        lengths = base * np.exp(rng.normal(0, 0.05, len(LENGTHS)))
        lengths *= STANDARD_HEIGHT / standing_height(lengths)
        leg = lengths[LENGTHS.index("shin")] + lengths[LENGTHS.index("foot")]
        root = root * (leg / mocap.leg)

        to_level, eye = self._camera(root)
        rotations = to_level @ rotations
        root = (root - eye) @ to_level.T
        joints = joint_positions(rotations, root, rest_offsets(lengths))
        placement = self.detector.placement * (1 + rng.normal(0, 0.05, (33, 1))) + rng.normal(
            0, 0.008, (33, 3)
        )
        points = landmarks_on(joints, rotations, placement)
        depth = np.maximum(points[..., 1:2], NEAREST)
        rays = rays_through(points, depth)
        errors, visibility = self._errors()
        if self.detector.emulator is not None:
            mean_errors, mean_visibility = self.detector.emulator.errors(points, to_level[:, 2])
            found = np.isfinite(errors[:, :1, 0])
            visibility = np.where(found, np.clip(mean_visibility + visibility, 0, 1), 0)
            errors = errors + mean_errors
        return {
            "rays": rays + errors * STANDARD_HEIGHT / depth,
            "confidence": visibility,
            "rotations": rotations,
            "joints": joints,
            "rotated": np.ones(len(JOINTS)),
            "positioned": np.ones(len(JOINTS)),
            "contacts": contacts,
            "lengths": lengths,
            "up": to_level[:, 2],
        }

    def _warped(self, length: int) -> Array:
        """Fractional frames of a stretch whose speed changes slowly."""
        rng = self.random
        knots = rng.uniform(0.7, 1.4) * np.exp(rng.normal(0, 0.15 if self.spoil else 0.0, 5))
        speed = np.interp(np.linspace(0, 4, self.frames - 1), np.arange(5), knots)
        at = np.concatenate([[0.0], np.cumsum(speed)])
        start = rng.uniform(min(0.0, length - 1 - at[-1]), max(0.0, length - 1 - at[-1]))
        return np.asarray(np.clip(start + at, 0, length - 1))

    def _varied(self, rotations: Array, root: Array, contacts: Array) -> tuple[Array, Array, Array]:
        """Make poses that the mocap lacks: the upper body of another sequence, other arms, seated, lying."""
        rng = self.random
        rotations = rotations.copy()
        if rng.random() < 0.35:
            other = self.mocap[rng.choice(len(self.mocap), p=self.mocap_weight)]
            at = self._warped(len(other.root))
            above = resample(other.rotations, at)
            turn = rotations[:, :1] @ np.swapaxes(above[:, :1], -1, -2)
            rotations[:, _UPPER] = turn @ above[:, _UPPER]
        for side in "LR":
            if rng.random() < 0.3:  # the whole arm, or from the elbow on
                first = rng.integers(2)
                arm = [INDEX[f"{n}.{side}"] for n in _ARM[first:]]
                hips = rotations[:, :1]
                turn = hips @ _turns(rng, 0.5, 1) @ np.swapaxes(hips, -1, -2)
                rotations[:, arm] = turn @ rotations[:, arm]
        posture = rng.random()
        if posture < 0.06:
            rotations, contacts = self._seated(rotations), np.ones_like(contacts)
            root = root[:1] + 0.1 * (root - root[:1]) - [0, 0, rng.uniform(0.3, 0.6)]
        elif posture < 0.11:  # on the back, the belly or a side
            about = rng.uniform(-np.pi, np.pi)
            angle = np.array(np.radians(rng.normal(90, 15)))
            turn = axis_angle(np.array([np.cos(about), np.sin(about), 0.0]), angle)
            rotations, contacts = turn @ rotations, np.zeros_like(contacts)
            root = root[:1] + (root - root[:1]) @ turn.T
        return rotations, root, contacts

    def _seated(self, rotations: Array) -> Array:
        """The legs of somebody who sits, under an upper body that moves as it did."""
        rng = self.random
        heading = np.arctan2(-rotations[:, 0, 0, 1], rotations[:, 0, 1, 1]).mean()
        leaning = axis_angle(np.array([1.0, 0, 0]), np.array(rng.normal(0, 0.12)))
        pelvis = axis_angle(np.array([0.0, 0, 1]), np.array(heading)) @ leaning
        sway = _turns(rng, 0.03, self.frames)[:, 0]
        hips = pelvis @ sway
        out = np.swapaxes(rotations[:, :1], -1, -2) @ rotations
        out = hips[:, None] @ out
        bend, knee = np.radians(rng.normal(85, 14)), np.radians(rng.normal(85, 25))
        for side, sign in (("L", 1.0), ("R", -1.0)):
            apart = np.radians(rng.normal(10, 9)) * sign
            thigh = axis_angle(np.array([0.0, 0, 1]), np.array(apart)) @ _about_x(-bend + rng.normal(0, 0.1))
            shin = thigh @ _about_x(min(max(knee + rng.normal(0, 0.2), 0.0), 2.4))
            foot = shin @ _about_x(bend - knee + rng.normal(0, 0.1))
            for name, turn in (("thigh", thigh), ("shin", shin), ("foot", foot), ("toe", foot)):
                out[:, INDEX[f"{name}.{side}"]] = pelvis @ turn
        return np.asarray(out)

    def _camera(self, root: Array) -> tuple[Array, Array]:
        """A camera's level-axes-from-world rotation (3, 3) and position (3,), looking near the person."""
        rng = self.random
        yaw = rng.uniform(-np.pi, np.pi)
        # most videos are shot from about eye height, some from far above or below
        pitch = np.radians(rng.normal(8, 10) if rng.random() < 0.75 else rng.uniform(-30, 50))
        roll = np.radians(rng.normal(0, 3))
        distance = np.exp(rng.uniform(np.log(1.9), np.log(9.0)))
        target = root[rng.integers(len(root))] + rng.normal(0, 0.2, 3)
        # where the target lies in the picture, for fields of view from tele to wide
        aside, above = rng.normal(0, 0.16), rng.normal(0, 0.10)
        turn = axis_angle(np.array([0.0, 0, 1]), np.array(yaw))
        tilt = axis_angle(np.array([1.0, 0, 0]), np.array(-pitch))
        rolled = axis_angle(np.array([0.0, 1, 0]), np.array(roll))
        level_from_world = rolled.T @ tilt.T @ turn.T
        aim = np.array([aside, 1.0, above])
        eye = target - distance * (level_from_world.T @ (aim / np.linalg.norm(aim)))
        # move the camera back so that nobody walks through it
        nearest = ((root - eye) @ level_from_world.T)[:, 1].min()
        eye = eye - level_from_world[1] * max(0.0, 1.3 - nearest)
        return level_from_world, eye

    def _errors(self) -> tuple[Array, Array]:
        """Draw a stretch of the detector's errors.

        Returns
        -------
        (T, 33, 2), (T, 33)
            Errors of the landmarks in body heights, and visibility.
        """
        rng = self.random
        i = rng.integers(len(self.detector.errors))
        d = self.detector
        errors, visibility = d.errors[i], d.visibility[i]
        start = rng.integers(max(1, len(errors) - self.frames + 1))
        at = np.minimum(start + np.arange(self.frames), len(errors) - 1)
        if rng.random() < 0.5:
            at = at[::-1]
        errors, visibility = errors[at] * rng.uniform(0.5, 1.2), visibility[at]
        if rng.random() < 0.5:
            errors, visibility = errors[:, list(MIRRORED)] * [-1, 1], visibility[:, list(MIRRORED)]
        return errors, visibility

    def _detected(self) -> dict[str, Array]:
        rng = self.random
        s = self.sequences[rng.integers(len(self.sequences))]
        at = np.round(self._stretch(len(s.rays), rng.uniform(0.8, 1.3))).astype(int)
        out: dict[str, Array] = {
            "rays": s.rays[at],
            "confidence": s.visibility[at],
            "rotations": s.rotations[at],
            "joints": s.joints[at],
            "rotated": ROTATED,
            "positioned": POSITIONED,
            "contacts": s.contacts[at],
            "lengths": s.lengths,
            "up": s.up,
        }
        return mirrored(out) if rng.random() < 0.5 else out

    def _finish(self, d: dict[str, Array]) -> dict[str, Array]:
        """Hide parts of the sequence and change the focal length; bridge gaps as the tracker does."""
        rng = self.random
        rays, confidence = d["rays"].copy(), d["confidence"].copy()
        if not self.spoil:
            rays, confidence = bridge(rays, confidence)
            return {**d, "rays": rays, "confidence": confidence}
        if rng.random() < 0.4:  # the camera is tilted sideways
            d = rolled(d, np.radians(np.clip(rng.normal(0, 20), -60, 60)))
            rays = d["rays"].copy()
        if rng.random() < 0.12:  # the edge of the picture cuts the body
            side, cut = (
                rng.integers(4),
                np.quantile(rays[np.isfinite(rays[..., 0])], rng.uniform(0.05, 0.35), axis=0),
            )
            axis = side % 2
            outside = rays[..., axis] > 2 * np.nanmedian(rays[..., axis]) - cut[axis]
            confidence[outside if side < 2 else rays[..., axis] < cut[axis]] = 0
        if rng.random() < 0.15:  # some landmarks are hidden for a while
            for k in rng.integers(0, 33, rng.integers(1, 6)):
                a = rng.integers(self.frames)
                confidence[a : a + rng.integers(3, 40), k] = 0
        if rng.random() < 0.12:  # the detector finds nobody for a while
            a = rng.integers(self.frames)
            lost = slice(a, a + rng.integers(1, 12))
            rays[lost] = np.nan
        rays, confidence = bridge(rays, confidence)
        joints, focal = d["joints"], np.exp(rng.normal(0, 0.12)) if rng.random() < 0.6 else 1.0
        # a focal length that is `focal` times too long makes rays narrower and everything farther away
        hips = joints[:, :1]
        aimed = hips * [1, focal, 1]
        moved = joints - hips + aimed
        return {**d, "rays": rays / focal, "confidence": confidence, "joints": moved}


def _about_x(angle: float) -> Array:
    return np.asarray(axis_angle(np.array([1.0, 0, 0]), np.array(angle)))


def _turns(rng: np.random.Generator, spread: float, frames: int) -> Array:
    """Random rotations (frames, 1, 3, 3) that change slowly, about `spread` radians; or a single one."""
    knots = rng.normal(0, spread, (4, 3))
    if frames == 1:
        vector = knots[:1]
    else:
        vector = np.stack([np.interp(np.linspace(0, 3, frames), np.arange(4), k) for k in knots.T], 1)
    angle = np.linalg.norm(vector, axis=1)
    return np.asarray(axis_angle(vector / np.maximum(angle, 1e-9)[:, None], angle)[:, None])


def rolled(d: dict[str, Array], angle: float) -> dict[str, Array]:
    """The sequence as seen by a camera that is rolled about its viewing direction by `angle` (radians)."""
    turn = axis_angle(np.array([0.0, 1, 0]), np.array(angle))
    cosine, sine = np.cos(angle), np.sin(angle)
    return {
        **d,
        "rays": d["rays"] @ np.array([[cosine, sine], [-sine, cosine]]),
        "rotations": turn @ d["rotations"],
        "joints": d["joints"] @ turn.T,
        "up": turn @ d["up"],
    }


def mirrored(d: dict[str, Array]) -> dict[str, Array]:
    """The mirror image of a sequence."""
    joints = list(MIRROR)
    flip = np.array([-1.0, 1.0, 1.0])
    return {
        "rays": d["rays"][:, list(MIRRORED)] * [-1, 1],
        "confidence": d["confidence"][:, list(MIRRORED)],
        "rotations": _S @ d["rotations"][:, joints] @ _S,
        "joints": d["joints"][:, joints] * flip,
        "rotated": d["rotated"],
        "positioned": d["positioned"],
        "contacts": d["contacts"][:, CONTACT_MIRROR],
        "lengths": d["lengths"],
        "up": d["up"] * flip,
    }
