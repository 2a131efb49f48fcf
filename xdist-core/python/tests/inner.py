"""Runs an inner pytest with the feeding plugin, and rebuilds from what it fed what pytest must have printed."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from _pytest._io import TerminalWriter

HERE = Path(__file__).resolve().parent
WIDTH = 100


class Inner:
    """What came of an inner run."""

    def __init__(self, done, data):
        self.exit = done.returncode
        self.out = done.stdout
        self.err = done.stderr
        self.data = data

    def reports(self, category):
        return [report for report in self.data["reports"] if report.get("category") == category]

    def block(self, title):
        """Return the lines of one `=== title ===` section of pytest's output, without its title line."""
        # A line of equals signs ends it; with colours it begins with an escape.
        parts = re.split(r"^((?:\x1b\[[0-9;]*m)*={3,} .* ={3,}(?:\x1b\[[0-9;]*m)*)$", self.out, flags=re.M)
        for heading, body in zip(parts[1::2], parts[2::2]):
            if f" {title} " in heading:
                return body[1:]
        return None


def environment(extra_path=()):
    """Return an environment that makes an inner pytest behave the same everywhere."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "FEED_"))}
    for name in ("CI", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "BUILD_NUMBER"):
        environ.pop(name, None)
    path = os.pathsep.join([str(HERE), str(HERE.parent), *extra_path])
    environ.update(PYTHONPATH=path, COLUMNS=str(WIDTH), PYTHONIOENCODING="utf-8")
    return environ


def run(folder, *args, color=False, rendering=None, env=None, facts=False, check=True, extra_path=()):
    """Run pytest on `folder` with the feeding plugin."""
    folder = Path(folder)
    out = folder / "feed.json"
    facts_out = folder / "facts.json"
    rendering = {"width": WIDTH, "color": bool(color), "passed_output": False, "junit": False, **(rendering or {})}
    environ = environment(extra_path)
    environ.update(FEED_OUT=str(out), FEED_RENDERING=json.dumps(rendering), **(env or {}))
    if facts:
        environ["FEED_FACTS"] = str(facts_out)
    command = [sys.executable, "-m", "pytest", "-p", "feed", *args]
    if color is not None:
        command.append(f"--color={'yes' if color else 'no'}")
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, encoding="utf-8", check=False)
    if check:
        assert out.exists(), done.stdout + done.stderr
    data = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    if facts_out.exists():
        data["facts"] = json.loads(facts_out.read_text(encoding="utf-8"))
    return Inner(done, data)


def parse(folder, lists):
    """Return the facts of many lists of arguments, parsed in one process."""
    environ = environment()
    environ["FEED_FACTS"] = ""
    command = [sys.executable, str(HERE / "parse_many.py"), json.dumps(lists)]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def rebuilt(reports, titles, color, teardowns=(), style="auto"):
    """Return the section that pytest must have printed for these reports."""
    file = io.StringIO()
    writer = TerminalWriter(file)
    writer.hasmarkup = color
    writer.fullwidth = WIDTH
    for report, title in zip(reports, titles):
        if style != "line":
            writer.sep("_", title, red=True, bold=True)
        longrepr = report["longrepr"]
        file.write(longrepr.get("terminal", ""))
        for name, content in report.get("sections", ()):
            write_section(writer, name, content)
        if style == "line":
            writer.line(longrepr["line"])
        for teardown in teardowns:
            if teardown["nodeid"] == report["nodeid"] and style != "line":
                for name, content in teardown.get("sections", ()):
                    if "teardown" in name:
                        write_section(writer, name, content)
    return file.getvalue()


def write_section(writer, name, content):
    writer.sep("-", name)
    writer.line(content[:-1] if content.endswith("\n") else content)
