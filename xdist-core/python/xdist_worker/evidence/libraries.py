"""The table of native libraries that keep threads of their own, and whether those survive a fork.

A count of native threads is wrong both ways: importing numpy alone shows one (harmless), gRPC hides many behind one
Python thread. So threads are judged by the libraries that are loaded.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from .maps import mapped_files


class Library(NamedTuple):
    """A row: how the shared object is called, whether its threads survive a fork, and why."""

    pattern: str
    name: str
    safe: bool
    reason: str


LIBRARIES: tuple[Library, ...] = (
    Library(r"openblas", "OpenBLAS", True, "stops its pool before a fork and starts it anew on both sides"),
    Library(r"^libi?omp5?\.", "LLVM/Intel OpenMP", True, "registers fork handlers and re-initialises in the child"),
    Library(r"^libgomp", "GNU OpenMP", False, "a child waits for team threads that it does not have"),
    Library(r"cygrpc|^libgrpc", "gRPC", False, "its pollers and timers do not exist in a child"),
    Library(r"^libcuda\.so|^libcudart", "CUDA", False, "contexts are not valid in a forked child"),
    Library(r"^libjvm", "the Java virtual machine", False, "its collector and compiler threads are lost"),
    Library(r"tensorflow_framework|_pywrap_tensorflow", "TensorFlow", False, "its thread pools are lost"),
    Library(r"^polars", "polars", False, "its rayon pool is lost, the first query in a child waits forever"),
)
"""Matched against names of mapped files, first the unsafe rows."""

SAFE_NAMES: dict[str, str] = {
    "jemalloc_bg_thd": "jemalloc stops it before a fork and starts it anew",
}
"""Names of native threads that survive a fork, to reason."""


def judge(names: list[str], files: set[str] | None = None) -> str | None:
    """Evidence for native threads of these names, None if all belong to pools that survive a fork."""
    names = [name for name in names if name not in SAFE_NAMES]
    if not names:
        return None
    loaded = mapped_files() if files is None else files
    found = [row for row in LIBRARIES if any(re.search(row.pattern, file) for file in loaded)]
    pools = sum(bool(re.search(LIBRARIES[0].pattern, file)) for file in loaded)
    if pools and len(names) <= pools * (_pool_size() - 1):
        return None
    for row in found:
        if not row.safe:
            return f"{row.name} is loaded and {_threads(names)} ({row.reason})"
    if found:
        return None
    return f"{_threads(names)} that Python does not know"


def _pool_size() -> int:
    """Threads that OpenBLAS starts when it is loaded, the caller's included."""
    for variable in ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(variable, "")
        if value.isdigit() and int(value) > 0:
            return int(value)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _threads(names: list[str]) -> str:
    shown = ", ".join(sorted(set(names) - {""}))
    return f"{len(names)} native thread{'s run' if len(names) > 1 else ' runs'} ({shown})"
