"""The plugin `dsession` of the controller's side: for `isinstance` and annotations."""

from __future__ import annotations

from xdist_worker.host.session import HostHooks as DSession

__all__ = ["DSession"]
