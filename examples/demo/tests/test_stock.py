from __future__ import annotations

import sys

import pytest

from shop.stock import OutOfStock, Stock


def test_delivered(stock: Stock) -> None:
    assert (stock.pieces("lamp"), stock.pieces("chair"), stock.pieces("table")) == (10, 3, 0)


@pytest.mark.parametrize("pieces", [1, 5, 10])
def test_take(stock: Stock, pieces: int) -> None:
    stock.take("lamp", pieces)
    assert stock.pieces("lamp") == 10 - pieces


@pytest.mark.parametrize("article", ["chair", "table"])
def test_all_or_none(stock: Stock, article: str) -> None:
    before = stock.pieces(article)
    with pytest.raises(OutOfStock, match=f"{article}: 4 wanted"):
        stock.take(article, 4)
    assert stock.pieces(article) == before


@pytest.mark.skipif(sys.platform != "win32", reason="file locks of Windows")
def test_the_file_is_locked(stock: Stock) -> None:
    assert stock.pieces("lamp") == 10
