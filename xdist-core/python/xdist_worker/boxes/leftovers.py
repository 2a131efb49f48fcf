"""Processes that a box leaves behind: found, named and killed.

While a box runs, its worker is the one to whom the system gives orphans (Linux). So whatever a box started is the
worker's child once the box is gone, also if its own parent ended long before, or if it went into a session of its own.
Elsewhere nothing is found.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Callable, List, Optional, Set

from ..evidence.processes import _command, _has_children, resource_tracker
from ..link import high_descriptor

_PR_SET_CHILD_SUBREAPER = 36
# Until nothing more turns up: killed processes leave children of their own.
_ROUNDS = 20
# Bytes of a list of children. A longer one is not compared with another.
_LONGEST_LIST = 4096


def _prctl() -> Optional[Callable[..., int]]:
    if not os.path.exists("/proc/self/task"):
        return None
    try:
        import ctypes

        return ctypes.CDLL(None).prctl  # type: ignore[no-any-return]
    except (ImportError, OSError, AttributeError, TypeError):
        return None


class Orphans:
    """The worker's view: what is there before a box is not the box's."""

    def __init__(self, always: bool) -> None:
        self._call = _prctl()
        # Whether nothing but boxes runs tests here: then this need not change for each.
        self._always = always
        self._adopts = False
        self._stale = True
        self._before: Set[int] = set()
        # Where the system lists the children of this thread, and what it listed: to read it costs one call, and no
        # exception in the worker, which would copy pages.
        self._list = _open_list() if self._call is not None else -1
        self._listed: Optional[bytes] = None

    def expect(self) -> None:
        """A box is about to be made."""
        if self._call is not None:
            self._adopt(True)
            if self._stale or not self._always:
                self._before = _children() if _has_children() else set()
                self._listed = self._read_list()
                self._stale = False

    def look_again(self) -> None:
        """The worker has run code of the project: it may have children that it had not."""
        self._stale = True

    def _adopt(self, adopts: bool) -> None:
        if self._adopts != adopts and self._call is not None:
            self._call(_PR_SET_CHILD_SUBREAPER, int(adopts), 0, 0, 0)
            self._adopts = adopts

    def end(self) -> List[str]:
        """The box is gone: what it left behind is killed; returns the names of that."""
        if self._call is None:
            return []
        if self._listed is not None and self._read_list() == self._listed:
            return self._leave([])
        if not _has_children():
            return self._leave([])
        self._stale = True
        names: List[str] = []
        seen: Set[int] = set()
        for _ in range(_ROUNDS):
            left = _children() - self._before - seen if _has_children() else set()
            tracker = resource_tracker()
            left.discard(getattr(tracker, "_pid", None))  # type: ignore[arg-type]
            if not left:
                break
            for pid in sorted(left):
                names += _kill(pid)
            seen |= left
        return self._leave(names)

    def _read_list(self) -> Optional[bytes]:
        """The list as it is, if all of it can be had. Orphans come to the main thread, as long as there is one."""
        if self._list < 0:
            return None
        try:
            listed = os.pread(self._list, _LONGEST_LIST, 0)
        except OSError:
            return None
        return listed if len(listed) < _LONGEST_LIST else None

    def _leave(self, names: List[str]) -> List[str]:
        if not self._always:
            self._adopt(False)
        return names


def _open_list() -> int:
    """The list of the main thread's children, which is the one that has boxes; -1 if there is none."""
    if threading.current_thread() is not threading.main_thread():
        return -1
    try:
        fd = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        return high_descriptor(fd)
    finally:
        os.close(fd)


def _children() -> Set[int]:
    found: Set[int] = set()
    try:
        for task in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as file:
                found.update(int(pid) for pid in file.read().split())
    except OSError:
        return found
    return found


def _kill(pid: int) -> List[str]:
    """Kill a child and wait for it; its name, unless it had ended before."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return []
        name = f"{_command(pid)} (process {pid})"
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except OSError:
        return []
    return [name]


def warning_text(names: List[str]) -> str:
    """What a test is told about them."""
    return f"the test left {'a process' if len(names) == 1 else 'processes'} behind, killed: {', '.join(names)}"
