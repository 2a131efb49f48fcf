"""The controller alone, fed by simulated workers: the example `controller_load` of xdist-core."""

from __future__ import annotations

import json
import subprocess
from typing import Iterator

from setting import ROOT, BenchError, Row, Setting

COMMAND = ["cargo", "run", "--quiet", "--release", "--locked", "-p", "xdist-core", "--example", "controller_load"]


def rows(setting: Setting) -> Iterator[Row]:
    """One million verdicts."""
    done = subprocess.run(COMMAND, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"`{' '.join(COMMAND)}` failed:\n{done.stderr}")
    found = json.loads(done.stdout)
    verdicts, seconds, growth = found["verdicts"], found["seconds"], found["rss_growth_kib"]
    figure = f"{seconds:.2f} s for {verdicts}"
    yield Row("controller, simulated workers", "", "1000000 verdicts in <= 5 s", figure, seconds * 1e6 / verdicts <= 5)
    each = growth * 1024 / verdicts
    yield Row("controller, memory", "", "published", f"{growth} KiB, {each:.0f} bytes for each verdict")
