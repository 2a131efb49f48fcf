import pytest
from pkg import calc


@pytest.mark.parametrize("n", range(6))
def test_sign(n):
    assert calc.sign(n) == (1 if n else 0)
