"""What a box that died leaves: its stack by faulthandler, what it had written, its words to pytest's terminal."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from typing import Any, List, Tuple

from ..link import high_descriptor

try:
    from _pytest.faulthandler import fault_handler_stderr_fd_key
except ImportError:  # pragma: no cover - pytest before 7.1, or without that module
    fault_handler_stderr_fd_key = None  # type: ignore[assignment]

# Bytes kept of each.
_MOST = 16 << 10
_OVER_CPU = getattr(signal, "SIGXCPU", None)


class Remains:
    """One file for the stacks of all boxes of a worker, and a look at pytest's capturing."""

    def __init__(self, config: Any, limits_cpu: bool) -> None:
        self._manager = config.pluginmanager.getplugin("capturemanager")
        self._fd = -1
        faulthandler = sys.modules.get("faulthandler")
        self._faults: Any = faulthandler if faulthandler is not None and faulthandler.is_enabled() else None
        self._limits_cpu = limits_cpu
        self._usual = config.stash.get(fault_handler_stderr_fd_key, 2) if fault_handler_stderr_fd_key else 2
        self.words: Any = None
        if self._faults is not None:
            try:
                with tempfile.TemporaryFile() as file:
                    self._fd = high_descriptor(file.fileno())
            except OSError:
                self._faults = None

    def watch_boxes(self) -> None:
        """Stacks of processes that are forked from now on go to the file."""
        if self._faults is not None:
            self._faults.enable(file=self._fd, all_threads=True)
            if self._limits_cpu and _OVER_CPU is not None:
                self._faults.register(_OVER_CPU, file=self._fd, all_threads=True, chain=True)

    def watch_worker(self) -> None:
        """The worker itself runs code of the project: its stack goes where it always went."""
        if self._faults is not None:
            self._faults.enable(file=self._usual, all_threads=True)

    def read(self) -> Tuple[str, List[Tuple[str, str]]]:
        """In the worker: what a dead box wrote, as one text, and the captured part by streams."""
        parts: List[str] = []
        sections: List[Tuple[str, str]] = []
        if self._manager is not None and self._manager.is_globally_capturing():
            for name, text in zip(("out", "err"), self._manager.read_global_capture()):
                if isinstance(text, str) and text:
                    parts.append(text[-_MOST:])
                    sections.append((f"Captured std{name} of the box", text[-_MOST:]))
        if self.words is not None:
            parts.append(self.words.text().lstrip("\n"))
        parts.append(self._stack())
        return "\n".join(part.rstrip("\n") for part in parts if part.strip()), sections

    def _stack(self) -> str:
        if self._fd < 0:
            return ""
        try:
            size = os.fstat(self._fd).st_size
            if not size:
                return ""
            data = os.pread(self._fd, _MOST, 0)
            os.ftruncate(self._fd, 0)
            os.lseek(self._fd, 0, os.SEEK_SET)
        except OSError:
            return ""
        return data.decode("utf-8", "replace")

    def forget(self) -> None:
        """The next box begins with nothing."""
        if self.words is not None:
            self.words.forget_others()
