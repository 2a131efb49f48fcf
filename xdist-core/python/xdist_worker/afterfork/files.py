"""Regular files opened for reading before the fork: each worker reads at an offset of its own.

Files opened for writing are evidence against forking after collection and not touched here.
"""

from __future__ import annotations

import fcntl
import os
import stat

from .context import Worker
from .stdio import open_descriptors, put_over

ACCESS_MODE = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
"""`O_ACCMODE`, which not every interpreter has."""


def own_offsets(_worker: Worker) -> None:
    """Open each read-only file once more, at the same offset, under the same number."""
    for fd in open_descriptors():
        if fd > 2:
            _reopen(fd)


def _reopen(fd: int) -> None:
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        if flags & ACCESS_MODE != os.O_RDONLY or flags & getattr(os, "O_PATH", 0):
            return
        offset = os.lseek(fd, 0, os.SEEK_CUR)
        new = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
    except OSError:
        return
    try:
        os.lseek(new, offset, os.SEEK_SET)
        put_over(new, fd)
    finally:
        os.close(new)
