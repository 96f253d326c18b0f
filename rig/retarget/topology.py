"""Which bone is which, from the topology of a rig and its rest pose alone, without names.

A body has two pairs of mirrored limbs. The lowest pair are legs: two segments of about one length that go
straight down, then a foot. The arms are two segments of about one length that begin above the legs and end in
a hand. Between the places where the pairs branch off lies the spine, above it neck and head. An armature can
be read like that in many ways (which axis is up, which bone of a limb is the knee): each has a cost, and the
cheapest is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ...core.arrays import Floats
from .bones import Rig
from .controls import with_controls

#: mirrored bones are at most this far from each other's mirror image, as a share of the body's size
_MIRRORED = 0.06
#: limbs are at least this long, as a share of the body's size
_LIMB = 0.15
#: what costs more than this isn't a body
_WORST = 2.5
#: how far above the shoulders the head begins, as a share of the distance from hips to shoulders
_HEAD_ABOVE = 0.3
#: how much higher or lower than that it may begin at no cost
_HEAD_RANGE = 0.13
#: bones that begin this near to each other are at one place, as a share of the body's size
_TOGETHER = 1e-3
#: a body stands square to its armature's axes where its own are this near to them (cosine)
_SQUARE = 0.999
#: what it costs to pass over a bone within a limb: there may be some for twist
_SKIPPED = 0.25
#: pairs of chains that may be limbs: the longest ones
_CANDIDATES = 12


@dataclass(frozen=True)
class Guess:
    """Bones by joint, and how unlike a body they are (0: just like one)."""

    bones: dict[str, int]
    cost: float


@dataclass(frozen=True)
class _Limb:
    """A pair of mirrored chains.

    Attributes
    ----------
    branch : int
        The bone that carries both.
    chains : pair of list of int
        Their bones.
    joints : three of int
        Places in the chains: where the two segments begin, and the hand or foot.
    cost : float
        How unlike a limb they are.
    """

    branch: int
    chains: tuple[list[int], list[int]]
    joints: tuple[int, int, int]
    cost: float

    @property
    def bones(self) -> set[int]:
        """All bones of both chains."""
        return {*self.chains[0], *self.chains[1]}

    def bone(self, joint: int, side: int) -> int | None:
        """The bone that begins at a joint; None where the chain ends there."""
        place = self.joints[joint]
        return self.chains[side][place] if place < len(self.chains[side]) else None


def guess_by_topology(rig: Rig) -> Guess | None:
    """The bones of an armature that are most like a body; None where nothing is."""
    guesses = [guess for axes in _orientations(rig) if (guess := _Reader(rig, axes).read()) is not None]
    return min(guesses, key=lambda guess: guess.cost, default=None)


def _cheapest(limbs: Iterable[_Limb | None]) -> _Limb | None:
    return min((limb for limb in limbs if limb is not None), key=lambda limb: limb.cost, default=None)


def _orientations(rig: Rig) -> Iterator[Floats]:
    """Axes (3, 3) to read the armature in: columns are across, ahead or back, and up."""
    for up in range(3):
        level = [axis for axis in range(3) if axis != up]
        plane = rig.turn[:, level]
        spread = rig.heads @ plane
        # mirrored bones lie about a plane whose normal is one of the directions in which they spread
        _, directions = np.linalg.eigh(np.cov(spread.T, bias=True))
        along = [plane]
        if np.abs(directions).max(axis=0).min() < _SQUARE:
            along.append(plane @ directions)
        for across, third in (pair for axes in along for pair in (axes.T, axes.T[::-1])):
            for sign in (1.0, -1.0):
                yield np.stack([across, third, sign * rig.turn[:, up]], axis=1)


class _Reader:
    """Reads an armature that is held in one way: X across, Z up."""

    def __init__(self, rig: Rig, axes: Floats) -> None:
        self.rig = rig
        self.axes = axes
        self.at = rig.heads @ axes
        self.ends = rig.ends @ axes
        self.size = float((self.at.max(axis=0) - self.at.min(axis=0)).max())
        self.at[:, 0] -= np.median(self.at[:, 0])
        self.depth = np.array([len(rig.ancestors(bone)) for bone in range(len(rig.names))])

    def read(self) -> Guess | None:
        """The body that is in the armature, held this way."""
        if self.size <= 0:
            return None
        pairs = self._pairs()
        legs = _cheapest(self._leg(*pair) for pair in pairs)
        if legs is None:
            return None
        hips = self._start_height(legs)
        free = [pair for pair in pairs if legs.bones.isdisjoint({*pair[1], *pair[2]})]
        arms = _cheapest(self._arm(*pair, hips) for pair in free)
        if arms is None:
            return None
        bones = self._trunk(legs, arms)
        chest = self._lowest_at(arms.branch, bones["hips"])
        used = legs.bones | arms.bones
        cost = legs.cost + arms.cost + self._head(bones, chest, used, hips, self._start_height(arms))
        if cost >= _WORST:
            return None
        found = bones | self._limbs(legs, arms)
        return Guess(with_controls(self.rig, found, _TOGETHER * self.size), cost)

    def _start_height(self, limb: _Limb) -> float:
        """How high the first joints of a pair of limbs are, on the average."""
        return float(self.at[[chain[limb.joints[0]] for chain in limb.chains], 2].mean())

    def _trunk(self, legs: _Limb, arms: _Limb) -> dict[str, int]:
        """Hips, root, chest and spine: the way from where the legs branch off to where the arms do."""
        hips, *spine = self._path(legs.branch, arms.branch)
        bones = {"hips": hips}
        top = self.rig.ancestors(hips)[-1]
        if top != hips:
            bones["root"] = top
        if spine:
            bones["chest"] = spine[-1]
        if len(spine) > 1:
            bones["spine"] = spine[0]
        return bones

    def _lowest_at(self, bone: int, hips: int) -> int:
        """The first of the bones at the place of one, up to the hips.

        Control rigs have several bones at one place; the head may hang on any of them.
        """
        above = int(self.rig.parents[bone])
        while above >= 0 and above != hips and self._together(above, bone):
            bone, above = above, int(self.rig.parents[above])
        return bone

    def _limbs(self, legs: _Limb, arms: _Limb) -> dict[str, int]:
        """The joints of arms and legs."""
        bones: dict[str, int] = {}
        left = self._left(legs)
        for side, letter in ((left, "L"), (1 - left, "R")):
            for limb, names in ((legs, ("thigh", "shin", "foot")), (arms, ("upper_arm", "forearm", "hand"))):
                for joint, name in enumerate(names):
                    bone = limb.bone(joint, side)
                    if bone is not None and not (name == "hand" and self._is_finger(bone)):
                        bones[f"{name}.{letter}"] = bone
            if arms.joints[0] > 0:
                bones[f"shoulder.{letter}"] = arms.chains[side][0]
            if f"foot.{letter}" in bones and (toe := self._toe(bones[f"foot.{letter}"])) is not None:
                bones[f"toe.{letter}"] = toe
        return bones

    def _is_finger(self, bone: int) -> bool:
        """Whether fingers grow beside a bone: there is no hand then."""
        beside = self.rig.children[int(self.rig.parents[bone])]
        return sum(bool(self.rig.children[other]) for other in beside) > 2

    def _together(self, one: int, other: int) -> bool:
        return bool(np.linalg.norm(self.at[one] - self.at[other]) < _TOGETHER * self.size)

    def _pairs(self) -> list[tuple[int, list[int], list[int]]]:
        """Mirrored chains: the bone where they branch off, and the bones from there to a pair of leaves."""
        leaves = [bone for bone, children in enumerate(self.rig.children) if not children]
        ones = [bone for bone in leaves if self.at[bone, 0] > 0.01 * self.size]
        others = [bone for bone in leaves if self.at[bone, 0] < -0.01 * self.size]
        if not ones or not others:
            return []
        gap = np.linalg.norm(self.at[ones][:, None] * [-1, 1, 1] - self.at[others][None], axis=-1)
        gap = gap + self.size * (self.depth[ones][:, None] != self.depth[others][None])
        best: dict[tuple[int, int], tuple[float, tuple[int, list[int], list[int]]]] = {}
        for i, j in enumerate(gap.argmin(axis=1)):
            if gap[i, j] > _MIRRORED * self.size:
                continue
            chains = self._branches(ones[i], others[int(j)])
            if chains is None:
                continue
            branch, one, other = chains
            length = self._lengths(one).sum()
            if length < _LIMB * self.size:
                continue
            # one candidate for each way out of the body: the longest (a toe, a fingertip)
            key = (branch, one[0])
            if key not in best or length > best[key][0]:
                best[key] = (length, (branch, one, other))
        longest = sorted(best.values(), key=lambda item: -item[0])[:_CANDIDATES]
        return [pair for _, pair in longest]

    def _branches(self, one: int, other: int) -> tuple[int, list[int], list[int]] | None:
        up_one, up_other = self.rig.ancestors(one), self.rig.ancestors(other)
        shared = set(up_one) & set(up_other)
        if not shared:
            return None
        branch = next(bone for bone in up_one if bone in shared)
        chain = up_one[: up_one.index(branch)][::-1], up_other[: up_other.index(branch)][::-1]
        return (branch, *chain) if len(chain[0]) == len(chain[1]) >= 2 else None

    def _points(self, chain: list[int]) -> Floats:
        """Where the bones of a chain begin, and where the last one ends."""
        return np.concatenate([self.at[chain], self.ends[chain[-1:]]])

    def _lengths(self, chain: list[int]) -> Floats:
        return np.asarray(np.linalg.norm(np.diff(self._points(chain), axis=0), axis=1))

    def _leg(self, branch: int, one: list[int], other: list[int]) -> _Limb | None:
        points, along = self._points(one), np.concatenate([[0], np.cumsum(self._lengths(one))])
        low = float(self.at[:, 2].min())
        height = float(points[:, 2].max() - points[:, 2].min())
        if height < _LIMB * self.size or points[:, 2].min() - low > 0.1 * self.size:
            return None
        best = (np.inf, (0, 0, 0))
        for h, k, a in combinations(range(len(points)), 3):
            thigh, shin = along[k] - along[h], along[a] - along[k]
            drop = points[h, 2] - points[a, 2]
            if min(thigh, shin) < 0.02 * self.size or drop <= 0:
                continue
            cost = abs(np.log(thigh / shin)) + 3 * (1 - drop / (thigh + shin)) + 2 * (1 - drop / height)
            step = points[a] - points[a - 1]  # shins are upright, feet are not
            cost += 1 + step[2] / max(float(np.linalg.norm(step)), 1e-9)
            cost += 0.4 * (a == len(one))  # a leg without a foot
            cost += _SKIPPED * (a - h - 2)
            best = min(best, (float(cost), (h, k, a)))
        # what hangs lowest stands: skirts end higher
        cost = best[0] + 3 * (float(points[:, 2].min()) - low) / self.size
        return _Limb(branch, (one, other), best[1], cost) if cost < _WORST else None

    def _arm(self, branch: int, one: list[int], other: list[int], hip_height: float) -> _Limb | None:
        points, along = self._points(one), np.concatenate([[0], np.cumsum(self._lengths(one))])
        children = [len(self.rig.children[bone]) for bone in one]
        fingers = [place for place, count in enumerate(children) if count >= 3 and place >= 2][:1]
        forks = [place for place, count in enumerate(children) if count >= 2 and place >= 2][-1:]
        if forks and all(self.rig.children[child] for child in self.rig.children[one[forks[0]]]):
            fingers = fingers or forks  # a thumb and a finger; bones for twist have no children
        best = (np.inf, (0, 0, 0))
        for s, e, w in combinations(range(len(points)), 3):
            upper, lower = along[e] - along[s], along[w] - along[e]
            if min(upper, lower) < 0.02 * self.size or points[s, 2] < hip_height + 0.1 * self.size:
                continue
            straight = np.linalg.norm(points[w] - points[s]) / (upper + lower)
            cost = abs(np.log(upper / lower)) + 2 * (1 - straight) + 1 - (upper + lower) / along[-1]
            cost -= 0.5 if w in fingers else 0.2 if w in forks else 0.0
            cost += 0.4 * (w == len(one)) + _SKIPPED * (w - s - 2)
            # arms are about as long as the trunk: longer than horns, shorter than a cloak's hem
            cost += abs(np.log((upper + lower) / (0.33 * self.size)))
            best = min(best, (float(cost), (s, e, w)))
        return _Limb(branch, (one, other), best[1], best[0]) if best[0] < _WORST else None

    def _path(self, legs: int, arms: int) -> list[int]:
        """From the bone that carries both legs and arms up to the one that the arms branch off."""
        up_legs, up_arms = self.rig.ancestors(legs), self.rig.ancestors(arms)
        shared = set(up_legs)
        path: list[int] = []
        for bone in up_arms:
            path.append(bone)
            if bone in shared:
                break
        return path[::-1]

    def _head(
        self, bones: dict[str, int], chest: int, used: set[int], hip_height: float, shoulders: float
    ) -> float:
        """Add head and neck to `bones`.

        Parameters
        ----------
        bones : dict
        chest : int
            What they hang on.
        used : set of int
            Bones of limbs.
        hip_height, shoulders : float

        Returns
        -------
        float
            How unlike head and neck they are.
        """
        tips = [
            bone
            for bone, children in enumerate(self.rig.children)
            if not children
            and abs(self.at[bone, 0]) < 0.03 * self.size
            and chest in self.rig.ancestors(bone)[1:]
            and not used & set(self.rig.ancestors(bone)[: self.depth[bone] - self.depth[chest]])
        ]
        if not tips:
            return 0.6
        tip = max(tips, key=lambda bone: max(self.at[bone, 2], self.ends[bone, 2]))
        path = self.rig.ancestors(tip)[::-1][self.depth[chest] :]
        path = [bone for bone in path if not self._together(bone, chest)] or path
        trunk = max(shoulders - hip_height, 1e-6)

        lengths = np.linalg.norm(np.diff(self._points(path), axis=0), axis=1)

        def odd(place: int) -> float:
            bone = path[place]
            beside = sum(abs(self.at[c, 0]) > 0.008 * self.size for c in self._below(bone, 2))
            off = abs((self.at[bone, 2] - shoulders) / trunk - _HEAD_ABOVE)
            return float(max(0.0, off - _HEAD_RANGE) - 0.3 * (beside >= 2))

        least = min(odd(place) for place in range(len(path)))
        # several necks are short, a head is long; an end bone is no longer than the head that it ends
        likely = [place for place in range(len(path)) if odd(place) < least + 0.005]
        longest = max(lengths[place] for place in likely)
        head = next(place for place in likely if lengths[place] > 0.75 * longest)
        begin = (self.at[path, 2] - shoulders) / trunk
        if len(path) == 2 and begin[1] < 2 * _HEAD_ABOVE and begin[0] < 0.8 * _HEAD_ABOVE:
            head = 1  # a neck and a head, however short
        while head > 0 and lengths[head - 1] < 0.03 * trunk and len(self.rig.children[path[head]]) > 2:
            head -= 1  # a bone that only gathers the face sits where the head begins
        bones["head"] = path[head]
        if head > 0:
            bones["neck"] = path[0]
        return min(0.6, max(0.0, odd(head)))

    def _below(self, bone: int, levels: int) -> list[int]:
        out: list[int] = []
        for child in self.rig.children[bone]:
            out.append(child)
            if levels > 1:
                out += self._below(child, levels - 1)
        return out

    def _left(self, legs: _Limb) -> int:
        """Which of the two chains is the left leg: feet point ahead, or else knees."""
        ahead, knees = np.zeros(3), np.zeros(3)
        for side in (0, 1):
            foot = legs.bone(2, side)
            hip, knee, ankle = (self._points(legs.chains[side])[place] for place in legs.joints)
            knees += (
                knee - hip - (ankle - hip) * ((knee - hip) @ (ankle - hip)) / ((ankle - hip) @ (ankle - hip))
            )
            if foot is None:
                continue
            steps = np.array([self.at[b] for b in self._below(foot, 3)] or [self.ends[foot]]) - self.at[foot]
            step = steps[np.linalg.norm(steps[:, :2], axis=1).argmax()]
            # where nothing follows on a foot its end may be anywhere: only one that lies tells something
            if self.rig.children[foot] or np.linalg.norm(step[:2]) > abs(step[2]):
                ahead += step
        if abs(ahead[1]) < 0.01 * self.size:
            ahead = knees  # they bend ahead
        # in Blender's world bodies face -Y; `axes` may be a mirror image of it
        front = self.axes @ ahead if abs(ahead[1]) > 0.005 * self.size else -self.rig.turn[:, 1]
        left = np.cross(self.axes[:, 2], front) @ self.axes[:, 0]
        x = [self.at[legs.chains[side][legs.joints[0]], 0] for side in (0, 1)]
        return int((x[1] - x[0]) * left > 0)

    def _toe(self, foot: int) -> int | None:
        """The bone of the foot that reaches furthest from the ankle."""
        below = self._below(foot, 3)
        if not below:
            return None
        reach = np.linalg.norm((self.at[below] - self.at[foot])[:, :2], axis=1)
        tip = below[int(reach.argmax())]
        chain = self.rig.ancestors(tip)
        chain = chain[: chain.index(foot)][::-1]
        far = float(reach.max())
        for bone in chain:
            if np.linalg.norm((self.at[bone] - self.at[foot])[:2]) > 0.4 * far:
                return bone
        return chain[-1]
