"""How an interpreter becomes the end of a link: descriptors, directory, environment; and what it says of itself."""

from __future__ import annotations

import os
import sys

from execnet_endpoint.endpoint import Endpoint
from execnet_endpoint.frames import WireError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def describe_host() -> dict[str, Any]:
    """What `rinfo` shows."""
    memory = None
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        pass
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "executable": sys.executable,
        "version_info": list(sys.version_info[:3]) + [sys.version_info[3], sys.version_info[4]],
        "implementation": sys.implementation.name,
        "platform": sys.platform,
        "cwd": os.getcwd(),
        "pid": os.getpid(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "memory": memory,
    }


def _take_descriptors() -> tuple[int, int]:
    """Moves the link out of the way of code that prints to, closes or redirects the usual descriptors."""
    import fcntl

    taken = []
    for descriptor in (0, 1):
        for least in (900, 200, 3):
            try:
                moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD, least)
                os.set_inheritable(moved, False)
                taken.append(moved)
                break
            except OSError:
                continue
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    try:
        os.dup2(2, 1)
    except OSError:
        os.dup2(null, 1)
    if null > 2:
        os.close(null)
    return taken[0], taken[1]


def main(settings: dict[str, Any]) -> None:
    """Serves the other side of standard input and output until it goes."""
    if settings.get("chdir"):
        os.makedirs(settings["chdir"], exist_ok=True)
        os.chdir(settings["chdir"])
    if settings.get("nice"):
        os.nice(settings["nice"])
    sys.argv = ["-c"]
    endpoint = Endpoint(*_take_descriptors(), settings, describe_host)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=endpoint.forked)
    try:
        endpoint.greet()
        endpoint.serve()
    except WireError as error:
        sys.stderr.write(f"execnet_endpoint: {error}\n")
        sys.stderr.flush()
        os._exit(1)
