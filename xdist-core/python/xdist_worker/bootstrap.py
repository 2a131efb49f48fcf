"""The first steps of an interpreter that xdist started: make it look as the `pytest` command would, then connect.

`boot.txt` beside this file is the text that the `xdist` program embeds and runs:

    python <the user's own arguments> -c BOOT <directory of this package> <socket path> [<role> <id> [<incarnation>]]

It takes the current directory out of `sys.path` before anything is imported (a `types.py` there must not shadow the
standard library), imports this package by explicit specification, so that no entry of `sys.path` is needed or left
behind, and allows `.pyc` files for this package alone. Without a role the process is a fork server; with `session` or
`worker` it is a fresh interpreter that will itself become what the first `fork` request says.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from contextlib import contextmanager
from typing import Iterator


@contextmanager
def own_bytecode() -> Iterator[None]:
    """Allow `.pyc` files while modules of this package are imported, whatever the user chose for the others."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = False
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def scripts_dir() -> str:
    """The directory in which the `pytest` command of this interpreter stands: its `sys.path[0]`."""
    installed = sysconfig.get_path("scripts")
    for candidate in (installed, os.path.dirname(sys.executable)):
        if candidate and os.path.exists(os.path.join(candidate, "pytest")):
            return candidate
    return installed or os.path.dirname(sys.executable)


def become_pytest() -> None:
    """Make the main module look as under `python -m pytest`, whose children `multiprocessing` spawns from it.

    The program text of this process has run to its last line: its names are of no more use.
    """
    from importlib.util import find_spec

    main = sys.modules["__main__"]
    try:
        spec = find_spec("pytest.__main__")
    except (ImportError, AttributeError, ValueError):
        return
    if spec is None or not spec.origin:
        return
    names = vars(main)
    for name in [name for name in names if not name.startswith("__")]:
        del names[name]
    names.update(__file__=spec.origin, __loader__=spec.loader, __package__=spec.parent, __spec__=spec)


def main(had_cwd_entry: bool) -> None:
    """Connect to the controller and serve it. Does not return before the process has nothing left to do."""
    try:
        socket_path = sys.argv[2]
        role, name = (sys.argv[3], sys.argv[4]) if len(sys.argv) > 4 else ("server", "server")
        incarnation = int(sys.argv[5]) if len(sys.argv) > 5 else 0
    except (IndexError, ValueError):
        sys.exit("xdist: the worker package is started by the xdist program only")
    sys.argv[:] = ["-c"]
    if had_cwd_entry:
        sys.path.insert(0, scripts_dir())
    with own_bytecode():
        from .link import Link
        from .server import Server
    try:
        link = Link.connect(socket_path)
    except OSError as error:
        sys.exit(f"xdist: cannot reach the xdist program at {socket_path}: {error}")
    try:
        job = Server(link, socket_path, role, name, incarnation).serve()
    except Exception as error:
        link.close()
        sys.exit(f"xdist: the fork server failed: {type(error).__name__}: {error}")
    if job is None:
        # Left to the garbage collector, it would be warned about under `-X dev`.
        link.close()
    else:
        job()
