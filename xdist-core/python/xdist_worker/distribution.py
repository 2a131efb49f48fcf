"""Reads the options of pytest-xdist as pytest's parser left them, and decides whether the run is distributed at all.

What is decided here is decided once: the controller goes by it and parses none of it again.
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from . import conftest_options
from .safe_text import attribute, integer, text

# Options that make pytest do something else than run tests, or write to the terminal while it runs them.
_FOREGROUND = (
    ("help", "--help"),
    ("version", "--version"),
    ("markers", "--markers"),
    ("showfixtures", "--fixtures"),
    ("show_fixtures_per_test", "--fixtures-per-test"),
    ("cacheshow", "--cache-show"),
    ("collectonly", "--collect-only"),
    ("setupplan", "--setup-plan"),
    ("setuponly", "--setup-only"),
    ("setupshow", "--setup-show"),
)


def dist_options(config: Any) -> dict[str, object]:
    """Return the options about distribution (`DistOptions` of the controller); bad combinations are usage errors."""
    option = config.option
    numprocesses = getattr(option, "numprocesses", None)
    tx = [text(spec) for spec in getattr(option, "tx", None) or ()]
    mode = text(getattr(option, "dist", None) or "no")
    if getattr(option, "distload", False):
        mode = "load"
    if mode == "no" and numprocesses is None:
        mode = conftest_options.mode(config)
    if numprocesses is None and (mode != "no" or tx):
        tx = conftest_options.environments(config) + tx
    auto: str | None = None
    if isinstance(numprocesses, str):
        auto, number = text(numprocesses), None
    else:
        number = None if numprocesses is None else integer(numprocesses)
    if number is not None and number < 0:
        raise pytest.UsageError(f"-n {number}: the number of workers must not be negative")
    boxed = bool(getattr(option, "boxed", False))
    if boxed and (number == 0 or (mode == "no" and number is None and auto is None and not tx)):
        # Boxes are forked from a worker: one does for a serial run.
        number, mode, tx = 1, "load", []
    if number == 0:
        # As pytest-xdist has it: `-n 0` rules over `--tx` and `--dist`.
        mode, tx = "no", []
    elif mode == "no" and (number or auto or tx):
        mode = "load"
    elif mode == "no" and getattr(option, "looponfail", False):
        # What is to be stopped and started again is a process of its own.
        mode, number = "load", 1
    if mode != "no" and number is None and auto is None and not tx:
        auto = "auto"
    data: dict[str, object] = {
        "mode": mode,
        "tx": tx,
        "px": [text(spec) for spec in getattr(option, "px", None) or ()],
        "testrunuid": text(getattr(option, "testrunuid", None) or uuid.uuid4().hex),
        "fork": text(ini(config, "xdist_fork", "")),
        "slow_after": text(ini(config, "xdist_slow_after", "")),
    }
    if number is not None:
        data["numprocesses"] = number
    if auto is not None:
        data["auto"] = auto
    maxprocesses = getattr(option, "maxprocesses", None)
    if maxprocesses:
        data["maxprocesses"] = integer(maxprocesses)
    chunk = getattr(option, "maxschedchunk", None)
    if chunk is not None:
        data["maxschedchunk"] = max(1, integer(chunk))
    if not getattr(option, "loadscopereorder", True):
        data["keep_order"] = True
    if getattr(option, "strictcollection", False):
        data["strict_collection"] = True
    restarts = getattr(option, "maxworkerrestart", None)
    if restarts is not None:
        data["max_worker_restart"] = _restarts(restarts)
    return data


def plain_reason(config: Any, dist: dict[str, object]) -> str | None:
    """Return why the run is plain pytest in the foreground, or None if it is distributed."""
    option = config.option
    foreground = foreground_option(option)
    if foreground is not None:
        return foreground
    if dist.get("numprocesses") == 0:
        return "-n 0"
    if dist["mode"] == "no":
        return "no -n, --tx, -d or --dist"
    debugger = _debugger(option)
    if debugger is None:
        return None
    if getattr(option, "boxed", False):
        raise pytest.UsageError(f"{debugger} is incompatible with --boxed: a box has no terminal, give one of the two")
    # Resolved to a number, `-n auto` still says that the user did not insist on workers.
    auto = dist.get("auto") or attribute(option.numprocesses, "auto")
    if auto is not None:
        return f"{debugger} with -n {text(auto)}"
    if getattr(option, "looponfail", False):
        # Whoever sits at the keyboard is there for the debugger as well.
        return f"{debugger} with -f"
    if debugger == "--pdb":
        raise pytest.UsageError(
            "--pdb is incompatible with distributing tests over workers, which have no terminal: "
            "add -n 0 to debug in this process"
        )
    return None


def distributes_alone(option: Any) -> bool:
    """Whether an option makes a distributed run of one that has neither `-n` nor `--dist`."""
    if getattr(option, "boxed", False):
        return True
    foreground = option.numprocesses == 0 or _debugger(option) or foreground_option(option)
    return bool(getattr(option, "looponfail", False) or getattr(option, "tx", None)) and not foreground


def foreground_option(option: Any) -> str | None:
    """Return the option, if there is one, by which pytest does something else than run tests."""
    for dest, name in _FOREGROUND:
        if getattr(option, dest, None):
            return name
    return None


def ini(config: Any, name: str, default: object) -> object:
    """Return an ini value, or `default` where no plugin registered that name."""
    try:
        value = config.getini(name)
    except (ValueError, KeyError):
        return default
    return default if value is None else value


def _debugger(option: Any) -> str | None:
    if getattr(option, "usepdb", False):
        return "--pdb"
    return "--trace" if getattr(option, "trace", False) else None


def _restarts(value: object) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise pytest.UsageError(f"--max-worker-restart: not a number: {text(value)!r}") from None
    if number < 0:
        raise pytest.UsageError(f"--max-worker-restart {number}: must not be negative")
    return integer(number)
