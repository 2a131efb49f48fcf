"""The process title, if the project has the module for it."""

from __future__ import annotations

from typing import Any

from .context import Worker

_set: Any = None


def find(_config: Any) -> None:
    """Before the fork: a failed import costs its search only once."""
    global _set
    try:
        from setproctitle import setproctitle
    except ImportError:
        return
    _set = setproctitle


def set_title(worker: Worker) -> None:
    """In the worker."""
    if _set is not None:
        _set(f"[xdist worker {worker.id}]")
