"""Which tests run alone (`xdist_serial`), and which on a limited number of workers at a time (`xdist_resource`).

Read from the marks of what was collected, and told beside the node ids. What a mark does not say rightly is a usage
error that names the test.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Dict, List, Optional, Tuple

import pytest

from .safe_text import attribute, integer, text

SERIAL = "xdist_serial"
RESOURCE = "xdist_resource"


def reserved(items: Iterable[Any]) -> Dict[str, object]:
    """Return `serial`, the places of tests that run alone, and `resources`: name, limit and places of tests each.

    Empty lists are left out. Raises `pytest.UsageError`.
    """
    serial: List[int] = []
    resources: Dict[str, _Resource] = {}
    for position, item in enumerate(items):
        for mark in item.iter_markers():
            if mark.name == SERIAL:
                if mark.args or mark.kwargs:
                    raise _error(item, f"{SERIAL} takes no arguments")
                if not serial or serial[-1] != position:
                    serial.append(position)
            elif mark.name == RESOURCE:
                name, limit = _arguments(item, mark)
                resources.setdefault(name, _Resource(name)).add(item, position, limit)
    told: Dict[str, object] = {}
    if serial:
        told["serial"] = serial
    if resources:
        told["resources"] = [(one.name, one.limit or 1, one.tests) for one in resources.values()]
    return told


class _Resource:
    """What shares a name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.limit: Optional[int] = None
        self.tests: List[int] = []
        # Who said how much there is.
        self._where = ""

    def add(self, item: Any, position: int, limit: Optional[int]) -> None:
        if limit is not None:
            if self.limit is None:
                self.limit, self._where = limit, _place(item)
            elif self.limit != limit:
                said = f"the limit is {limit} here and {self.limit} at {self._where}"
                raise _error(item, f"{RESOURCE}({self.name!r}): {said}")
        if not self.tests or self.tests[-1] != position:
            self.tests.append(position)


def _arguments(item: Any, mark: Any) -> Tuple[str, Optional[int]]:
    """The name of a resource, and its limit if it is told there."""
    unknown = sorted(set(mark.kwargs) - {"name", "limit"})
    if unknown:
        raise _error(item, f"{RESOURCE} has no argument {unknown[0]!r}")
    given = list(mark.args)
    if len(given) + len(mark.kwargs) > 2 or (given and "name" in mark.kwargs):
        raise _error(item, f"{RESOURCE} takes a name and a limit, and no more")
    name = given[0] if given else mark.kwargs.get("name")
    limit = given[1] if len(given) > 1 else mark.kwargs.get("limit")
    if not isinstance(name, str) or not name:
        raise _error(item, f"{RESOURCE} needs the name of the resource first, a text that is not empty")
    if limit is None:
        return text(name), None
    # To Python, True is 1.
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit < 2**32:
        raise _error(item, f"{RESOURCE}({name!r}): the limit must be a whole number from 1, not {limit!r}")
    return text(name), int(limit)


def _error(item: Any, what: str) -> pytest.UsageError:
    return pytest.UsageError(f"{_place(item)}: {what}\n  in the marks of {text(item.nodeid)}")


def _place(item: Any) -> str:
    """File and line of a test."""
    location = attribute(item, "location")
    if not isinstance(location, tuple) or len(location) != 3:
        return text(item.nodeid)
    line = integer(location[1], -1)
    return f"{text(location[0])}:{line + 1}" if line >= 0 else text(location[0])
