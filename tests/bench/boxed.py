"""Boxes: what one costs beside a bare fork of the same process, what is left of many, and how fast they are beside
pytest-forked.

A conftest has a fixture of the session, which stands in the worker from before the first box until after the last. It
reads the CPU time of the worker and of its boxes in between, and right afterwards that of a few hundred bare forks of
the same process: fork, exit, wait; and that of as many forks in which pytest's own part of a test runs, and nobody
hears of it. A box counts with all that pytest does for a test that does nothing, so that is as little as a box can
cost. The same fixture looks at descriptors, children and resident memory of the worker, at the start and after 10 000
boxes.

Beside pytest-forked it is the wall time of whole runs, in turn, on the newest pytest on which that one works.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any, Dict, Iterator, List

from setting import BenchError, Row, Setting, median, ratios
from timing import alternate

METER = '''
import json
import os
import resource

import pytest
from _pytest.runner import runtestprotocol

FORKS = 400


def cpu():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1024


def children():
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return len(file.read().split())


def state():
    return {"descriptors": len(os.listdir("/proc/self/fd")), "children": children(), "resident": resident()}


def forks(job):
    begin = cpu()
    for _ in range(FORKS):
        pid = os.fork()
        if pid == 0:
            os._exit(job())
        assert os.waitpid(pid, 0)[1] == 0
    return (cpu() - begin) / FORKS


@pytest.fixture(scope="session", autouse=True)
def meter(request):
    items = request.session.items

    def protocol():
        reports = runtestprotocol(items[-1], log=False, nextitem=None)
        return int([report.outcome for report in reports] != ["passed"] * 3)

    before, begin = state(), cpu()
    yield
    boxes, after = (cpu() - begin) / len(items), state()
    found = {"box": boxes, "bare": forks(lambda: 0), "least": forks(protocol), "before": before, "after": after}
    with open(os.environ["BENCH_METER"], "w") as file:
        json.dump(found, file)
'''


def rows(setting: Setting) -> Iterator[Row]:
    """Cost, leaks, and the peer."""
    found = [metered(setting, "trivial1k") for _ in range(setting.rounds(5))]
    times = median([one["box"] / one["bare"] for one in found])
    each = ", ".join("/".join(f"{one[name] * 1e3:.2f}" for name in ("box", "least", "bare")) for one in found)
    work = "trivial1k --boxed, CPU of a box against a bare fork"
    yield Row(work, "bench-bare", "<= 2.5 times", f"{times:.2f} times ({each} ms)", times <= 2.5)
    times = median([one["box"] / one["least"] for one in found])
    work = "trivial1k --boxed, CPU of a box against pytest's own part in a bare fork"
    yield Row(work, "bench-bare", "published", f"{times:.2f} times")
    yield leaks(setting)
    programs = {
        "xdist": [*setting.xdist("bench-forked", 1, "--boxed", "-q")],
        "forked": [*setting.plain("bench-forked", "--forked", "-q")],
    }
    times = ratios(alternate(programs, setting.suite("trivial1k"), setting.rounds(3), 1000), "forked", "xdist")
    work = "trivial1k --boxed against pytest-forked, wall"
    yield Row(work, "bench-forked", ">= 3 times faster", f"{times:.2f} times", times >= 3)


def leaks(setting: Setting) -> Row:
    """What a worker has after many boxes that it had not before."""
    name = "trivial1k" if setting.quick else "trivial10k"
    found = metered(setting, name)
    before, after = found["before"], found["after"]
    grown = after["resident"] - before["resident"]
    kept = after["descriptors"] - before["descriptors"], after["children"] - before["children"]
    # The channel and what the controller was told of tests belong to a run, not to a box: some pages in all.
    met = kept[0] <= 2 and kept[1] == 0 and grown <= 8 * 1024
    figure = f"{kept[0]} descriptors, {kept[1]} children, {grown} KiB"
    return Row(f"{name} --boxed, what a worker has more", "bench-bare", "<= 2, 0, 8 MiB", figure, met)


def metered(setting: Setting, name: str) -> Dict[str, Any]:
    """What the fixture found in one run."""
    suite = setting.scratch / f"boxed-{name}"
    if not suite.exists():
        shutil.copytree(setting.suite(name), suite)
        (suite / "conftest.py").write_text(METER)
    path = suite / "meter"
    path.unlink(missing_ok=True)
    command: List[str] = setting.xdist("bench-bare", 1, "--boxed", "-q", "-p", "no:cacheprovider")
    environment = {**os.environ, "BENCH_METER": str(path)}
    done = subprocess.run(command, cwd=suite, env=environment, capture_output=True, check=False)
    if done.returncode != 0 or not path.exists():
        raise BenchError(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stdout.decode()}")
    return dict(json.loads(path.read_text()))
