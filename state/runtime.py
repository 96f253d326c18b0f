"""The last test of the Python that captures, and the test or installation that runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..core.runtime import Installation
from ..core.worker import Worker


@dataclass
class State:
    """The state of the runtime.

    Attributes
    ----------
    about : dict
        Result of the last test, as `inference.about.about` returns it; empty: none.
    problem : str
        Why the last test or installation failed, a sentence for the artist; empty: it didn't.
    test, installation
        The ones that run.
    """

    about: dict[str, Any]
    problem: str = ""
    test: Worker | None = None
    installation: Installation | None = None


state = State({})


def forget() -> None:
    """Discard the result of the last test and end a running one."""
    if state.test is not None and state.test.running:
        state.test.cancel_soon()
    state.about, state.problem, state.test = {}, "", None


def end_runtime() -> None:
    """End a running test and installation."""
    forget()
    if state.installation is not None:
        state.installation.cancel()
    state.installation = None
