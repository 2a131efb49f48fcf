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
        path = wanted if _is_same(wanted, base) and worker.incarnation == 0 else _make(wanted, worker.incarnation)
    except OSError:
        return
    factory._given_basetemp = factory._basetemp = path
    if hasattr(factory, "_next_number"):
        factory._next_number.clear()
    worker.config.option.basetemp = str(path)


def _run_base(base: Path) -> Path:
    """The collector is configured as a worker itself: its base may be a part already."""
    return base.parent if _OWN_PART.fullmatch(base.name) else base


def _is_same(wanted: Path, base: Path | None) -> bool:
    """Whether the collector, configured as this worker, made the part already: what its hooks put there is the
    worker's."""
    return base is not None and base.exists() and wanted.exists() and wanted.samefile(base)


def _make(wanted: Path, incarnation: int) -> Path:
    """A directory that did not exist: `popen-gwN`, for a replacement `popen-gwN-1`, `popen-gwN-2`…."""
    path = wanted if incarnation == 0 else wanted.with_name(f"{wanted.name}-{incarnation}")
    attempt = incarnation
    while True:
        try:
            path.mkdir(mode=0o700, parents=True)
            return path
        except FileExistsError:
            attempt += 1
            path = wanted.with_name(f"{wanted.name}-{attempt}")
