"""Command lines derived from `core.options`, for people and between processes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Mapping
from typing import Any

from .option import AUTO, Option, options_of

_DASHES = "--"


def add_options(
    parser: argparse._ActionsContainer, cls: type, only: Callable[[Option], bool] = lambda _: True
) -> None:
    """Add the options of a class to a command line or a group of it; `given` reads them.

    Parameters
    ----------
    parser : argparse.ArgumentParser or group
    cls : type
        The options class.
    only : callable
        Whether to add an option.
    """
    for one in filter(only, options_of(cls).values()):
        if one.kind is bool:
            parser.add_argument(
                _DASHES + one.switch, dest=one.name, action="store_const", const=not one.default,
                help=_help_of_switch(one),
            )  # fmt: skip
        else:
            choices = tuple(one.choices) if one.choices and one.kind is str else None
            parser.add_argument(
                _DASHES + one.flag, dest=one.name, type=str if choices else _reader(one), choices=choices,
                metavar=None if choices else one.metavar, help=_help(one),
            )  # fmt: skip


def given(args: argparse.Namespace, cls: type) -> dict[str, Any]:
    """The options of a class that a command line gives, by name; None for `AUTO`."""
    found = {name: getattr(args, name, None) for name in options_of(cls)}
    return {name: _known(value) for name, value in found.items() if value is not None}


def arguments_of(cls: type, values: Mapping[str, Any], but: Collection[str] = ()) -> list[str]:
    """The arguments that give another process these values of a class, except those in `but`."""
    out = []
    for name, value in values.items():
        one = options_of(cls)[name]
        if name in but or (one.kind is bool and value == one.default):
            continue
        out.append(_DASHES + one.switch if one.kind is bool else f"{_DASHES}{one.flag}={one.write(value)}")
    return out


def _known(value: Any) -> Any:
    return None if value is _UNKNOWN else value


class _Unknown:
    """Stands for `AUTO` in a namespace, where None means that an argument wasn't given."""

    def __repr__(self) -> str:
        return AUTO


_UNKNOWN = _Unknown()


def _reader(one: Option) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            value = one.read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"'{text}' {error}") from None
        return _UNKNOWN if value is None else value

    return read


def _help(one: Option) -> str:
    parts = [one.unit] if one.unit else []
    if one.limits != Option("", "").limits:
        least, most = one.limits
        parts.append(f"{least:g} to {most:g}" if most != float("inf") else f"{least:g} or more")
    if one.kind is tuple:
        parts.append(f"any of {', '.join(one.choices)}, separated by commas")
    if one.optional:
        parts.append(f"default: {AUTO}")
    elif one.default not in ("", ()):
        parts.append(f"default: {one.write(one.default)}")
    text = _lower(one.help) + (f" ({'; '.join(parts)})" if parts else "")
    return text.replace("%", "%%")


def _help_of_switch(one: Option) -> str:
    text = _lower(one.help)
    return f"don't {text}" if one.default else text


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
