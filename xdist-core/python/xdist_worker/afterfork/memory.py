"""Garbage collection, and memory that stays shared between forks."""

from __future__ import annotations

import gc

from .context import Worker

_paused = False


def freeze_imports() -> None:
    """In the fork server, once its imports are done: the garbage collector leaves these objects' pages shared.

    Not later: frozen objects of the project would vanish from `gc.get_objects()`, and tests look there.
    """
    if hasattr(gc, "freeze"):
        gc.collect()
        gc.freeze()


def pause_gc() -> None:
    """No collecting of garbage until `repair` (or `resume_gc`): importing and collecting tests makes little of it."""
    global _paused
    if gc.isenabled():
        gc.disable()
        _paused = True


def resume_gc(_worker: Worker | None = None) -> None:
    """Undo `pause_gc`, and only that."""
    global _paused
    if _paused:
        _paused = False
        gc.enable()
