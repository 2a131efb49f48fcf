"""Twenty tests that pass, some of which may be told to take another process down, or themselves."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest


def await_refused_fork() -> None:
    """Leave work for the replacement, so that it is asked for however late the death is noticed."""
    counter = Path(os.environ["FAULT_PLACE"], "forks")
    deadline = time.monotonic() + 20
    while counter.stat().st_size <= int(os.environ["FORKS"]):
        assert time.monotonic() < deadline, "no fork was refused"
        time.sleep(0.01)


@pytest.mark.parametrize("number", range(20))
def test_it(number, victim):
    if number == 4:
        victim("test")
    if number == 6 and "DIES" in os.environ:
        victim("replacement")
        os.kill(os.getpid(), 9)
    if number > 6 and "DIES" in os.environ and "FORKS" in os.environ:
        await_refused_fork()
