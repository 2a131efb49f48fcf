"""Child processes started before the fork, and process functions replaced by others."""

from __future__ import annotations

import os
from typing import Any

_NAMES = ("fork", "forkpty", "waitpid", "_exit")
_OWN = {name: getattr(os, name, None) for name in _NAMES}


def replaced() -> str | None:
    """Evidence if `os.fork` and its kin are no longer those that were there before the project's code ran."""
    for name, own in _OWN.items():
        now = getattr(os, name, None)
        if now is not own:
            return f"os.{name} is replaced by {getattr(now, '__module__', None) or type(now).__name__}"
    return None


def children() -> set[int]:
    """Living children of this process; empty where the system does not tell."""
    if not _has_children():
        return set()
    found: set[int] = set()
    try:
        for task in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as file:
                found.update(int(pid) for pid in file.read().split())
    except OSError:
        return set()
    return {pid for pid in found if _state(pid) != "Z"}


def started(before: set[int]) -> str | None:
    """The first child process that was not there before."""
    for pid in sorted(children() - before - _trackers()):
        return f"child process {pid} is running ({_command(pid)})"
    return None


def _has_children() -> bool:
    """One system call that spares the look into /proc in nearly every suite."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    except (AttributeError, OSError):
        return True
    return True


def _trackers() -> set[int]:
    """multiprocessing's resource tracker: the worker gets its own (afterfork.processes)."""
    tracker = resource_tracker()
    return {tracker._pid} if tracker is not None and tracker._pid else set()


def resource_tracker() -> Any:
    """multiprocessing's resource tracker if it was ever imported."""
    import sys

    module = sys.modules.get("multiprocessing.resource_tracker")
    return getattr(module, "_resource_tracker", None)


def _state(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "Z"


def _command(pid: int) -> str:
    # There is no command line while a process becomes another program.
    for name in ("cmdline", "comm"):
        try:
            with open(f"/proc/{pid}/{name}", "rb") as file:
                words = os.fsdecode(file.read().replace(b"\0", b" ")).strip()[:120]
        except OSError:
            break
        if words:
            return words
    return "?"
