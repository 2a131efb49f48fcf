"""Memory shared with other processes: a lock in it that dies with one worker blocks its siblings."""

from __future__ import annotations

import os

_MAPS = "/proc/self/maps"


def _lines() -> list[bytes]:
    try:
        with open(_MAPS, "rb") as file:
            return file.read().splitlines()
    except OSError:
        return []


def shared() -> set[bytes]:
    """Writable shared mappings: device, inode and path of each."""
    return {line.split(None, 3)[3] for line in _lines() if b" rw-s " in line}


def check(before: set[bytes]) -> str | None:
    """The first writable shared mapping that was not there before."""
    for mapping in sorted(shared() - before):
        path = os.fsdecode(mapping.split(None, 2)[-1]) if mapping.count(b"/") else ""
        if "/dev/shm/sem." in path:
            return "a multiprocessing lock, semaphore or queue exists (made before the fork)"
        if path.startswith("/dev/zero"):
            return "anonymous shared memory is mapped"
        return f"shared memory is mapped ({path.replace(' (deleted)', '') or 'anonymous'})"
    return None


def mapped_files() -> set[str]:
    """Base names of all mapped files."""
    names = set()
    for line in _lines():
        parts = line.split(None, 5)
        if len(parts) == 6 and parts[5].startswith(b"/"):
            names.add(os.path.basename(os.fsdecode(parts[5])))
    return names
