"""Fixtures and markers: those of pytest-xdist, and ours. A plugin of its own, so that pytest finds the fixtures."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from .boxes import MARK, MARK_HELP


@pytest.fixture(scope="session")
def worker_id(request: Any) -> str:
    """Return the id of the current worker: 'gw0', 'gw1', or 'master' where tests are not distributed."""
    workerinput = getattr(request.config, "workerinput", None)
    return "master" if workerinput is None else str(workerinput["workerid"])


@pytest.fixture(scope="session")
def testrun_uid(request: Any) -> str:
    """Return the id of the current run, which is the same in all workers."""
    workerinput = getattr(request.config, "workerinput", None)
    return uuid.uuid4().hex if workerinput is None else str(workerinput["testrunuid"])


def pytest_configure(config: Any) -> None:
    """Register the markers."""
    for line in (
        "xdist_group(name): run the tests that share this name in one worker, with --dist=loadgroup.",
        "xdist_serial: run this test while no other one runs.",
        "xdist_resource(name, limit=1): run the tests that share this name on so many workers at a time, at most.",
        f"{MARK}: {MARK_HELP}",
    ):
        config.addinivalue_line("markers", line)
