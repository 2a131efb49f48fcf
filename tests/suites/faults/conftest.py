"""Kills a process of the run at a chosen moment: `FAULT=<server|collector>:<stage>`."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

pytest_plugins = ["truth_log"]

WHO, _, STAGE = os.environ.get("FAULT", "").partition(":")
PLACE = Path(os.environ.get("FAULT_PLACE", "."))


def reach(stage: str) -> None:
    """Kill the victim if this is the moment; several workers may come to it."""
    if stage == STAGE:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int((PLACE / WHO).read_text()), signal.SIGKILL)


try:
    with open(PLACE / "collector", "x") as file:
        file.write(str(os.getpid()))
except FileExistsError:
    pass
reach("import")


def pytest_configure() -> None:
    reach("configure")


def pytest_collection() -> None:
    reach("collection")


def pytest_collection_finish() -> None:
    reach("collected")


@pytest.fixture
def victim():
    return reach


def pytest_sessionfinish() -> None:
    reach("end")
