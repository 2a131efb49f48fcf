"""coverage.py and pytest-cov.

What the collector measured (imports, configure) is saved once, by the collector. Each worker goes on with a data file
of its own. pytest-cov finds in the worker what its controller half would have told it; nobody combines the files here.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import re
import sys
from typing import Any

from .context import Worker

# Of a worker's word that it writes data files; its number follows.
_WRITES = "coverage-"

_paused: list[Any] = []


def worker_inputs(config: Any) -> dict[str, Any]:
    """Keys of `config.workerinput` that pytest-cov's worker half reads; empty without `--cov`."""
    if not config.pluginmanager.hasplugin("_cov"):
        return {}
    import socket

    return {
        "cov_master_host": socket.gethostname(),
        "cov_master_topdir": os.getcwd(),
        "cov_master_rsync_roots": [],
    }


def keep_data(early_config: Any) -> None:
    """In a session that is a worker from its start on: it must not begin by erasing what others have measured.

    pytest-cov erases every data file in the folder as soon as a session has its arguments, unless data are added to.
    Workers of one run do not start at one time, so a later one would take away what an earlier one has seen.
    """
    options = early_config.known_args_namespace
    if getattr(options, "cov_source", None):
        options.cov_append = True


def pause(_config: Any) -> None:
    """Stop every running measurement and save it."""
    _paused.clear()
    for measurement in _running():
        _paused.append(measurement)
        measurement._warn_no_data = False
        measurement.stop()
        measurement.save()


def resume(worker: Worker) -> None:
    """Go on with the innermost measurement, into a file of this worker's own."""
    if not _paused:
        return
    measurement = _paused[0]
    measurement._warn_unimported_source = False
    data = measurement.get_data()
    if not data._suffix:
        data._suffix = True
    plugin = worker.config.pluginmanager.getplugin("_cov")
    if plugin is not None and plugin.cov_controller is not None:
        plugin.pid = os.getpid()
        plugin.cov_controller.nodeid = worker.id
    measurement.start()


def finish_apart(config: Any, folder: str) -> None:
    """Where pytest-cov's controller is elsewhere, each worker combines all data files that it finds, and sends the sum.

    Workers of one copy would take each other's away, finished or not. Each leaves word in the run's directory,
    `folder`, takes only what none of them writes (the collector's, and those of other processes), and removes its own.
    """
    controller = getattr(config.pluginmanager.getplugin("_cov"), "cov_controller", None)
    if not folder or getattr(controller, "is_collocated", True):
        return
    with open(os.path.join(folder, f"{_WRITES}{os.getpid()}"), "ab"):
        pass
    finish, combine = controller.finish, controller.cov.combine

    def combine_rest() -> None:
        paths = _unowned(folder, controller.cov.get_data().base_filename())
        if paths:
            combine(paths)

    def finish_alone() -> None:
        with open(os.path.join(folder, "coverage.lock"), "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            controller.cov.combine = combine_rest
            finish()
            with contextlib.suppress(OSError):
                os.remove(controller.cov.get_data().data_filename())

    controller.finish = finish_alone


def _unowned(folder: str, base: str) -> list[str]:
    """Return the data files that no worker writes. Their names have the number of the process."""
    writers = {name[len(_WRITES) :] for name in os.listdir(folder) if name.startswith(_WRITES)}
    files = glob.glob(glob.escape(base) + ".*")
    return [path for path in files if not writers.intersection(re.findall(r"\d+", path[len(base) :]))]


def save_running() -> None:
    """Before an end without coverage's own exit handler (a measurement started by a .pth file)."""
    for measurement in _running():
        measurement._warn_no_data = False
        measurement.stop()
        measurement.save()


def _running() -> list[Any]:
    """Measurements at work, the innermost first."""
    module = sys.modules.get("coverage.control")
    instances = getattr(getattr(module, "Coverage", None), "_instances", [])
    return [measurement for measurement in reversed(list(instances)) if getattr(measurement, "_started", False)]
