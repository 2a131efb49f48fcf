"""Where descriptors were made: sockets, event loops and pipes, by their constructors, which are exchanged for a while.

Only what Python code defines can be exchanged without a trace, so a bare `select.epoll()` or a data base is not seen
here: its holder is looked for instead.
"""

from __future__ import annotations

import functools
import os
import selectors
import socket
from typing import Any

from .callers import Place, origin


class Origins:
    """Lines that made descriptors since `start`."""

    def __init__(self) -> None:
        self._places: dict[int, tuple[tuple[int, int], Place]] = {}
        self._exchanged: list[tuple[Any, str, Any, Any]] = []
        self._watching = False

    def start(self) -> None:
        """Exchange the constructors."""
        self._watching = True
        self._exchange_init(socket.socket)
        epoll = getattr(selectors, "EpollSelector", None)
        if epoll is not None:
            self._exchange_init(epoll)
        for name in ("pipe", "pipe2"):
            if hasattr(os, name):
                self._exchange_pipe(name)

    def stop(self) -> None:
        """Give them back, unless somebody put others on top."""
        self._watching = False
        for owner, name, inherited, watching in self._exchanged:
            if vars(owner).get(name) is not watching:
                continue
            if inherited is None:
                delattr(owner, name)
            else:
                setattr(owner, name, inherited)
        self._exchanged.clear()

    def place(self, fd: int) -> Place | None:
        """The line that made what is open at `fd`, if it was seen."""
        made, place = self._places.get(fd, (None, None))
        return place if made is not None and made == _identity(fd) else None

    def _exchange_init(self, cls: type) -> None:
        own = cls.__init__  # type: ignore[misc]

        @functools.wraps(own)
        def watching(made: Any, *args: Any, **kwargs: Any) -> None:
            own(made, *args, **kwargs)
            if self._watching:
                self._note(made.fileno(), origin(1))

        self._exchanged.append((cls, "__init__", vars(cls).get("__init__"), watching))
        cls.__init__ = watching  # type: ignore[misc]

    def _exchange_pipe(self, name: str) -> None:
        own = getattr(os, name)

        @functools.wraps(own)
        def watching(*args: Any) -> Any:
            ends = own(*args)
            if self._watching:
                place = origin(1)
                for fd in ends:
                    self._note(fd, place)
            return ends

        self._exchanged.append((os, name, own, watching))
        setattr(os, name, watching)

    def _note(self, fd: int, place: Place | None) -> None:
        made = _identity(fd)
        if place is not None and made is not None:
            self._places[fd] = (made, place)


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(fd)
    except (OSError, ValueError, TypeError):
        return None
    return status.st_dev, status.st_ino
