"""Runs the benchmark example and execnet in turn, and prints the medians side by side.

    cargo build --release --example bench
    python compare.py ../../target/release/examples/bench [RUNS]

The Python that runs this must have execnet; the gateways run the same one.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path


def run(command: list[str], figures: dict[str, tuple[str, list[float]]]) -> None:
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in output.splitlines():
        name, value, unit = line.split("\t")
        figures.setdefault(name, (unit, []))[1].append(float(value))


def main() -> None:
    bench, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    theirs: dict[str, tuple[str, list[float]]] = {}
    ours: dict[str, tuple[str, list[float]]] = {}
    for _ in range(runs):
        run([sys.executable, str(Path(__file__).with_name("execnet_figures.py"))], theirs)
        run([bench, sys.executable], ours)
    print(f"{'':24}{'execnet':>14}{'here':>14}{'better by':>12}")
    for name, (unit, values) in ours.items():
        here = statistics.median(values)
        if name not in theirs:
            print(f"{name:24}{'-':>14}{here:14.1f}{'':>12}  {unit}")
            continue
        there = statistics.median(theirs[name][1])
        better = there / here if unit == "ms" else here / there
        print(f"{name:24}{there:14.1f}{here:14.1f}{better:11.1f}x  {unit}")


if __name__ == "__main__":
    main()
