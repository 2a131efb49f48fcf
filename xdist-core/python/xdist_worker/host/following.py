"""Tests that begin, and that pass with nothing to say: the host is told of many of them at once.

They are most of what plugins are shown of a run, so this goes a short way: a hook is called without pluggy where its
implementations are plain functions, and the terminal is written to once for all. What plugins are given, and the order
of it, are those of any other test.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from _pytest.terminal import TerminalReporter

try:
    from pluggy._callers import _multicall
except ImportError:
    # Another pluggy: hooks go the long way.
    _multicall = None  # type: ignore[assignment]

_BEGAN = struct.Struct("<II")
_DURATIONS = struct.Struct("<ddd")
_PASSED = 1 << 31


def records(data: bytes) -> Iterator[tuple[int, int, tuple[float, ...] | None]]:
    """Worker, test, and the durations of its phases if it passed; `None`: it began."""
    at, end = 0, len(data)
    while at < end:
        worker, index = _BEGAN.unpack_from(data, at)
        at += _BEGAN.size
        if worker & _PASSED:
            yield worker ^ _PASSED, index, _DURATIONS.unpack_from(data, at)
            at += _DURATIONS.size
        else:
            yield worker, index, None


class Hook:
    """Calls one hook with the arguments of these names, as pluggy would."""

    def __init__(self, config: Any, name: str, *names: str) -> None:
        self._caller = getattr(config.hook, name)
        self._manager = config.pluginmanager
        self._names = names
        self._known: list[Any] = []
        # With the places of their arguments; `None` where they take all of them in this order.
        self._functions: list[tuple[Callable[..., Any], tuple[int, ...] | None]] = []
        self._direct = True

    def __call__(self, *values: Any) -> None:
        """Call the implementations there are now; their results are of no interest."""
        known = self._caller.get_hookimpls()
        if known != self._known:
            self._look(known)
        # Something else here: hook calls are traced or monitored.
        if not self._direct or getattr(self._manager, "_inner_hookexec", None) is not _multicall:
            self._caller(**dict(zip(self._names, values)))
            return
        for function, places in self._functions:
            if places is None:
                function(*values)
            else:
                function(*[values[place] for place in places])

    def _look(self, known: list[Any]) -> None:
        self._known = known
        self._functions.clear()
        self._direct = _multicall is not None
        for implementation in reversed(known):
            wraps = implementation.hookwrapper or getattr(implementation, "wrapper", False)
            if wraps or not set(implementation.argnames) <= set(self._names):
                self._direct = False
                return
            places = tuple(self._names.index(name) for name in implementation.argnames)
            in_order = places == tuple(range(len(self._names)))
            self._functions.append((implementation.function, None if in_order else places))


@contextmanager
def written_at_once(terminal: Any) -> Iterator[None]:
    """pytest's own reporter flushes its letters at the end, not each by itself."""
    writer = getattr(terminal, "_tw", None)
    if type(terminal) is not TerminalReporter or writer is None:
        yield
        return
    writer.flush = _nothing
    try:
        yield
    finally:
        del writer.flush
        writer.flush()


def _nothing() -> None:
    pass
