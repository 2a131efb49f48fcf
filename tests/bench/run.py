#!/usr/bin/env python3
"""Compare xdist with pytest-xdist and with plain pytest, and print one table: work, target, figure, met or not.

Usage: run.py [--quick] [--only WORD]...

Needs `XDIST_BIN` (the release build; for the group `trees` also the examples of rsync-rs) and `XDIST_BENCH_ENVS` or
`XDIST_TEST_ENVS` (the folder that holds `bench-bare`, `bench-ten` and `real`); `make bench` sets both. Times are wall
times of whole processes. Programs that are compared run in turn, never one after the other in blocks, so that what else
the machine does meets all of them; only ratios of one row should be compared. Each row's module says how its figure is
measured.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import balance
import boxed
import controller
import cost
import foreign
import gateways
import hosted
import loop
import remote
import speed
import trees
import workers
from setting import BenchError, Setting, failed
from table import Table

GROUPS = {
    "speed": speed.rows,
    "host": hosted.rows,
    "workers": workers.rows,
    "cost": cost.rows,
    "controller": controller.rows,
    "boxed": boxed.rows,
    "loop": loop.rows,
    "remote": remote.rows,
    "balance": balance.rows,
    "gateways": gateways.rows,
    "trees": trees.rows,
    "real": foreign.rows,
}


def main() -> int:
    """Run what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs of each, for a first look")
    parser.add_argument("--only", action="append", choices=sorted(GROUPS), help="this group of rows; may be repeated")
    options = parser.parse_args()
    # Programs must find byte code that the first run wrote, as they do at a user's.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    table = Table()
    try:
        with tempfile.TemporaryDirectory(prefix="xdist-bench-") as scratch:
            setting = Setting.from_environment(Path(scratch), options.quick)
            for name in options.only or GROUPS:
                try:
                    for row in GROUPS[name](setting):
                        table.add(row)
                except BenchError as error:
                    table.add(failed(name, "", error))
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(table.text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
