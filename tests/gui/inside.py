"""Run by Blender: answers questions from outside, between events, and logs how late its timers come.

A question is an expression or a statement of Python, sent as a line of JSON over a Unix socket; so is the
answer. Nothing is clicked this way: clicks come through the window.
"""

from __future__ import annotations

import json
import os
import socket
import time
import traceback
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


def answered(question: str) -> dict[str, Any]:
    """The answer, or what went wrong."""
    names: dict[str, Any] = {"bpy": bpy, "context": bpy.context, "late": late}
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
