"""Where the programs and the suites are, and how often to run."""

from __future__ import annotations

import functools
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional

import suites

ROOT = Path(__file__).resolve().parent.parent.parent


class BenchError(Exception):
    """A figure cannot be had."""


@dataclass(frozen=True)
class Setting:
    """Everything that rows need to know."""

    binary: Path
    envs: Path
    scratch: Path
    quick: bool

    @classmethod
    def from_environment(cls, scratch: Path, quick: bool) -> Setting:
        """Read the environment variables."""
        envs = os.environ.get("XDIST_BENCH_ENVS") or os.environ.get("XDIST_TEST_ENVS")
        binary = os.environ.get("XDIST_BIN")
        if not envs or not binary:
            raise BenchError("XDIST_BIN and XDIST_BENCH_ENVS are not set\nhint: run `make bench`")
        return cls(Path(binary), Path(envs), scratch, quick)

    def python(self, env: str) -> Path:
        """The interpreter of an environment."""
        python = self.envs / env / "bin" / "python"
        if not python.exists():
            raise BenchError(f"there is no {python}\nhint: python3 tests/envs/setup.py {self.envs} bench")
        return python

    def suite(self, name: str) -> Path:
        """A suite, written when it is first asked for."""
        path = self.scratch / name
        if not path.exists():
            suites.write(path, *suites.SHAPES[name])
        return path

    def xdist(self, env: str, n: int, *more: str) -> List[str]:
        """The command line of xdist with `n` workers."""
        return [str(self.binary), "--python", str(self.python(env)), "-n", str(n), *more]

    def peer(self, env: str, n: int, *more: str) -> List[str]:
        """The command line of pytest-xdist with `n` workers."""
        return [*self.plain(env), "-n", str(n), *more]

    def plain(self, env: str, *more: str) -> List[str]:
        """The command line of pytest."""
        return [str(self.python(env).with_name("pytest")), *more]

    def rounds(self, usual: int) -> int:
        """How often to run."""
        return 1 if self.quick else usual


@functools.lru_cache(maxsize=None)
def example(setting: Setting, package: str, name: str, *more: str) -> Path:
    """An example program, built as the binary that is measured is, when it is first asked for."""
    release = setting.binary.parent.name == "release"
    command = ["cargo", "build", "--locked", "--quiet", "-p", package, "--example", name, *more]
    target = setting.binary.parent.parent
    done = subprocess.run(
        command + ["--release"] * release,
        cwd=ROOT,
        env={**os.environ, "CARGO_TARGET_DIR": str(target)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(f"`{' '.join(command)}` failed:\n{done.stderr[-2000:]}")
    return setting.binary.parent / "examples" / name


@dataclass(frozen=True)
class Row:
    """One line of the table. `met` is None where a figure is only published."""

    work: str
    env: str
    target: str
    figure: str
    met: Optional[bool] = None


def failed(work: str, env: str, error: BenchError) -> Row:
    """The row of a figure that could not be had; the reason goes to stderr."""
    print(f"{work}, {env}: {error}", file=sys.stderr, flush=True)
    return Row(work, env, "a figure", f"failed: {str(error).splitlines()[0]}", False)


def median(times: List[float]) -> float:
    """The middle one."""
    return statistics.median(times)


def ratios(times: Dict[str, List[float]], of: str, to: str) -> float:
    """How many times longer `of` took than `to`."""
    return median(times[of]) / median(times[to])
