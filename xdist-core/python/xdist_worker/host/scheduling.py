"""What `pytest_xdist_make_scheduler` returns on the controller's side, and whether the run can be what it asks for."""

from __future__ import annotations

import inspect
import os
from typing import Any, List

import pytest

_CLASSES = {
    "load": "LoadScheduling",
    "worksteal": "WorkStealingScheduling",
    "each": "EachScheduling",
    "loadscope": "LoadScopeScheduling",
    "loadfile": "LoadFileScheduling",
    "loadgroup": "LoadGroupScheduling",
}
"""By mode, the scheduler that pytest-xdist has for it."""


def settle(config: Any, mode: str) -> None:
    """Ask plugins for a scheduler; what the run in this mode is not is a usage error that names who asks for it."""
    hook = config.hook.pytest_xdist_make_scheduler
    implementations = hook.get_hookimpls()
    if not implementations:
        return
    from xdist.remote import Producer

    scheduler = hook(config=config, log=Producer("xdist", enabled=bool(config.option.debug)))
    if scheduler is None or _is_usual(scheduler, mode):
        return
    places = ", ".join(_place(config, implementation.function) for implementation in implementations)
    raise pytest.UsageError(
        f"{places}: pytest_xdist_make_scheduler returns {_described(scheduler)}, which this version of xdist cannot "
        f"follow: it deals out tests by --dist={mode} alone. "
        "Have the hook return None, or leave its plugin out, to run the tests so."
    )


def _is_usual(scheduler: object, mode: str) -> bool:
    kind = type(scheduler)
    return kind.__module__.partition(".")[0] == "xdist" and kind.__name__ == _CLASSES.get(mode)


def _described(scheduler: object) -> str:
    names: List[str] = []
    for kind in type(scheduler).__mro__:
        names.append(kind.__qualname__)
        if kind.__module__.partition(".")[0] == "xdist":
            break
    else:
        del names[1:]
    return f"a {' based on '.join([names[0], names[-1]] if len(names) > 1 else names)}"


def _place(config: Any, function: Any) -> str:
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    if code is None:
        return str(getattr(function, "__module__", "?"))
    shown = os.path.relpath(code.co_filename, str(config.rootpath))
    return f"{code.co_filename if shown.startswith('..') else shown}:{code.co_firstlineno}"
