"""Also the standard descriptors go."""

from __future__ import annotations

import os

import pytest


def test_closes_standard_descriptors():
    os.closerange(0, 201)


@pytest.mark.parametrize("number", range(5))
def test_after(number):
    pass
