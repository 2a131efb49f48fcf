"""What a customer is about to buy."""

from __future__ import annotations

from shop.money import Money

# From so many pieces of one article on, this part of the price is due.
DISCOUNTS = ((100, "0.80"), (10, "0.95"), (1, "1"))


class Cart:
    """Articles with their number and price."""

    def __init__(self) -> None:
        self._lines: dict[str, tuple[int, Money]] = {}

    def add(self, article: str, price: Money, pieces: int = 1) -> None:
        """Put pieces of an article into the cart."""
        if pieces < 1:
            raise ValueError("a cart takes one piece or more")
        before, _ = self._lines.get(article, (0, price))
        self._lines[article] = (before + pieces, price)

    def remove(self, article: str) -> None:
        """Take an article out."""
        del self._lines[article]

    def __len__(self) -> int:
        return sum(pieces for pieces, _ in self._lines.values())

    def total(self) -> Money:
        """The price of everything, with discounts."""
        total = Money()
        for pieces, price in self._lines.values():
            factor = next(factor for least, factor in DISCOUNTS if pieces >= least)
            total += price.times(pieces).times(factor)
        return total
