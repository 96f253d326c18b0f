"""What is known of the Python that captures, and the test or installation that runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..core.runtime import Installation
from ..core.worker import Worker


@dataclass
class State:
    """What is known of the runtime, and what goes on.

    Attributes
    ----------
    about : dict
        What the last test told, as `inference.about.about` returns it; empty: nothing.
    problem : str
        Why the last test or installation came to nothing, a sentence for the artist; empty: it didn't.
    test, installation
        What runs.
    """

    about: dict[str, Any]
    problem: str = ""
    test: Worker | None = None
    installation: Installation | None = None


state = State({})


def forget() -> None:
    """What was told no longer holds; a test that runs is ended."""
    if state.test is not None and state.test.running:
        state.test.cancel_soon()
    state.about, state.problem, state.test = {}, "", None


def end_runtime() -> None:
    """End what goes on."""
    forget()
    if state.installation is not None:
        state.installation.cancel()
    state.installation = None
