"""Runs a project under `fork_driver` and hands back what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

DRIVER = Path(__file__).with_name("fork_driver.py")


NOTE = """
import json, os
def note(name, value):
    path = f"{os.environ['OUT']}/{os.environ['PYTEST_XDIST_WORKER']}.{name}"
    with open(path, "a") as file:
        file.write(json.dumps(value) + "\\n")
"""
"""A module of projects under test: puts values on record, one file a worker and name."""


class Outcome:
    """What a run left behind."""

    def __init__(self, out: Path, done: subprocess.CompletedProcess) -> None:
        self.out = out
        self.done = done
        self.report: dict[str, Any] = json.loads((out / "report.json").read_text())

    @property
    def evidence(self) -> str | None:
        """The text of `Watch.check`."""
        return self.report["evidence"]

    @property
    def first(self) -> list[str]:
        """The texts given to `on_first`."""
        return self.report["first"]

    @property
    def failures(self) -> str:
        """Failed reports of all workers."""
        path = self.out / "failures"
        return path.read_text() if path.exists() else ""

    def text(self, name: str) -> str:
        """A file from the folder of results."""
        return (self.out / name).read_text()


class Project:
    """A folder of test files, and runs of it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "project"
        self.root.mkdir()
        self.out = root / "out"
        self.out.mkdir()
        self.environment = {
            **os.environ,
            "OUT": str(self.out),
            "PYTEST_DEBUG_TEMPROOT": str(root),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        # Text that stays in buffers is what some tests are about.
        self.environment.pop("PYTHONUNBUFFERED", None)
        self.write("pytest.ini", "[pytest]\n")
        self.write("test_one.py", "def test_one():\n    pass\n")

    def write(self, name: str, text: str) -> None:
        """A file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(
        self, *args: str, workers: tuple[tuple[str, int], ...] = (), together: bool = False, base: str = ""
    ) -> Outcome:
        """Collect; fork the workers given by id and incarnation, one after the other or all at once.

        With `base`, collector and workers are given their parts of it.
        """
        plan = self.out / "plan.json"
        identities = [
            {"id": name, "incarnation": incarnation, "basetemp": base and f"{base}/popen-{name}"}
            for name, incarnation in workers
        ]
        plan.write_text(json.dumps({"workers": identities, "out": str(self.out), "together": together, "base": base}))
        done = subprocess.run(
            [sys.executable, str(DRIVER), str(plan), "-p", "no:cacheprovider", *args],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (self.out / "report.json").exists(), done.stdout + done.stderr
        return Outcome(self.out, done)


def notes(outcome: Outcome, name: str, worker: str = "gw0") -> list[Any]:
    """What a worker noted."""
    return [json.loads(line) for line in outcome.text(f"{worker}.{name}").splitlines()]


def both(outcome: Outcome, name: str) -> tuple[list[Any], list[Any]]:
    """What two workers noted."""
    return notes(outcome, name, "gw0"), notes(outcome, name, "gw1")
