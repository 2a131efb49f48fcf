"""Makes a box, and waits for it to end."""

from __future__ import annotations

import _signal
import gc
import os
import select
import signal
import sys
import time
from typing import Any, Callable, NamedTuple, Optional

from .. import forking
from ..afterfork import rand

# Seconds from the signal that makes a box tell where it stands to the one that ends it.
_GRACE = 2.0
# Between two looks at a box, where the system cannot say when it ends.
_SHORTEST, _LONGEST = 0.0005, 0.02
_INTERRUPT = (signal.SIGINT,)
# Without what the module `signal` makes of its result.
_mask = _signal.pthread_sigmask
_freeze = getattr(gc, "freeze", None)
# From this version on the interpreter warns of threads, which nobody wants to be told for each test.
_fork = forking._fork if sys.version_info >= (3, 12) else os.fork


class Ending(NamedTuple):
    """How a box ended."""

    # As `waitpid` has it; `None` if the system did not keep it.
    status: Optional[int]
    cpu: float
    timed_out: bool
    interrupted: bool
    # Why it never was.
    refusal: str = ""

    def signal(self) -> int:
        """The signal that ended it, or 0."""
        return os.WTERMSIG(self.status) if self.status is not None and os.WIFSIGNALED(self.status) else 0

    def text(self) -> str:
        """`signal 11 (SIGSEGV)`, `exit code 0`."""
        number = self.signal()
        if number:
            try:
                return f"signal {number} ({signal.Signals(number).name})"
            except ValueError:
                return f"signal {number}"
        if self.refusal:
            return f"no process for it ({self.refusal})"
        if self.status is None:
            return "an end that the system did not keep"
        return f"exit code {os.WEXITSTATUS(self.status)}"


def refused(error: OSError) -> Ending:
    """The end of a box for which the system made no process."""
    return Ending(None, 0.0, False, False, error.strerror or str(error))


_CLEAN = Ending(0, 0.0, False, False)


def fork_box() -> int:
    """Fork: 0 in the box. In both processes interrupts wait for `take_interrupts`, when each knows which it is."""
    _mask(signal.SIG_BLOCK, _INTERRUPT)
    try:
        return _fork_here()
    except BaseException:
        take_interrupts()
        raise


def take_interrupts() -> None:
    """From here on interrupts come, also one that waits."""
    _mask(signal.SIG_UNBLOCK, _INTERRUPT)


def _fork_here() -> int:
    if _freeze is not None:
        # All that is here counts as old: the box does not look through it, and copies none of it for that.
        _freeze()
        gc.unfreeze()
    if not rand.is_seeded():
        return _fork()
    state = rand.current()
    pid = _fork()
    if pid == 0:
        rand.go_on(state)
    return pid


def wait_for(pid: int, timeout: Optional[float], counts_cpu: bool) -> Ending:
    """Wait until a box has ended. It is ended if it takes longer than `timeout` seconds."""
    wait = _wait4 if counts_cpu else _waitpid
    interrupted = False
    deadline = None if timeout is None else time.monotonic() + timeout
    timed_out = False
    while True:
        try:
            take_interrupts()
            if deadline is None:
                found = wait(pid, 0)
                # Nearly always.
                return _CLEAN if not (found[1] or interrupted) else _ending(found, timed_out, interrupted)
            found = _wait_until(pid, deadline, wait)
            if found is not None:
                return _ending(found, timed_out, interrupted)
            # The first word lets faulthandler say where the test stands.
            os.kill(pid, signal.SIGKILL if timed_out else signal.SIGABRT)
            deadline = None if timed_out else time.monotonic() + _GRACE
            timed_out = True
        except KeyboardInterrupt:
            # The box was interrupted as well, and is about to say where.
            interrupted = True
        except ChildProcessError:
            # Somebody ignores SIGCHLD: the system keeps nothing.
            return Ending(None, 0.0, timed_out, interrupted)


def _wait4(pid: int, flags: int) -> Any:
    if hasattr(os, "wait4"):
        return os.wait4(pid, flags)
    found, status = os.waitpid(pid, flags)
    return found, status, None


def _waitpid(pid: int, flags: int) -> Any:
    return os.waitpid(pid, flags)


def _ending(found: Any, timed_out: bool, interrupted: bool) -> Ending:
    usage = found[2] if len(found) > 2 else None
    cpu = 0.0 if usage is None else usage.ru_utime + usage.ru_stime
    return Ending(found[1], cpu, timed_out, interrupted)


def _wait_until(pid: int, deadline: float, wait: Callable[[int, int], Any]) -> Any:
    """What `wait` says, or `None` when the time is over."""
    try:
        fd = os.pidfd_open(pid)
    except (AttributeError, OSError):
        return _look_until(pid, deadline, wait)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            if poll.poll(max(0, int(left * 1000) + 1)):
                return wait(pid, 0)
            if left <= 0:
                return None
    finally:
        os.close(fd)


def _look_until(pid: int, deadline: float, wait: Callable[[int, int], Any]) -> Any:
    pause = _SHORTEST
    while True:
        found = wait(pid, os.WNOHANG)
        if found[0] == pid:
            return found
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(pause, left))
        pause = min(2 * pause, _LONGEST)
