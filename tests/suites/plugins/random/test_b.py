"""Draws numbers that depend on the seed of the run and on the test alone."""

import random

import pytest


@pytest.mark.parametrize("n", range(4))
def test_draw(n, record_property):
    record_property("drawn", random.random())
