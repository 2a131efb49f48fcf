"""Whole runs of the suites: xdist at each fork level, pytest-xdist and plain pytest, in turn."""

from __future__ import annotations

from typing import Dict, Iterator, List

import suites
from setting import BenchError, Row, Setting, failed, median, ratios
from timing import alternate

# (suite, workers): least times faster than pytest-xdist in (bare, ten).
AGAINST_PEER = {
    ("trivial1k", 8): {"bench-bare": 4.5, "bench-ten": 6.0},
    ("trivial1k", 16): {"bench-bare": 6.5, "bench-ten": 10.0},
    ("trivial1k", 32): {"bench-bare": 11.0, "bench-ten": 16.0},
    ("trivial10k", 2): {"bench-bare": 2.3},
    ("sleep800", 32): {"bench-bare": 11.0},
}
LEVELS = ("imported", "never")


def rows(setting: Setting) -> Iterator[Row]:
    """One group of rows for each suite, number of workers and environment."""
    for (suite, n), targets in AGAINST_PEER.items():
        for env, target in targets.items():
            try:
                yield from compare(setting, suite, n, env, target)
            except BenchError as error:
                yield failed(f"{suite}, -n {n}", env, error)


def compare(setting: Setting, suite: str, n: int, env: str, target: float) -> Iterator[Row]:
    """All programs on one suite."""
    programs: Dict[str, List[str]] = {"xdist": setting.xdist(env, n)}
    for level in LEVELS:
        programs[level] = setting.xdist(env, n, f"--fork={level}")
    programs["pytest-xdist"] = setting.peer(env, n)
    programs["pytest"] = setting.plain(env)
    rounds = setting.rounds(5 if suite == "trivial1k" else 3)
    times = alternate(programs, setting.suite(suite), rounds, suites.count(suite))
    work = f"{suite}, -n {n}"
    seconds = {name: f"{median(found):.2f} s" for name, found in times.items()}
    faster = ratios(times, "pytest-xdist", "xdist")
    figure = f"{faster:.1f}x ({seconds['xdist']} against {seconds['pytest-xdist']})"
    yield Row(work, env, f">= {target:g}x faster than pytest-xdist", figure, faster >= target)
    if suite == "trivial1k":
        share = ratios(times, "xdist", "pytest")
        figure = f"{share:.2f}x ({seconds['xdist']} against {seconds['pytest']})"
        yield Row(work, env, "<= 1.3x plain pytest's time", figure, share <= 1.3)
    elif suite == "trivial10k":
        faster = ratios(times, "pytest", "xdist")
        figure = f"{faster:.2f}x ({seconds['xdist']} against {seconds['pytest']})"
        yield Row(work, env, ">= 1.5x faster than plain pytest", figure, faster >= 1.5)
    for level, least in zip(LEVELS, (2.0, 1.0)):
        faster = ratios(times, "pytest-xdist", level)
        figure = f"{faster:.1f}x ({seconds[level]} against {seconds['pytest-xdist']})"
        judged = suite == "trivial1k" and n == 8
        text = f">= {least:g}x faster than pytest-xdist" if judged else "published"
        yield Row(f"{work}, --fork={level}", env, text, figure, faster >= least if judged else None)
