"""Files that a process maps to leave word in memory: what stands there outlives it, and costs no call of the system."""

from __future__ import annotations

import mmap
import os


def mapped_file(path: str, size: int, flags: int) -> mmap.mmap:
    """Map a file of `size` zero bytes, opened with `flags`. Without room for it: `OSError`, and no file is left."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)
    try:
        # A hole in the file would be a fatal signal later, where there is no room left.
        if os.write(fd, bytes(size)) != size:
            raise OSError(f"no room for {path}")
        return mmap.mmap(fd, size)
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(fd)
