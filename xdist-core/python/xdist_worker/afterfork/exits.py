"""Exit handlers: a worker runs those it registered itself, the collector those from before the fork."""

from __future__ import annotations

import atexit
import logging
import sys
import weakref

from .context import Worker


def clear(_worker: Worker) -> None:
    """Forget inherited handlers and finalizers; register anew what every process needs."""
    atexit._clear()
    for finalizer in list(weakref.finalize._registry):  # type: ignore[attr-defined]
        finalizer.atexit = False
    # The next finalizer made registers weakref's handler again.
    weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined]
    atexit.register(logging.shutdown)
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util._finalizer_registry.clear()
        atexit.register(util._exit_function)
