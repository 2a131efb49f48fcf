"""`os.environ` and `os.environb` that notice reads of the worker's id.

The class of both objects is exchanged, so every reference to them sees it; `get`, `in`, `pop`, `setdefault` and
`os.getenv` all end in `__getitem__`. Iterating hands out a key object of its own: whoever looks a value up with *that
object* is copying the environment (`dict(os.environ)`, `.items()`, `subprocess`), whoever brings another one asks for
the identity.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

NAME = "PYTEST_XDIST_WORKER"

_NAMES = (NAME, NAME.encode())
_LISTED = {NAME: "".join(["PYTEST_XDIST", "_WORKER"]), NAME.encode(): bytes(bytearray(NAME.encode()))}
_LISTED_IDS = frozenset(id(key) for key in _LISTED.values())

_listener: Callable[[int, bool], None] | None = None


class WatchedEnviron(os._Environ):  # type: ignore[type-arg]
    """An environment mapping that reports reads of `PYTEST_XDIST_WORKER`."""

    def __getitem__(self, key):  # type: ignore[no-untyped-def]
        if _listener is not None and isinstance(key, (str, bytes)) and key in _NAMES:
            _listener(1, id(key) in _LISTED_IDS)
        return super().__getitem__(key)

    def __iter__(self) -> Iterator:  # type: ignore[type-arg]
        for key in super().__iter__():
            yield _LISTED.get(key, key)


_swapped: list[tuple[object, type]] = []


def start(listener: Callable[[int, bool], None]) -> None:
    """Exchange the classes; `listener` gets its distance to the reader's frame, and whether that one copies."""
    global _listener
    _listener = listener
    for environ in (os.environ, getattr(os, "environb", None)):
        if type(environ) is os._Environ:
            _swapped.append((environ, type(environ)))
            environ.__class__ = WatchedEnviron


def stop() -> None:
    """Give both mappings their own class back."""
    global _listener
    _listener = None
    while _swapped:
        environ, own = _swapped.pop()
        if type(environ) is WatchedEnviron:
            environ.__class__ = own
