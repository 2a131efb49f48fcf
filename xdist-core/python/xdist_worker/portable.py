"""Values on their way between two interpreters of one run: contents of reports, `workerinput`, `workeroutput`.

Total: exact builtin values arrive as they are, subclasses as their base, paths as text, anything else as its `repr`.
"""

from __future__ import annotations

import marshal
import os
from collections.abc import Mapping, Set
from typing import Any

from .wire import safe_repr

_MAX_DEPTH = 100
_ATOMS = (bool, int, float, complex, str, bytes)


def pack(value: object) -> bytes:
    """`value` as bytes for `unpack`. Never fails."""
    try:
        return marshal.dumps(value)
    except ValueError:
        return marshal.dumps(plain(value))


def is_plain(value: object) -> bool:
    """Whether `value` arrives as it is."""
    try:
        marshal.dumps(value)
    except ValueError:
        return False
    return True


def unpack(data: bytes) -> Any:
    """The value that `pack` was given; `None` for no bytes at all."""
    return marshal.loads(data) if data else None


def plain(value: object, depth: int = 0) -> Any:
    """`value` made of exact builtin types."""
    kind = type(value)
    if value is None or kind in _ATOMS:
        return value
    if depth >= _MAX_DEPTH:
        return f"<{kind.__name__} object nested too deeply>"
    try:
        return _plain(value, depth + 1)
    except Exception:
        return safe_repr(value)


def _plain(value: object, depth: int) -> Any:
    for base in _ATOMS[1:]:
        if isinstance(value, base):
            return base.__str__(value) if base is str else base.__new__(base, value)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, os.PathLike):
        return plain(os.fspath(value), depth)
    if isinstance(value, Mapping):
        return {plain(key, depth): plain(entry, depth) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        entries = [plain(entry, depth) for entry in value]
        return entries if isinstance(value, list) else tuple(entries)
    if isinstance(value, Set):
        return {plain(entry, depth) for entry in value}
    return safe_repr(value)
