"""A conftest as projects write them for pytest-xdist: its hooks, its API, its worker data."""

from __future__ import annotations

import pytest
import xdist

pytest_plugins = ["truth_log"]


def pytest_xdist_setupnodes(config, specs):
    pass


def pytest_xdist_newgateway(gateway):
    pass


def pytest_testnodeready(node):
    pass


def pytest_xdist_node_collection_finished(node, ids):
    pass


def pytest_xdist_auto_num_workers(config):
    return 2


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["from the test session"] = [1, "two", {"three": 3}]


@pytest.fixture(scope="session")
def session_base(tmp_path_factory, worker_id):
    base = tmp_path_factory.getbasetemp()
    return base.parent if worker_id != "master" else base


@pytest.fixture
def is_worker(request):
    return xdist.is_xdist_worker(request)
