"""The suites that are timed: many tests that do nothing, and many that sleep."""

from __future__ import annotations

from pathlib import Path

# Name: files, tests per file, what each module starts with, what each test does.
SHAPES = {
    "trivial1k": (20, 50, "", "assert 1 + 1 == 2"),
    "trivial10k": (100, 100, "", "assert 1 + 1 == 2"),
    "trivial20k": (200, 100, "", "assert 1 + 1 == 2"),
    "trivial128": (4, 32, "", "assert 1 + 1 == 2"),
    "sleep800": (40, 20, "import time", "time.sleep(0.01)"),
}


def count(name: str) -> int:
    """How many tests a suite has."""
    files, per_file, _, _ = SHAPES[name]
    return files * per_file


def write(root: Path, files: int, per_file: int, prelude: str, body: str) -> None:
    """Write a suite of so many files with so many tests each."""
    tests = root / "tests"
    tests.mkdir(parents=True)
    (root / "pytest.ini").write_text("[pytest]\n")
    functions = "\n\n".join(f"def test_{number}():\n    {body}\n" for number in range(per_file))
    for number in range(files):
        (tests / f"test_m{number:04d}.py").write_text(f"{prelude}\n\n{functions}")
