"""What `pytest_xdist_make_scheduler` returns on the controller's side, and what the run makes of it.

The program deals tests out by itself. Of a scheduler it takes the mode, which is that of the class it is based on, and
which tests stay together, where it says so by a `_split_scope` of its own. What takes part in the dealing in any other
way cannot be followed, and is a usage error.
"""

from __future__ import annotations

import inspect
import os
from typing import Any, List, Optional, Sequence

import pytest

_MODES = {
    "LoadScheduling": "load",
    "WorkStealingScheduling": "worksteal",
    "EachScheduling": "each",
    "LoadScopeScheduling": "loadscope",
    "LoadFileScheduling": "loadfile",
    "LoadGroupScheduling": "loadgroup",
}
"""By scheduler of pytest-xdist, which may be installed, or of ours by the same name, the mode that it is."""

_PROTOCOL = frozenset(
    (
        "_assign_work_unit",
        "_check_nodes_have_same_collection",
        "_pending_of",
        "_reschedule",
        "_send_tests",
        "add_node",
        "add_node_collection",
        "check_schedule",
        "collection_is_completed",
        "has_pending",
        "mark_test_complete",
        "mark_test_pending",
        "nodes",
        "remove_node",
        "remove_pending_tests_from_node",
        "schedule",
        "tests_finished",
        "trigger",
    )
)
"""By what pytest-xdist has its schedulers deal out tests. Whatever else a class has is its own affair."""


class Dealing:
    """How a run deals out tests: a mode of `--dist`, and what says which tests stay together if the mode does not."""

    def __init__(self, mode: str, scheduler: Any = None) -> None:
        self.mode = mode
        self._scheduler = scheduler

    @property
    def splits(self) -> bool:
        """Whether to ask for the units."""
        return self._scheduler is not None

    def units(self, names: Sequence[str]) -> List[int]:
        """Return a number for each test, equal for tests that stay together."""
        numbers: dict[object, int] = {}
        return [numbers.setdefault(self._scheduler._split_scope(name), len(numbers)) for name in names]


def settle(config: Any, mode: str) -> Dealing:
    """Ask plugins for a scheduler; one that a run cannot follow is a usage error that names who asks for it."""
    hook = config.hook.pytest_xdist_make_scheduler
    implementations = hook.get_hookimpls()
    if not implementations:
        return Dealing(mode)
    from xdist.remote import Producer

    scheduler = hook(config=config, log=Producer("xdist", enabled=bool(config.option.debug)))
    if scheduler is None:
        return Dealing(mode)
    why = _obstacle(scheduler, mode)
    if why is None:
        return Dealing(_mode(scheduler), scheduler if "_split_scope" in _own(scheduler) else None)
    places = ", ".join(_place(config, implementation.function) for implementation in implementations)
    raise pytest.UsageError(
        f"{places}: pytest_xdist_make_scheduler returns {_described(scheduler)}, which this version of xdist cannot "
        f"follow: {why}. Have the hook return None, or leave its plugin out, to run the tests by --dist={mode}."
    )


def _obstacle(scheduler: Any, mode: str) -> Optional[str]:
    """Return why a run cannot be what this scheduler asks for."""
    kept = _mode(scheduler)
    if kept is None:
        return "it is not based on a class of xdist.scheduler"
    dealing = sorted(_own(scheduler) & _PROTOCOL)
    if dealing:
        return f"it has a {dealing[0]} of its own, and tests are dealt out without asking it"
    if (kept == "each") != (mode == "each"):
        return f"with --dist={mode} tests run {'everywhere' if mode == 'each' else 'once'}"
    return None


def _based_on(scheduler: Any) -> Optional[type]:
    return next((kind for kind in type(scheduler).__mro__ if _is_known(kind)), None)


def _is_known(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "xdist" and kind.__name__ in _MODES


def _mode(scheduler: Any) -> Optional[str]:
    base = _based_on(scheduler)
    return None if base is None else _MODES[base.__name__]


def _own(scheduler: Any) -> set[str]:
    """Names of what a scheduler's class has beside the one that it is based on."""
    names: set[str] = set()
    for kind in type(scheduler).__mro__:
        if _is_known(kind):
            break
        names.update(vars(kind))
    return names


def _described(scheduler: object) -> str:
    kind, base = type(scheduler), _based_on(scheduler)
    names = [kind.__qualname__]
    if base not in (None, kind):
        names.append(base.__qualname__)
    return f"a {' based on '.join(names)}"


def _place(config: Any, function: Any) -> str:
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    if code is None:
        return str(getattr(function, "__module__", "?"))
    shown = os.path.relpath(code.co_filename, str(config.rootpath))
    return f"{code.co_filename if shown.startswith('..') else shown}:{code.co_firstlineno}"
