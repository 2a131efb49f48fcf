"""Descriptors opened before the fork whose state or offset all workers would share."""

from __future__ import annotations

import fcntl
import os
from typing import Any

from ..afterfork import connections
from . import owners
from .origins import Origins
from .processes import resource_tracker

_ANONYMOUS = {
    "[eventpoll]": "an epoll instance (event loop)",
    "[eventfd]": "an eventfd",
    "[timerfd]": "a timerfd",
    "[signalfd]": "a signalfd",
    "[io_uring]": "an io_uring instance",
    "[pidfd]": "a pidfd",
    "inotify": "an inotify instance",
    "[fanotify]": "a fanotify instance",
}
_DEVICES = {
    "/dev/nvidia": "an NVIDIA device",
    "/dev/kfd": "an AMD compute device",
    "/dev/dri/": "a graphics device",
    "/dev/infiniband/": "an InfiniBand device",
    "/dev/accel": "an accelerator",
}
# `O_ACCMODE`, which not every interpreter has.
ACCESS_MODE = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
_SQLITE = b"SQLite format 3\0"
_DATA_BASE = "the SQLite data base"


class Descriptors:
    """Descriptors opened since `start`."""

    def __init__(self) -> None:
        self._before: dict[int, str] = {}
        self._allowed: set[int] = set()

    def start(self) -> None:
        """Remember what is open."""
        self._before = _links()

    def allow(self, descriptor: int) -> None:
        """This one is the program's own."""
        self._allowed.add(descriptor)

    def check(self, config: Any, origins: Origins) -> str | None:
        """The first open descriptor that workers must not share."""
        # A link that was open before is a duplicate: capture's and faulthandler's copies of the standard streams.
        known = {link for link in self._before.values() if not link.startswith("/")}
        known.update(self._before.get(fd, "") for fd in (0, 1, 2))
        new = [(fd, link) for fd, link in sorted(_links().items()) if self._before.get(fd) != link]
        new = [(fd, link) for fd, link in new if link not in known and fd not in self._allowed]
        if not new:
            return None
        own = _repaired(config)
        for fd, link in new:
            if fd in own:
                continue
            what = _judge(fd, link)
            if what is not None:
                path = link if what.startswith(_DATA_BASE) else ""
                return f"{what} is open ({owners.describe(fd, path, config, origins)})"
        return None


def _links() -> dict[int, str]:
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return {}
    found = {}
    for name in names:
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
    return found


def _judge(fd: int, link: str) -> str | None:
    if link.startswith("socket:"):
        return owners.socket_text(fd)
    if link.startswith("pipe:"):
        return "a pipe"
    if link.startswith("anon_inode:"):
        kind = link.partition(":")[2]
        return _ANONYMOUS.get(kind, f"a descriptor of kind {kind}")
    for prefix, what in _DEVICES.items():
        if link.startswith(prefix):
            return what
    if not link.startswith("/") or (link.startswith("/dev/") and not link.startswith("/dev/shm/")):
        return None
    return _judge_file(fd, link)


def _judge_file(fd: int, link: str) -> str | None:
    if not owners.is_regular(fd):
        return None
    path = link.replace(" (deleted)", "")
    try:
        sqlite = os.pread(fd, len(_SQLITE), 0) == _SQLITE
    except OSError:
        sqlite = False
    if sqlite:
        return f"{_DATA_BASE} {path}"
    writable = fcntl.fcntl(fd, fcntl.F_GETFL) & ACCESS_MODE != os.O_RDONLY
    return f"the file {path}, for writing," if writable else None


def _repaired(config: Any) -> set[int]:
    """What every worker gets anew or may share: capture's files, pytest's log file, plugins' connections, the resource
    tracker.
    """
    own = connections.descriptors(config)
    capture = config.pluginmanager.getplugin("capturemanager")
    streams = getattr(capture, "_global_capturing", None)
    for name in ("in_", "out", "err"):
        own |= _fileno(getattr(getattr(streams, name, None), "tmpfile", None))
    logging_plugin = config.pluginmanager.getplugin("logging-plugin")
    own |= _fileno(getattr(getattr(logging_plugin, "log_file_handler", None), "stream", None))
    tracker = resource_tracker()
    if tracker is not None and tracker._fd is not None:
        own.add(tracker._fd)
    return own


def _fileno(stream: Any) -> set[int]:
    try:
        return {stream.fileno()}
    except (AttributeError, OSError, ValueError):
        return set()
