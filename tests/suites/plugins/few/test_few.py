import pytest


def test_bad():
    assert 0


@pytest.mark.parametrize("n", range(7))
def test_good(n):
    pass
