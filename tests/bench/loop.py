"""The loop (`-f`): from the save of a file to the first verdict, and what its processes hold after many cycles.

A failing test compares a value that another module has. A cycle writes another value there and waits until the failure
is shown that names it. Between two cycles the loop is idle, as it is at a user's.

A suite whose installed packages take two seconds to import is one module that sleeps so long, in a directory of
installed packages; plain pytest runs the failing test alone, in turn with the loop's cycles.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Dict, Iterator, List, Optional, Type

from processes import MARK, marked
from setting import BenchError, Row, Setting, median

FAILING = "import value\n\n\ndef test_value():\n    assert value.value == 1\n"
FIRST = 1000
LIMIT = 60.0
CYCLES = (10, 100, 200)


class Loop:
    """A loop on a suite with a failing test."""

    def __init__(self, setting: Setting, suite: Path, environment: Dict[str, str], *more: str) -> None:
        self.suite = suite
        self._number = FIRST
        self._read = b""
        prepare(suite)
        command = [str(setting.binary), "--python", str(setting.python("bench-bare")), "-f", *more]
        self._process = subprocess.Popen(command, cwd=suite, env=environment, stdout=subprocess.PIPE)

    def __enter__(self) -> Loop:
        """Wait for the first run to be over."""
        self._until(f"assert {FIRST} == 1")
        self._until("waiting for changes")
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._process.terminate()
        self._process.wait(LIMIT)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def cycle(self) -> float:
        """Save, wait for the verdict, then for the run's end; seconds to the verdict."""
        self._number += 1
        self._read = b""
        begin = time.perf_counter()
        (self.suite / "tests" / "value.py").write_text(f"value = {self._number}\n")
        self._until(f"assert {self._number} == 1")
        took = time.perf_counter() - begin
        self._until("waiting for changes")
        return took

    def _until(self, text: str) -> None:
        stdout = self._process.stdout
        deadline = time.monotonic() + LIMIT
        while text.encode() not in self._read:
            if stdout is None or not select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise BenchError(f"the loop did not say `{text}` in time:\n{self._read.decode()}")
            more = os.read(stdout.fileno(), 65536)
            if not more:
                raise BenchError(f"the loop ended before it said `{text}`:\n{self._read.decode()}")
            self._read += more


def rows(setting: Setting) -> Iterator[Row]:
    """Quick on many tests, quick where imports are slow, and memory."""
    environment = dict(os.environ)
    with Loop(setting, setting.suite("trivial1k"), environment) as loop:
        loop.cycle()
        took = [loop.cycle() for _ in range(setting.rounds(15))]
    work = "loop on trivial1k with one failing test, save to verdict"
    yield Row(work, "bench-bare", "<= 0.35 s", f"{median(took):.2f} s (at most {max(took):.2f})", median(took) <= 0.35)
    yield slow_imports(setting)
    yield from memory(setting)


def slow_imports(setting: Setting) -> Row:
    """Beside plain pytest, on a suite whose imports take two seconds."""
    base = setting.scratch / "userbase"
    site = base / "lib" / "python3.11" / "site-packages"
    version = [str(setting.python("bench-bare")), "-m", "site", "--user-site"]
    environment = {**os.environ, "PYTHONUSERBASE": str(base)}
    said = subprocess.run(version, env=environment, capture_output=True, text=True, check=False).stdout.strip()
    site = Path(said) if said else site
    site.mkdir(parents=True)
    (site / "heavy.py").write_text("import time\ntime.sleep(2)\n")
    environment["PYTHONPATH"] = str(site)
    suite = setting.scratch / "heavy"
    (suite / "tests").mkdir(parents=True)
    (suite / "pytest.ini").write_text("[pytest]\n")
    (suite / "tests" / "conftest.py").write_text("import heavy\n")
    plain: List[float] = []
    took: List[float] = []
    with Loop(setting, suite, environment) as loop:
        loop.cycle()
        for _ in range(setting.rounds(7)):
            took.append(loop.cycle())
            begin = time.perf_counter()
            command = setting.plain("bench-bare", "-q", "-p", "no:cacheprovider", "tests/test_value.py")
            subprocess.run(command, cwd=suite, env=environment, capture_output=True, check=False)
            plain.append(time.perf_counter() - begin)
    work = "loop where imports take 2 s, save to verdict"
    figure = f"{median(took):.2f} s (plain pytest {median(plain):.2f} s)"
    return Row(work, "bench-bare", "<= 0.6 s", figure, median(took) <= 0.6)


def memory(setting: Setting) -> Iterator[Row]:
    """What program and fork server hold after so many cycles."""
    mark = f"loop-{os.getpid()}"
    cycles = (2, 4, 6) if setting.quick else CYCLES
    sizes: Dict[int, Dict[str, int]] = {}
    with Loop(setting, setting.suite("trivial128"), {**os.environ, MARK: mark}) as loop:
        for number in range(1, cycles[-1] + 1):
            loop.cycle()
            if number in cycles:
                sizes[number] = resident(mark, setting.binary)
    for name, limit in (("xdist", 4096), ("fork server", 4096)):
        held = [sizes[number].get(name, 0) for number in cycles]
        figure = ", ".join(f"{size} KiB after {number}" for number, size in zip(cycles, held))
        met = min(held) > 0 and held[-1] - held[0] <= limit
        yield Row(f"loop, memory of the {name}", "bench-bare", "4 MiB more at most", figure, met)


def resident(mark: str, binary: Path) -> Dict[str, int]:
    """Resident set size of the program and of the only Python process that is there while it waits, KiB."""
    found: Dict[str, int] = {}
    for pid in marked(mark):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        size = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        if size and not command.startswith(os.fsencode(binary)):
            found["fork server"] = max(found.get("fork server", 0), int(size.group(1)))
        elif size and b"-f" in command.split(b"\0"):
            found["xdist"] = int(size.group(1))
    return found


def prepare(suite: Path) -> None:
    """The failing test, and nothing that an earlier loop left."""
    for name, text in (("test_value.py", FAILING), ("value.py", f"value = {FIRST}\n")):
        (suite / "tests" / name).write_text(text)
