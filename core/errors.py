"""The error that an artist sees, and the one that motions and captures refuse their values with."""

from __future__ import annotations

import re
import reprlib
import unicodedata
from typing import Any

#: characters of a word from which on its middle is left out: messages repeat what files hold, however long
_LONGEST_WORD = 500
#: characters of a message from which on its middle is left out
_LONGEST = 2000
#: characters that a value may have to be quoted whole
_BRIEF = 100
#: what reading JSON, and taking it apart, raises where it holds something else than it should
NOT_AS_TOLD = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
#: kinds of characters that no line of text can show: controls, halves of characters, ends of lines
_UNREADABLE = frozenset(("Cc", "Cs", "Zl", "Zp"))
#: marks that change the direction of what follows
_DIRECTIONS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class CaptureError(Exception):
    """Something the artist can act on: the message is one sentence that says what is wrong and what to do.

    Parameters
    ----------
    message : str
        May repeat what a file holds: whatever can't be read is escaped, and the middle of what is far
        too long is left out.
    """

    def __init__(self, message: str) -> None:
        super().__init__(readable(message))


def readable(text: str) -> str:
    """A text from elsewhere, fit to be shown: on one line, not endless, with nothing that can't be seen."""
    text = "".join(_escaped(c) if is_unreadable(c) or c in _DIRECTIONS else c for c in text)
    text = re.sub(r"\S+", lambda word: _shortened(word[0], _LONGEST_WORD), text)
    return _shortened(text, _LONGEST)


def brief(value: Any) -> str:
    """A value as a text of one short line; of a longer one the beginning and the end."""
    text = value if isinstance(value, str) else reprlib.repr(value)
    return text if len(text) <= _BRIEF and text.isprintable() else reprlib.repr(text)


def is_unreadable(character: str) -> bool:
    """Whether no line of text can show a character: a control, half a character, the end of a line."""
    return unicodedata.category(character) in _UNREADABLE


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    kept = (most - 3) // 2
    return f"{text[:kept]} … {text[-kept:]}"


class UnsoundError(ValueError):
    """Values that no motion can have: the message is a phrase, such as "its frame rate is -3"."""
