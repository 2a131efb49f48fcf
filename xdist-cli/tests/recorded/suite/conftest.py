"""Fixtures and hooks of the recorded suite."""

from __future__ import annotations

import os

import pytest

collect_ignore = [] if hasattr(pytest, "Subtests") else ["test_subtests.py"]


@pytest.fixture
def broken_setup():
    raise RuntimeError("no set-up\ntoday")


@pytest.fixture
def broken_teardown():
    print("before")
    yield
    print("after")
    raise RuntimeError("no teardown")


@pytest.fixture
def skipping():
    pytest.skip("not with this fixture")


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup(item):
    if os.environ.get("RECORD_INTERNAL_ERROR") == item.name:
        raise_in_report.append(item.nodeid)


raise_in_report: list[str] = []


def pytest_runtest_logfinish(nodeid):
    if nodeid in raise_in_report:
        raise ValueError(f"a plugin <fails> & gives up on {nodeid}")
