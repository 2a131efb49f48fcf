"""Forks a process whose parent is not this one: the child is reparented to the nearest subreaper, the xdist program.

So no Python process has to stay alive, or to keep its SIGCHLD, for the end of a worker to be seen.
"""

from __future__ import annotations

import signal
import warnings
from errno import EAGAIN
from os import _exit, close, fork, pipe, read, strerror, waitpid, write
from typing import NoReturn, Optional


def fork_detached() -> Optional[int]:
    """Fork twice. Returns the new process's id here and `None` in it. Raises `OSError` if no process can be made."""
    # An interrupt between the two forks would leave a third process running the same code.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        source, sink = pipe()
        try:
            between = _fork()
        except OSError:
            close(source)
            close(sink)
            raise
        if between == 0:
            child = -EAGAIN
            try:
                child = _fork()
            except OSError as error:
                child = -(error.errno or EAGAIN)
            finally:
                if child != 0:
                    _answer(sink, child)
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
    number = int(answer or -EAGAIN)
    if number < 0:
        raise OSError(-number, strerror(-number))
    return number


def _answer(sink: int, number: int) -> NoReturn:
    """The process between the two says which one it made, or the error, and ends whatever happens."""
    try:
        write(sink, b"%d" % number)
    finally:
        _exit(0)


def _fork() -> int:
    with warnings.catch_warnings():
        # Whether forking is safe was looked into before; the interpreter's general warning says nothing new.
        warnings.simplefilter("ignore", DeprecationWarning)
        return fork()
