"""Logging: files that several workers write."""

from __future__ import annotations

import fcntl
import logging
import os
from typing import Any


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
