"""Twenty tests that pass, some of which may be told to take another process down, or themselves."""

from __future__ import annotations

import os

import pytest


@pytest.mark.parametrize("number", range(20))
def test_it(number, victim):
    if number == 4:
        victim("test")
    if number == 6 and "DIES" in os.environ:
        victim("replacement")
        os.kill(os.getpid(), 9)
