"""pytest's own subtests, since 9.0."""

import unittest

import pytest


def test_all_pass(subtests):
    for number in range(3):
        with subtests.test("numbers", number=number):
            pass


def test_some_fail(subtests):
    for number in range(4):
        with subtests.test("numbers", number=number):
            print("at", number)
            if number == 2:
                pytest.skip("two")
            assert number % 2 == 0


def test_then_fails(subtests, broken_teardown):
    with subtests.test("first"):
        raise AssertionError("in the subtest")
    raise AssertionError("in the test")


class UnitTest(unittest.TestCase):
    def test_sub(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertNotEqual(number, 1)
