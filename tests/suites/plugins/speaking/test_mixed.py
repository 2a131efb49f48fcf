"""Every outcome that a test can have, with output, properties and warnings."""

import warnings

import pytest


def test_pass():
    print("said in passing")


def test_fail():
    print("said before failing")
    assert [1, 2] == [1, 3]


@pytest.mark.skip(reason="no")
def test_skip():
    pass


@pytest.mark.xfail(reason="known")
def test_xfail():
    assert 0


@pytest.mark.xfail(reason="unknown")
def test_xpass():
    pass


@pytest.fixture
def bad():
    raise RuntimeError("setup")


def test_error(bad):
    pass


@pytest.fixture
def bad_end():
    yield
    raise RuntimeError("teardown")


def test_teardown(bad_end):
    pass


def test_warn():
    warnings.warn("beware")


@pytest.mark.parametrize("n", range(5))
def test_param(n, record_property):
    record_property("n", n)
