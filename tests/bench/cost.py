"""What a passed test costs on its way from the worker to its verdict, in CPU time.

Worker: a conftest in trivial10k reads the thread's CPU clock around every test and around every
`pytest_runtest_logreport`, the three of a test. What lies between two tests and what happens inside that hook is the
cost of telling. It is measured in a worker, and in plain pytest that tells nobody (`-p no:terminal`), in turn; the
difference of the least figures is the way to the controller, without what pytest's own plugins do in the same place.
Whatever else the machine does can only add to CPU time, through caches and cores that are shared: hence the least. On a
busy machine the figure is several times that of an idle one. The conftest has a hook that would bring a plugin host
into the run, to which reports go whole: it is told to stay away, since none of the timed suites has one.

Controller: CPU time of the `xdist` process alone for trivial20k less that for trivial10k, at two workers, read when
the process has ended and before it is reaped; a ten-thousandth of the difference of the medians.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterator, List

import suites
from processes import own_cpu_seconds
from setting import BenchError, Row, Setting, median

METER = '''
import os
import time

import pytest

clock = time.thread_time_ns
meter = {"between": 0, "telling": 0, "tests": 0, "reports": 0, "left": None}


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    if meter["left"] is not None:
        meter["between"] += clock() - meter["left"]
        meter["tests"] += 1
    yield
    meter["left"] = clock()


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_logreport(report):
    begin = clock()
    yield
    meter["telling"] += clock() - begin
    meter["reports"] += 1


def pytest_sessionfinish(session):
    if not meter["tests"]:
        return
    begin = clock()
    for _ in range(10000):
        clock()
    each = (clock() - begin) / 10000
    spent = meter["between"] + meter["telling"] - each * (meter["tests"] + meter["reports"])
    with open(os.environ["BENCH_METER"], "w") as file:
        file.write("%r" % (spent / meter["tests"] / 1000))
'''


def rows(setting: Setting) -> Iterator[Row]:
    """Worker and controller."""
    each = worker_us(setting)
    yield Row("a passed test, worker's CPU", "bench-bare", "<= 20 us", f"{each:.1f} us", each <= 20)
    short, long = [], []
    for _ in range(setting.rounds(3)):
        short.append(controller_seconds(setting, "trivial10k"))
        long.append(controller_seconds(setting, "trivial20k"))
    each = (median(long) - median(short)) * 1e6 / (suites.count("trivial20k") - suites.count("trivial10k"))
    yield Row("a passed test, controller's CPU", "bench-bare", "<= 20 us", f"{each:.1f} us", each <= 20)


def worker_us(setting: Setting) -> float:
    """Microseconds of a worker's CPU for each passed test, beside what pytest itself spends."""
    suite = setting.scratch / "metered"
    shutil.copytree(setting.suite("trivial10k"), suite)
    (suite / "conftest.py").write_text(METER)
    worker, silent = [], []
    for _ in range(setting.rounds(5)):
        worker.append(metered_us(setting.xdist("bench-bare", 1, "--plugin-host=never"), suite))
        silent.append(metered_us(setting.plain("bench-bare", "-p", "no:terminal"), suite))
    return min(worker) - min(silent)


def metered_us(command: List[str], suite: Path) -> float:
    """What the meter says after one run."""
    path = suite / "meter"
    path.unlink(missing_ok=True)
    environment = {**os.environ, "BENCH_METER": str(path)}
    done = subprocess.run(command, cwd=suite, env=environment, capture_output=True, check=False)
    if done.returncode != 0 or not path.exists():
        raise BenchError(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stdout.decode()}")
    return float(path.read_text())


def controller_seconds(setting: Setting, suite: str) -> float:
    """CPU seconds of the `xdist` process alone."""
    command = setting.xdist("bench-bare", 2, "-q")
    with subprocess.Popen(command, cwd=setting.suite(suite), stdout=subprocess.DEVNULL) as run:
        os.waitid(os.P_PID, run.pid, os.WEXITED | os.WNOWAIT)
        seconds = own_cpu_seconds(run.pid)
        if run.wait() != 0:
            raise BenchError(f"`{' '.join(command)}` ended with {run.returncode}")
    return seconds
