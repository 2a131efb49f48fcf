"""Amounts of money, exact to the cent."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal


@dataclass(frozen=True, order=True)
class Money:
    """An amount in cents."""

    cents: int = 0

    @classmethod
    def parse(cls, text: str) -> Money:
        """Read `12.34`, `12` or `-0.5`."""
        amount = Decimal(text) * 100
        if amount != amount.to_integral_value():
            raise ValueError(f"{text!r} is not a whole number of cents")
        return cls(int(amount))

    def __add__(self, other: Money) -> Money:
        return Money(self.cents + other.cents)

    def __sub__(self, other: Money) -> Money:
        return Money(self.cents - other.cents)

    def times(self, factor: str | int) -> Money:
        """Multiply, and round half a cent up."""
        exact = Decimal(self.cents) * Decimal(factor)
        return Money(int(exact.quantize(Decimal(1), ROUND_HALF_UP)))

    def __str__(self) -> str:
        sign = "-" if self.cents < 0 else ""
        return f"{sign}{abs(self.cents) // 100}.{abs(self.cents) % 100:02d}"
