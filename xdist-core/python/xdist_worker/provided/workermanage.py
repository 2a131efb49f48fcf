"""Workers and their places, as plugins of the controller's side are given them: for `isinstance` and annotations."""

from __future__ import annotations

from xdist_worker.host.nodes import Node as WorkerController
from xdist_worker.host.nodes import NodeManager

__all__ = ["NodeManager", "WorkerController"]
