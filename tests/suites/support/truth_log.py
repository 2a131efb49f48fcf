"""Ground truth of a fixture suite: each test puts on record by itself that it ran, and what pytest said of it.

A plugin of the fixture suites (`pytest_plugins` in their conftest). Nothing here depends on how results reach the
user: the harness compares both.
"""

from __future__ import annotations

from typing import Any

import pytest
from truth_file import write


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logstart(nodeid: str) -> None:
    write("start", nodeid)


def pytest_runtest_logreport(report: Any) -> None:
    # A controller that fires this hook again for reports of its workers is not the one that ran the test.
    if hasattr(report, "node"):
        return
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
