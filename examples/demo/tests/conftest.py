"""Fixtures of all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from shop.cart import Cart
from shop.stock import Stock


@pytest.fixture
def cart() -> Cart:
    return Cart()


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder of this worker: `worker_id` is `gw0`, `gw1`…, or `master` where nothing is distributed."""
    return tmp_path_factory.mktemp(f"warehouse-{worker_id}-")


@pytest.fixture
def stock(warehouse: Path, request: pytest.FixtureRequest) -> Stock:
    """A stock with ten lamps and three chairs."""
    stock = Stock(warehouse / f"{request.node.name}.json")
    stock.deliver("lamp", 10)
    stock.deliver("chair", 3)
    return stock
