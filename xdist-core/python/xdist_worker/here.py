"""Paths of a copy of the sources, told as those that they are copies of: users open what a report names.

Only what pytest makes is translated: node ids stay as they are, and so does what tests print or record.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_KEPT = frozenset(("nodeid", "sections", "user_properties", "xml_attributes"))


class Here:
    """Translates text, and data that holds text. `pairs` are a directory and what it is a copy of, inner ones first."""

    def __init__(self, pairs: Sequence[Sequence[str]]) -> None:
        self._names = {there: here for there, here in pairs if there != here}
        # A directory and nothing that merely begins, or ends, like it; a colour may begin right before it.
        either = "|".join(re.escape(there) for there in self._names)
        self._pattern = re.compile(rf"(\x1b\[[0-9;]*m|(?<![\w/.~-]))({either})(?![\w.~-])") if self._names else None

    def text(self, text: str) -> str:
        """Return `text` with the paths of the originals."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: found.group(1) + self._names[found.group(2)], text)

    def __call__(self, data: Any) -> Any:
        """Return data of a message with the paths of the originals."""
        if self._pattern is None:
            return data
        if isinstance(data, str):
            return self.text(data)
        if isinstance(data, dict):
            return {name: value if name in _KEPT else self(value) for name, value in data.items()}
        if isinstance(data, (list, tuple)):
            return type(data)([self(value) for value in data]) if type(data) in (list, tuple) else data
        return data
