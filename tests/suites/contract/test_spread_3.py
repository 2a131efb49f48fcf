"""More tests, so that each worker gets some."""

from __future__ import annotations

import os

import pytest


@pytest.mark.parametrize("number", range(10))
def test_worker(number, worker_id, tmp_path_factory):
    assert worker_id == os.environ["PYTEST_XDIST_WORKER"]
    assert tmp_path_factory.getbasetemp().name == f"popen-{worker_id}"
