"""Running programs in turn and timing them."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List, Mapping, Optional

from setting import BenchError

LIMIT = 600.0
COUNTS = re.compile(r"(\d+) passed")


def run(command: List[str], cwd: Path, passed: Optional[int], env: Optional[Mapping[str, str]] = None) -> float:
    """Run a program once and return its wall time. It has to pass, with so many tests if that is known."""
    begin = time.perf_counter()
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise BenchError(f"`{' '.join(command)}` in {cwd} took more than {LIMIT} s") from late
    elapsed = time.perf_counter() - begin
    text = done.stdout.decode("utf-8", "replace")
    found = COUNTS.findall(text)
    if done.returncode != 0 or not found or (passed is not None and int(found[-1]) != passed):
        raise BenchError(f"`{' '.join(command)}` in {cwd} ended with {done.returncode}:\n{text[-4000:]}")
    return elapsed


def alternate(
    programs: Dict[str, List[str]],
    cwd: Path,
    rounds: int,
    passed: Optional[int],
    env: Optional[Mapping[str, str]] = None,
) -> Dict[str, List[float]]:
    """Run all programs in turn, so many times; the first, untimed round writes byte code and fills caches."""
    times: Dict[str, List[float]] = {name: [] for name in programs}
    for number in range(rounds + 1):
        for name, command in programs.items():
            elapsed = run(command, cwd, passed, env)
            if number:
                times[name].append(elapsed)
    shown = ", ".join(f"{name} {min(found):.2f}-{max(found):.2f}" for name, found in times.items())
    print(f"{cwd.name}: {shown} s", file=sys.stderr, flush=True)
    return times
