"""Garbage collection, and memory that stays shared between forks."""

from __future__ import annotations

import gc

from .context import Worker

# New objects until the youngest generation is looked through, and how often that is until the next older one is.
_SELDOM = (20_000, 10, 100)

_paused = False
# Collections of the middle generation when this process was forked; `None` in processes that were not.
_middle_at_fork: int | None = None


def freeze_imports() -> None:
    """In the fork server, once its imports are done: the garbage collector leaves these objects' pages shared.

    Not later: frozen objects of the project would vanish from `gc.get_objects()`, and tests look there.
    """
    if hasattr(gc, "freeze"):
        gc.freeze()


def grow_old(_config: object) -> None:
    """What there is counts as old, so that no process looks through all of it on its first occasion; none is hidden.

    In the collector, for its workers.
    """
    if hasattr(gc, "freeze"):
        gc.freeze()
        gc.unfreeze()


def grow_slowly() -> None:
    """In the plugin host: what there is was looked through, and what comes stays, for the most part.

    No test looks at the objects of this process, so they may be frozen.
    """
    if hasattr(gc, "freeze"):
        gc.freeze()
    if hasattr(gc, "set_threshold"):
        gc.set_threshold(*_SELDOM)


def collect_rest() -> None:
    """In the plugin host, when the run is over: look for garbage once, as pytest looks for it several times more."""
    if hasattr(gc, "freeze"):
        gc.collect()
        gc.freeze()


def pause_gc() -> None:
    """No collecting of garbage until `repair` (or `resume_gc`): importing and collecting tests makes little of it."""
    global _paused
    if gc.isenabled():
        gc.disable()
        _paused = True


def resume_gc(worker: Worker | None = None) -> None:
    """Undo `pause_gc`, and only that."""
    global _paused, _middle_at_fork
    if worker is not None and hasattr(gc, "freeze"):
        _middle_at_fork = gc.get_stats()[1]["collections"]
    if _paused:
        _paused = False
        gc.enable()


def collect_own() -> None:
    """In a forked worker after its last test: look for garbage among what this process made, and only there.

    pytest looks for garbage that never said why when a session ends, through everything, and would touch and copy
    every page that siblings share. As long as nothing this process made has grown old, it is told apart.
    """
    if _middle_at_fork is not None and gc.get_stats()[1]["collections"] == _middle_at_fork:
        gc.collect(1)
        gc.freeze()
