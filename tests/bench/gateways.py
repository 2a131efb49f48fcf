"""Gateways and channels of execnet-rs beside execnet's, in one alternating run.

`execnet-rs/examples/bench.rs` and `execnet-rs/benches/execnet_figures.py` measure the same work and print the same
names; the interpreters behind both are the environment's, which has execnet. `execnet-rs/benches/compare.py` judges.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Iterator

from setting import ROOT, BenchError, Row, Setting

ENV = "bench-bare"

sys.path.insert(0, str(ROOT / "execnet-rs" / "benches"))

import compare  # noqa: E402


def rows(setting: Setting) -> Iterator[Row]:
    """A row for each work that has a target."""
    built = subprocess.run(
        ["cargo", "build", "--release", "--locked", "-p", "execnet-rs", "--example", "bench"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if built.returncode != 0:
        raise BenchError(f"the benchmark cannot be built: {built.stdout[-2000:]}")
    try:
        found = compare.measure(setting.binary.with_name("examples") / "bench", setting.python(ENV), setting.rounds(5))
    except (OSError, subprocess.CalledProcessError) as error:
        raise BenchError(f"the benchmark broke: {error}") from error
    for line in compare.lines(found):
        yield Row(line.work, ENV, line.target, line.figure, line.met)
