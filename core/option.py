"""What an option is: its declaration in a field of an options class, and its values as text.

This module imports neither numpy nor bpy: command lines are read before either is loaded.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, get_args, get_type_hints

from .errors import CaptureError, brief

#: text for an optional value that isn't known
AUTO = "auto"
#: the values that texts give a switch
_SWITCHES = {
    "yes": True,
    "true": True,
    "on": True,
    "1": True,
    "no": False,
    "false": False,
    "off": False,
    "0": False,
}


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes
    ----------
    label : str
        Label in a panel.
    help : str
        What it does, for help texts and tooltips: begins with a capital letter and has no full stop. After
        "don't" it must also make sense if it is a switch that is on by default.
    unit : str
        ``s``, ``m``, ``mm`` or empty.
    limits : (float, float)
        The smallest and the largest allowed value.
    choices : dict
        If not empty: the allowed values, and what each means.
    check : callable, optional
        Raises CaptureError for a text that isn't allowed.
    metavar : str
        Placeholder of the value in help texts.
    refusal : str
        Sentence that refuses a value, with ``{value}``, ``{least}`` and ``{most}``.
    off : str
        Flag that switches off what is on by default; empty: ``no-NAME``.
    in_resolve : bool
        Whether a captured motion can be solved again with another value.
    in_panel : bool
        Whether Blender's panels show it directly; they ask for the others in their own ways.
    suggestion : float
        First value in a panel of an optional value.
    name : str
        Name of the field; `options_of` fills in this and the following.
    kind : type
        Type of the field, without None.
    optional : bool
        Whether the value may be None.
    default
        Default of the field.
    """

    label: str
    help: str
    unit: str = ""
    limits: tuple[float, float] = (-math.inf, math.inf)
    choices: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[str], object] | None = None
    metavar: str = ""
    refusal: str = ""
    off: str = ""
    in_resolve: bool = False
    in_panel: bool = True
    suggestion: float = 0.0
    name: str = ""
    kind: type = str
    optional: bool = False
    default: Any = None

    @property
    def flag(self) -> str:
        """Its name on a command line and in a CSV."""
        return self.name.replace("_", "-")

    @property
    def switch(self) -> str:
        """The flag, without leading dashes, that gives a boolean the value that isn't its default."""
        return (self.off or f"no-{self.flag}") if self.default else self.flag

    def read(self, text: str) -> Any:
        """Parse a text.

        Raises
        ------
        ValueError
            With a phrase to put after the text: "isn't a number".
        """
        text = text.strip()
        if self.optional and text == AUTO:
            return None
        if self.kind is bool:
            if text.lower() not in _SWITCHES:
                raise ValueError("isn't yes or no")
            return _SWITCHES[text.lower()]
        if self.kind is tuple:
            return self._read_several(text)
        if self.kind in (int, float):
            try:
                return self.kind(text)
            except ValueError:
                raise ValueError("isn't a whole number" if self.kind is int else "isn't a number") from None
        if self.choices and text not in self.choices:
            raise ValueError(f"isn't one of {', '.join(self.choices)}")
        return text

    def _read_several(self, text: str) -> tuple[str, ...]:
        several = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
        for part in several:
            if part not in self.choices:
                raise ValueError(f"has '{part}'; there are {', '.join(self.choices)}")
        return several

    def write(self, value: Any) -> str:
        """The text from which `read` gives `value`."""
        if value is None:
            return AUTO
        if self.kind is bool:
            return "yes" if value else "no"
        if self.kind is tuple:
            return ",".join(value)
        return f"{value:.9g}" if self.kind is float else str(value)

    def problem(self, value: Any) -> str:
        """What is wrong with a value, such as "18, which is not within 0.3 and 3"; empty: nothing."""
        if value is None and self.optional:
            return ""
        if self.kind in (int, float):
            least, most = self.limits
            # neither infinite, nor NaN, nor an integer that is too large for a float
            if type(value) not in (int, self.kind) or not abs(value) <= sys.float_info.max:
                return f"{brief(value)}, which isn't a number"
            return "" if least <= value <= most else f"{value:g}, which is not within {least:g} and {most:g}"
        texts = value if isinstance(value, tuple) else (value,) if self.kind is str else ()
        short = all(isinstance(text, str) and brief(text) == text for text in texts)
        if not isinstance(value, self.kind) or not short:
            return f"{brief(value)}, which isn't {'yes or no' if self.kind is bool else 'text'}"
        try:
            if self.read(self.write(value)) != value:
                raise ValueError("isn't spelled like that")
            if self.check is not None:
                self.check(str(value))
        except ValueError as error:
            return f"'{brief(self.write(value))}', which {error}"
        except CaptureError as error:
            return f"'{value}': {str(error)[0].lower()}{str(error)[1:].rstrip('.')}"
        return ""


def option(default: Any, label: str, help: str, **how: Any) -> Any:  # noqa: A002 - argparse's word
    """A field of an options class with its default; the other arguments are those of `Option`."""
    return field(default=default, metadata={"option": Option(label, help, **how)})


_declared: dict[type, Mapping[str, Option]] = {}


def options_of(cls: type) -> Mapping[str, Option]:
    """The options of an options class by name."""
    if cls not in _declared:
        _declared[cls] = _read_declaration(cls)
    return _declared[cls]


def _read_declaration(cls: type) -> dict[str, Option]:
    types = get_type_hints(cls)
    found = {}
    own = inspect.get_annotations(cls)
    for one in sorted(fields(cls), key=lambda one: one.name not in own):  # what it inherits comes last
        if "option" not in one.metadata:
            continue
        parts = [part for part in get_args(types[one.name]) if part in (bool, int, float, str, type(None))]
        kind = types[one.name]
        optional = type(None) in parts
        if optional:
            (kind,) = (part for part in parts if part is not type(None))
        if getattr(kind, "__origin__", None) is tuple:
            kind = tuple
        found[one.name] = replace(
            one.metadata["option"], name=one.name, kind=kind, optional=optional, default=one.default
        )
    return found
