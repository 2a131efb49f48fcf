"""What coverage.py measures in a box becomes part of what it measures in the worker.

The box sends the lines or branches that it ran, as coverage's own tables hold them in memory, and writes no file.
Where there is more to it (a context for each test, file tracers), or where the tables look different, the box saves
a data file of its own instead, as coverage has it for any forked process.
"""

from __future__ import annotations

import marshal
import os
import sys
from typing import Any, Dict, List, Optional, Set

Table = Dict[str, Set[Any]]


class Measuring:
    """The measurements of a worker, and what its boxes added to them."""

    def __init__(self) -> None:
        # Those of the worker.
        self.known: List[Any] = []
        self._gathered: List[Table] = []

    def look(self) -> None:
        """In the worker, before a box is made."""
        if "coverage.control" in sys.modules:
            for one in _measurements():
                if not any(one is known for known in self.known):
                    self.known.append(one)
                    self._gathered.append({})

    def begin(self) -> None:
        """In the box: what the worker has is not told again."""
        for one in self.known:
            table = _table(one)
            if table is not None:
                for found in list(table.values()):
                    found.clear()

    def end(self) -> bytes:
        """In the box: what to send; data that cannot be sent are saved."""
        if "coverage.control" not in sys.modules:
            return b""
        gathered: List[Dict[str, List[Any]]] = []
        for one in self.known:
            table = _table(one)
            if table is None:
                _save(one)
            gathered.append({name: list(found) for name, found in list((table or {}).items()) if found})
        for one in _measurements():
            # Begun in the box, by coverage's own hook on forks.
            if not any(one is known for known in self.known):
                _save(one)
        return marshal.dumps(gathered) if any(gathered) else b""

    def add(self, data: bytes) -> None:
        """In the worker: what a box sent."""
        for mine, tables in zip(self._gathered, marshal.loads(data)):
            for name, found in tables.items():
                mine.setdefault(name, set()).update(found)

    def flush(self) -> None:
        """In the worker, after its last box: coverage takes what was gathered as if it had been measured here."""
        for one, mine in zip(self.known, self._gathered):
            collector = getattr(one, "_collector", None)
            if not mine or collector is None:
                continue
            try:
                one.get_data()
                own, collector.data = collector.data, mine
                # Otherwise coverage looks at its tracers, which saw none of this.
                collector._activity = lambda: True
                try:
                    collector.flush_data()
                finally:
                    collector.data = own
                    del collector._activity
            except Exception as error:
                _complain(error)


def _measurements() -> List[Any]:
    module = sys.modules.get("coverage.control")
    instances = getattr(getattr(module, "Coverage", None), "_instances", None) or ()
    return [one for one in instances if getattr(one, "_started", False)]


def _table(measurement: Any) -> Optional[Table]:
    """Coverage's table: file -> what ran of it; `None` where that is not all there is to tell."""
    collector = getattr(measurement, "_collector", None)
    table = getattr(collector, "data", None)
    if type(table) is not dict or getattr(collector, "should_start_context", None) is not None:
        return None
    if getattr(collector, "file_tracers", None) or not hasattr(collector, "flush_data"):
        return None
    if getattr(getattr(collector, "covdata", None), "_current_context", None):
        return None
    return table if all(type(found) is set for found in table.values()) else None


def _save(measurement: Any) -> None:
    try:
        measurement._warn_no_data = False
        data = measurement.get_data()
        if not data._suffix:
            data._suffix = True
        measurement.stop()
        measurement.save()
    except Exception as error:
        _complain(error)


def _complain(error: Exception) -> None:
    sys.stderr.write(f"coverage of a box is lost (process {os.getpid()}): {type(error).__name__}: {error}\n")
