"""Subtests as pytest 9 counts them."""

from __future__ import annotations

import unittest

import pytest


def test_all_pass(subtests):
    for number in range(3):
        with subtests.test(msg="number", number=number):
            assert number < 3


def test_one_fails(subtests):
    for number in range(3):
        with subtests.test(number=number):
            assert number != 1


def test_subtest_and_test_fail(subtests):
    with subtests.test("inner"):
        raise ValueError("inner")
    raise ValueError("outer")


def test_skipped_subtest(subtests):
    with subtests.test("skipping"):
        pytest.skip("not this one")


def test_xfail_subtest(subtests):
    with subtests.test("failing as known"):
        pytest.xfail("known")


class Unit(unittest.TestCase):
    def test_unittest(self):
        for number in range(3):
            with self.subTest("sub", number=number):
                self.assertNotEqual(number, 2)


def test_last():
    pass
