"""The functions and fixtures that are imported from `xdist.plugin`."""

from __future__ import annotations

from xdist_worker.fixtures import testrun_uid, worker_id
from xdist_worker.options import parse_numprocesses
from xdist_worker.shim import get_xdist_worker_id, is_xdist_controller, is_xdist_worker

is_xdist_master = is_xdist_controller

__all__ = [
    "get_xdist_worker_id",
    "is_xdist_controller",
    "is_xdist_master",
    "is_xdist_worker",
    "parse_numprocesses",
    "testrun_uid",
    "worker_id",
]
