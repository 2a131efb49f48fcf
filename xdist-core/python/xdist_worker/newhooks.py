"""The hooks of pytest-xdist by name, so that conftests which implement them load, and this program's own."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.hookspec()
def pytest_xdist_setupnodes(config: Any, specs: Any) -> None:
    """Called before any environment is set up."""


@pytest.hookspec()
def pytest_xdist_newgateway(gateway: Any) -> None:
    """Called when an environment was set up."""


@pytest.hookspec()
def pytest_xdist_rsyncstart(source: Any, gateways: Any) -> None:
    """Called before a directory is copied."""


@pytest.hookspec()
def pytest_xdist_rsyncfinish(source: Any, gateways: Any) -> None:
    """Called after a directory was copied."""


@pytest.hookspec(firstresult=True)
def pytest_xdist_getremotemodule() -> Any:
    """Called for the module that runs in a worker."""


@pytest.hookspec()
def pytest_configure_node(node: Any) -> None:
    """Called before a worker is configured."""


@pytest.hookspec()
def pytest_testnodeready(node: Any) -> None:
    """Called when a worker is ready."""


@pytest.hookspec()
def pytest_testnodedown(node: Any, error: Any) -> None:
    """Called when a worker ended."""


@pytest.hookspec()
def pytest_xdist_node_collection_finished(node: Any, ids: Any) -> None:
    """Called when a worker has collected."""


@pytest.hookspec(firstresult=True)
def pytest_xdist_make_scheduler(config: Any, log: Any) -> Any:
    """Called for a scheduler."""


@pytest.hookspec(firstresult=True)
def pytest_xdist_auto_num_workers(config: Any) -> Any:
    """Return how many workers `-n auto` or `-n logical` (`config.option.numprocesses`) means here."""


@pytest.hookspec(firstresult=True)
def pytest_handlecrashitem(crashitem: Any, report: Any, sched: Any) -> Any:
    """Called for a test whose worker died."""


@pytest.hookspec()
def pytest_xdist_after_fork(config: Any, worker_id: str) -> None:
    """Called in a worker that was forked after collection: set right what a forked process must not share."""
