"""The file in which tests and fixtures of the suites put themselves on record.

One JSON object a line, appended with a single write to the file named by `E2E_TRUTH`, so that lines of parallel
processes never mix and no descriptor stays open that a test could close.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict

PATH = os.environ.get("E2E_TRUTH", "")


def write(event: str, nodeid: str, **more: Any) -> None:
    """Put something about a test on record, with the worker that it runs on."""
    append({"event": event, "id": nodeid, "worker": os.environ.get("PYTEST_XDIST_WORKER", ""), **more})


def log(text: str) -> None:
    """A line that a module, a fixture or a test of a suite wants on record; reads no worker's identity."""
    append({"event": "log", "id": text, "worker": ""})


def append(line: Dict[str, Any]) -> None:
    """Write one line of the record."""
    if not PATH:
        return
    line["pid"] = os.getpid()
    descriptor = os.open(PATH, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, (json.dumps(line) + "\n").encode("ascii"))
    finally:
        os.close(descriptor)
