"""Forks a process whose parent is not this one: the child is reparented to the nearest subreaper, the xdist program.

So no Python process has to stay alive, or to keep its SIGCHLD, for the end of a worker to be seen.
"""

from __future__ import annotations

import signal
import warnings
from os import _exit, close, fork, pipe, read, waitpid, write
from typing import Optional


def fork_detached() -> Optional[int]:
    """Fork twice. Returns the new process's id here and `None` in it. Raises `OSError` if no process can be made."""
    # An interrupt between the two forks would leave a third process running the same code.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        source, sink = pipe()
        between = _fork()
        if between == 0:
            child = -1
            try:
                child = _fork()
            finally:
                if child != 0:
                    write(sink, b"%d" % child)
                    _exit(0)
            close(source)
            close(sink)
            return None
        close(sink)
        answer = read(source, 32)
        close(source)
        try:
            waitpid(between, 0)
        except ChildProcessError:
            # A conftest ignores SIGCHLD: the kernel has reaped it.
            pass
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    if not answer or int(answer) < 0:
        raise OSError("cannot fork")
    return int(answer)


def _fork() -> int:
    with warnings.catch_warnings():
        # Whether forking is safe was looked into before; the interpreter's general warning says nothing new.
        warnings.simplefilter("ignore", DeprecationWarning)
        return fork()
