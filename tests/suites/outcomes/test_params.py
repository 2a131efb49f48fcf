"""Node ids that break careless splitting."""

from __future__ import annotations

import pytest

IDS = [
    "plain",
    "a b",
    "x[y]",
    "[",
    "]",
    "p::q",
    "a/b.py::test_c",
    "dash - dash",
    "-n",
    "tab\there",
    "caf\u00e9",
    "\U0001f600",
    "back\\slash",
    "quote'\"",
    "a@b",
    "<&>",
    "%d{}$",
    "trailing ",
]


@pytest.mark.parametrize("value", range(len(IDS)), ids=IDS)
def test_id(value):
    assert IDS[value] != "p::q"


@pytest.mark.parametrize("value", [1, 1, 1])
def test_same_id(value):
    assert value


@pytest.mark.parametrize("left", [1, 2])
@pytest.mark.parametrize("right", ["x", "y"])
def test_product(left, right):
    assert (left, right) != (2, "y")


@pytest.mark.parametrize("value", ["", None, b"\xff\x00", 1.5, ..., "x" * 300])
def test_odd_values(value):
    pass


@pytest.mark.parametrize("nothing", [])
def test_empty_set(nothing):
    raise AssertionError("never runs")


def test_ünïcode():
    pass
