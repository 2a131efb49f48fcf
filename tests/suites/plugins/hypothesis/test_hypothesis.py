from hypothesis import given
from hypothesis import strategies as st


@given(st.integers())
def test_holds(n):
    assert n == n


@given(st.integers())
def test_fails(n):
    assert n < 1000


def test_plain():
    pass
