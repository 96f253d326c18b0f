"""A file dropped onto a window as a file manager does it: the X drag-and-drop protocol (XDND 5) by hand."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

#: X11's number of the event ClientMessage
_CLIENT_MESSAGE = 33
#: X11's number of the event SelectionRequest
_SELECTION_REQUEST = 30
#: X11's number of the event SelectionNotify
_SELECTION_NOTIFY = 31
#: mode of XChangeProperty: replace the property
_REPLACE = 0
#: format of the property: bytes
_BYTES = 8
#: event mask of XSendEvent: none
_NO_MASK = 0


class _ClientMessage(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p), ("window", ctypes.c_ulong), ("message", ctypes.c_ulong),
        ("format", ctypes.c_int), ("data", ctypes.c_long * 5),
    ]  # fmt: skip


class _Request(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p), ("owner", ctypes.c_ulong), ("requestor", ctypes.c_ulong),
        ("selection", ctypes.c_ulong), ("target", ctypes.c_ulong), ("property", ctypes.c_ulong),
        ("time", ctypes.c_ulong),
    ]  # fmt: skip


class _Notice(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p), ("requestor", ctypes.c_ulong), ("selection", ctypes.c_ulong),
        ("target", ctypes.c_ulong), ("property", ctypes.c_ulong), ("time", ctypes.c_ulong),
    ]  # fmt: skip


class _Event(ctypes.Union):
    _fields_ = [
        ("type", ctypes.c_int), ("message", _ClientMessage), ("request", _Request), ("notice", _Notice),
        ("pad", ctypes.c_long * 24),
    ]  # fmt: skip


def drop(display: str, window: int, path: Path, x: int, y: int) -> None:
    """Drop a file onto a window at a place of the screen; returns when the window has taken it.

    Parameters
    ----------
    display : str
        Such as ":0".
    window : int
        X's number of the window.
    path : Path
    x, y : int
        Pixels from the screen's top left.

    Raises
    ------
    TimeoutError
        If the window doesn't take files, or doesn't take this one.
    """
    lib = ctypes.CDLL("libX11.so.6")
    for name, result, arguments in (
        ("XOpenDisplay", ctypes.c_void_p, [ctypes.c_char_p]),
        ("XDefaultRootWindow", ctypes.c_ulong, [ctypes.c_void_p]),
        (
            "XCreateSimpleWindow",
            ctypes.c_ulong,
            [ctypes.c_void_p, ctypes.c_ulong, *[ctypes.c_int] * 5, *[ctypes.c_ulong] * 2],
        ),
        ("XInternAtom", ctypes.c_ulong, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]),
        ("XSetSelectionOwner", ctypes.c_int, [ctypes.c_void_p, *[ctypes.c_ulong] * 3]),
        (
            "XSendEvent",
            ctypes.c_int,
            [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_long, ctypes.c_void_p],
        ),
        (
            "XChangeProperty",
            ctypes.c_int,
            [ctypes.c_void_p, *[ctypes.c_ulong] * 3, *[ctypes.c_int] * 2, ctypes.c_char_p, ctypes.c_int],
        ),
        ("XPending", ctypes.c_int, [ctypes.c_void_p]),
        ("XNextEvent", ctypes.c_int, [ctypes.c_void_p, ctypes.c_void_p]),
        ("XFlush", ctypes.c_int, [ctypes.c_void_p]),
        ("XCloseDisplay", ctypes.c_int, [ctypes.c_void_p]),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    screen = lib.XOpenDisplay(display.encode())
    source = lib.XCreateSimpleWindow(screen, lib.XDefaultRootWindow(screen), 0, 0, 1, 1, 0, 0, 0)

    def atom(name: str) -> int:
        return int(lib.XInternAtom(screen, name.encode(), 0))

    def send(name: str, *data: int) -> None:
        event = _Event()
        event.message = _ClientMessage(
            _CLIENT_MESSAGE, 0, 1, screen, window, atom(name), 32, (ctypes.c_long * 5)(source, *data)
        )
        lib.XSendEvent(screen, window, 0, _NO_MASK, ctypes.byref(event))
        lib.XFlush(screen)

    def heard(name: str) -> _Event:
        end = time.monotonic() + 10
        event = _Event()
        while time.monotonic() < end:
            if not lib.XPending(screen):
                time.sleep(0.02)
                continue
            lib.XNextEvent(screen, ctypes.byref(event))
            if event.type == _SELECTION_REQUEST:
                give(event.request)
            elif event.type == _CLIENT_MESSAGE and event.message.message == atom(name):
                return event
        raise TimeoutError(f"no {name}")

    def give(request: _Request) -> None:
        data = f"{path.as_uri()}\r\n".encode()
        lib.XChangeProperty(
            screen, request.requestor, request.property, request.target, _BYTES, _REPLACE, data, len(data)
        )
        event = _Event()
        event.notice = _Notice(
            _SELECTION_NOTIFY, 0, 1, screen, request.requestor, request.selection, request.target,
            request.property, request.time,
        )  # fmt: skip
        lib.XSendEvent(screen, request.requestor, 0, _NO_MASK, ctypes.byref(event))
        lib.XFlush(screen)

    lib.XSetSelectionOwner(screen, atom("XdndSelection"), source, 0)
    send("XdndEnter", 5 << 24, atom("text/uri-list"), 0, 0)
    for _ in range(3):
        send("XdndPosition", 0, x << 16 | y, 0, atom("XdndActionCopy"))
        if not heard("XdndStatus").message.data[1] & 1:
            raise TimeoutError("the window doesn't take it")
        time.sleep(0.1)
    send("XdndDrop", 0, 0, 0, 0)
    heard("XdndFinished")
    lib.XCloseDisplay(screen)
