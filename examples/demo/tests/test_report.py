"""The slow part: on one process these tests take three seconds."""

from __future__ import annotations

import pytest

from shop.money import Money
from shop.report import revenue


@pytest.mark.slow
@pytest.mark.parametrize("month", range(1, 13))
def test_revenue_grows(month: int) -> None:
    assert revenue(month) == Money(100_000) + Money(2_500).times(month)


@pytest.mark.parametrize("month", [0, 13])
def test_no_such_month(month: int) -> None:
    with pytest.raises(ValueError, match="there is no month"):
        revenue(month)
