"""Pins: how the body is in some frames, because an artist says so; as a file too."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import Floats, Indices
from .files import read_json, replacing
from .motion import Motion
from .rotations import geodesic_angle, matrix_from_quaternion, quaternion_from_matrix
from .skeleton import INDEX, JOINTS
from .sound import METRES, check_number

#: a quaternion's length may be off by this much
_ROUNDING = 1e-3
#: a pin that is off by more than this isn't met: degrees, metres
_OFF, _AWAY = 5.0, 0.05
#: a sentence names so many pins that aren't met
_NAMED = 5
_EXAMPLE = '{"pins": [{"frame": 80, "rotations": {"forearm.L": [1, 0, 0, 0]}, "hips": [0, 0, 0.9]}]}'


@dataclass(frozen=True)
class Pins:
    """How the body is in some frames of a motion.

    Attributes
    ----------
    frames : (P,) int
        Counted from 0; a frame may have several pins.
    rotations : (P, J, 3, 3)
        World rotations of the joints; NaN of those that a pin doesn't tell.
    hips : (P, 3)
        Positions, metres; NaN where a pin doesn't tell.
    strength : (P,)
        Above 0: what the pin says counts as a share; 1: as certain.
    """

    frames: Indices
    rotations: Floats
    hips: Floats
    strength: Floats

    def within(self, frames: slice) -> Pins:
        """Those in a stretch of frames, which are counted from its first one."""
        there = (self.frames >= frames.start) & (self.frames < frames.stop)
        return Pins(
            self.frames[there] - frames.start, self.rotations[there], self.hips[there], self.strength[there]
        )

    def moved(self, transform: Floats) -> Pins:
        """The same in other axes, by a rigid transform (4, 4)."""
        turn, shift = transform[:3, :3], transform[:3, 3]
        return replace(self, rotations=turn @ self.rotations, hips=self.hips @ turn.T + shift)


def not_met(pins: Pins, motion: Motion) -> str:
    """A sentence about pins that count as certain and that a motion doesn't meet; empty if it meets all."""
    turned = geodesic_angle(motion.world_rotations[pins.frames], pins.rotations)
    off = np.degrees(np.nan_to_num(turned))
    away = np.nan_to_num(np.linalg.norm(motion.root[pins.frames] - pins.hips, axis=1))
    said = []
    for pin in np.flatnonzero(((off > _OFF).any(1) | (away > _AWAY)) & (pins.strength >= 1)):
        worst = int(off[pin].argmax())
        what = f"{JOINTS[worst]} by {off[pin, worst]:.0f} degrees"
        if off[pin, worst] <= _OFF:
            what = f"the hips by {100 * away[pin]:.0f} cm"
        said.append(f"frame {pins.frames[pin]} ({what})")
    if not said:
        return ""
    more = f" and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
    return (
        f"The motion comes near, but doesn't meet the pins of {', '.join(said[:_NAMED])}{more}: they "
        "contradict each other, the feet that stand, or what a body can do."
    )


def read_pins(path: Path, frames: int) -> Pins:
    """The pins in a file, for a motion of so many frames.

    JSON with a list of ``pins``. Each has its ``frame``, counted from 0, and tells world ``rotations`` by
    joint (w, x, y, z; relative to the rest pose), the position of the ``hips`` (metres), or both. Its
    ``strength``, above 0 to 1, is 1 if it isn't told.

    Raises
    ------
    CaptureError
        If the file can't be read or says something else.
    """
    pins = read_json(
        path,
        "pins",
        f"frames 0 to {frames - 1} with rotations of joints (w, x, y, z) or a position of the hips, such as "
        + _EXAMPLE,
        lambda told: _all(told, frames),
    )
    count = len(pins)
    return Pins(
        np.array([frame for frame, *_ in pins], int),
        np.array([rotations for _, rotations, *_ in pins]).reshape(count, len(JOINTS), 3, 3),
        np.array([hips for _, _, hips, _ in pins]).reshape(count, 3),
        np.array([strength for *_, strength in pins], float),
    )


def _all(told: Any, frames: int) -> list[tuple[int, Floats, Floats, float]]:
    """Frame, rotations, hips and strength of each pin; raises as `_pin`."""
    if told.keys() != {"pins"} or type(told["pins"]) is not list:
        raise ValueError("no pins")
    return [_pin(one, frames) for one in told["pins"]]


def _pin(told: dict[str, Any], frames: int) -> tuple[int, Floats, Floats, float]:
    """Frame, rotations, hips and strength of a pin.

    Raises
    ------
    ValueError, LookupError, TypeError, AttributeError
        If it isn't told as it should be.
    """
    what = {"rotations", "hips"}
    if not told.keys() <= what | {"frame", "strength"} or not what & told.keys():
        raise ValueError("other keys")
    frame, strength = told["frame"], told.get("strength", 1.0)
    if type(frame) is not int or not 0 <= frame < frames:
        raise ValueError("no frame")
    check_number("strength", strength, (0, 1))
    if not strength:
        raise ValueError("it says nothing")
    rotations: Floats = np.full((len(JOINTS), 3, 3), np.nan)
    for joint, turn in told.get("rotations", {}).items():
        quaternion = _numbers(turn, 4, 1 + _ROUNDING)
        length = float(np.linalg.norm(quaternion))
        if abs(length - 1) > _ROUNDING:
            raise ValueError("no rotation")
        rotations[INDEX[joint]] = matrix_from_quaternion(quaternion / length)
    hips = _numbers(told["hips"], 3, METRES[1]) if "hips" in told else np.full(3, np.nan)
    return frame, rotations, hips, float(strength)


def _numbers(told: Any, count: int, most: float) -> Floats:
    """So many numbers, none of which is larger.

    Raises
    ------
    ValueError, TypeError
        If it isn't these.
    """
    if type(told) is not list or len(told) != count:
        raise ValueError("another count")
    for one in told:
        check_number("number", one, (-most, most))
    return np.array(told, float)


def write_pins(pins: Pins, path: Path) -> None:
    """Write pins for `read_pins`; the file appears whole or not at all.

    Raises
    ------
    CaptureError
        If it can't be written.
    """
    told = []
    for frame, rotations, hips, strength in zip(
        pins.frames, pins.rotations, pins.hips, pins.strength, strict=True
    ):
        pin: dict[str, Any] = {"frame": int(frame), "strength": float(strength)}
        named = [joint for joint, turn in zip(JOINTS, rotations, strict=True) if np.isfinite(turn).all()]
        pin["rotations"] = {
            joint: quaternion_from_matrix(rotations[INDEX[joint]]).tolist() for joint in named
        }
        if np.isfinite(hips).all():
            pin["hips"] = hips.tolist()
        told.append(pin)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"pins": told}) + "\n", encoding="utf-8")
