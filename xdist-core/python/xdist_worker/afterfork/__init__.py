"""What to set right around a fork after collection, so that a worker is what a fresh pytest process would be.

`prepare` runs once in the collector before its first fork, `repair` in every forked worker before its first test; the
rows of both are one table in `repairs`. The package knows pytest's objects and the process, nothing of the wire.
"""

from __future__ import annotations

from .capture import keep_captured
from .coverage import finish_apart, keep_data, worker_inputs
from .finish import finish_collector, finish_worker
from .memory import collect_own, collect_rest, freeze_imports, grow_slowly, pause_gc
from .rand import watch_seed
from .repairs import prepare, repair
from .stdio import redirect_stdio, restore_terminal

__all__ = [
    "finish_collector",
    "finish_apart",
    "finish_worker",
    "collect_own",
    "collect_rest",
    "freeze_imports",
    "grow_slowly",
    "keep_captured",
    "keep_data",
    "pause_gc",
    "prepare",
    "redirect_stdio",
    "repair",
    "restore_terminal",
    "watch_seed",
    "worker_inputs",
]
