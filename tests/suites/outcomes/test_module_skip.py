"""A module that skips itself while it is collected."""

from __future__ import annotations

import pytest

pytest.skip("the whole module", allow_module_level=True)


def test_never():
    raise AssertionError("never collected")
