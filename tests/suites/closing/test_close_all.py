"""Tests that close every low descriptor, the standard ones too; to be run where pytest captures `sys` alone."""

from __future__ import annotations

import os

import pytest


@pytest.mark.parametrize("number", range(3))
def test_closes_descriptors(number):
    os.closerange(3, 201)


@pytest.mark.parametrize("number", range(5))
def test_between(number):
    pass


def test_closes_standard_descriptors():
    os.closerange(0, 201)


@pytest.mark.parametrize("number", range(5))
def test_after(number):
    pass
