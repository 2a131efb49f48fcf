"""The table of plugins that need a configuration of their own in every worker, for reasons the other rows miss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Plugin(NamedTuple):
    """A row: names under which it registers, its distribution, the reason, and whether it is in use."""

    names: tuple[str, ...]
    distribution: str
    reason: str
    active: Callable[[Any], object]


def _always(_config: Any) -> bool:
    return True


PLUGINS: tuple[Plugin, ...] = (
    Plugin(
        ("testmon", "TestmonCollect", "TestmonSelect"),
        "pytest-testmon",
        "keeps one data base connection from configure to the end",
        lambda config: config.getoption("testmon", False) or config.getoption("testmon_noselect", False),
    ),
    Plugin(("twisted", "pytest_twisted"), "pytest-twisted", "starts its reactor's greenlet in configure", _always),
    Plugin(("parallel", "pytest_parallel"), "pytest-parallel", "runs tests in processes of its own", _always),
    Plugin(
        ("ddtrace",),
        "ddtrace",
        "opens one test session for each process that configures it",
        lambda config: config.getoption("ddtrace", False),
    ),
)


def check(config: Any) -> str | None:
    """The first plugin of the table that is registered and in use."""
    for row in PLUGINS:
        if any(config.pluginmanager.hasplugin(name) for name in row.names) and row.active(config):
            return f"plugin {row.distribution} {row.reason}"
    return None
