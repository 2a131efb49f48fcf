"""Runs in every interpreter of a run before anything else: the first one is the fork server.

Puts the fork server's number on record, and injects what must be there before the worker package is imported.
"""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

FAULT = os.environ.get("FAULT", "")
PLACE = Path(os.environ.get("FAULT_PLACE", "."))


def first() -> bool:
    try:
        with open(PLACE / "server", "x") as file:
            file.write(str(os.getpid()))
    except FileExistsError:
        return False
    return True


def refuse_forks() -> None:
    """`FORKS=n`: after n forks, counted over all processes of the run, the system refuses; `FORKS=n+m`: m times."""
    allowed, _, times = os.environ["FORKS"].partition("+")
    last = int(allowed) + int(times or 10**9)
    number = getattr(errno, os.environ.get("FORK_ERROR", "EAGAIN"))
    counter = PLACE / "forks"
    counter.touch()
    real = os.fork

    def fork() -> int:
        descriptor = os.open(counter, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, b".")
        count = os.fstat(descriptor).st_size
        os.close(descriptor)
        if int(allowed) < count <= last:
            raise OSError(number, os.strerror(number))
        return real()

    os.fork = fork


if first() and FAULT == "server:start":
    os.kill(os.getpid(), signal.SIGKILL)
if "FORKS" in os.environ:
    refuse_forks()
