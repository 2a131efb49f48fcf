"""Which tests stay together on one worker, under the modes of `--dist` that keep some together.

Told by the structure of what was collected, never read out of node ids, in which parameters may contain anything; and
told beside the node ids, which stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from .safe_text import attribute, text

MARK = "xdist_group"


def units(items: Iterable[Any], mode: str) -> list[int] | None:
    """Return a number for each test, equal for tests of one unit; None under modes that keep nothing together."""
    key_of = _KEYS.get(mode)
    if key_of is None:
        return None
    numbers: dict[object, int] = {}
    told = []
    for position, item in enumerate(items):
        key = key_of(item)
        # No node id is a number.
        told.append(numbers.setdefault(position if key is None else key, len(numbers)))
    return told


def group_names(items: Iterable[Any], mode: str) -> list[str]:
    """Return the name of each test's group, empty where it has none; an empty list where no test has one or the mode
    does not ask."""
    if mode != "loadgroup":
        return []
    names = [_group(item) for item in items]
    return [] if all(name is None for name in names) else [name or "" for name in names]


def _scope(item: Any) -> str | None:
    """The class of a test, or its module; nothing for a test that stands in no file."""
    parent = attribute(item, "parent")
    return text(parent.nodeid) if _file(item) is not None else None


def _file_of(item: Any) -> str | None:
    file = _file(item)
    return None if file is None else text(file.nodeid)


def _file(item: Any) -> Any:
    """The file that a test stands in. A package is a file to some versions of pytest, and never what tests stand in."""
    file = item.getparent(pytest.File)
    return None if isinstance(file, pytest.Package) else file


def _group(item: Any) -> str | None:
    """The names in all of its marks, as pytest-xdist joins them; nothing for a test without."""
    names = {text(_name(mark)) for mark in item.iter_markers(MARK)}
    return "_".join(sorted(names)) if names else None


def _name(mark: Any) -> object:
    return mark.args[0] if mark.args else mark.kwargs.get("name", "default")


_KEYS: dict[str, Callable[[Any], str | None]] = {
    "auto": _group,
    "loadscope": _scope,
    "loadfile": _file_of,
    "loadgroup": _group,
}
_WIDE = ("session", "package", "module")


def neighbours(items: Iterable[Any], mode: str) -> list[int] | None:
    """Return a number for each test, equal for neighbours that share a module and the values of wide fixtures.

    None under modes that have no use for it.

    Where one of these changes is the place to part tests: pytest has sorted them so that little has to be set up twice.
    """
    if mode not in ("auto", "load", "worksteal"):
        return None
    told = []
    number, last = -1, None
    for item in items:
        key = (_file(item), _values(item))
        if number < 0 or key != last:
            number, last = number + 1, key
        told.append(number)
    return told


def _values(item: Any) -> tuple[tuple[str, int], ...]:
    """Which values the wide fixtures of a test have."""
    spec = attribute(item, "callspec")
    indices, scopes = attribute(spec, "indices"), attribute(spec, "_arg2scope")
    if not isinstance(indices, dict) or not hasattr(scopes, "get"):
        return ()
    wide = (name for name in indices if attribute(scopes.get(name), "value") in _WIDE)
    return tuple((name, indices[name]) for name in sorted(wide))
