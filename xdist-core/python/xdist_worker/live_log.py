"""Live logging (`log_cli`) under workers: its lines leave as output of the worker, past pytest's capturing.

pytest's handler writes to the terminal reporter, which is muted here. It suspends capturing while it writes, so
descriptor 1 is then the worker's own output, each line of which the controller marks and shows at once. Lines of
several workers alternate: what pytest prints as the heading of a section also names the test.
"""

from __future__ import annotations

import sys
from os import write
from typing import Any, Callable


def enabled(config: Any) -> bool:
    """Return whether pytest logs live in this run; works before and after configure."""
    if not config.pluginmanager.has_plugin("terminal") or not config.pluginmanager.has_plugin("logging"):
        return False
    try:
        return config.getoption("--log-cli-level") is not None or bool(config.getini("log_cli"))
    except (ValueError, KeyError):
        return False


def attach(config: Any, reporter: Any, nodeid: Callable[[], str]) -> None:
    """Have the handler, if there is one, write for this process; `nodeid` tells the test that runs."""
    plugin = config.pluginmanager.get_plugin("logging-plugin")
    handler = getattr(plugin, "log_cli_handler", None)
    if reporter is not None and getattr(handler, "stream", None) is reporter:
        handler.stream = _Lines(nodeid)


class _Lines:
    """Stands in for the terminal reporter, as far as the handler uses it."""

    def __init__(self, nodeid: Callable[[], str]) -> None:
        self._nodeid = nodeid

    def write(self, text: str, **_markup: Any) -> int:
        # The handler begins new lines where a terminal shows the progress of tests.
        if text.strip("\n"):
            _out(text)
        return len(text)

    def section(self, title: str, sep: str = "-", **_markup: Any) -> None:
        test = self._nodeid()
        _out(f"{sep * 4} {title}{' of ' + test if test else ''} {sep * 4}\n")

    def flush(self) -> None:
        """Nothing is held back."""


def _out(text: str) -> None:
    try:
        # What the test printed before comes before.
        if sys.__stdout__ is not None:
            sys.__stdout__.flush()
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        while data:
            data = data[write(1, data) :]
    except (OSError, ValueError):
        # The test has closed its output.
        return
