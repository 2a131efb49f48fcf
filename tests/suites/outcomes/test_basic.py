"""Every outcome that one test function can have."""

from __future__ import annotations

import sys
import warnings

import pytest


def test_pass():
    assert 1 + 1 == 2


def test_fail():
    numbers = [1, 2, 3]
    assert numbers == [1, 2, 4]


def test_fail_with_output():
    print("said on stdout")
    print("said on stderr", file=sys.stderr)
    raise RuntimeError("no\nsecond line of the message")


def test_print_and_pass():
    print("nobody needs this")


@pytest.mark.skip(reason="marked")
def test_skip_mark():
    raise AssertionError("never runs")


@pytest.mark.skipif(sys.version_info >= (3, 0), reason="not for Python 3")
def test_skipif():
    raise AssertionError("never runs")


def test_skip_call():
    pytest.skip("in the call")


def test_importorskip():
    pytest.importorskip("no_such_module_anywhere")


@pytest.mark.xfail(reason="known")
def test_xfail():
    raise AssertionError


@pytest.mark.xfail(reason="cured")
def test_xpass():
    pass


@pytest.mark.xfail(strict=True, reason="cured, strictly")
def test_xpass_strict():
    pass


@pytest.mark.xfail(raises=KeyError)
def test_xfail_other_exception():
    raise ValueError("not the one that was expected")


@pytest.mark.xfail(run=False, reason="not even tried")
def test_xfail_norun():
    raise AssertionError("never runs")


def test_xfail_call():
    pytest.xfail("in the call")


@pytest.fixture
def broken_setup():
    raise OSError("set-up broke")


@pytest.fixture
def broken_teardown():
    yield 1
    raise OSError("teardown broke")


@pytest.fixture
def skipping():
    pytest.skip("fixture says no")


def test_error_setup(broken_setup):
    raise AssertionError("never runs")


def test_error_teardown(broken_teardown):
    assert broken_teardown == 1


def test_fail_and_error_teardown(broken_teardown):
    assert broken_teardown == 2


def test_skip_and_error_teardown(broken_teardown):
    pytest.skip("and then the teardown breaks")


def test_skip_fixture(skipping):
    raise AssertionError("never runs")


@pytest.mark.xfail(reason="set-up is known to break")
def test_xfail_setup(broken_setup):
    raise AssertionError("never runs")


def test_pytest_fail():
    pytest.fail("plainly", pytrace=False)


def test_warns():
    warnings.warn("a user warning", UserWarning, stacklevel=1)


def test_warns_too():
    warnings.warn(DeprecationWarning("an old thing"), stacklevel=1)


@pytest.mark.slow
def test_slow_mark():
    pass


def test_properties(record_property, record_testsuite_property):
    record_property("key", "value <&>")
    record_property("number", 7)
    record_testsuite_property("suite key", "suite value")


def test_system_exit():
    sys.exit(5)


def test_assertion_of_long_text():
    left = "\n".join(str(number) for number in range(40))
    assert left == left.replace("17", "seventeen")
