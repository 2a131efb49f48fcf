"""Compares the example `sync` with rsync: wall time, CPU time and, for ours, bytes sent.

    cargo build --release -p rsync-rs --example sync
    python3 rsync-rs/bench/rsync.py target/release/examples/sync [--rounds 7] [--directory /dev/shm]

Runs of the two alternate; medians are printed. Both receive in a process of their own, over a local pipe or socket.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FILES = 5000
DIRECTORIES = 275
LARGE = 2_500_000


def make_tree(root: Path) -> None:
    """5 001 files of text, 30 MB, one of them of 2.5 MB; the same at every call."""
    dice = random.Random(1)
    words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz_", k=dice.randint(3, 11))) for _ in range(3000)]

    def text(size: int) -> str:
        lines: list[str] = []
        while size > 0:
            lines.append("    " * dice.randint(0, 3) + " ".join(dice.choices(words, k=dice.randint(2, 10))))
            size -= len(lines[-1]) + 1
        return "\n".join(lines) + "\n"

    directories = [root / f"package{n % 25}" / f"module{n}" for n in range(DIRECTORIES)]
    for number in range(FILES):
        directory = directories[number % DIRECTORIES]
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"file{number}.py").write_text(text(int(dice.expovariate(1 / 5500))))
    (root / "large.json").write_text(text(LARGE))


def nothing(_root: Path, _number: int) -> None:
    pass


def edit(root: Path, number: int) -> None:
    with (root / "package3" / "module3" / "file3.py").open("a") as file:
        file.write(f"line {number}\n")
    large = (root / "large.json").read_bytes()
    (root / "large.json").write_bytes(large[:1_000_000] + b"%06d" % number + large[1_000_000:])


def touch_all(root: Path, number: int) -> None:
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, ns=(0, (1_700_000_000 + number) * 10**9 + len(path.name) * 1_000_003))


def rename(root: Path, _number: int) -> None:
    old, new = root / "package7", root / "renamed7"
    old, new = (old, new) if old.exists() else (new, old)
    old.rename(new)


def run(command: list[str]) -> tuple[float, float, str]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, done.stdout


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("sync")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--directory", default=None)
    options = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="sync-bench-", dir=options.directory))
    try:
        source = base / "source"
        make_tree(source)
        cases = {"first copy": None, "no-op": nothing, "small edit": edit, "touch all": touch_all, "rename": rename}
        for name, change in cases.items():
            measured: dict[str, list[tuple[float, float, int]]] = {"rsync": [], "ours": []}
            for number in range(options.rounds):
                if change is None:
                    for path in ("to-rsync", "to-ours", "state"):
                        shutil.rmtree(base / path, ignore_errors=True)
                else:
                    change(source, number)
                time.sleep(0.1)  # Files are young for a moment; in use they seldom are.
                commands = {
                    "rsync": ["rsync", "-a", "--delete", f"{source}/", f"{base / 'to-rsync'}/"],
                    "ours": [options.sync, "--all", "--state", f"{base / 'state'}", f"{source}", f"{base / 'to-ours'}"],
                }
                for tool in sorted(commands, reverse=number % 2 == 0):
                    wall, cpu, output = run(commands[tool])
                    sent = re.search(r"(\d+) bytes sent", output)
                    measured[tool].append((wall, cpu, int(sent[1]) if sent else 0))
            for tool, values in measured.items():
                wall, cpu, sent = (statistics.median(column) for column in zip(*values))
                print(f"{name:12} {tool:6} wall {wall * 1000:7.0f} ms   cpu {cpu * 1000:7.0f} ms   sent {sent:>10.0f}")
        different = subprocess.run(
            ["rsync", "-acniO", "--delete", f"{source}/", f"{base / 'to-ours'}/"],
            check=True, stdout=subprocess.PIPE, text=True,
        ).stdout  # fmt: skip
        if different:
            sys.exit(f"the trees differ:\n{different}")
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main()
