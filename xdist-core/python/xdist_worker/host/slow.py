"""Names the plugin's hook that the host is in, where one takes very long.

The controller asks by a signal, once a minute: a hook that is found twice has run for that long. Nothing is counted or
measured while the host works.
"""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Any, Optional

from ..link import Link

ASKING = signal.SIGURG
"""Does nothing to a program that does not know it."""

_HERE = __name__.partition(".")[0]
_NOT_PLUGINS = ("_pytest", "pytest", "pluggy", _HERE)


class SlowHook:
    """Tells the controller, once."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._seen: Optional[FrameType] = None
        self._told = False

    def listen(self) -> None:
        """Answer from now on."""
        signal.signal(ASKING, self._look)
        # What a plugin waits for is not to be broken off.
        signal.siginterrupt(ASKING, False)

    def _look(self, _number: int, frame: Optional[FrameType]) -> None:
        # The frame itself is the call: as long as it is held there is no other like it.
        hook = None if self._told or not self._link.is_own() else _hook(frame)
        before, self._seen = self._seen, hook
        if hook is not None and hook is before:
            self._told, self._seen = True, None
            self._link.send({"slow_hook": f"{hook.f_code.co_name} ({_shown(hook.f_code.co_filename)}:{hook.f_lineno})"})


def _shown(path: str) -> str:
    try:
        return os.path.relpath(path)
    except OSError:
        # A plugin removed the working directory.
        return path


def _hook(frame: Optional[FrameType]) -> Optional[FrameType]:
    """The innermost function of a plugin that pluggy called, or `following` in its place."""
    while frame is not None:
        caller = frame.f_back
        if caller is not None and _package(caller) in ("pluggy", _HERE) and _package(frame) not in _NOT_PLUGINS:
            return frame
        frame = caller
    return None


def _package(frame: Any) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
