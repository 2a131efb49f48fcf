"""multiprocessing's state that belongs to the collector."""

from __future__ import annotations

import os
import sys
import threading

from .context import Worker


def reset(_worker: Worker) -> None:
    """No children, and a resource tracker of one's own when one is needed."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None:
        process._children = set()  # type: ignore[attr-defined]
    module = sys.modules.get("multiprocessing.resource_tracker")
    tracker = getattr(module, "_resource_tracker", None)
    if tracker is None:
        return
    tracker._lock = threading.RLock()
    if tracker._fd is not None:
        try:
            os.close(tracker._fd)
        except OSError:
            pass
    tracker._fd = tracker._pid = None
