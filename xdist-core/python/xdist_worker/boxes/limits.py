"""The limits of a box: time, processor time and memory, as the options give them and as the system keeps them.

Memory is what the box has beyond what its worker had: private pages that it may write (RLIMIT_DATA), so that large
libraries, which are mapped and shared, do not count. Processor time is RLIMIT_CPU, in whole seconds. Only soft limits
are set, and that of memory is lifted before the box tells what came of it.
"""

from __future__ import annotations

import argparse
import math
import signal
from typing import Any, Optional

try:
    import resource
except ImportError:  # pragma: no cover - no such limits on this system
    resource = None  # type: ignore[assignment]

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SUFFIXES = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


class Amount(float):
    """A number that remembers how it was typed."""

    text: str

    @classmethod
    def of(cls, number: float, text: str) -> Amount:
        """`number`, typed as `text`."""
        made = cls(number)
        made.text = text
        return made


def seconds(text: str) -> Amount:
    """The argument of `--box-timeout` and `--box-cpu`: `5`, `0.5`, `2m`."""
    word = text.strip().lower()
    suffix = word[-1:] if word[-1:].isalpha() else ""
    return _positive(text, word[: len(word) - len(suffix)], _SUFFIXES.get(suffix), "a time such as 5, 0.5 or 2m")


def size(text: str) -> Amount:
    """The argument of `--box-memory`: bytes, or with a unit: `500M`, `2GiB`."""
    word = text.strip().lower()
    number = word.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = word[len(number) :]
    for ending in ("ib", "b"):
        if len(unit) > len(ending) and unit.endswith(ending):
            unit = unit[: -len(ending)]
    return _positive(text, number, _UNITS.get(unit), "a size such as 500M or 2G")


def _positive(text: str, number: str, factor: Optional[float], what: str) -> Amount:
    try:
        value = float(number) * factor if factor is not None else math.nan
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return Amount.of(value, text)


class Limits:
    """What a box may take."""

    def __init__(self, option: Any) -> None:
        self.timeout: Optional[Amount] = getattr(option, "box_timeout", None)
        self.cpu: Optional[Amount] = getattr(option, "box_cpu", None)
        self.memory: Optional[Amount] = getattr(option, "box_memory", None)
        self._in_force = False
        self.any = self.cpu is not None or self.memory is not None

    def apply(self) -> None:
        """In the box, before the test."""
        self._in_force = True
        if resource is None:
            return
        if self.cpu is not None:
            soft = max(1, math.ceil(self.cpu))
            hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
            # One second more for a test that ignores the first word.
            _set(resource.RLIMIT_CPU, soft, soft + 1 if hard == resource.RLIM_INFINITY else min(hard, soft + 1))
        if self.memory is not None:
            _set(resource.RLIMIT_DATA, _data_size() + int(self.memory), resource.getrlimit(resource.RLIMIT_DATA)[1])

    def lift(self) -> None:
        """In the box: there must be memory to tell of the test."""
        if resource is not None and self.memory is not None:
            hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
            _set(resource.RLIMIT_DATA, hard, hard)

    def over_memory(self, error: Optional[BaseException]) -> str:
        """In the box: which limit a failure is about, if any."""
        if self.memory is None or not self._in_force or not isinstance(error, MemoryError):
            return ""
        return f"over --box-memory {self.memory.text}"

    def over(self, timed_out: bool, signal_number: int, cpu_seconds: float) -> str:
        """In the worker: which limit the box was ended by, if any."""
        if timed_out and self.timeout is not None:
            return f"over --box-timeout {self.timeout.text}"
        # The second signal is for those that take no notice of the first.
        taken = signal_number == signal.SIGKILL and self.cpu is not None and cpu_seconds >= math.ceil(self.cpu)
        if self.cpu is not None and (taken or signal_number == getattr(signal, "SIGXCPU", None)):
            return f"over --box-cpu {self.cpu.text}"
        if self.memory is not None and signal_number in (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS):
            return f"with --box-memory {self.memory.text}, which may have been met"
        return ""


def _set(which: int, soft: int, hard: int) -> None:
    try:
        resource.setrlimit(which, (soft, hard) if hard == resource.RLIM_INFINITY else (min(soft, hard), hard))
    except (OSError, ValueError):
        # A lower limit of the user's is in force.
        return


def _data_size() -> int:
    """Bytes that count for RLIMIT_DATA in this process already; 0 where the system does not tell."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("VmData:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return 0
    return 0
