"""Keeps reports small: long texts are cut in the middle, and the whole of them goes to a file.

The files stand below the worker's base temporary directory, so that they are found where pytest leaves everything
else of a run, and are cleaned up with it.
"""

from __future__ import annotations

import os
import re
import tempfile
from typing import Any

from .safe_text import text

# Texts above this many bytes of UTF-8 are cut.
LIMIT = 4 * 1024 * 1024
# What is kept of each end.
KEPT = 2 * 1024 * 1024


class Spool:
    """Cuts long texts; remembers the ones it has saved for the test at hand."""

    def __init__(self, config: Any) -> None:
        self._config = config
        self._directory: str | None = None
        self._count = 0
        self._saved: list[tuple[object, str]] = []

    def forget(self) -> None:
        """Forget which texts were saved: the reports of one test repeat a text, those of two do not."""
        if self._saved:
            self._saved = []

    def bounded(self, title: str, content: object) -> str:
        """Return `content` as text of at most `LIMIT` bytes and a notice; `title` names the file."""
        if isinstance(content, str) and len(content) * 4 <= LIMIT:
            return text(content)
        for seen, cut in self._saved:
            if seen is content:
                return cut
        plain = text(content)
        if len(plain) * 4 <= LIMIT:
            return plain
        data = plain.encode("utf-8")
        if len(data) <= LIMIT:
            return plain
        cut = self._cut(title, data)
        self._saved.append((content, cut))
        return cut

    def _cut(self, title: str, data: bytes) -> str:
        left_out = len(data) - 2 * KEPT
        try:
            where = f"the full text is in {text(self._save(title, data))}"
        except Exception as error:
            where = f"the full text could not be saved: {text(error)}"
        head = data[:KEPT].decode("utf-8", "ignore")
        tail = data[-KEPT:].decode("utf-8", "ignore")
        return f"{head}\n[... {left_out} of {len(data)} bytes left out here, {where} ...]\n{tail}"

    def _save(self, title: str, data: bytes) -> str:
        if self._directory is None or not os.path.isdir(self._directory):
            self._directory = self._make_directory()
        self._count += 1
        slug = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-").lower()[:60] or "text"
        path = os.path.join(self._directory, f"{os.getpid()}-{self._count}-{slug}.txt")
        with open(path, "wb") as file:
            file.write(data)
        return path

    def _make_directory(self) -> str:
        factory = getattr(self._config, "_tmp_path_factory", None)
        if factory is None:
            return tempfile.mkdtemp(prefix="xdist-long-texts-")
        directory = os.path.join(str(factory.getbasetemp()), "xdist-long-texts")
        os.makedirs(directory, mode=0o700, exist_ok=True)
        return directory
