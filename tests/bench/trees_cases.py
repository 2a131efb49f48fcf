"""The tree that is synchronised, and what happens to it between two runs."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Callable, List, NamedTuple

FILES = 5000
PACKAGES = 25
DIRECTORIES = 275
LARGE = 2_500_000
MARK = "# another branch\n"


class Case(NamedTuple):
    """A change, and what a synchronisation after it may take."""

    work: str
    change: Callable[[Path, int], None]
    """Called with the tree and the number of the round."""
    rtt_ms: int
    seconds: float
    sent: int
    """Bytes, both ways."""


def make_tree(root: Path) -> None:
    """5 001 files of text, 30 MB, one of them of 2.5 MB; the same at every call."""
    dice = random.Random(1)
    words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz_", k=dice.randint(3, 11))) for _ in range(3000)]
    for number in range(FILES):
        directory = root / f"package{number % PACKAGES}" / f"module{number % DIRECTORIES}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"file{number}.py").write_text(text(dice, words, int(dice.expovariate(1 / 5500))))
    (root / "large.json").write_text(text(dice, words, LARGE))


def text(dice: random.Random, words: List[str], size: int) -> str:
    """Lines of words, indented, of about `size` characters."""
    lines: List[str] = []
    while size > 0:
        lines.append("    " * dice.randint(0, 3) + " ".join(dice.choices(words, k=dice.randint(2, 10))))
        size -= len(lines[-1]) + 1
    return "\n".join(lines) + "\n"


def nothing(_root: Path, _number: int) -> None:
    """No change."""


def edit(root: Path, number: int) -> None:
    """A line more in a small file, six bytes inside of the large one."""
    with (root / "package3" / "module3" / "file3.py").open("a") as file:
        file.write(f"line {number}\n")
    large = (root / "large.json").read_bytes()
    (root / "large.json").write_bytes(large[:1_000_000] + b"%06d" % number + large[1_000_000:])


def touch_all(root: Path, number: int) -> None:
    """New times, each file its own, to the nanosecond."""
    dice = random.Random(number)
    for path in sorted(root.rglob("*")):
        if path.is_file():
            os.utime(path, ns=(0, (1_700_000_000 + number) * 10**9 + dice.randrange(10**9)))


def rename(root: Path, number: int) -> None:
    """Another name for a directory of 200 files, one that it never had."""
    (old,) = (path for path in root.iterdir() if path.name.startswith(("package7", "renamed")))
    old.rename(root / f"renamed{number}")


def switch(root: Path, number: int) -> None:
    """To another branch and back: a directory's 200 files are different there, and 20 more beside them."""
    there = number % 2 == 0
    for at, path in enumerate(sorted((root / "package9").rglob("file*.py"))):
        lines = path.read_text().replace(MARK, "")
        path.write_text(lines + MARK * there)
        if at % 10 == 0:
            more = path.with_name(f"branch{at}.py")
            if there:
                more.write_text(lines[::-1])
            else:
                more.unlink()


CASES = [
    Case("no-op", nothing, 0, 0.04, 1_000),
    Case("no-op", nothing, 50, 0.10, 1_000),
    Case("small edit", edit, 50, 0.16, 10_000),
    Case("touch all", touch_all, 0, 0.15, 60_000),
    Case("rename of 200 files", rename, 50, 0.16, 30_000),
    Case("back to a branch", switch, 50, 0.16, 30_000),
]
