"""The truth of a rendered clip as a `Capture`, for measuring the steps after the lifter on their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kinelift.core.camera import Camera
from kinelift.core.capture import Capture, still_camera, turns_not_known
from kinelift.core.contacts import find_contacts
from kinelift.core.kinematics import joint_positions, local_rotations
from kinelift.core.landmarks import LANDMARK, nothing_known
from kinelift.core.motion import Motion
from kinelift.core.rotations import quaternion_from_matrix, rotation_between
from kinelift.core.skeleton import INDEX, JOINTS, LENGTHS, PARENTS, TEMPLATE_LENGTHS, rest_offsets

Array = npt.NDArray[Any]
#: joint at the other end of each limb
_CHILD = {"upper_arm": "forearm", "forearm": "hand", "thigh": "shin", "shin": "foot"}


def true_capture(reference: Path) -> Capture:
    """A reference clip on our skeleton, as a lifter without errors would give it.

    Speed and height alone decide the contacts (the lifter's probabilities are one half), and the contacts
    give the floor.
    """
    with np.load(reference, allow_pickle=False) as data:
        d = dict(data)
    names = [str(n) for n in d["joint_names"]]
    at = {n: d["joints_world"][:, i].astype(float) for i, n in enumerate(names)}
    rest = {n: d["joint_rest"][i].astype(float) for i, n in enumerate(names)}
    turned = {n: d["joint_rotations"][:, i].astype(float) for i, n in enumerate(names)}
    offsets = rest_offsets(_lengths(rest))
    world = np.tile(np.eye(3), (len(at["hips"]), len(JOINTS), 1, 1))
    for name, joint in INDEX.items():
        if name not in turned:
            continue
        base, _, side = name.partition(".")
        child = f"{_CHILD[base]}.{side}" if base in _CHILD else ""
        turn = rotation_between(rest[child] - rest[name], offsets[INDEX[child]]) if child else np.eye(3)
        world[:, joint] = turned[name] @ turn.T
    # the truth has no far end of the hands: they follow the forearms
    for side in "LR":
        world[:, INDEX[f"hand.{side}"]] = world[:, INDEX[f"forearm.{side}"]]
    _pose_trunk(world, at, offsets)
    landmarks = np.full((len(world), 33, 3), np.nan)
    for side in "LR":
        for shown, joint_name in (("heel", "heel"), ("foot_index", "toe"), ("ankle", "foot")):
            landmarks[:, LANDMARK[f"{shown}.{side}"], :2] = d["joints_px"][
                :, names.index(f"{joint_name}.{side}")
            ]
            landmarks[:, LANDMARK[f"{shown}.{side}"], 2] = 1
    width, height = (int(n) for n in d["size"])
    motion = Motion(
        fps=float(d["fps"]),
        start=0.0,
        offsets=offsets,
        rotations=quaternion_from_matrix(local_rotations(world)),
        root=(at["thigh.L"] + at["thigh.R"]) / 2,
        contacts=np.full((len(world), 4), 0.5),
    )
    capture = Capture(
        motion=motion,
        camera=Camera(float(d["K"][0, 0]), (width, height), d["camera_from_world"].astype(float)),
        confidence=np.ones((len(world), len(JOINTS))),
        turn_spread=turns_not_known(len(world)),
        **still_camera(len(world)),
        **nothing_known(len(world)) | {"landmarks": landmarks},
    )
    return replace(capture, motion=replace(motion, contacts=find_contacts(capture).astype(np.float32)))


def _lengths(rest: dict[str, Array]) -> Array:
    """Our bone lengths from a body's rest joints; lengths without joints are in proportion to the trunk."""
    out = TEMPLATE_LENGTHS * (rest["neck"][2] - rest["hips"][2]) / 0.56  # 0.56 m in the template
    for name in ("forearm", "hand", "shin", "foot", "toe"):
        joint = INDEX[f"{name}.L"]
        parent = JOINTS[PARENTS[joint]]
        out[LENGTHS.index(name)] = np.linalg.norm(rest[f"{name}.L"] - rest[parent])
    out[LENGTHS.index("thigh")] = abs(rest["thigh.L"][0])
    return np.asarray(out)


def _pose_trunk(world: Array, at: dict[str, Array], offsets: Array) -> None:
    """Turn spine, chest, neck and shoulders so that the shoulder joints reach their true places."""
    trunk = ["spine", "chest", "neck"]
    arms = ["upper_arm.L", "upper_arm.R"]
    for joint in trunk:
        world[:, INDEX[joint]] = world[:, 0]
    still = np.tile(np.eye(3), (1, len(JOINTS), 1, 1))
    ours = joint_positions(still, np.zeros((1, 3)), offsets)[0]
    start = (at["thigh.L"] + at["thigh.R"]) / 2 + (world[:, 0] @ offsets[INDEX["spine"], :, None])[..., 0]
    a = np.stack([ours[INDEX[n]] - ours[INDEX["spine"]] for n in ("neck", *arms)])
    b = np.stack([at[n] - start for n in ("neck", *arms)], axis=1)
    u, _, v = np.linalg.svd(np.einsum("tki,kj->tij", b, a))
    u[..., 2] *= np.sign(np.linalg.det(u @ v))[:, None]
    for joint in trunk:
        world[:, INDEX[joint]] = u @ v
    placed = joint_positions(world, start - (world[:, 0] @ offsets[INDEX["spine"], :, None])[..., 0], offsets)
    for arm in arms:
        shoulder = INDEX[arm.replace("upper_arm", "shoulder")]
        rotation = u @ v
        now = (rotation @ offsets[INDEX[arm], :, None])[..., 0]
        world[:, shoulder] = rotation_between(now, at[arm] - placed[:, shoulder]) @ rotation
