"""Run by Blender: answers questions from outside, between events, and logs how late its timers come.

It also logs, when asked to `watch`, how long Kinelift's own work in the window takes.

A question is an expression or a statement of Python, sent as a line of JSON over a Unix socket; so is the
answer. Nothing is clicked this way: clicks come through the window.
"""

from __future__ import annotations

import json
import os
import socket
import time
import traceback
from collections.abc import Callable
from typing import Any

import bpy

PERIOD = 0.01
_server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
_server.bind(os.environ["KINELIFT_GUI_SOCKET"])
_server.listen(1)
_server.setblocking(False)
_lines: list[Any] = []
#: seconds that each timer came late
late: list[float] = []
_before: list[float] = []
#: seconds that each of Kinelift's calls took, by what is called
took: dict[str, list[float]] = {}


def watch() -> None:
    """Log how long the tab's operators take at each tick, and its panels at each drawing, from now on."""
    for cls in (*bpy.types.Operator.__subclasses__(), *bpy.types.Panel.__subclasses__()):
        for name in ("invoke", "modal", "draw"):
            if "kinelift" in cls.__module__ and hasattr(cls, name):
                log = took.setdefault(f"{cls.__name__}.{name}", [])
                setattr(cls, name, _timed(getattr(cls, name), log))


def _timed(call: Callable[..., Any], log: list[float]) -> Callable[..., Any]:
    # Blender counts the parameters
    def drawn(self: Any, context: Any) -> Any:
        return handled(self, context)

    def handled(self: Any, context: Any, *event: Any) -> Any:
        began = time.perf_counter()
        try:
            return call(self, context, *event)
        finally:
            log.append(time.perf_counter() - began)

    def invoked(self: Any, context: Any, event: Any) -> Any:
        return handled(self, context, event)

    return drawn if call.__code__.co_argcount == 2 else invoked


def answered(question: str) -> dict[str, Any]:
    """The answer, or what went wrong."""
    names: dict[str, Any] = {
        "bpy": bpy, "context": bpy.context, "late": late, "took": took, "watch": watch
    }  # fmt: skip
    try:
        try:
            return {"answer": eval(question, names)}
        except SyntaxError:
            exec(question, names)  # noqa: S102 - the test's own words
            return {"answer": None}
    except Exception:  # noqa: BLE001 - told outside
        return {"error": traceback.format_exc()}


def serve() -> float:
    """Answer what was asked since the last time."""
    if _before:
        late.append(time.perf_counter() - _before.pop() - PERIOD)
    if not _lines:
        try:
            connection, _ = _server.accept()
        except BlockingIOError:
            pass
        else:
            connection.setblocking(False)
            _lines.append(connection)
    else:
        try:
            question = _lines[0].recv(1 << 16)
        except BlockingIOError:
            pass
        else:
            if question:
                reply = json.dumps(answered(json.loads(question)), default=str)
                _lines[0].sendall(reply.encode() + b"\n")
            else:
                _lines.clear()
    _before.append(time.perf_counter())
    return PERIOD


bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(serve, persistent=True)
