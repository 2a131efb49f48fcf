"""Leaves word of the files that this process, and what is forked from it, opens for writing.

What a run writes itself is no reason to run again. Word is left before the file changes, in a file of the controller's,
so that it can be read there whenever a change shows.
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _opened(args: Tuple[Any, ...]) -> Any:
    path, mode, flags = args
    if isinstance(mode, str):
        return path if set(mode) & set("wax+") else None
    return path if isinstance(flags, int) and flags & _WRITING else None


def _first(args: Tuple[Any, ...]) -> Any:
    return args[0]


def _second(args: Tuple[Any, ...]) -> Any:
    return args[1]


def _made(args: Tuple[Any, ...]) -> Any:
    """A directory that is there already is not made, however often somebody wants it to be."""
    return None if os.path.isdir(args[0]) else args[0]


_EVENTS: Dict[str, Tuple[Callable[[Tuple[Any, ...]], Any], ...]] = {
    "open": (_opened,),
    "os.rename": (_first, _second),
    "os.link": (_second,),
    "os.symlink": (_second,),
    "os.remove": (_first,),
    "os.mkdir": (_made,),
    "os.rmdir": (_first,),
    "os.truncate": (_first,),
    "sqlite3.connect": (_first,),
}

# Children that are forked have what the parent has.
_record: Optional[_Record] = None


class _Record:
    def __init__(self, path: str, places: Iterable[str]) -> None:
        self._path = path
        self._places = tuple(place.rstrip(os.sep) + os.sep for place in places)
        self._temp = os.path.realpath(tempfile.gettempdir()) + os.sep
        self._seen: set[str] = set()
        self._busy = False

    def audit(self, event: str, args: Tuple[Any, ...]) -> None:
        readers = _EVENTS.get(event)
        if readers is None or self._busy:
            return
        self._busy = True
        try:
            for reader in readers:
                self._note(reader(args))
        except Exception:
            # Whatever is wrong with a path is the business of who opens it.
            return
        finally:
            self._busy = False

    def _note(self, path: Any) -> None:
        if path is None or isinstance(path, int):
            return
        text = os.path.abspath(os.fsdecode(path))
        if text in self._seen or "__pycache__" in text:
            return
        self._seen.add(text)
        real = os.path.join(os.path.realpath(os.path.dirname(text)), os.path.basename(text))
        if real.startswith(self._temp) and not real.startswith(self._places):
            return
        out = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            os.write(out, os.fsencode(real) + b"\0")
        finally:
            os.close(out)


def record(path: str, places: List[str]) -> None:
    """Leave word in the file `path`; of files in the system's temporary directory only if they are in `places`."""
    global _record
    if not path or not hasattr(sys, "addaudithook"):
        return
    if _record is None:
        sys.addaudithook(_audit)
    _record = _Record(path, places)


def _audit(event: str, args: Tuple[Any, ...]) -> None:
    if _record is not None:
        _record.audit(event, args)
