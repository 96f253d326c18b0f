"""Follows everybody in a video from frame to frame, each in a crop of their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ...core.arrays import Array, Floats, Image
from ..blazepose.landmarks import Pose, PoseFinder
from ..blazepose.people import PeopleFinder
from ..blazepose.region import Region
from ..blazepose.task import FULL, HEAVY
from .appearance import alike, appearance
from .painting import painted_out
from .people import CROWD, Person, distance, same, seen_inside, torso

#: guesses about where somebody is that are less confident than this don't count. MediaPipe's default of 0.5
#: misses people at a distance, and its landmark network rejects what is not a person
_CONFIDENCE = 0.35
#: the same in tiles, in which much looks like a person
_SURE = 0.4
#: most guesses that are looked at in a search
_CANDIDATES = 8
#: where nobody was it isn't looked again for so long, seconds
_REMEMBERED = 0.9
#: whom the landmark network is less sure of than this isn't there (MediaPipe's value)
_THERE = 0.5
#: who has less than this share of the landmarks in the picture isn't there either
_INSIDE = 0.3
#: the picture is searched for others once in so many frames, and newcomers are followed back through them
_SEARCH_FRAMES = 10
#: a newcomer who is found in less than this share of the frames until the next search is a thing
_STAYS = 0.5
#: a search among tiles that found nobody is repeated after twice as long as the last time: so many frames
_FIRST_PAUSE = _SEARCH_FRAMES // 2
#: ... up to so many
_LONGEST_PAUSE = 80
#: sides of tiles, as shares of the shorter side; the smaller ones are searched if nobody is followed
_TILES = (0.5, 0.3)
#: nobody who fits into a tile with a shorter side can be captured, pixels
_SMALLEST_TILE = 64
_UPRIGHT = Region((0.0, 0.0), 1.0)
#: somebody who isn't found where they are expected is looked for there for so long, seconds
_PATIENCE = 1.0
#: share of the speed that goes on for each second in which somebody isn't found
_SLOWING = 0.1
#: speeds are means over about so long, seconds, and the pace at which somebody goes on a way
_STEADY, _LONG = 0.1, 0.5

# Distances below are in torso sizes (`people.torso`: about half a metre).
#: how far somebody may be from where they were expected ...
_NEAR = 0.8
#: ... and how much farther for every second since they were last seen
_SPEED = 8.0
#: cost of a wholly different appearance, where two might be the person found
_APPEARANCE_COST = 1.5

#: somebody who is found once others are painted out is at least so far from them on average, and not farther
#: than this from how they were ...
_BEHIND, _STEADY_POSE = 0.3, 0.35
#: ... unless they are faster than this: torso sizes per second
_PASSES = 0.8
#: regions turned the other way are around one body if their middles are nearer than this share of a side
_SAME_BODY = 0.3
#: somebody who is turned by more than this in their crop is looked at again, radians
_ASKEW = 0.2
#: a newcomer is a thing if the landmark network is less sure of it, in the picture and in tiles: there,
#: pictures on a wall look like people ...
_CERTAIN = (0.8, 0.9)
#: ... or if the landmarks lie farther from those in a mirror than this on average ...
_REAL = (0.25, 0.2)
#: ... or if they are less visible than this on average
_SEEN = (0.4, 0.6)
#: who wasn't found for so long, seconds, isn't found among others with less likeness than this
_LOST, _LIKE = 0.2, 0.7
#: somebody who is found elsewhere in the picture is who was lost if that costs no more than this
_AGAIN = 1.0


@dataclass(frozen=True)
class _Sight:
    """A pose in a picture, and the colours that the person wears (`Person.appearance`)."""

    pose: Pose
    worn: Array


@dataclass
class _Followed:
    """Somebody who is followed. Places are pixels of the picture that is looked at.

    Attributes
    ----------
    trail : int
        Says who it is.
    pose : Pose
        As they were found last, at `time`, seconds.
    worn : (22,)
        Smoothed, see `Person.appearance`.
    new : int
        For so many frames it is seen whether a newcomer stays.
    velocity, pace : (2,)
        Pixels per second: now, and over a longer time.
    """

    trail: int
    pose: Pose
    time: float
    worn: Array
    new: int = _SEARCH_FRAMES - 1
    velocity: Floats = field(default_factory=lambda: np.zeros(2))
    pace: Floats = field(default_factory=lambda: np.zeros(2))

    def expected(self, time: float) -> Region:
        """The region to look at."""
        x, y = np.array(self.pose.around.middle) + self._way(time)
        return replace(self.pose.around, middle=(float(x), float(y)))

    def passes(self, time: float) -> bool:
        """Whether they were on their way when they were found last, just now."""
        speed = float(np.linalg.norm(self.pace)) / max(float(torso(self.pose.landmarks)[1]), 1.0)
        return speed > _PASSES and abs(time - self.time) <= _LOST

    def found(self, sight: _Sight, time: float) -> None:
        """They were found."""
        way = np.subtract(sight.pose.around.middle, self.pose.around.middle)
        share = np.exp(-abs(time - self.time) / _STEADY)
        self.velocity = share * self.velocity + (1 - share) * way / (time - self.time)
        share = np.exp(-abs(time - self.time) / _LONG)
        self.pace = share * self.pace + (1 - share) * way / (time - self.time)
        self.worn = 0.9 * self.worn + 0.1 * sight.worn if self.worn.any() else sight.worn
        self.pose, self.time = sight.pose, time

    def cost(self, sight: _Sight, time: float) -> float:
        """How badly a pose continues this one; infinite if it can't."""
        (before, now), sizes = torso(np.stack([self.pose.landmarks, sight.pose.landmarks]))
        reach = max(*sizes.tolist(), 1.0) * (_NEAR + _SPEED * abs(time - self.time))
        far = float(np.linalg.norm(now - before - self._way(time))) / reach
        return far + _APPEARANCE_COST * (1 - alike(self.worn, sight.worn)) if far <= 1 else np.inf

    def among_others(self, sight: _Sight, time: float) -> float:
        """The cost where others are followed too: who is in other clothes is one of them, not who is lost."""
        lost = abs(time - self.time) > _LOST and alike(self.worn, sight.worn) < _LIKE
        return np.inf if lost else self.cost(sight, time)

    def _way(self, time: float) -> Floats:
        """How far they are likely to have gone since they were found."""
        unseen = time - self.time
        return np.asarray(self.velocity * unseen * _SLOWING ** abs(unseen))


@dataclass(frozen=True)
class _Frame:
    """A frame that is still in memory, and who was found in it."""

    image: Image
    time: float
    people: list[Person] = field(default_factory=list)
    poses: list[Pose] = field(default_factory=list)


#: what a `Follower` looks with
Networks = tuple[PeopleFinder, PoseFinder]


@contextmanager
def networks_of(quality: str, device: torch.device) -> Iterator[Networks]:
    """The networks of a `Follower`, for a `Settings.quality`; they are released afterwards.

    Raises
    ------
    CaptureError
        If a model is missing or altered, or can't run here.
    """
    task, looks = FULL if quality == "quick" else HEAVY, 2 if quality == "best" else 1
    with closing(PeopleFinder(device)) as finder, closing(PoseFinder(task, device, looks)) as poses:
        yield finder, poses


def _is_there(pose: Pose, frame: _Frame) -> bool:
    """Whether somebody is to be seen."""
    size = frame.image.shape[1::-1]
    inside = ((pose.landmarks[:, :2] >= 0) & (pose.landmarks[:, :2] < size)).all(1)
    return pose.score >= _THERE and bool(inside.mean() >= _INSIDE)


class Follower:
    """Finds people, and follows them.

    A network finds them in the picture, and from then on another one looks at a crop around where each of
    them is expected. Somebody is lost only when nobody is found in their own crop.

    Parameters
    ----------
    finder : PeopleFinder
    poses : PoseFinder
    size : (int, int)
        Width and height of the video's picture, pixels.

    Attributes
    ----------
    doubted : set of int
        Trails of those who turned out not to be people.
    """

    def __init__(self, finder: PeopleFinder, poses: PoseFinder, size: tuple[int, int]) -> None:
        self._finder, self._poses, self._size = finder, poses, size
        self._followed: list[_Followed] = []
        self._recent: deque[_Frame] = deque(maxlen=_SEARCH_FRAMES)
        self._trails = 0
        self.doubted: set[int] = set()
        #: regions that hold nobody, and when they were looked at
        self._things: list[tuple[Region, float]] = []
        #: frames until the next search of the picture, and of its tiles, and how long that pause was
        self._wait, self._tiles_wait, self._pause = 0, 0, _FIRST_PAUSE

    def see(self, image: Image, time: float) -> list[Person]:
        """The people in the next frame, an RGB picture filmed at `time`, seconds.

        The list grows while the next frames are seen: somebody who is found late is followed back.
        """
        now = _Frame(image, time)
        self._recent.append(now)
        self._look(self._followed, now)
        still = [one for one in self._followed if time - one.time <= _PATIENCE]
        if len(still) < len(self._followed):
            self._tiles_wait, self._pause = 0, _FIRST_PAUSE
        self._followed = still
        self._doubt(now)
        self._wait, self._tiles_wait = self._wait - 1, self._tiles_wait - 1
        if self._wait <= 0 or not self._followed:
            self._wait = _SEARCH_FRAMES
            self._search(now)
        return now.people

    def forget(self) -> None:
        """Begin anew: the next picture has nothing to do with the last one."""
        self._followed.clear()
        self._recent.clear()
        self._things.clear()
        self._tiles_wait, self._pause = 0, _FIRST_PAUSE

    def _look(self, followed: Sequence[_Followed], frame: _Frame) -> int:
        """Look for people where they are expected; how many were found.

        Where one is taken for another, who continues better is there; the other one is looked for behind.
        """
        regions = [one.expected(frame.time) for one in followed]
        poses = self._poses.poses(frame.image, regions)
        # who turns quickly wasn't upright in that crop
        again = [i for i, (r, pose) in enumerate(zip(regions, poses, strict=True)) if _askew(r, pose.around)]
        for i, pose in zip(
            again, self._poses.poses(frame.image, [poses[i].around for i in again]), strict=True
        ):
            poses[i] = pose
        sights = [self._sight(pose, frame) for pose in poses]
        there = [i for i, sight in enumerate(sights) if _is_there(sight.pose, frame)]
        # in each other's arms, the crop of one may show the other one
        costs = [
            (cost, one, i)
            for one, who in enumerate(followed)
            for i in there
            if np.isfinite(cost := self._cost(who, sights[i], frame.time))
        ]
        known: set[int] = set()
        for _, one, i in sorted(costs):
            pose = sights[i].pose
            if one in known or any(_wrong(pose, sights[j].pose) for _, _, j in costs):
                continue
            if not any(same(pose.landmarks, other.landmarks) for other in frame.poses):
                self._found(followed[one], sights[i], frame)
                known.add(one)
        hidden = [one for one in range(len(followed)) if one not in known and one in there]
        return len(known) + self._look_behind([(followed[one], regions[one]) for one in hidden], frame)

    def _look_behind(self, hidden: Sequence[tuple[_Followed, Region]], frame: _Frame) -> int:
        """Look for people in whose crops others were found; how many were found."""
        before = [pose.landmarks for pose in frame.poses]
        if not hidden or not before:
            return 0
        poses = self._poses.poses(painted_out(frame.image, before), [region for _, region in hidden])
        found = 0
        for (one, _), pose in zip(hidden, poses, strict=True):
            sight = self._sight(pose, frame)
            sure = _is_there(pose, frame) and _visible(pose) >= _SEEN[0]
            sure = sure and bool(np.isfinite(self._cost(one, sight, frame.time)))
            sure = sure and all(distance(pose.landmarks, other.landmarks) > _BEHIND for other in frame.poses)
            # who passes behind others is hidden by their clothes for a moment; else, what looks like others
            # is what is left of them, and a body of parts of both moves all at once
            like = alike(one.worn, sight.worn)
            if sure and (
                one.passes(frame.time)
                or (
                    distance(one.pose.landmarks, pose.landmarks) < _STEADY_POSE
                    and all(alike(who.appearance, sight.worn) < like for who in frame.people)
                )
            ):
                self._found(one, sight, frame)
                found += 1
        return found

    def _cost(self, one: _Followed, sight: _Sight, time: float) -> float:
        return (one.among_others if len(self._followed) > 1 else one.cost)(sight, time)

    def _found(self, one: _Followed, sight: _Sight, frame: _Frame) -> None:
        one.found(sight, frame.time)
        self._add(one.trail, sight, frame)

    def _doubt(self, now: _Frame) -> None:
        """Stop following newcomers who were hardly found since: a part of somebody, a shadow."""
        for one in self._followed:
            one.new -= 1
            if one.new == 0:
                seen = sum(one.trail in [person.trail for person in frame.people] for frame in self._recent)
                if seen < _STAYS * len(self._recent):
                    self.doubted.add(one.trail)
                    self._things.append((one.pose.around, now.time))
        self._followed = [one for one in self._followed if one.trail not in self.doubted]

    def _search(self, now: _Frame) -> None:
        """Search the picture for people who aren't followed, then its tiles, for those who are small."""
        new = self._newcomers(self._finder.find(now.image, _CONFIDENCE), now)
        if not new and self._tiles_wait <= 0:
            for share in _TILES[:1] if self._followed else _TILES:
                if share * min(self._size) < _SMALLEST_TILE:
                    break
                found = self._finder.find(now.image, _SURE, _tiles(now.image, share))
                upright = [region for region in found if not _turned(region, _UPRIGHT)]
                new += self._newcomers(upright, now, tiles=True)
                if new:
                    break
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            self._tiles_wait = self._pause
        for one in new:
            back = replace(one)
            for frame in list(self._recent)[-2::-1]:
                known = any(person.trail == one.trail for person in frame.people)
                if known or not self._look([back], frame):
                    break
        self._followed += new

    def _newcomers(self, regions: Sequence[Region], now: _Frame, tiles: bool = False) -> list[_Followed]:
        """People in regions of the picture, or of its tiles, who aren't followed yet or were lost."""
        new: list[_Followed] = []
        self._things = [(thing, when) for thing, when in self._things if now.time - when < _REMEMBERED]
        known = [pose.around for pose in now.poses] + [thing for thing, _ in self._things]
        regions = [region for region in regions if not any(_covers(region, other) for other in known)]
        for region in regions[:_CANDIDATES]:
            if len(now.people) >= CROWD:
                break
            pose = self._confirmed(region, now, tiles)
            if pose is None or any(
                same(pose.landmarks, other.landmarks) or _wrong(pose, other) for other in now.poses
            ):
                continue
            self._leave(now, [i for i, other in enumerate(now.poses) if _wrong(other, pose)])
            sight = self._sight(pose, now)
            costs = [one.cost(sight, now.time) if one.time < now.time else np.inf for one in self._followed]
            if costs and min(costs) <= _AGAIN:
                one = self._followed.pop(int(np.argmin(costs)))
                one.found(sight, now.time)
            else:
                one = _Followed(self._trails, pose, now.time, sight.worn)
                self._trails += 1
            self._add(one.trail, sight, now)
            new.append(one)
        return new

    def _confirmed(self, region: Region, now: _Frame, tiles: bool) -> Pose | None:
        """The pose of the person in a region, None if it is a thing: that looks different in a mirror."""
        # the network that finds people is rough: look again where the other one says that they are
        (rough,) = self._poses.poses(now.image, [region])
        if rough.score < _THERE:
            self._things.append((region, now.time))
            return None
        pose, mirrored = self._poses.with_mirrored(now.image, rough.around)
        sure = pose.score >= _CERTAIN[tiles] and _is_there(pose, now) and _visible(pose) >= _SEEN[tiles]
        return pose if sure and distance(pose.landmarks, mirrored.landmarks) < _REAL[tiles] else None

    def _leave(self, frame: _Frame, wrong: Sequence[int]) -> None:
        """Forget some of those who were found in a frame."""
        for i in reversed(wrong):
            del frame.poses[i]
            trail = frame.people.pop(i).trail
            self._followed = [one for one in self._followed if one.trail != trail]

    def _sight(self, pose: Pose, frame: _Frame) -> _Sight:
        size = frame.image.shape[1::-1]
        return _Sight(pose, appearance(frame.image, pose.landmarks[:, :2] / size))

    def _add(self, trail: int, sight: _Sight, frame: _Frame) -> None:
        landmarks = sight.pose.landmarks[:, [0, 1, 3]].astype(np.float32)
        scale = self._size[0] / frame.image.shape[1]
        landmarks[:, :2] *= scale
        frame.people.append(
            Person(
                seen_inside(landmarks, self._size),
                sight.pose.world.astype(np.float32),
                sight.worn,
                trail,
                (sight.pose.spread * scale**2).astype(np.float32),
                sight.pose.landmarks[:, 4].astype(np.float32),
            )
        )
        frame.poses.append(sight.pose)


def _covers(region: Region, other: Region) -> bool:
    """Whether two regions are around one person, roughly."""
    off = float(np.hypot(*np.subtract(region.middle, other.middle)))
    alike = 0.6 < region.side / other.side < 1.7 and not _turned(region, other)
    return off < 0.15 * other.side and alike


def _wrong(pose: Pose, other: Pose) -> bool:
    """Whether a pose is but a guess at a body of which `other` is a better one, turned the other way."""
    near = np.hypot(*np.subtract(pose.around.middle, other.around.middle)) < _SAME_BODY * other.around.side
    return bool(near and _turned(pose.around, other.around) and _visible(pose) < _visible(other))


def _between(region: Region, other: Region) -> float:
    """The angle between two regions' ups, radians."""
    return float(abs((region.turn - other.turn + np.pi) % (2 * np.pi) - np.pi))


def _turned(region: Region, other: Region) -> bool:
    """Whether up isn't up."""
    return _between(region, other) > np.pi / 3


def _askew(region: Region, other: Region) -> bool:
    return _between(region, other) > _ASKEW


def _visible(pose: Pose) -> float:
    return float(pose.landmarks[:, 3].mean())


def _tiles(image: Image, share: float) -> list[Region]:
    """Overlapping squares that cover a picture."""
    height, width = image.shape[:2]
    side = share * min(width, height)
    return [Region((float(x), float(y)), side) for x in _spread(width, side) for y in _spread(height, side)]


def _spread(length: int, side: float) -> Floats:
    """Middles of squares that overlap by half and cover a length."""
    count = int(np.ceil(2 * (length - side) / side)) + 1
    return np.linspace(side / 2, length - side / 2, count)


def people_in(images: Sequence[Image], size: tuple[int, int], networks: Networks) -> list[tuple[Person, ...]]:
    """The people in each of some RGB pictures, which may lie far apart in a video of `size` (w, h) pixels."""
    people = []
    follower = Follower(*networks, size)
    for image in images:
        people.append(tuple(follower.see(image, 0.0)))
        follower.forget()
    return people
