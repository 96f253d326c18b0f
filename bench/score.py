"""Score a captured motion against a reference clip.

    python -m bench.score CAPTURED.bvh|CAPTURED.npz REFERENCE.npz [--json]

CAPTURED.bvh   joints named as in `core.skeleton`, Y up, metres, its own frame time.
CAPTURED.npz   fps; joint_names; joints (T, J, 3) metres, Z up.
REFERENCE.npz  fps; joint_names; joints_world (T, J, 3) metres, Z up, floor at 0;
               optionally contacts (T, 2) left, right foot as booleans.

Figures (over the 12 limb joints that both have, unless another set is named):
    pa_mpjpe_mm     every frame aligned by its own similarity (Procrustes)
    sa_mpjpe_mm     root-relative, ONE similarity for the whole clip: shows wrong facing and flips
    wa_mpjpe_mm     with root motion, one similarity for the whole clip
    root_drift_pct  root error after that alignment over the reference's path length (None: under 0.5 m)
    tilt_deg        lean of the floor: the angle left after the best rotation about the vertical
    bone_std_mm     mean over limb bones of the length's standard deviation over time
    asymmetry_mm    mean |left - right| over limb bones
    accel_ratio     mean |second difference| of the joints, captured over reference (1: like the truth)
    knee_deg, elbow_deg   mean |captured - true| angle of the joint (0: straight), left and right
    straight_deg    how much more bent than the truth knees and elbows are where the truth is below 20 degrees
                    (None if it never is)
    ends_pa_mm      as pa_mpjpe_mm, wrists and ankles only
    foot_slide_mm   captured foot motion per frame (in all directions) while the reference foot is in contact
    scale           reference size over captured size (1 = metric scale right)

It reads BVH files by itself and shares no code with what it judges.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Similarity = tuple[float, Array, Array]
Figures = dict[str, float | int | None]

#: the limb joints
LIMBS = [
    f"{name}.{side}" for name in ("upper_arm", "forearm", "hand", "thigh", "shin", "foot") for side in "LR"
]
#: the limb bones, as pairs of joints
BONES = [("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "shin"), ("shin", "foot")]
#: hinges: the joints at the ends of the two bones, and between them
HINGES = {"knee": ("thigh", "shin", "foot"), "elbow": ("upper_arm", "forearm", "hand")}
#: a limb that is less bent than this is straight, degrees
STRAIGHT = 20


def _axis_rotation(axis: str, degrees: Array) -> Array:
    angle = np.radians(degrees)
    c, s, one, zero = np.cos(angle), np.sin(angle), np.ones_like(angle), np.zeros_like(angle)
    rows = {
        "X": [[one, zero, zero], [zero, c, -s], [zero, s, c]],
        "Y": [[c, zero, s], [zero, one, zero], [-s, zero, c]],
        "Z": [[c, -s, zero], [s, c, zero], [zero, zero, one]],
    }[axis]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def bvh_joints(path: Path) -> tuple[list[str], Array, float]:
    """Joint names, world joint positions (T, J, 3) in metres, Z up, and frames per second of a BVH file."""
    tokens = path.read_text(encoding="utf-8").split()
    names: list[str] = []
    parents: list[int] = []
    offsets: list[Array] = []
    channels: list[list[str]] = []
    stack: list[int] = []
    i = 0
    in_end_site = False
    while tokens[i] != "MOTION":
        token = tokens[i]
        if token in ("ROOT", "JOINT"):
            brace = tokens.index("{", i)  # a name may have spaces: it ends at the brace
            names.append(" ".join(tokens[i + 1 : brace]))
            parents.append(stack[-1] if stack else -1)
            offsets.append(np.zeros(3))
            channels.append([])
            stack.append(len(names) - 1)
            i = brace
        elif token == "End":
            in_end_site = True
            i = tokens.index("{", i)
            stack.append(stack[-1])
        elif token == "}":
            stack.pop()
            in_end_site = False
        elif token == "OFFSET":
            if not in_end_site:
                offsets[stack[-1]] = np.array(tokens[i + 1 : i + 4], float)
            i += 3
        elif token == "CHANNELS":
            count = int(tokens[i + 1])
            channels[stack[-1]] = tokens[i + 2 : i + 2 + count]
            i += 1 + count
        i += 1
    frames = int(tokens[tokens.index("Frames:", i) + 1])
    at = tokens.index("Time:", i)
    data = np.array(tokens[at + 2 :], float).reshape(frames, -1)

    positions: list[Array] = []
    rotations: list[Array] = []
    column = 0
    for joint, parent in enumerate(parents):
        offset = np.tile(offsets[joint], (frames, 1))
        local = np.tile(np.eye(3), (frames, 1, 1))
        for channel in channels[joint]:
            if channel.endswith("position"):
                offset[:, "XYZ".index(channel[0])] = data[:, column]
            else:
                local = local @ _axis_rotation(channel[0], data[:, column])
            column += 1
        if parent < 0:
            positions.append(offset)
            rotations.append(local)
        else:
            positions.append(positions[parent] + np.einsum("tij,tj->ti", rotations[parent], offset))
            rotations.append(rotations[parent] @ local)
    joints = np.stack(positions, 1)
    z_up = np.stack([joints[..., 0], -joints[..., 2], joints[..., 1]], -1)
    return names, z_up, 1.0 / float(tokens[at + 1])


def captured_joints(path: Path) -> tuple[list[str], Array, float]:
    """Joint names, world positions (T, J, 3) in metres, Z up, and frames per second of a .bvh or .npz."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as data:
            return [str(n) for n in data["joint_names"]], data["joints"].astype(float), float(data["fps"])
    return bvh_joints(path)


def similarity(a: Array, b: Array) -> Similarity:
    """Scale s, rotation R (3, 3), shift t (3,) with s * a @ R.T + t closest to b; both (N, 3)."""
    mean_a, mean_b = a.mean(0), b.mean(0)
    u, d, vt = np.linalg.svd((b - mean_b).T @ (a - mean_a))
    flip = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    r = u @ flip @ vt
    s = float(np.trace(np.diag(d) @ flip) / ((a - mean_a) ** 2).sum())
    return s, r, mean_b - s * mean_a @ r.T


def _moved(by: Similarity, a: Array) -> Array:
    return by[0] * a @ by[1].T + by[2]


def _distance_mm(a: Array, b: Array) -> float:
    return float(np.linalg.norm(a - b, axis=-1).mean() * 1000)


def bend(joints: Array, names: list[str], hinge: str) -> Array:
    """Angle (T, 2) of a hinge, left and right, degrees, from joints (T, J, 3): 0 is straight."""
    sides = []
    for side in "LR":
        upper, middle, lower = (joints[:, names.index(f"{name}.{side}")] for name in HINGES[hinge])
        a, b = middle - upper, lower - middle
        product = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
        cosine = (a * b).sum(-1) / np.maximum(product, 1e-9)
        sides.append(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    return np.stack(sides, 1)


def score(captured: Path, reference: Path) -> Figures:
    """Figures of a captured motion against a reference clip; the head of this file explains them.

    Raises
    ------
    ValueError
        If the capture lacks a limb joint or more than 5 % of the reference's time.
    """
    names, joints, fps = captured_joints(captured)
    with np.load(reference, allow_pickle=False) as data:
        truth: dict[str, Any] = dict(data)
    ref_names = [str(n) for n in truth["joint_names"]]
    missing = [n for n in LIMBS if n not in names]
    if missing:
        raise ValueError(f"{captured} lacks the joints {missing}; it has {names}")
    limbs = [n for n in LIMBS if n in ref_names]
    gt: Array = truth["joints_world"][:, [ref_names.index(n) for n in limbs]].astype(float)
    # the captured motion at the reference's times, by linear interpolation
    t = np.arange(len(gt)) / float(truth["fps"])
    source = np.arange(len(joints)) / fps
    covered = t <= source[-1] + 1e-6
    if covered.mean() < 0.95:
        raise ValueError(f"{captured} lasts {source[-1]:.2f} s, the reference {t[-1]:.2f} s")
    gt = gt[covered]
    columns = joints.reshape(len(joints), -1).T
    at = np.stack([np.interp(t[covered], source, c) for c in columns], 1).reshape(len(gt), len(names), 3)
    cap = at[:, [names.index(n) for n in limbs]]

    hips = [limbs.index("thigh.L"), limbs.index("thigh.R")]
    root_cap, root_gt = cap[:, hips].mean(1, keepdims=True), gt[:, hips].mean(1, keepdims=True)
    rel_cap, rel_gt = cap - root_cap, gt - root_gt
    one = similarity(rel_cap.reshape(-1, 3), rel_gt.reshape(-1, 3))
    whole = similarity(cap.reshape(-1, 3), gt.reshape(-1, 3))
    path = float(np.linalg.norm(np.diff(root_gt[:, 0], axis=0), axis=1).sum())
    drift = _distance_mm(_moved(whole, root_cap), root_gt)
    aligned = np.stack([_moved(similarity(c, g), c) for c, g in zip(cap, gt, strict=True)])
    ends = [limbs.index(f"{name}.{side}") for name in ("hand", "foot") for side in "LR"]
    out: Figures = {
        "frames": len(gt),
        "joints": len(limbs),
        "pa_mpjpe_mm": _distance_mm(aligned, gt),
        "ends_pa_mm": _distance_mm(aligned[:, ends], gt[:, ends]),
        "sa_mpjpe_mm": _distance_mm(one[0] * rel_cap @ one[1].T, rel_gt),
        "wa_mpjpe_mm": _distance_mm(_moved(whole, cap), gt),
        "root_drift_pct": drift / (path * 10) if path > 0.5 else None,
        "tilt_deg": float(np.degrees(np.arccos(np.clip(one[1][2, 2], -1, 1)))),
        "scale": one[0],
    }

    index = {n: i for i, n in enumerate(names)}
    lengths = {
        (a, side): np.linalg.norm(at[:, index[f"{a}.{side}"]] - at[:, index[f"{b}.{side}"]], axis=1)
        for a, b in BONES
        for side in "LR"
    }
    sides = [abs(lengths[a, "L"].mean() - lengths[a, "R"].mean()) for a, _ in BONES]
    out["bone_std_mm"] = float(np.mean([v.std() for v in lengths.values()]) * 1000)
    out["asymmetry_mm"] = float(np.mean(sides) * 1000)
    accel = [np.linalg.norm(np.diff(x, 2, axis=0), axis=-1).mean() for x in (cap * one[0], gt)]
    out["accel_ratio"] = float(accel[0] / max(accel[1], 1e-9))
    bends = {hinge: (bend(cap, limbs, hinge), bend(gt, limbs, hinge)) for hinge in HINGES}
    out |= {f"{hinge}_deg": float(np.abs(ours - true).mean()) for hinge, (ours, true) in bends.items()}
    straight = np.concatenate([(ours - true)[true < STRAIGHT] for ours, true in bends.values()])
    out["straight_deg"] = float(straight.mean()) if len(straight) else None
    if "contacts" in truth:
        contact = truth["contacts"][covered].astype(bool)
        slides = []
        for k, side in enumerate("LR"):
            foot = at[:, index.get(f"toe.{side}", index[f"foot.{side}"])] * one[0]
            step = np.linalg.norm(np.diff(foot, axis=0), axis=1) * 1000
            slides.append(step[contact[1:, k] & contact[:-1, k]])
        both = np.concatenate(slides)
        out["foot_slide_mm"] = float(both.mean()) if len(both) else None
    return out


def main() -> None:
    """Print the figures of one capture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("captured", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        figures = score(args.captured, args.reference)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    if args.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:16} {value if not isinstance(value, float) else round(value, 2)}")


if __name__ == "__main__":
    main()
