"""Gateways and channels of execnet-rs beside execnet's, in one alternating run.

`execnet-rs/examples/bench.rs` and `execnet-rs/benches/execnet_figures.py` measure the same work and print the same
names; the interpreters behind both are the environment's, which has execnet. `execnet-rs/benches/compare.py` judges.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Iterator

from setting import ROOT, BenchError, Row, Setting, example

ENV = "bench-bare"

sys.path.insert(0, str(ROOT / "execnet-rs" / "benches"))

import compare  # noqa: E402


def rows(setting: Setting) -> Iterator[Row]:
    """A row for each work that has a target."""
    program = example(setting, "execnet-rs", "bench")
    try:
        found = compare.measure(program, setting.python(ENV), setting.rounds(5))
    except (OSError, subprocess.CalledProcessError) as error:
        raise BenchError(f"the benchmark broke: {error}") from error
    for line in compare.lines(found):
        yield Row(line.work, ENV, line.target, line.figure, line.met)
