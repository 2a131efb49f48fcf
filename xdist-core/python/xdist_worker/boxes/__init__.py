"""Boxes: tests that run in a process of their own each, forked from the worker once their wider fixtures stand.

`wanted` tells whether a session may have such tests at all; `protocol.Boxes` then stands in for pytest's protocol of
a test. What is kept where is told in docs/boxed.md.
"""

from __future__ import annotations

from typing import Any

MARK = "forked"
MARK_HELP = "run the test in a process of its own, forked from the one that has its wider fixtures"


def wanted(config: Any, items: Any) -> bool:
    """Whether any test of the session runs in a box."""
    if getattr(config.option, "boxed", False):
        return True
    return any(MARK in item.keywords and item.get_closest_marker(MARK) is not None for item in items)
