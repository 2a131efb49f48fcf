"""Forgets the byte code of files that have changed.

Byte code is taken to be that of a source with the same size that was last written in the same second. A loop is quick
enough to meet two versions of which that is true.
"""

from __future__ import annotations

import os
from importlib.util import cache_from_source
from typing import Iterable


def forget(changed: Iterable[str]) -> None:
    """Remove what was compiled of these, by the interpreter or by pytest, before anything is imported."""
    for path in changed:
        stem, ending = os.path.splitext(os.path.basename(path))
        if ending != ".py":
            continue
        directory = os.path.dirname(cache_from_source(path))
        try:
            found = os.listdir(directory)
        except OSError:
            continue
        for name in found:
            if name.startswith(stem + ".") and name.endswith(".pyc"):
                _remove(os.path.join(directory, name))


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        # It is somebody else's, or gone.
        return
