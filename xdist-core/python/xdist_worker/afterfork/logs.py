"""Logging: files that several workers write, and live logging."""

from __future__ import annotations

import fcntl
import logging
import os
import sys
from typing import Any

from .context import Worker


def append(_config: Any) -> None:
    """Before the fork: whoever writes to a log file writes at its end."""
    for reference in list(logging._handlerList):  # type: ignore[attr-defined]
        handler = reference()
        stream = getattr(handler, "stream", None)
        if not isinstance(handler, logging.FileHandler) or stream is None:
            continue
        try:
            handler.flush()
            flags = fcntl.fcntl(stream.fileno(), fcntl.F_GETFL)
            fcntl.fcntl(stream.fileno(), fcntl.F_SETFL, flags | os.O_APPEND)
        except (OSError, ValueError):
            continue


def quiet(worker: Worker) -> None:
    """In the worker: no live logging, which would write to a terminal that is not ours."""
    plugin = worker.config.pluginmanager.getplugin("logging-plugin")
    live = getattr(plugin, "log_cli_handler", None)
    null = getattr(sys.modules.get("_pytest.logging"), "_LiveLoggingNullHandler", None)
    if live is None or null is None or isinstance(live, null):
        return
    # The loop in which this worker was forked has put the handler in already.
    logging.getLogger().removeHandler(live)
    plugin.log_cli_handler = null()
