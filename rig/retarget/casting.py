"""Who of several characters plays whom of several people."""

from __future__ import annotations

import re
from collections.abc import Sequence


def cast(people: Sequence[str], characters: Sequence[str]) -> dict[str, str]:
    """The person whom each character plays: by name, else by order.

    Parameters
    ----------
    people : sequence of str
        Names of captured armatures.
    characters : sequence of str
        Names of characters.

    Returns
    -------
    dict
        Person by character. A character whose name has a person's in it, as words of any case, plays that
        person ("Anna_rig" plays "anna"); the others play who is left, in their orders. For whom nobody is
        left isn't in it.
    """
    played: dict[str, str] = {}
    for person in sorted(people, key=len, reverse=True):  # "dance.person2" before "dance"
        words = re.compile(rf"(?<![^\W_]){re.escape(person)}(?![^\W_])", re.IGNORECASE)
        named = next((one for one in characters if one not in played and words.search(one)), None)
        if named is not None:
            played[named] = person
    left = [person for person in people if person not in played.values()]
    played |= dict(zip((one for one in characters if one not in played), left, strict=False))
    return {one: played[one] for one in characters if one in played}
