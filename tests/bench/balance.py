"""How near runs come to the shortest possible: a million tests in virtual time, and four hundred that sleep."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Dict, Iterator, List

from setting import ROOT, BenchError, Row, Setting, median
from timing import alternate

SIMULATED = ["cargo", "run", "--quiet", "--release", "--locked", "-p", "xdist-simulation", "--example", "balance"]
PEERS = ("load", "worksteal", "loadscope")
ENV = "bench-bare"
WORKERS = 8
TESTS = 400
# Seconds of all tests together: pytest's own start is little beside them.
TOTAL = 120.0


def rows(setting: Setting) -> Iterator[Row]:
    """Both."""
    yield from simulated(setting)
    yield from sleeping(setting)


def simulated(setting: Setting) -> Iterator[Row]:
    """The example `balance` of the simulator."""
    command = [*SIMULATED, "100000", "1000"] if setting.quick else SIMULATED
    work = "100000 tests, 1000 workers" if setting.quick else "1000000 tests, 10000 workers"
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"`{' '.join(command)}` failed:\n{done.stderr}")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for one in found:
        name = f"{work}, sigma {one['sigma']:g}"
        over = one["history"] / one["bound"]
        figure = f"{over:.3f}x"
        yield Row(f"{name}, with history", "simulated", "<= 1.05x the shortest possible", figure, over <= 1.05)
        over = one["load"] / one["greedy"]
        yield Row(f"{name}, without", "simulated", "<= 1.10x greedy at no distance", f"{over:.3f}x", over <= 1.10)
        shares = [f"{peer} {one['peer_' + peer] / one['history']:.3f}x" for peer in PEERS]
        yield Row(f"{name}, pytest-xdist's modes", "simulated", "published", f"{', '.join(shares)} of ours")
        ours = [f"{peer} {one['peer_' + peer] / one[peer]:.3f}x" for peer in PEERS]
        yield Row(f"{name}, mode by mode without", "simulated", "published", f"{', '.join(ours)} of ours")
    each = max(one["us_each"] for one in found)
    yield Row(f"{work}, a decision", "simulated", "<= 2 us of processor", f"{each:.2f} us", each <= 2)
    size = max(one["bytes_a_test"] for one in found)
    yield Row(f"{work}, memory", "simulated", "<= 100 bytes a test", f"{size} bytes", size <= 100)


def sleeping(setting: Setting) -> Iterator[Row]:
    """Tests with a heavy tail of durations, each in one go of `time.sleep`."""
    seconds = durations()
    bound = max(sum(seconds) / WORKERS, max(seconds))
    suite = setting.scratch / "sleeping"
    write(suite, seconds)
    programs: Dict[str, List[str]] = {"xdist": setting.xdist(ENV, WORKERS)}
    programs["without history"] = setting.xdist(ENV, WORKERS, "--no-history")
    for mode in PEERS[:2]:
        programs[f"pytest-xdist {mode}"] = setting.peer(ENV, WORKERS, f"--dist={mode}")
    # The first round, which is not timed, is the one that is remembered.
    times = alternate(programs, suite, setting.rounds(3), TESTS)
    work = f"{TESTS} sleeping tests, -n {WORKERS}"
    for name, found in times.items():
        over = median(found) / bound
        figure = f"{over:.3f}x ({median(found):.2f} s of {bound:.2f} s)"
        judged = name == "xdist"
        target = "<= 1.08x the shortest possible" if judged else "published"
        yield Row(f"{work}, {name}", ENV, target, figure, over <= 1.08 if judged else None)


def durations() -> List[float]:
    """Seconds of each test, the same in every run."""
    chance = random.Random(3)
    drawn = [chance.lognormvariate(0.0, 1.5) for _ in range(TESTS)]
    return [round(one * TOTAL / sum(drawn), 4) for one in drawn]


def write(root: Path, seconds: List[float]) -> None:
    """Twenty tests a file."""
    root.mkdir(parents=True)
    (root / "pytest.ini").write_text("[pytest]\n")
    for number in range(0, len(seconds), 20):
        tests = (f"def test_{at}():\n    time.sleep({one})\n" for at, one in enumerate(seconds[number : number + 20]))
        (root / f"test_m{number:03d}.py").write_text("import time\n\n\n" + "\n\n".join(tests))
