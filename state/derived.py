"""Blender properties derived from `core.options`, and their values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty

from ..core.option import Option, options_of

#: arguments of a property by an option's unit, so that Blender shows the unit
_SUBTYPES = {
    "s": {"subtype": "TIME_ABSOLUTE", "unit": "TIME_ABSOLUTE"},
    "m": {"subtype": "DISTANCE"},
    "mm": {"subtype": "DISTANCE_CAMERA"},
}
#: significant digits of a float property: Blender keeps single precision
_DIGITS = 6


def with_options(cls: type, **more: Any) -> Callable[[type], type]:
    """Decorate a property group: give it a property for each option of a class that panels show directly.

    An optional value gets two: ``use_NAME``, whether it is known, and ``NAME``.

    Parameters
    ----------
    cls : type
        The options class.
    **more
        Further arguments of the options' properties.
    """

    def decorate(group: type) -> type:
        own: dict[str, Any] = {}
        for name, one in panel_options(cls).items():
            if one.optional:
                own[use(name)] = BoolProperty(name=f"{one.label} Known", description=one.help)
            own[name] = property_of(one, **more)
        group.__annotations__ = {**own, **group.__annotations__}
        return group

    return decorate


def panel_options(cls: type) -> Mapping[str, Option]:
    """The options that a class itself declares and panels show directly, by name."""
    own = inspect.get_annotations(cls)
    return {name: one for name, one in options_of(cls).items() if one.in_panel and name in own}


def use(name: str) -> str:
    """Name of the property that says whether an optional value is known."""
    return f"use_{name}"


def property_of(one: Option, **more: Any) -> Any:
    """The Blender property of an option, with ``more`` arguments for it."""
    about = {"name": one.label, "description": one.help, **more}
    if one.kind is bool:
        return BoolProperty(default=one.default, **about)
    if one.choices:
        items = tuple((value, _title(value), what) for value, what in one.choices.items())
        if one.kind is tuple:
            return EnumProperty(items=items, options={"ENUM_FLAG"}, default=set(one.default), **about)
        return EnumProperty(items=items, default=one.default, **about)
    default = one.suggestion if one.optional else one.default
    limits = dict(zip(("min", "max"), one.limits, strict=True))
    finite = {name: limit for name, limit in limits.items() if abs(limit) != float("inf")}
    if one.kind is int:
        return IntProperty(default=int(default), **{n: int(v) for n, v in finite.items()}, **about)
    return FloatProperty(default=default, precision=3, **finite, **_SUBTYPES.get(one.unit, {}), **about)


def values_of(group: Any, cls: type) -> dict[str, Any]:
    """A property group's values for the options of a class, by name."""
    found: dict[str, Any] = {}
    for name, one in panel_options(cls).items():
        value = getattr(group, name)
        if one.optional and not getattr(group, use(name)):
            found[name] = None
        elif one.kind is float:
            found[name] = float(f"{value:.{_DIGITS}g}")
        elif one.kind is tuple:
            found[name] = tuple(choice for choice in one.choices if choice in value)
        else:
            found[name] = value
    return found


def _title(value: str) -> str:
    """The label of a choice: "In Place" for "in-place"."""
    return value if value.isupper() else " ".join(word.capitalize() for word in value.split("-"))
