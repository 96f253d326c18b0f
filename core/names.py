"""Names that files may have on every system: Linux, macOS and Windows."""

from __future__ import annotations

import unicodedata
from contextlib import suppress

from .errors import is_unreadable

#: what Windows keeps for devices, whatever ending follows
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"]
)
#: characters that Windows doesn't have in names; `/` separates folders
_FORBIDDEN = frozenset('<>:"\\|?*')
#: what turns the order of the characters that follow, so that a name isn't what it looks like
_BIDI_CONTROLS = frozenset(("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"))
#: bytes of a folder's or a file's name: systems allow 255, and the endings of results need some
_MAX_PART = 200
#: characters of a whole name
_MAX_NAME = 1000


def is_unicode(text: str) -> bool:
    """Whether all of a text is characters: a path may have bytes that no encoding explains."""
    with suppress(UnicodeEncodeError):
        text.encode("utf-8")
        return True
    return False


def normalised(name: str) -> str:
    """A name in the one form (Unicode's NFC) that stands for all ways of writing its characters."""
    return unicodedata.normalize("NFC", name)


def same_file_key(name: str) -> str:
    """What two names have in common that some system takes for one: case and Unicode form don't count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())


def name_problem(name: str) -> str:
    """Why a relative path with slashes is no safe name for results, as a phrase; empty: it is one.

    A safe name stays inside its folder, means the same on every system, and isn't hidden.
    """
    if len(name) > _MAX_NAME:
        return f"is longer than {_MAX_NAME} characters"
    if not is_unicode(name):
        return "has characters that aren't Unicode"
    for part in name.split("/"):
        if part in ("", ".", ".."):
            return "isn't a path inside the output folder"
        if wrong := sorted(character for character in part if _is_forbidden(character)):
            return f"has {wrong[0]!a} in it, which file names can't have on every system"
        if part[0] == ".":
            return "begins with a dot, so its files would be hidden"
        if part[0] == " " or part[-1] in ". ":
            return "has a part that begins or ends with a space or ends with a dot, which Windows cuts off"
        if _is_device(part):
            return f"has the part {part}, which is a device on Windows"
        if len(part.encode("utf-8")) > _MAX_PART:
            return f"has a part that is longer than {_MAX_PART} bytes"
    return ""


def safe_name(name: str) -> str:
    """The name for results that is nearest to a file's own, a relative path with slashes.

    What `name_problem` refuses in a part becomes ``_``, and a part that is too long is cut. A name that is
    safe stays as it is, in the form of `normalised`.
    """
    return "/".join(map(_safe_part, normalised(name).split("/")))


def _safe_part(part: str) -> str:
    part = "".join("_" if _is_forbidden(character) else character for character in part) or "_"
    if part[0] in ". ":
        part = "_" + part[1:]
    if _is_device(part):
        part = "_" + part
    part = part.encode("utf-8")[:_MAX_PART].decode("utf-8", "ignore")
    return part[:-1] + "_" if part[-1] in ". " else part


def _is_device(part: str) -> bool:
    return part.partition(".")[0].rstrip(" ").upper() in _DEVICES


def _is_forbidden(character: str) -> bool:
    turns = unicodedata.bidirectional(character) in _BIDI_CONTROLS
    return character in _FORBIDDEN or turns or is_unreadable(character)
