"""Mutes pytest's terminal reporter in a worker: it is there, plugins may write to it, and nothing is printed.

Its hooks are unregistered, the ones that run for each test for speed and `pytest_sessionfinish` so that no
`pytest_terminal_summary` is fired in workers. Its `stats` are filled by the worker.
"""

from __future__ import annotations

import io
from typing import Any

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


class _Nowhere(io.TextIOBase):
    """Swallows text."""

    encoding = "utf-8"  # type: ignore[assignment]

    def write(self, text: str) -> int:
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

    reporter._tw = create_terminal_writer(config, _Nowhere())
    return reporter
