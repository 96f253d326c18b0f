"""What nobody sees rests: parts of the body that are out of sight for long don't follow guesses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..core.arrays import Bools, Floats
from ..core.banded import whittaker
from ..core.contacts import keep_long, runs
from ..core.foot_ik import two_bone
from ..core.kinematics import local_rotations
from ..core.landmarks import LANDMARK
from ..core.motion import CONTACT_JOINTS, Motion
from ..core.options import FADE
from ..core.rotations import (
    matrix_from_quaternion,
    mean_turn,
    quaternion_from_matrix,
    slerp,
    unit,
)
from ..core.skeleton import INDEX, JOINTS, PARENTS
from .lift import Estimate

#: landmarks that are less visible than this aren't seen
_HARDLY = 0.1
#: what isn't seen for shorter is left to the lifter, which knows how people move, seconds
_LONG = 1.0
#: what seems to be seen for shorter in between isn't seen, seconds ...
_GLIMPSE = 0.25
#: ... unless it is as visible as this
_SURELY = 0.5
#: how long legs take from where they were seen to where they rest, and back, seconds
_BLEND = 0.5
#: legs that rest turn with the hips, but no quicker than this, seconds
_TURN = 1.0
#: thighs that are raised on average sit: cosine of their angle from straight down
_RAISED = 0.75
#: hips rise by at least this when somebody gets up, metres
_SEAT = 0.2
#: ... and neither stand nor sit for a shorter time, seconds: a jump is shorter
_SETTLED = 0.6
#: legs go on from a trunk that lies on average: cosine of its angle from upright
_UPRIGHT = 0.5

#: how soon time comes to a stop where it fades: about three of these, seconds
_SLOWS = 0.15
#: feet that are deeper than this are in the floor, metres
_SUNK = 0.005

_LEG_LANDMARKS = ("knee", "ankle", "heel", "foot_index")
#: landmarks of the lower body, which ``--body upper`` leaves out
LEGS = [LANDMARK[f"{name}.{side}"] for name in _LEG_LANDMARKS for side in "LR"]
_TRUNK = [INDEX[name] for name in ("hips", "spine", "chest", "neck", "head", "shoulder.L", "shoulder.R")]
_HEAD = [INDEX[name] for name in ("neck", "head")]
_LEG = ("thigh", "shin", "foot", "toe")
#: how a thigh is turned that hangs straight down, and in a seat
_STRAIGHT = np.array([1.0, 0.0, 0.0, 0.0])
_SEATED = np.array([np.sqrt(0.5), -np.sqrt(0.5), 0.0, 0.0])


def unseen(confidence: Floats, fps: float) -> Bools:
    """Joints (T, J) that are out of sight for long.

    Parameters
    ----------
    confidence : (T, 33)
        Of the landmarks, 0 (not seen) to 1.
    fps : float
        Frames for a second of life.
    """

    def hidden(*names: str) -> Bools:
        """Where (T,) none of some landmarks is seen."""
        best = confidence[:, [LANDMARK[name] for name in names]].max(1, keepdims=True)
        gone = best < _HARDLY
        gone |= ~keep_long(~gone, min(_GLIMPSE * fps, len(gone))) & (best < _SURELY)
        # who is out of sight at an end of the clip may have been so for long
        beyond = round((_LONG - _GLIMPSE) * fps)
        around = np.pad(gone, ((beyond, beyond), (0, 0)), mode="edge")
        return np.asarray(keep_long(around, _LONG * fps)[beyond : beyond + len(gone), 0])

    legs = {side: [f"{name}.{side}" for name in _LEG_LANDMARKS] for side in "LR"}
    # legs that are seen tell where the trunk is
    trunk = hidden("shoulder.L", "shoulder.R", *legs["L"], *legs["R"])
    out = np.zeros((len(confidence), len(JOINTS)), bool)
    out[:, _TRUNK] = trunk[:, None]
    out[:, _HEAD] |= hidden("nose", "ear.L", "ear.R")[:, None]
    for side in "LR":
        # a knee that is seen tells enough of shin and foot, a body of arms that it hides
        leg, arm = hidden(*legs[side]), trunk & hidden(f"elbow.{side}", f"wrist.{side}")
        for gone, names in ((leg, _LEG), (arm, ("upper_arm", "forearm", "hand"))):
            out[:, [INDEX[f"{name}.{side}"] for name in names]] = gone[:, None]
    return out


def without_contacts(body: Estimate, gone: Bools) -> Estimate:
    """The same, with feet among the joints `gone` (T, J) that stand on nothing."""
    return replace(body, contacts=np.where(gone[:, CONTACT_JOINTS], 0.0, body.contacts))


def rested(body: Estimate, gone: Bools, hips: Floats, fps: float, standing: bool) -> Estimate:
    """The same motion, calm where nobody sees it.

    Trunk, head and arms go evenly from how they were seen last to how they are seen next, and hold still
    before the first and after the last time. Legs stand straight or sit: by the height of the hips, or where
    the lifter raises the thighs.

    Parameters
    ----------
    body : Estimate
    gone : (T, J) bool
        Joints that nobody sees, of `unseen`.
    hips : (T,)
        How well the hips are seen, 0 to 1.
    fps : float
        Frames for a second of life.
    standing : bool
        Legs stand, whatever the lifter says.
    """
    if not gone.any():
        return body
    own, world = body.rotations, body.rotations.copy()
    for joint in np.flatnonzero(gone.any(0)):
        hidden, parent = gone[:, joint], PARENTS[joint]
        if parent < 0:
            world[hidden, joint] = _held(own[:, joint], hidden)[hidden]
        else:
            local = _held(np.swapaxes(own[:, parent], -1, -2) @ own[:, joint], hidden)
            world[hidden, joint] = (world[:, parent] @ local)[hidden]
    _rest_legs(body, world, gone, fps, standing)
    return replace(body, rotations=world, root=_held_root(body.root, gone[:, INDEX["hips"]], hips))


def above_floor(motion: Motion, gone: Bools) -> Motion:
    """The same, with legs that nobody sees bent as far as their feet would sink into the floor.

    They are bent evenly for as long as they aren't seen, so that they stay calm.

    Parameters
    ----------
    motion : Motion
        Of `rested`, on its floor.
    gone : (T, J) bool
        See `rested`.
    """
    world, soles, joints = motion.world_rotations.copy(), motion.sole_heights(), motion.joints
    offsets = motion.offsets.astype(np.float64)
    sunk = False
    for number, side in enumerate("LR"):
        thigh, shin, foot = (INDEX[f"{name}.{side}"] for name in _LEG[:3])
        low = soles[:, 2 * number : 2 * number + 2].min(axis=1)
        for first, end in zip(*runs(gone[:, foot]), strict=True):
            depth = -float(low[first:end].min())
            if depth < _SUNK:
                continue
            sunk, here = True, slice(first, end)
            before, after = _ramps(first, end, len(motion), motion.life_fps)
            ankle = joints[here, foot] + depth * np.minimum(before, after) * [0.0, 0.0, 1.0]
            world[here, thigh], world[here, shin] = two_bone(
                world[here, thigh],
                world[here, shin],
                joints[here, thigh],
                ankle,
                offsets[shin],
                offsets[foot],
            )
    return replace(motion, rotations=quaternion_from_matrix(local_rotations(world))) if sunk else motion


def at_rest(motion: Motion, found: Bools, how: str) -> Motion:
    """The same motion, at rest where the person wasn't found: at both ends, and in long gaps.

    Time stands still there, so the body never does what it didn't do before.

    Parameters
    ----------
    motion : Motion
        Of one shot; where the person wasn't found it goes on somehow.
    found : (T,) bool
        In at least one frame.
    how : str
        See the option ``unseen`` of `Settings`. Nothing is trimmed here.
    """
    frames, fps = np.arange(len(motion)), motion.life_fps
    first, last = (int(one) for one in np.flatnonzero(found)[[0, -1]])
    before, after = np.maximum(first - frames, 0), np.maximum(frames - last, 0)
    soft = _SLOWS * fps if how == FADE else 0.0
    at = np.clip(frames, first, last) + _slowed(after, soft) - _slowed(before, soft)
    if how != FADE:
        for begin, end in zip(*runs(~found[first:last]), strict=True):
            if end - begin > _LONG * fps:
                gap = np.arange(first + begin, first + end)
                ramp = min(_BLEND * fps, len(gap) / 2)
                share = _eased((gap - gap[-1] - 1 + ramp) / ramp)[:, 0]
                at[gap] = gap[0] - 1 + share * (len(gap) + 1)
    return _at(motion, at)


def _slowed(frames: Floats, soft: float) -> Floats:
    """How far (T,) time still goes in so many frames while it comes to a stop, frames; `soft`: how soon."""
    return np.asarray(soft * -np.expm1(-frames / soft) if soft else np.zeros(len(frames)))


def _at(motion: Motion, at: Floats) -> Motion:
    """The motion as it is at moments (T,), counted in its frames; between them no foot stands."""
    moved = at != np.arange(len(motion))
    if not moved.any():
        return motion
    before = np.floor(at[moved]).astype(int)
    after, share = np.minimum(before + 1, len(motion) - 1), at[moved] - before
    rotations, root = motion.rotations.copy(), motion.root.copy()
    rotations[moved] = slerp(
        motion.rotations[before].astype(np.float64),
        motion.rotations[after].astype(np.float64),
        share[:, None, None],
    )
    share = share[:, None]
    root[moved] = (1 - share) * motion.root[before] + share * motion.root[after]
    whole = (at % 1 == 0)[:, None]
    contacts = np.where(whole, motion.contacts[at.astype(int)], 0)
    return replace(motion, rotations=rotations, root=root, contacts=contacts)


def _ramps(first: int, end: int, frames: int, fps: float) -> tuple[Floats, Floats]:
    """Shares (end - first, 1) of the way from where legs were seen last, and to where they are seen next."""
    within = np.arange(first, end)
    ramp = _BLEND * fps
    if first > 0 and end < frames:
        ramp = min(ramp, (end - first) / 2)
    before = _eased((within - first + 1) / ramp) if first > 0 else np.ones((end - first, 1))
    after = _eased((end - within) / ramp) if end < frames else np.ones((end - first, 1))
    return before, after


def _held(rotations: Floats, hidden: Bools) -> Floats:
    """Rotations (T, 3, 3) that go evenly through the frames `hidden`."""
    turns = quaternion_from_matrix(rotations)
    for first, end in zip(*runs(hidden), strict=True):
        before, after = turns[max(first - 1, 0)], turns[min(end, len(turns) - 1)]
        if first == 0:
            before = after
        if end == len(turns):
            after = before
        if first == 0 and end == len(turns):
            average = mean_turn(np.broadcast_to(np.eye(3), rotations.shape), rotations)
            before = after = quaternion_from_matrix(average)
        turns[first:end] = slerp(before, after, _eased(np.arange(1, end - first + 1) / (end - first + 1)))
    return np.asarray(matrix_from_quaternion(turns))


def _eased(share: Floats) -> Floats:
    """Shares (T,) of a way that begins and ends at rest, (T, 1)."""
    share = np.clip(share, 0, 1)[:, None]
    return np.asarray(share * share * (3 - 2 * share))


def _rest_legs(body: Estimate, world: Floats, gone: Bools, fps: float, standing: bool) -> None:
    """Change the legs' rotations among `world` (T, J, 3, 3) where they are `gone`."""
    own, hips = body.rotations, world[:, INDEX["hips"]]
    heading = _heading(hips, body.up, fps)
    thighs = own[:, [INDEX[f"thigh.{side}"] for side in "LR"]][..., 2] @ body.up
    for name in _LEG:
        for joint in (INDEX[f"{name}.{side}"] for side in "LR"):
            for first, end in zip(*runs(gone[:, joint]), strict=True):
                lies = bool((hips[first:end, :, 2] @ body.up).mean() < _UPRIGHT)
                base = hips if lies else heading
                seen = quaternion_from_matrix(np.swapaxes(base, -1, -2) @ own[:, joint])
                turns = np.tile(_STRAIGHT, (end - first, 1))
                if name == "thigh" and not (standing or lies):
                    raised = bool(thighs[first:end].mean() < _RAISED)
                    sits = _sitting(body.root[first:end] @ body.up, raised, fps)
                    turns = slerp(turns, _SEATED, _softened(sits, fps))
                before, after = _ramps(first, end, len(seen), fps)
                turns = slerp(seen[max(first - 1, 0)], turns, before)
                turns = slerp(seen[min(end, len(seen) - 1)], turns, after)
                world[first:end, joint] = base[first:end] @ matrix_from_quaternion(turns)


def _sitting(height: Floats, raised: bool, fps: float) -> Floats:
    """Where (T,) somebody sits rather than stands, 0 or 1, by the height of the hips.

    Where that tells nothing, it is as the lifter thinks: whether thighs are `raised`.
    """
    up = height > (height.min() + height.max()) / 2
    up = keep_long(up[:, None], _SETTLED * fps)[:, 0]
    down = keep_long(~up[:, None], _SETTLED * fps)[:, 0]
    if not (up.any() and down.any()) or height[up].mean() - height[down].mean() < _SEAT:
        return np.full(len(height), float(raised))
    return down.astype(np.float64)


def _softened(on: Floats, fps: float) -> Floats:
    """Shares (T, 1) that change with values (T,) of 0 or 1, but smoothly."""
    reach = round(_BLEND * fps / 2)
    around = sliding_window_view(np.pad(on, reach, mode="edge"), 2 * reach + 1)
    return _eased(around.mean(1))


def _heading(hips: Floats, up: Floats, fps: float) -> Floats:
    """Upright rotations (T, 3, 3) that face slowly where the hips (T, 3, 3) face."""
    ahead = -hips[:, :, 1]
    ahead = unit(ahead - (ahead @ up)[:, None] * up)
    back = -unit(whittaker(ahead, np.ones(len(ahead)), (_TURN * fps / (2 * np.pi)) ** 4))
    upward = np.broadcast_to(up, back.shape)
    return np.stack([np.cross(back, upward), back, upward], axis=-1)


def _held_root(root: Floats, hidden: Bools, hips: Floats) -> Floats:
    """The root's path (T, 3) with a steady distance where the trunk is `hidden`.

    Hips that are seen without the trunk tell where in the picture they are, but not how far away.
    """
    if hidden.all() or not hidden.any():
        return root
    frames, far = np.arange(len(root)), root[:, 1:2]
    aside = root[:, ::2] / far
    known, placed = ~hidden, ~hidden | (hips >= _HARDLY)
    far = np.interp(frames, frames[known], far[known, 0])[:, None]
    aside = np.stack([np.interp(frames, frames[placed], one[placed]) for one in aside.T], axis=-1)
    return np.stack([aside[:, 0] * far[:, 0], far[:, 0], aside[:, 1] * far[:, 0]], axis=-1)
