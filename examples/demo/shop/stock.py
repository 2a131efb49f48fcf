"""How many pieces of each article there are, kept in a file."""

from __future__ import annotations

import json
from pathlib import Path


class OutOfStock(Exception):
    """There are fewer pieces than asked for."""


class Stock:
    """A table of articles."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def pieces(self, article: str) -> int:
        """Number of pieces at hand."""
        return self._read().get(article, 0)

    def deliver(self, article: str, pieces: int) -> None:
        """Add pieces."""
        table = self._read()
        table[article] = table.get(article, 0) + pieces
        self._path.write_text(json.dumps(table))

    def take(self, article: str, pieces: int) -> None:
        """Take pieces out, all or none."""
        at_hand = self.pieces(article)
        if pieces > at_hand:
            raise OutOfStock(f"{article}: {pieces} wanted, {at_hand} at hand")
        self.deliver(article, -pieces)

    def _read(self) -> dict[str, int]:
        return json.loads(self._path.read_text()) if self._path.exists() else {}
