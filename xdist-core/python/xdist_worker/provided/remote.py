"""The log that schedulers are given."""

from __future__ import annotations

import sys
from typing import Any


class Producer:
    """Writes lines to stderr if it is enabled; its attributes are producers with names of their own."""

    def __init__(self, name: str, *, enabled: bool = True) -> None:
        self.name = name
        self.enabled = enabled

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, enabled={self.enabled})"

    def __getattr__(self, name: str) -> Producer:
        """A producer for a part."""
        if name.startswith("_"):
            raise AttributeError(name)
        return type(self)(name, enabled=self.enabled)

    def __call__(self, *words: Any, **_more: Any) -> None:
        """Write a line."""
        if self.enabled:
            print(f"[{self.name}]", *words, file=sys.stderr)
