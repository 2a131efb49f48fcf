"""50 MB of captured output."""

from __future__ import annotations

import sys

LINE = "0123456789" * 10 + "\n"


def test_much_output_and_pass():
    sys.stdout.write(LINE * 200_000)


def test_much_output_and_fail():
    sys.stdout.write(LINE * 500_000)
    raise AssertionError("after much output")


def test_after():
    pass
