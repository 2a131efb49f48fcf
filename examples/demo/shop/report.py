"""The report of a month, from a service that takes its time."""

from __future__ import annotations

import time

from shop.money import Money

SECONDS = 0.25


def revenue(month: int) -> Money:
    """Ask for the revenue of a month, 1 to 12."""
    if not 1 <= month <= 12:
        raise ValueError(f"there is no month {month}")
    time.sleep(SECONDS)
    return Money(100_000 + 2_500 * month)
