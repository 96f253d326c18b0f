"""Run by Blender: answers questions from outside, between events, and logs how late its timers come.

A question is a line of Python on a Unix socket: an expression, or statements that leave something in `answer`.
The answer is a line of JSON. Blender itself is unaware of it: the clicks come through the window.
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
_last = 0.0


def answered(question: str) -> dict[str, Any]:
    """The answer, or what went wrong."""
    names: dict[str, Any] = {"bpy": bpy, "context": bpy.context, "late": late}
    try:
        try:
            return {"answer": eval(question, names)}
        except SyntaxError:
            exec(question, names)
            return {"answer": names.get("answer")}
    except Exception:  # told outside
        return {"error": traceback.format_exc()}


def serve() -> float:
    """Answer what was asked since the last time."""
    global _last
    now = time.perf_counter()
    if _last:
        late.append(now - _last - PERIOD)
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
    _last = time.perf_counter()
    return PERIOD


bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(serve, persistent=True)
