"""Threads that would not exist in a forked worker: Python's own, and native ones judged by the library behind them."""

from __future__ import annotations

import _thread
import functools
import os
import threading
import time
from typing import Any

from . import libraries
from .callers import Place, origin

_TASKS = "/proc/self/task"
_LEAVING = 0.02
"""Seconds in which a thread that has ended disappears from the kernel's list, for which there is no event."""


class Threads:
    """Threads started since `start`, with the line that started them."""

    def __init__(self) -> None:
        self._origins: dict[int, Place | None] = {}
        self._idents: set[int | None] = set()
        self._low_level = 0
        self._tasks: set[str] = set()
        self._own: Any = None
        self._watching: Any = None

    def start(self) -> None:
        """Take the baseline; note who starts threads from now on."""
        self._idents = {thread.ident for thread in threading.enumerate()}
        self._low_level = _low_level_count()
        self._tasks = _tasks()
        own = self._own = threading.Thread.start
        origins = self._origins

        @functools.wraps(own)
        def watching(thread: threading.Thread) -> None:
            origins[id(thread)] = origin(1)
            own(thread)

        self._watching = threading.Thread.start = watching  # type: ignore[method-assign]

    def stop(self) -> None:
        """Give `Thread.start` back, unless somebody put another one on top."""
        if self._own is not None and threading.Thread.start is self._watching:
            threading.Thread.start = self._own  # type: ignore[method-assign]
        self._own = None

    def check(self, rootdir: str) -> str | None:
        """The first thread that a fork would lose."""
        alive = [thread for thread in threading.enumerate() if self._counts(thread)]
        if alive:
            thread = alive[0]
            place = self._origins.get(id(thread))
            where = f" (started in {place.text(rootdir)})" if place else f" ({type(thread).__name__})"
            return f'thread "{thread.name}" is alive{where}'
        low_level = _low_level_count() - self._low_level
        if low_level > 0:
            return f"{_count(low_level, 'thread')} started by the _thread module alive"
        return self._native()

    def _counts(self, thread: threading.Thread) -> bool:
        known = thread.ident in self._idents or thread.ident == threading.get_ident()
        foreign = isinstance(thread, threading._DummyThread)
        return not known and not foreign and thread is not threading.main_thread() and thread.is_alive()

    def _native(self) -> str | None:
        """A thread that was joined may still be on its way out of the kernel, so evidence has to last a moment."""
        deadline = time.monotonic() + _LEAVING
        while True:
            tasks = _tasks() - self._tasks
            found = libraries.judge([_task_name(task) for task in sorted(tasks)]) if tasks else None
            if found is None or time.monotonic() > deadline:
                return found
            os.sched_yield()


def _low_level_count() -> int:
    """Threads that only the `_thread` module knows."""
    named = sum(1 for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread))
    return max(_thread._count() - (named - 1), 0)


def _tasks() -> set[str]:
    try:
        return set(os.listdir(_TASKS))
    except OSError:
        return set()


def _task_name(task: str) -> str:
    try:
        with open(f"{_TASKS}/{task}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{' is' if number == 1 else 's are'}"
