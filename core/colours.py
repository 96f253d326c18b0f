"""Colours that mean the same in every picture, sRGB from 0 to 255."""

from __future__ import annotations

Colour = tuple[int, int, int]

#: what is on the person's left
LEFT: Colour = (255, 140, 0)
#: what is on the person's right
RIGHT: Colour = (30, 130, 255)
#: what is in the middle of the person
MIDDLE: Colour = (255, 255, 255)
#: where a foot stands
CONTACT: Colour = (60, 230, 60)
#: confidence 0
LOW: Colour = (205, 45, 40)
#: confidence 1/2
MIDDLING: Colour = (240, 190, 60)
#: where a limb isn't where the picture shows it
OFF: Colour = (45, 120, 190)
#: where left may be right
UNSURE: Colour = (150, 80, 190)
#: confidence 1
HIGH: Colour = (70, 165, 90)
#: colours of `quality.STATES`
KNOWN: tuple[Colour, ...] = (HIGH, MIDDLING, OFF, UNSURE, LOW)
#: ... and what they mean
LEGEND = (
    "green: found; yellow: limbs guessed; blue: limbs off the picture; purple: left and right uncertain; "
    "red: not found, bridged"
)


def linear(colour: Colour) -> tuple[float, float, float]:
    """A colour as light, 0 to 1, as Blender's materials take it; sRGB's curve is close to this power."""
    red, green, blue = (float((c / 255) ** 2.2) for c in colour)
    return red, green, blue
