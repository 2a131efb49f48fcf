"""A file with brackets in its name."""

import pytest


@pytest.mark.parametrize("value", [1, 2])
def test_value(value):
    assert value == 1


class TestOdd:
    def test_method(self):
        pass
