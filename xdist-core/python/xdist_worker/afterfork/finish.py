"""How a process ends after pytest's session: as the interpreter would end it, without tearing down its memory."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import traceback
from collections.abc import Callable
from typing import NoReturn

from . import coverage, stdio


def finish_worker(code: int) -> NoReturn:
    """Wait for threads, run the exit handlers that this process registered, write out, leave."""
    _finish(code)


def finish_collector(code: int) -> NoReturn:
    """The same after the last worker: here the handlers from before the fork run."""
    _finish(code)


def _finish(code: int) -> NoReturn:
    steps: tuple[Callable[[], object], ...] = (
        threading._shutdown,  # type: ignore[attr-defined]
        atexit._run_exitfuncs,
        coverage.save_running,
        stdio.flush,
    )
    try:
        for step in steps:
            _run(step)
    finally:
        os._exit(code)


def _run(step: Callable[[], object]) -> None:
    """An exit handler's failure is shown and changes nothing, as at an interpreter's end."""
    try:
        step()
    except BaseException:
        try:
            traceback.print_exc(file=sys.stderr)
        except (OSError, ValueError, AttributeError):
            return
