"""A few tests of which two fail, for `--lf` and `--sw`."""

import pytest


def test_one():
    pass


def test_two():
    raise AssertionError("two")


def test_three():
    pass


class TestMore:
    def test_four(self):
        raise AssertionError("four")

    def test_five(self):
        pytest.skip("five")
