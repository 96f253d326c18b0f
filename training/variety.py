"""Poses that no clip holds, for whole batches: parts of other clips, straight limbs, hands that touch, seats.

A motion here is rotations (B, T, J, 3, 3), the hips (B, T, 3) and contacts (B, T, 4) of windows in the world.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kinelift.core.motion import CONTACT_POINTS
from kinelift.core.rotations import axis_angle, rotation_between
from kinelift.core.skeleton import INDEX, JOINTS, LENGTHS, MIRROR, PARENTS, TEMPLATE_LENGTHS, rest_offsets
from kinelift.training.dice import Dice

Motion = tuple[Tensor, Tensor, Tensor]

_LEGS = [INDEX[f"{n}.{s}"] for s in "LR" for n in ("thigh", "shin", "foot", "toe")]
_UPPER = [j for j in range(1, len(JOINTS)) if j not in _LEGS]
#: parts that a pose may have from another clip: the joint that they hang on, their joints, how often
_PARTS: list[tuple[int, list[int], float]] = [
    (INDEX["chest"], [INDEX["neck"], INDEX["head"]], 0.15),
    *((INDEX["chest"], [INDEX[f"{n}.{s}"] for n in ("shoulder", "upper_arm", "forearm", "hand")], 0.25)
      for s in "LR"),
    *((INDEX["hips"], [INDEX[f"{n}.{s}"] for n in ("thigh", "shin", "foot", "toe")], 0.12) for s in "LR"),
]  # fmt: skip
#: how often a pose has the whole upper body of another clip
_UPPER_SHARE = 0.35
#: how often an arm, or what hangs on its elbow, is turned, and by how much about each axis, radians
_ARM_SHARE = 0.3
_ARM_TURN = 0.5
_ARM = ("upper_arm", "forearm", "hand")
#: how often legs, and arms, are straightened, and by how much at most, radians. The mocap's knees hardly get
#: straighter than 20 degrees where real ones do: its skeletons' hips and knees don't lie where people's do
_STRAIGHTENED_SHARE = (0.6, 0.35)
_STRAIGHTENED_BY = math.radians(35)
_LIMBS = [(tuple(INDEX[f"{n}.{s}"] for n in limb), axis) for s in "LR"
          for limb, axis in ((("thigh", "shin"), 2), (("upper_arm", "forearm"), 0))]  # fmt: skip
#: how often somebody sits, squats, and lies
_SEATED_SHARE = 0.06
_SQUATTING_SHARE = 0.05
_LYING_SHARE = 0.05
_CONTACT_SIDES = [[i for i, name in enumerate(CONTACT_POINTS) if name.endswith(s)] for s in "LR"]
#: how often a hand touches something or reaches for it
_REACHING_SHARE = 0.12
#: what hands reach for: a joint and a place from it in its rest frame, metres, of the left hand
_REACHED = (
    ("head", (0.03, -0.12, 0.0)), ("head", (0.09, 0.0, 0.03)), ("head", (0.0, 0.10, 0.05)),
    ("head", (0.1, -0.1, 0.45)), ("chest", (-0.05, -0.15, 0.12)), ("chest", (0.12, -0.14, -0.02)),
    ("hips", (0.19, -0.02, 0.08)), ("hips", (0.10, 0.14, 0.05)), ("thigh.L", (0.07, -0.08, -0.2)),
    ("shin.L", (0.0, -0.08, 0.02)), ("shin.R", (0.0, -0.08, 0.02)), ("foot.L", (0.0, -0.1, 0.03)),
    ("forearm.R", (0.0, -0.05, 0.0)), ("hand.R", (-0.03, -0.03, -0.02)), ("chest", (0.25, -0.45, 0.1)),
)  # fmt: skip
#: how far from there (standard deviation), metres
_REACHED_SPREAD = 0.05
#: where elbows point in the chest's frame (left): down, out and back; and how that varies
_ELBOW = (0.5, 0.3, -1.0)
_ELBOW_SPREAD = 0.7


def varied(dice: Dice, motion: Motion, others: list[Motion]) -> Motion:
    """Windows of clips mixed with those of `others` (two), and changed by rule."""
    rotations, root, contacts = motion
    count = len(root)
    other = others[0][0]
    turn = rotations[:, :, :1] @ other[:, :, :1].mT
    rotations = put(rotations, _UPPER, turn @ other[:, :, _UPPER], dice.chance(_UPPER_SHARE, count))
    other, _, touching = others[1]
    for anchor, joints, share in _PARTS:
        taken = dice.chance(share, count)
        at = slice(anchor, anchor + 1)
        turn = rotations[:, :, at] @ other[:, :, at].mT
        rotations = put(rotations, joints, turn @ other[:, :, joints], taken)
        if anchor == INDEX["hips"]:
            feet = _CONTACT_SIDES["LR".index(JOINTS[joints[0]][-1])]
            contacts = put(contacts, feet, touching[..., feet], taken)
    hips = rotations[:, :, :1]
    for side in "LR":
        turn = hips @ _turns(dice.normal(_ARM_TURN, count, 1, 1, 3)) @ hips.mT
        arm = [INDEX[f"{n}.{side}"] for n in _ARM]
        taken, elbow = dice.chance(_ARM_SHARE, count), dice.chance(0.5, count)
        rotations = put(rotations, arm[:1], turn @ rotations[:, :, arm[:1]], taken & ~elbow)
        rotations = put(rotations, arm[1:], turn @ rotations[:, :, arm[1:]], taken)
    rotations, root, contacts = _lowered(dice, straightened(dice, rotations), root, contacts)
    for side in "LR":
        rotations = reaching(dice, rotations, side)
    return _laid(dice, rotations, root, contacts)


def straightened(dice: Dice, rotations: Tensor) -> Tensor:
    """Knees and elbows bent by less, down to straight ones; what hangs on them keeps its rotation.

    Both bones turn by half of it, so that the limb's end stays about where it is.
    """
    count = len(rotations)
    # of a window both legs, and both arms, or none
    shares = [
        dice.uniform(0, _STRAIGHTENED_BY, count) * dice.chance(share, count) for share in _STRAIGHTENED_SHARE
    ]
    out = rotations.clone()
    for (upper, lower), axis in _LIMBS:
        by = shares[0 if axis == 2 else 1][:, None]
        before, after = (rotations[:, :, joint, :, axis] for joint in (upper, lower))
        hinge = torch.cross(before, after, dim=-1)
        sine = torch.linalg.vector_norm(hinge, dim=-1)
        bend = torch.atan2(sine, (before * after).sum(-1))
        hinge = hinge / sine.clamp(min=1e-6)[..., None]
        half = torch.minimum(bend, by) / 2 * (sine > 1e-6)
        out[:, :, upper] = axis_angle(hinge, half) @ rotations[:, :, upper]
        out[:, :, lower] = axis_angle(hinge, -half) @ rotations[:, :, lower]
    return out


def reaching(dice: Dice, rotations: Tensor, side: str, share: float = _REACHING_SHARE) -> Tensor:
    """Some arms put their hand where people put hands: on the face, a hip, a knee, the other hand, ahead.

    Two bones reach a place by the law of cosines; what the hand does at the wrist stays.
    """
    count = len(rotations)
    taken = dice.chance(share, count)
    which = (dice.uniform(0, 1, count) * len(_REACHED)).long()
    spread = dice.normal(_REACHED_SPREAD, count, 3)
    pole = dice.normal(_ELBOW_SPREAD, count, 3)
    flip = torch.tensor([1.0 if side == "L" else -1.0, 1, 1], device=rotations.device)
    places = torch.tensor([place for _, place in _REACHED], device=rotations.device)
    carriers = [INDEX[joint] for joint, _ in _REACHED]
    if side == "R":
        carriers = [MIRROR[j] for j in carriers]
    lengths = torch.as_tensor(TEMPLATE_LENGTHS).to(rotations)
    joints = positions(rotations, torch.zeros_like(rotations[:, :, 0, 0]), lengths.expand(count, -1))
    carrier = torch.tensor(carriers, device=rotations.device)[which]
    rows = torch.arange(count, device=rotations.device)
    offset = (places[which] * flip + spread)[:, None, :, None]
    goal = joints[rows, :, carrier] + (rotations[rows, :, carrier] @ offset)[..., 0]
    shoulder, elbow, wrist = (INDEX[f"{n}.{side}"] for n in _ARM)
    first, second = (float(TEMPLATE_LENGTHS[LENGTHS.index(n)]) for n in ("forearm", "hand"))
    way = goal - joints[:, :, shoulder]
    far = torch.linalg.vector_norm(way, dim=-1, keepdim=True)
    way = way / far.clamp(min=1e-6)
    far = far.clamp(abs(first - second) + 0.02, first + second - 1e-3)
    along = (first**2 - second**2 + far**2) / (2 * far)
    out = (torch.tensor(_ELBOW, device=rotations.device) + pole) * flip
    aside = (rotations[:, :, INDEX["chest"]] @ out[:, None, :, None])[..., 0]
    aside = aside - (aside * way).sum(-1, keepdim=True) * way
    aside = aside / torch.linalg.vector_norm(aside, dim=-1, keepdim=True).clamp(min=1e-6)
    bent = along * way + (first**2 - along**2).clamp(min=0).sqrt() * aside
    changed = rotations
    turn = torch.eye(3, device=rotations.device)
    for joint, bone in ((shoulder, bent), (elbow, far * way - bent)):
        before = turn @ rotations[:, :, joint]
        turn = rotation_between(before[..., 0] * flip[0], bone) @ turn
        changed = put(changed, [joint], (turn @ rotations[:, :, joint])[:, :, None], taken)
    return put(changed, [wrist], (turn @ rotations[:, :, wrist])[:, :, None], taken)


def _lowered(dice: Dice, rotations: Tensor, root: Tensor, contacts: Tensor) -> Motion:
    """Some sit, and some squat to any depth."""
    count = len(root)
    posture = dice.uniform(0, 1, count)
    sits, squats = posture < _SEATED_SHARE, posture > 1 - _SQUATTING_SHARE
    depth = dice.uniform(math.radians(5), math.radians(125), count)
    bend = torch.where(squats, depth, math.radians(85) + dice.normal(math.radians(14), count))
    knee = torch.where(
        squats,
        depth * dice.uniform(0.85, 1.25, count),
        math.radians(85) + dice.normal(math.radians(25), count),
    )
    lean = torch.where(squats, -depth * dice.uniform(0.0, 0.4, count), dice.normal(0.12, count))
    taken = sits | squats
    rotations = put(rotations, list(range(len(JOINTS))), _on_legs(dice, rotations, bend, knee, lean), taken)
    contacts = torch.where(taken[:, None, None], torch.ones_like(contacts), contacts)
    drop = torch.where(squats, 0.4 * depth / math.radians(90), dice.uniform(0.3, 0.6, count))
    still = root[:, :1] + 0.1 * (root - root[:, :1])
    still = torch.cat([still[..., :2], still[..., 2:] - drop[:, None, None]], -1)
    return rotations, torch.where(taken[:, None, None], still, root), contacts


def _on_legs(dice: Dice, rotations: Tensor, bend: Tensor, knee: Tensor, lean: Tensor) -> Tensor:
    """Legs bent by so much at hips and knees (B, radians), under an upper body that moves as it did.

    The pelvis leans back by `lean`; the soles stay level.
    """
    count = len(rotations)
    hips = rotations[:, 0, 0]
    heading = torch.atan2(-hips[:, 0, 1], hips[:, 1, 1])
    upright = about(2, heading)
    pelvis = upright @ about(0, -lean)
    out = pelvis[:, None, None] @ (rotations[:, :, :1].mT @ rotations)
    turns = []
    for sign in (1.0, -1.0):
        apart = sign * (math.radians(10) + dice.normal(math.radians(9), count))
        thigh = about(2, apart) @ about(0, -bend + dice.normal(0.1, count))
        shin = thigh @ about(0, (knee + dice.normal(0.2, count)).clamp(0, 2.6))
        foot = shin @ about(0, bend - knee + dice.normal(0.1, count))
        turns += [thigh, shin, foot, foot]
    legs = upright[:, None] @ torch.stack(turns, 1)
    out[:, :, _LEGS] = legs[:, None].expand(-1, out.shape[1], -1, -1, -1)
    return out


def _laid(dice: Dice, rotations: Tensor, root: Tensor, contacts: Tensor) -> Motion:
    """Some lie: on the back, the belly or a side."""
    count = len(root)
    lies = dice.chance(_LYING_SHARE, count)
    heading = dice.uniform(-math.pi, math.pi, count)
    angle = math.radians(90) + dice.normal(math.radians(15), count)
    axis = torch.stack([heading.cos(), heading.sin(), torch.zeros_like(heading)], -1)
    turn = axis_angle(axis, angle)[:, None]
    rotations = put(rotations, list(range(len(JOINTS))), turn[:, None] @ rotations, lies)
    contacts = torch.where(lies[:, None, None], torch.zeros_like(contacts), contacts)
    laid = root[:, :1] + (turn @ (root - root[:, :1])[..., None])[..., 0]
    return rotations, torch.where(lies[:, None, None], laid, root), contacts


def positions(rotations: Tensor, root: Tensor, lengths: Tensor) -> Tensor:
    """Forward kinematics (B, T, J, 3) of all joints at once: every bone turned, then summed from the hips.

    Lengths are (B, len(LENGTHS)).
    """
    offsets = rest_offsets(lengths)[:, None]
    parents = [max(parent, 0) for parent in PARENTS]
    bones = (rotations[:, :, parents] * offsets[..., None, :]).sum(-1)
    joints: Tensor = torch.tensor(_ANCESTRY, device=root.device) @ bones + root[:, :, None]
    return joints


def _ancestry() -> list[list[float]]:
    """(J, J): 1 where the second joint's bone lies between the hips and the first joint."""
    out = [[0.0] * len(JOINTS) for _ in JOINTS]
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            out[joint] = list(out[parent])
            out[joint][joint] = 1.0
    return out


_ANCESTRY = _ancestry()


def put(x: Tensor, columns: list[int], value: Tensor, taken: Tensor) -> Tensor:
    """x (B, T, C, ...) with `value` in some of the columns C of those windows that are `taken` (B)."""
    out = x.clone()
    where = taken.reshape(-1, *[1] * (x.ndim - 1))
    out[:, :, columns] = torch.where(where, value, x[:, :, columns])
    return out


def _turns(vectors: Tensor) -> Tensor:
    """Rotations (..., 3, 3) of axes times angles (..., 3)."""
    angle = torch.linalg.vector_norm(vectors, dim=-1)
    return torch.as_tensor(axis_angle(vectors / angle.clamp(min=1e-9)[..., None], angle))


def about(axis: int, angle: Tensor) -> Tensor:
    """Rotations (B, 3, 3) about one of the three axes by angles (B)."""
    j, k = (axis + 1) % 3, (axis + 2) % 3
    out = torch.zeros(*angle.shape, 3, 3, device=angle.device)
    out[..., axis, axis] = 1
    out[..., j, j] = out[..., k, k] = angle.cos()
    out[..., k, j] = angle.sin()
    out[..., j, k] = -angle.sin()
    return out
