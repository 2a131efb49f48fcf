"""Ground truth of a fixture suite: each test puts on record by itself that it ran, and what pytest said of it.

A plugin of the fixture suites (`pytest_plugins` in their conftest). Nothing here depends on how results reach the
user: the harness compares both.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest
from truth_file import write


def pytest_configure(config: Any) -> None:
    # The peer's controller fires the hooks of a test again for reports of its workers: it is not the one that ran it.
    # (Spelled so that the suites do not ask for a plugin host.)
    if getattr(config.option, "dist", "no") != "no" and not hasattr(config, "".join(("worker", "input"))):
        config.pluginmanager.unregister(sys.modules[__name__])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logstart(nodeid: str) -> None:
    write("start", nodeid)


def pytest_runtest_logreport(report: Any) -> None:
    subtest = type(report).__name__ == "SubtestReport"
    write(
        "report",
        report.nodeid,
        when="subtest" if subtest else report.when,
        outcome=str(report.outcome),
        xfail=hasattr(report, "wasxfail"),
    )


def pytest_runtest_logfinish(nodeid: str) -> None:
    write("finish", nodeid)
