"""The conftest of fixture suites that need none of their own."""

from __future__ import annotations

pytest_plugins = ["truth_log"]
