"""Mutes pytest's terminal reporter in a worker: it is there, plugins may write to it, and nothing is printed.

Its hooks are unregistered, the ones that run for each test for speed and `pytest_sessionfinish` so that no
`pytest_terminal_summary` is fired in workers. Its `stats` are filled by the worker. What plugins write is kept for as
long as the test runs, in case that it is a last word: a time-out that dumps all stacks and then ends the process.
"""

from __future__ import annotations

import io
import os
import time
from typing import Any

from .last_words import LastWords

# Hooks that speak, count or summarise. What is left gives header lines to the collector and restores state at the end.
_SILENCED = (
    "pytest_collection",
    "pytest_collectreport",
    "pytest_collection_finish",
    "pytest_internalerror",
    "pytest_keyboard_interrupt",
    "pytest_plugin_registered",
    "pytest_runtest_logfinish",
    "pytest_runtest_logreport",
    "pytest_runtest_logstart",
    "pytest_runtestloop",
    "pytest_sessionfinish",
    "pytest_sessionstart",
    "pytest_terminal_summary",
    "pytest_unconfigure",
    "pytest_warning_recorded",
)


class _Muted(io.TextIOBase):
    """Takes text; what it gets while a test runs is there to be read if the process dies."""

    encoding = "utf-8"  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: LastWords | None = None

    def write(self, text: str) -> int:
        if self.kept is not None:
            self.kept.add(text)
        return len(text)

    def writable(self) -> bool:
        return True


def mute(config: Any) -> Any:
    """Silence the terminal reporter, whoever made it; returns it, or `None` if there is none."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return None
    for name in _SILENCED:
        caller = getattr(config.hook, name, None)
        if caller is not None and any(impl.plugin is reporter for impl in caller.get_hookimpls()):
            caller._remove_plugin(reporter)
    from _pytest.config import create_terminal_writer

    reporter._tw = create_terminal_writer(config, _Muted())
    return reporter


def keep_last_words(reporter: Any, who: dict[str, Any]) -> LastWords | None:
    """From here on, keep what is written for worker `who`, if its reporter is muted and can keep anything."""
    file = getattr(getattr(reporter, "_tw", None), "_file", None)
    if not isinstance(file, _Muted) or not who.get("page"):
        return None
    name = f"{who['id']}.{who.get('incarnation', 0)}.captured-terminal"
    try:
        file.kept = LastWords(os.path.join(os.path.dirname(who["page"]), name))
    except (OSError, ValueError):
        # They are lost, the tests are not.
        file.kept = None
    return file.kept


def start(reporter: Any, session: Any) -> None:
    """What the reporter keeps at the start of a session, without what it prints."""
    reporter._session = session
    try:
        from _pytest.timing import Instant
    except ImportError:
        reporter._sessionstarttime = time.time()
    else:
        reporter._session_start = Instant()
