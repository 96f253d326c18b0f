"""Graph convolutions: what a joint hears of, in a stack and over the parts of the body."""

import torch

from kinelift.core.landmarks import LANDMARK
from kinelift.core.skeleton import INDEX, JOINTS
from kinelift.inference.lifters.view import FEATURES, USED
from kinelift.training.methods.gcn import _PARTS, GraphLifter, LocalToGlobal


def felt(model):
    """The joints that hear of the left wrist, in its frame."""
    torch.manual_seed(0)
    still = torch.randn(1, 3, FEATURES)
    struck = still.clone()
    wrist = USED.index(LANDMARK["wrist.L"])
    struck[:, 1, 2 * wrist : 2 * wrist + 2] += 1
    with torch.no_grad():
        changed = (model.encode(still) - model.encode(struck))[0, 1].abs().amax(-1) > 1e-7
    return {name for name, at in INDEX.items() if changed[at]}


def test_the_parts_are_the_trunk_and_four_limbs():
    assert sorted(j for part in _PARTS for j in part) == list(range(len(JOINTS)))
    trunk, *limbs = ({JOINTS[j] for j in part} for part in _PARTS)
    assert trunk == {"hips", "spine", "chest", "neck", "head"}
    assert [len(limb) for limb in limbs] == [4] * 4
    assert "hand.L" in limbs[0] and "hand.R" in limbs[1] and "toe.L" in limbs[2] and "toe.R" in limbs[3]


def test_over_the_parts_every_joint_hears_of_every_other_and_in_a_short_stack_it_doesnt():
    torch.manual_seed(0)
    assert felt(LocalToGlobal(8, 1).eval()) == set(JOINTS)
    near = felt(GraphLifter(8, 2).eval())
    assert "upper_arm.L" in near and "hips" not in near and "foot.L" not in near
