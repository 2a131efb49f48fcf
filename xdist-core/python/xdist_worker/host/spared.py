"""Hook implementations that could do nothing in this run but take their time, and so are not called in the host."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

_HYPOTHESIS = "_hypothesis_pytestplugin"


def spare(config: Any, names: Iterable[str]) -> None:
    """Before the session ends; `names` are those of all attributes that reports of workers had.

    hypothesis imports all of itself to find that it has nothing to add to the summary. What it adds it finds in the
    attributes of reports, or has written in this process.
    """
    plugin = config.pluginmanager.get_plugin("hypothesispytest") or sys.modules.get(_HYPOTHESIS)
    if (
        getattr(plugin, "__name__", "") == _HYPOTHESIS
        and "hypothesis" not in sys.modules
        and not getattr(config.option, "hypothesis_show_statistics", False)
        and not any(name.startswith("_hypothesis") for name in names)
    ):
        _leave_out(config.hook.pytest_terminal_summary, plugin)


def _leave_out(caller: Any, plugin: Any) -> None:
    if any(implementation.plugin is plugin for implementation in caller.get_hookimpls()):
        caller._remove_plugin(plugin)
