"""Classes, of pytest and of unittest."""

from __future__ import annotations

import unittest

import pytest


class TestPlain:
    @classmethod
    def setup_class(cls):
        cls.seen = []

    def setup_method(self, method):
        self.seen.append(method.__name__)

    def test_one(self):
        assert "test_one" in self.seen

    def test_two(self):
        assert "test_two" in self.seen
        assert "test_three" in ["test_four"]

    class TestInner:
        @pytest.mark.parametrize("value", ["a::b", "c]"])
        def test_deep(self, value):
            assert value


class TestBrokenClass:
    @classmethod
    def setup_class(cls):
        raise ValueError("the class cannot be set up")

    def test_never(self):
        pass

    def test_never_either(self):
        pass


class Unit(unittest.TestCase):
    def setUp(self):
        self.value = 3
        self.addCleanup(lambda: None)

    def test_equal(self):
        self.assertEqual(self.value, 3)

    def test_not_equal(self):
        self.assertEqual(self.value, 4)

    @unittest.skip("unittest skip")
    def test_skipped(self):
        self.fail("never runs")

    def test_skip_call(self):
        self.skipTest("in the call")

    @unittest.expectedFailure
    def test_expected(self):
        self.fail("as expected")

    @unittest.expectedFailure
    def test_unexpected(self):
        pass


class UnitBroken(unittest.TestCase):
    def setUp(self):
        raise OSError("setUp broke")

    def test_never(self):
        pass


class UnitCleanup(unittest.TestCase):
    def tearDown(self):
        raise OSError("tearDown broke")

    def test_then_broken(self):
        pass
