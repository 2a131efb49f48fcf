"""The session's counts and clocks."""

from __future__ import annotations

import time

from .context import Worker


def reset(worker: Worker) -> None:
    """Failures of the collection are not the worker's, its time starts now."""
    session = worker.session
    session.testsfailed = 0
    for name in ("shouldstop", "shouldfail"):
        # pytest >= 8.1 has properties that refuse to be cleared.
        setattr(session, f"_{name}" if hasattr(session, f"_{name}") else name, False)
    reporter = worker.config.pluginmanager.getplugin("terminalreporter")
    if hasattr(reporter, "_sessionstarttime"):
        reporter._sessionstarttime = time.time()
    if hasattr(reporter, "_session_start"):
        reporter._session_start = type(reporter._session_start)()
