"""Runs the benchmark example and execnet in turn, and prints the medians side by side, with the targets.

    cargo build --release -p execnet-rs --example bench
    python execnet-rs/benches/compare.py target/release/examples/bench [RUNS]

The Python that runs this must have execnet; the gateways run the same one. `tests/bench/run.py --only gateways` does
both steps. Compare figures of one run only: a ratio to execnet holds on any machine, a time only on a quiet one. What
the example measures without gateways (`bare`) is the most that this machine can do.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

HERE = Path(__file__).resolve().parent

# A name as both programs print it, what it is, and its target: so many times execnet's, or a bound in its own unit.
TARGETS: List[Tuple[str, str, str, float]] = [
    ("round trips", "round trips of one int, Rust <-> Python", "times", 3),
    ("pipelined echo", "pipelined echo of ints, Rust <-> Python", "times", 2),
    ("1 MiB echo", "1 MiB bytes echo, Rust <-> Python", "times", 3),
    ("100 byte messages", "Rust <-> Rust, messages of 100 bytes", "at least", 1_000_000),
    ("1 MiB messages", "Rust <-> Rust, messages of 1 MiB", "at least", 2000),
    ("first answer", "popen gateway to first answer", "at most", 25),
    ("16 first answers", "16 gateways to first answer each", "at most", 200),
    ("ping beside bulk, p99", "ping beside a saturating channel, p99", "at most", 5),
]

Found = Dict[str, Tuple[str, List[float]]]


class Line(NamedTuple):
    """One work: what it should be, what it is, and whether that is enough."""

    work: str
    target: str
    figure: str
    met: bool


def run(command: List[str], figures: Found) -> None:
    """Runs one of the two programs, and takes the figures that it prints."""
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in output.splitlines():
        name, value, unit = line.split("\t")
        figures.setdefault(name, (unit, []))[1].append(float(value))


def measure(bench: Path, python: Path, runs: int) -> Tuple[Found, Found]:
    """All figures: execnet's, and those of the example."""
    theirs: Found = {}
    ours: Found = {}
    for _ in range(runs):
        run([str(python), str(HERE / "execnet_figures.py")], theirs)
        run([str(bench), str(python)], ours)
    return theirs, ours


def lines(found: Tuple[Found, Found]) -> Iterator[Line]:
    """The medians beside their targets."""
    theirs, ours = found
    for name, work, kind, bound in TARGETS:
        unit, values = ours[name]
        here = statistics.median(values)
        there: Optional[float] = statistics.median(theirs[name][1]) if name in theirs else None
        figure = f"{here:,.1f} {unit}"
        better = 0.0
        if there is not None:
            better = there / here if unit == "ms" else here / there
            figure = f"{better:.1f}x ({figure}, execnet {there:,.1f} {unit})"
        if f"bare {name}" in ours:
            figure += f"; bare {statistics.median(ours[f'bare {name}'][1]):,.1f}"
        if kind == "times":
            yield Line(work, f">= {bound:.0f}x execnet", figure, better >= bound)
        else:
            met = here >= bound if kind == "at least" else here <= bound
            yield Line(work, f"{'>=' if kind == 'at least' else '<='} {bound:,.0f} {unit}", figure, met)


def main() -> None:
    """Prints the table."""
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    table = list(lines(measure(Path(sys.argv[1]), Path(sys.executable), runs)))
    for line in table:
        print(f"{line.work:42} {line.target:16} {'met' if line.met else 'MISSED':7} {line.figure}")
    print(f"{sum(line.met for line in table)} of {len(table)} targets met")


if __name__ == "__main__":
    main()
