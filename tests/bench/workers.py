"""What one more worker costs, and how soon a replacement works.

Memory: on trivial1k a conftest holds every worker at the end of its session until all are there. Then the PSS of all
processes of the run is summed. The sum at 2 workers is taken from the sum at 10; an eighth of it is one more worker.

Start: whole runs of 128 tests that do nothing, at 2 and at 34 workers in turn; a 32nd of the difference of the medians.

Replacement: one worker; every second test notes the time and kills its process, the next one notes the time when it
starts. Both read the system's monotonic clock.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Iterator, List

import suites
from processes import MARK, marked, pss_kib
from setting import BenchError, Row, Setting, median
from timing import alternate

HOLDING = '''
import os
import time
from pathlib import Path


def pytest_sessionfinish(session):
    folder = Path(os.environ["BENCH_FOLDER"])
    (folder / ("held-%d" % os.getpid())).touch()
    deadline = time.monotonic() + 60
    while not (folder / "go").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
'''

DYING = '''
import os
import time

import pytest


def note(kind):
    with open(os.environ["BENCH_NOTES"], "a") as notes:
        notes.write("%s %r\\n" % (kind, time.clock_gettime(time.CLOCK_MONOTONIC)))


@pytest.mark.parametrize("number", range(40))
def test_in_turn(number):
    if number % 2:
        note("died")
        os.kill(os.getpid(), 9)
    else:
        note("started")
'''


def rows(setting: Setting) -> Iterator[Row]:
    """Memory, start and replacement."""
    few, many = memory(setting, 2), memory(setting, 10)
    each = (many - few) / 8 / 1024
    yield Row("one more worker, trivial1k", "bench-bare", "<= 12 MiB of PSS", f"{each:.1f} MiB", each <= 12)
    programs = {"few": setting.xdist("bench-bare", 2), "many": setting.xdist("bench-bare", 34)}
    times = alternate(programs, setting.suite("trivial128"), setting.rounds(9), suites.count("trivial128"))
    each = (median(times["many"]) - median(times["few"])) / 32 * 1000
    yield Row("one more worker, start", "bench-bare", "<= 10 ms", f"{each:.1f} ms", each <= 10)
    found = replacement(setting)
    figure = f"{median(found):.1f} ms ({min(found):.1f}-{max(found):.1f} in {len(found)} deaths)"
    yield Row("a replacement's first test", "bench-bare", "<= 50 ms after the death", figure, median(found) <= 50)


def memory(setting: Setting, n: int) -> int:
    """PSS of all processes of a run with `n` workers that have done their tests, KiB."""
    suite = setting.scratch / f"holding{n}"
    shutil.copytree(setting.suite("trivial1k"), suite)
    (suite / "conftest.py").write_text(HOLDING)
    folder = setting.scratch / f"held{n}"
    folder.mkdir()
    mark = f"memory-{n}-{os.getpid()}"
    environment = {**os.environ, MARK: mark, "BENCH_FOLDER": str(folder)}
    command = setting.xdist("bench-bare", n)
    with subprocess.Popen(command, cwd=suite, env=environment, stdout=subprocess.DEVNULL) as run:
        try:
            await_files(run, folder, n)
            total = sum(pss_kib(marked(mark)).values())
        finally:
            (folder / "go").touch()
        if run.wait(60) != 0:
            raise BenchError(f"`{' '.join(command)}` in {suite} ended with {run.returncode}")
    return total


def await_files(run: subprocess.Popen[bytes], folder: Path, n: int) -> None:
    """Wait until so many workers are held."""
    deadline = time.monotonic() + 60
    while len(list(folder.glob("held-*"))) < n:
        if time.monotonic() > deadline or run.poll() is not None:
            raise BenchError(f"of {n} workers, {len(list(folder.glob('held-*')))} came to their end")
        time.sleep(0.01)


def replacement(setting: Setting) -> List[float]:
    """Milliseconds from each death to the start of the next test."""
    suite = setting.scratch / "dying"
    suite.mkdir()
    (suite / "pytest.ini").write_text("[pytest]\n")
    (suite / "test_dying.py").write_text(DYING)
    notes = setting.scratch / "notes"
    command = setting.xdist("bench-bare", 1, "--max-worker-restart=100", "-q", "-p", "no:cacheprovider")
    environment = {**os.environ, "BENCH_NOTES": str(notes)}
    done = subprocess.run(command, cwd=suite, env=environment, capture_output=True, timeout=120, check=False)
    lines = [line.split() for line in notes.read_text().splitlines()]
    pairs = zip(lines, lines[1:])
    waits = [(float(then[1]) - float(now[1])) * 1000 for now, then in pairs if (now[0], then[0]) == ("died", "started")]
    if done.returncode != 1 or len(waits) < 15:
        raise BenchError(f"replacements: {json.dumps(waits)}, exit code {done.returncode}\n{done.stdout.decode()}")
    return waits
