"""Ground truth of a fixture suite: each test puts on record by itself that it ran, and what pytest said of it.

A plugin of the fixture suites (`pytest_plugins` in their conftest). Nothing here depends on how results reach the
user: the harness compares both.
"""

from __future__ import annotations

from typing import Any

import pytest
from truth_file import write


def pytest_configure(config: Any) -> None:
    """Record where tests run: not on the controller's side, where the hooks of a test are fired again.

    Registered this late, the recorder is no reason for a plugin host.
    """
    if getattr(config.option, "dist", "no") == "no":
        config.pluginmanager.register(Recorder(), "truth_recorder")


class Recorder:
    """Puts each test and its reports on record."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        write("start", nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        subtest = type(report).__name__ == "SubtestReport"
        write(
            "report",
            report.nodeid,
            when="subtest" if subtest else report.when,
            outcome=str(report.outcome),
            xfail=hasattr(report, "wasxfail"),
        )

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        write("finish", nodeid)
