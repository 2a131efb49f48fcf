from __future__ import annotations

import pytest

from shop.money import Money


@pytest.mark.parametrize(
    ("text", "cents"), [("0", 0), ("12", 1200), ("12.34", 1234), ("-0.5", -50), ("1e2", 10000), ("0.01", 1)]
)
def test_parse(text: str, cents: int) -> None:
    assert Money.parse(text) == Money(cents)


@pytest.mark.parametrize("text", ["0.001", "12.345"])
def test_less_than_a_cent_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="whole number of cents"):
        Money.parse(text)


@pytest.mark.parametrize("cents", [-12345, -100, -1, 0, 1, 99, 100, 12345])
def test_text_and_back(cents: int) -> None:
    assert Money.parse(str(Money(cents))) == Money(cents)


@pytest.mark.parametrize("left", [-7, 0, 250])
@pytest.mark.parametrize("right", [-30, 0, 1])
class TestSums:
    def test_plus(self, left: int, right: int) -> None:
        assert Money(left) + Money(right) == Money(right) + Money(left) == Money(left + right)

    def test_minus(self, left: int, right: int) -> None:
        assert Money(left) - Money(right) + Money(right) == Money(left)


@pytest.mark.parametrize(("factor", "cents"), [("0.5", 3), ("2", 10), ("0.1", 1), ("0.09", 0)])
def test_half_a_cent_is_rounded_up(factor: str, cents: int) -> None:
    assert Money(5).times(factor) == Money(cents)
