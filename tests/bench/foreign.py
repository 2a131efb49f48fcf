"""Suites of real projects: times, and the same number of passed tests everywhere.

Hashes are seeded for all programs: pytest-xdist, which collects in every worker, refuses `packaging` otherwise, whose
parameters come from sets.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Iterator

import timing
from setting import ROOT, BenchError, Row, Setting, failed, median, ratios

ENV = "real"
FETCH = ROOT / "tests" / "real" / "fetch.py"


def rows(setting: Setting) -> Iterator[Row]:
    """Two rows a project, for 2 and 8 workers."""
    for name in json.loads(FETCH.with_name("suites.json").read_text()):
        try:
            yield from compare(setting, name)
        except BenchError as error:
            yield failed(name, ENV, error)


def compare(setting: Setting, name: str) -> Iterator[Row]:
    """All programs on one project."""
    suite = copy(setting, name)
    passed = count(setting, suite)
    for n in (2, 8):
        programs = {"xdist": setting.xdist(ENV, n), "pytest-xdist": setting.peer(ENV, n), "pytest": setting.plain(ENV)}
        times = timing.alternate(programs, suite, setting.rounds(3), passed, {**os.environ, "PYTHONHASHSEED": "0"})
        seconds = ", ".join(f"{program} {median(found):.2f} s" for program, found in times.items())
        figure = f"{ratios(times, 'pytest-xdist', 'xdist'):.1f}x ({seconds})"
        yield Row(f"{name}, -n {n}", ENV, "published", figure)


def copy(setting: Setting, name: str) -> Path:
    """A copy of the project's source package."""
    done = subprocess.run(
        [str(setting.python(ENV)), str(FETCH), name], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BenchError(f"{name} cannot be fetched: {done.stderr}")
    suite = setting.scratch / name
    shutil.copytree(done.stdout.strip(), suite)
    return suite


def count(setting: Setting, suite: Path) -> int:
    """How many tests pass in plain pytest."""
    done = subprocess.run(
        setting.plain(ENV), cwd=suite, capture_output=True, text=True, errors="replace", check=False
    )
    found = re.findall(r"(\d+) passed", done.stdout)
    if not found:
        raise BenchError(f"plain pytest fails on {suite.name}:\n{done.stdout[-4000:]}")
    return int(found[-1])
