"""Interval timers (session timeouts armed before the fork) and the signal wakeup descriptor."""

from __future__ import annotations

import signal
from typing import Any

from .context import Worker

_KINDS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_armed: dict[int, tuple[float, float]] = {}


def save(_config: Any) -> None:
    """Before the fork."""
    _armed.clear()
    for kind in _KINDS:
        timer = signal.getitimer(kind)
        if timer[0] > 0:
            _armed[kind] = timer


def arm(_worker: Worker) -> None:
    """In the worker: what was left then, from now on; wakeups would go to the collector's loop."""
    for kind, (delay, interval) in _armed.items():
        signal.setitimer(kind, delay, interval)
    signal.set_wakeup_fd(-1)
