"""What a repair may know of the worker it runs in."""

from __future__ import annotations

from typing import Any


class Worker:
    """A forked worker: its pytest objects and who it is."""

    def __init__(self, config: Any, session: Any, identity: dict[str, Any]) -> None:
        self.config = config
        self.session = session
        self.identity = identity
        self.id: str = identity["id"]
        self.incarnation: int = identity.get("incarnation", 0)
        self.basetemp: str = identity.get("basetemp", "")
