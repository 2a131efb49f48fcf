"""pytest's capture files: a fresh one under each descriptor.

Capturing is not stopped and restarted, because handlers made in conftests keep the file object they found; the file
behind its descriptor is exchanged instead. What was captured before the fork belongs to no test and is dropped.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

from .context import Worker
from .stdio import open_descriptors, put_over


def renew(worker: Worker) -> None:
    """Give each capture of a forked worker a file of its own."""
    keep_captured(worker.config, worker.identity)


def keep_captured(config: Any, identity: dict[str, Any]) -> None:
    """Give each capture of the session a file of its own, where the controller finds it if the worker dies."""
    manager = config.pluginmanager.getplugin("capturemanager")
    capturing = getattr(manager, "_global_capturing", None)
    if capturing is None:
        return
    fresh: dict[tuple[int, int], Any] = {}
    for name, stream in (("out", capturing.out), ("err", capturing.err)):
        place = _file_place(stream)
        if place is not None and place not in fresh:
            fresh[place] = _file(identity, name)
    if fresh:
        _exchange(fresh)
    for file in fresh.values():
        file.close()
    capturing.readouterr()


def _file(identity: dict[str, Any], name: str) -> Any:
    folder = os.path.dirname(identity.get("page") or "")
    if not folder:
        return tempfile.TemporaryFile(buffering=0)
    path = os.path.join(folder, f"{identity['id']}.{identity.get('incarnation', 0)}.captured-{name}")
    return open(path, "w+b", buffering=0)


def _file_place(stream: Any) -> tuple[int, int] | None:
    """Device and inode of a capture's file; None when it captures in memory or not at all."""
    try:
        status = os.fstat(stream.tmpfile.fileno())
    except (AttributeError, OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _exchange(fresh: dict[tuple[int, int], Any]) -> None:
    own = {file.fileno() for file in fresh.values()}
    for fd in open_descriptors():
        try:
            status = os.fstat(fd)
        except OSError:
            continue
        file = fresh.get((status.st_dev, status.st_ino))
        if file is not None and fd not in own:
            put_over(file.fileno(), fd)
