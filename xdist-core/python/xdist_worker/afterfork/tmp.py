"""`tmp_path`: `popen-gwN` below the run's base directory.

The factory that exists is changed in place, since plugins and fixtures keep references to it. Its base is *set*, not
given: pytest wipes a given one, and what a dead worker left there is evidence.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .context import Worker

_OWN_PART = re.compile(r"popen-gw\d+(-\d+)?")


def make_base(config: Any) -> None:
    """Make the run's base once, so that all workers share it."""
    factory = getattr(config, "_tmp_path_factory", None)
    if factory is None:
        return
    try:
        factory.getbasetemp()
    except OSError:
        return


def own_base(worker: Worker) -> None:
    """Point factory and option at this worker's part."""
    factory = getattr(worker.config, "_tmp_path_factory", None)
    base = getattr(factory, "_basetemp", None)
    if factory is None or (base is None and not worker.basetemp):
        return
    wanted = Path(worker.basetemp) if worker.basetemp else _run_base(base) / f"popen-{worker.id}"
    try:
        path = _make(wanted, worker.incarnation)
    except OSError:
        return
    factory._given_basetemp = factory._basetemp = path
    if hasattr(factory, "_next_number"):
        factory._next_number.clear()
    worker.config.option.basetemp = str(path)


def _run_base(base: Path) -> Path:
    """The collector is configured as a worker itself: its base may be a part already."""
    return base.parent if _OWN_PART.fullmatch(base.name) else base


def _make(wanted: Path, incarnation: int) -> Path:
    """A directory that did not exist; a replacement gets `popen-gwN-1`, `popen-gwN-2`….

    The collector's own part may have been made for the worker that now takes its place: an empty one is used.
    """
    path = wanted
    attempt = incarnation
    while True:
        try:
            path.mkdir(mode=0o700, parents=True)
            return path
        except FileExistsError:
            if path.is_dir() and incarnation == 0 and not any(path.iterdir()):
                return path
            attempt = max(attempt, 1)
            path = wanted.with_name(f"{wanted.name}-{attempt}")
            attempt += 1
