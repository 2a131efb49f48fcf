"""Runs with a plugin host: against pytest-xdist with the same plugin, and against the same run without the host.

Without the host the plugin's own work is not done either, so the difference is the host's and the plugin's. In the bare
environment, with a host that nothing asks for, it is the host's alone.

Start: one test in one file; the time from the start of the program to the first line of that test, with a host that
nothing asks for (`--plugin-host=always`) and without one, in turn. In the bare environment next to nothing of that is
the project's own time in `pytest_configure` and `pytest_sessionstart`. A plugin that only reports is configured while
tests are collected; here nobody says so, and everything waits for the host: the figure is the worst case.
"""

from __future__ import annotations

import os
import subprocess
import time
from typing import Dict, Iterator, List

import suites
from setting import BenchError, Row, Setting, failed, median, ratios
from timing import alternate

ENV = "bench-ten"
# By name: what is asked of the plugin.
PLUGINS = {
    "pytest-html": ["--html={scratch}/report.html"],
    "pytest-cov": ["--cov=tests", "--cov-report=", "--fork=collected"],
}
# Suite: least times faster than pytest-xdist, at 2 and at 8 workers.
TARGETS = {2: 2.0, 8: 3.0}
SHARE = 1.15
START_MS = 50
WITHOUT = "--plugin-host=never"

FIRST = """
import os
import time


def test_first():
    with open(os.environ["BENCH_NOTES"], "w") as notes:
        notes.write(repr(time.clock_gettime(time.CLOCK_MONOTONIC)))
"""


def rows(setting: Setting) -> Iterator[Row]:
    """Two rows for each plugin, suite and number of workers, and one for the start."""
    for plugin, words in PLUGINS.items():
        more = [word.format(scratch=setting.scratch) for word in words]
        for suite in ("trivial1k", "trivial10k"):
            for n, least in TARGETS.items():
                try:
                    yield from compare(setting, plugin, more, suite, n, least)
                except BenchError as error:
                    yield failed(f"{suite}, -n {n}, {plugin}", ENV, error)
    for suite in ("trivial1k", "trivial10k"):
        for n in TARGETS:
            programs = {
                "xdist": setting.xdist("bench-bare", n, "--plugin-host=always"),
                "alone": setting.xdist("bench-bare", n, WITHOUT),
            }
            times = alternate(programs, setting.suite(suite), setting.rounds(5), suites.count(suite))
            yield share(f"{suite}, -n {n}, plugin host", "bench-bare", times)
    each = start_ms(setting)
    yield Row("plugin host, start", "bench-bare", f"<= {START_MS} ms", f"{each:.0f} ms", each <= START_MS)


def compare(setting: Setting, plugin: str, more: List[str], suite: str, n: int, least: float) -> Iterator[Row]:
    """One plugin, on one suite."""
    peers = [word for word in more if not word.startswith("--fork")]
    programs: Dict[str, List[str]] = {
        "xdist": setting.xdist(ENV, n, *more),
        "alone": setting.xdist(ENV, n, *more, WITHOUT),
        "pytest-xdist": setting.peer(ENV, n, *peers),
    }
    times = alternate(programs, setting.suite(suite), setting.rounds(3), suites.count(suite))
    seconds = {name: f"{median(found):.2f} s" for name, found in times.items()}
    work = f"{suite}, -n {n}, {plugin}"
    faster = ratios(times, "pytest-xdist", "xdist")
    figure = f"{faster:.1f}x ({seconds['xdist']} against {seconds['pytest-xdist']})"
    yield Row(work, ENV, f">= {least:g}x faster than pytest-xdist", figure, faster >= least)
    yield share(work, ENV, times)


def share(work: str, env: str, times: Dict[str, List[float]]) -> Row:
    """What the host costs."""
    slower = ratios(times, "xdist", "alone")
    figure = f"{slower:.2f}x ({median(times['xdist']):.2f} s against {median(times['alone']):.2f} s)"
    return Row(work, env, f"<= {SHARE:g}x the time with {WITHOUT}", figure, slower <= SHARE)


def start_ms(setting: Setting) -> float:
    """Milliseconds that the host adds before the first test."""
    suite = setting.scratch / "first"
    suite.mkdir()
    (suite / "pytest.ini").write_text("[pytest]\n")
    (suite / "test_first.py").write_text(FIRST)
    hosted, alone = [], []
    for number in range(setting.rounds(9) + 1):
        for found, word in ((hosted, "--plugin-host=always"), (alone, WITHOUT)):
            seconds = until_first(setting, setting.xdist("bench-bare", 1, word), suite)
            if number:
                found.append(seconds)
    return (median(hosted) - median(alone)) * 1000


def until_first(setting: Setting, command: List[str], suite: os.PathLike[str]) -> float:
    """Seconds from the start of the program to the first test."""
    notes = setting.scratch / "first-notes"
    notes.unlink(missing_ok=True)
    began = time.clock_gettime(time.CLOCK_MONOTONIC)
    environment = {**os.environ, "BENCH_NOTES": str(notes)}
    done = subprocess.run(command, cwd=suite, env=environment, capture_output=True, timeout=120, check=False)
    if done.returncode != 0 or not notes.exists():
        raise BenchError(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stdout.decode()}")
    return float(notes.read_text()) - began
