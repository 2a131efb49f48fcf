"""Every outcome that pytest knows."""

import logging
import sys
import unittest

import pytest


def test_pass():
    pass


def test_talks():
    print("on stdout <&>")
    print("on stderr", file=sys.stderr)
    logging.getLogger("talk").warning("logged")


def test_fail():
    print("seen before")
    print("said on stderr", file=sys.stderr)
    logging.getLogger("talk").error("logged before")
    assert {"a": 1, "b": [1, 2]} == {"a": 1, "b": [1, 3]}, "differs"


def test_error_in_setup(broken_setup):
    pass


def test_error_in_teardown(broken_teardown):
    print("within")


def test_fails_twice(broken_teardown, record_property):
    record_property("when", "call")
    pytest.fail("first the call")


def test_skipped_with_bad_teardown(broken_teardown):
    pytest.skip("and then")


@pytest.mark.skip(reason="by mark")
def test_skip_mark():
    pass


@pytest.mark.skipif(True, reason="by condition")
def test_skip_condition():
    pass


def test_skip_inside():
    print("before the skip")
    pytest.skip("inside")


def test_skip_in_fixture(skipping):
    pass


@pytest.mark.xfail(reason="known bug")
def test_xfail():
    raise AssertionError("as expected")


@pytest.mark.xfail
def test_xfail_without_reason():
    assert not 1


@pytest.mark.xfail(run=False, reason="never run")
def test_xfail_not_run():
    pass


def test_xfail_inside():
    pytest.xfail("inside")


@pytest.mark.xfail(reason="passes by now")
def test_xpass():
    pass


@pytest.mark.xfail(strict=True, reason="must not pass")
def test_xpass_strict():
    pass


class TestClass:
    def test_method(self):
        pass

    class TestInner:
        @pytest.mark.parametrize("value", ["a b", "[x]", "a::b", "a/b.py", "ä\U0001f600", "\x1b", "-", ""])
        def test_parameters(self, value):
            assert value != "[x]"


class UnitTest(unittest.TestCase):
    def test_unit(self):
        self.assertEqual(1, 2, "numbers & <text>")

    @unittest.expectedFailure
    def test_expected(self):
        self.fail("expected")

    @unittest.expectedFailure
    def test_unexpected(self):
        pass

    @unittest.skip("unit")
    def test_skipped(self):
        pass
