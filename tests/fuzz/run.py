"""Builds the fuzz targets and runs each for a while, on as many cores as there are.

    python3 tests/fuzz/run.py [--seconds N] [--merge] [--seeds] [TARGET...]

New inputs that reach new code are kept in `.cache/fuzz/corpus`, those in `tests/fuzz/corpus` are the repository's;
`--merge` adds of the former what the latter lacks. An input that breaks a property is kept in `.cache/fuzz/crashes`,
and how to try it again is printed. No nightly compiler is needed: libFuzzer wants a pass that every release has.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = ROOT / ".cache" / "fuzz"
# As `cargo fuzz run --sanitizer none` has it.
FLAGS = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
]
# The longest input of a target, if 4096 bytes are not right for it.
LONGEST = {"execnet_xspec": 300, "rsync_path": 700, "socketserver_door": 400}


def build() -> Path:
    """Builds for the host named as a target, or build scripts would be instrumented too."""
    compiler = os.environ.get("CXX", "c++")
    if not shutil.which(compiler.split()[0]):
        sys.exit(f"error: fuzzing needs a C++ compiler for libFuzzer, and there is no `{compiler}`\nhint: install g++")
    version = subprocess.run(["rustc", "-vV"], check=True, stdout=subprocess.PIPE, text=True).stdout
    host = next(line.split()[1] for line in version.splitlines() if line.startswith("host: "))
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "fuzz"
    command = ["cargo", "build", "--release", "--locked", "--target", host, "--bins"]
    command += ["--manifest-path", str(HERE / "Cargo.toml")]
    env = {**os.environ, "CARGO_TARGET_DIR": str(target), "RUSTFLAGS": " ".join(FLAGS)}
    subprocess.run(command, check=True, env=env)
    return target / host / "release"


def fuzz(program: Path, seconds: int) -> str | None:
    """Runs one target; what it wrote if it broke."""
    target = program.name
    found, crashes = CACHE / "corpus" / target, CACHE / "crashes"
    for directory in (found, crashes):
        directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        command = [
            str(program),
            f"-max_total_time={seconds}",
            f"-max_len={LONGEST.get(target, 4096)}",
            "-timeout=10",
            "-rss_limit_mb=1024",
            "-print_final_stats=1",
            f"-artifact_prefix={crashes}/{target}-",
            str(found),
            str(HERE / "corpus" / target),
        ]
        env = {**os.environ, "TMPDIR": scratch, "RUST_BACKTRACE": "1"}
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        return output
    stats = dict(line[len("stat::") :].split(":", 1) for line in output.splitlines() if line.startswith("stat::"))
    last = next((line for line in reversed(output.splitlines()) if " cov: " in line), "")
    covered = last.partition(" cov: ")[2].split(" ")[0]
    runs = stats.get("number_of_executed_units", "?").strip()
    print(f"{target:20} {runs:>9} inputs, {covered:>5} places reached", flush=True)
    return None


def seed(program: Path) -> None:
    """Writes the inputs that a target begins with into the repository's corpus."""
    directory = HERE / "corpus" / program.name
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("seed-*"):
        old.unlink()
    subprocess.run([str(program)], check=True, env={**os.environ, "FUZZ_SEEDS": str(directory)})


def merge(program: Path) -> None:
    """Adds to the repository's inputs what they lack."""
    kept, found = HERE / "corpus" / program.name, CACHE / "corpus" / program.name
    command = [str(program), "-merge=1", "-max_len=1024", str(kept), str(found)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def main() -> int:
    parser = argparse.ArgumentParser(description="run the fuzz targets")
    parser.add_argument("targets", nargs="*", help="all of them by default")
    parser.add_argument("--seconds", type=int, default=6, help="for each target (default: %(default)s)")
    parser.add_argument("--merge", action="store_true", help="keep what was found in earlier runs, and run nothing")
    parser.add_argument("--seeds", action="store_true", help="write the inputs to begin with, and run nothing")
    options = parser.parse_args()
    programs = build()
    names = options.targets or sorted(path.stem for path in (HERE / "fuzz_targets").glob("*.rs"))
    if options.merge or options.seeds:
        for name in names:
            (merge if options.merge else seed)(programs / name)
        return 0
    broken = 0
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        runs = [pool.submit(fuzz, programs / name, options.seconds) for name in names]
        for name, run in zip(names, runs):
            output = run.result()
            if output is None:
                continue
            broken += 1
            print(f"== {name} is broken\n{output[-6000:]}")
            for line in output.splitlines():
                if "Test unit written to " in line:
                    print(f"again: {programs / name} {line.split()[-1]}", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
