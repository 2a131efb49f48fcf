"""Skips itself while it is collected."""

import pytest

pytest.skip('the whole module\'s "reason"', allow_module_level=True)
