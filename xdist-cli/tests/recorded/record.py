"""Records serial runs of `suite` under the interpreter that runs this script: `python record.py`.

One file a version of pytest, `pytest-9.2.json`, with one entry a scenario: options, reports, the junit.xml that pytest
wrote, and its cache before and after. The tests tell the same reports to the reporters and compare the files.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
CONTINUE = "--continue-on-collection-errors"
SMALL = ["test_steps.py"]
FAILED_BEFORE = dict.fromkeys(["test_steps.py::test_one", "gone.py::gone", "test_steps.py::TestMore::test_four"], True)
# What the environment of this repository's own tests must not change.
UNWANTED = ("PYTEST_", "PY_COLORS", "FORCE_COLOR", "NO_COLOR", "CI", "BUILD_NUMBER")

SCENARIOS: list[dict[str, Any]] = [
    {"name": "everything", "args": [CONTINUE], "suite_name": "pytest"},
    {
        "name": "xunit1 with all output",
        "args": [CONTINUE, "--junitprefix=pre.fix", "--tb=line"],
        "family": "xunit1",
        "logging": "all",
        "suite_name": "my <suite>",
    },
    {
        "name": "legacy, calls only, silent passes",
        "args": ["test_outcomes.py", "-k", "talks or fail or skip or teardown"],
        "family": "legacy",
        "logging": "out-err",
        "log_passing": False,
        "duration": "call",
    },
    {"name": "log", "args": ["test_outcomes.py", "-k", "talks or fail or skip"], "logging": "log"},
    {"name": "system-out", "args": SMALL, "logging": "system-out"},
    {"name": "system-err", "args": SMALL, "logging": "system-err"},
    {"name": "native traceback", "args": ["test_steps.py", "--tb=native"]},
    {"name": "short traceback", "args": ["test_steps.py", "--tb=short"]},
    {"name": "stopped by collection errors", "args": []},
    {"name": "stopped by the first failure", "args": [*SMALL, "-x"]},
    {"name": "the same file twice", "args": [*SMALL, *SMALL, "--keep-duplicates"]},
    {"name": "deselected", "args": [*SMALL, "-k", "two or three"], "lastfailed": FAILED_BEFORE},
    {"name": "internal error", "args": SMALL, "env": {"RECORD_INTERNAL_ERROR": "test_three"}},
    {"name": "nothing to run", "args": [*SMALL, "-k", "nothing"]},
    {"name": "last failed", "args": [*SMALL, "--lf"], "lastfailed": FAILED_BEFORE},
    {"name": "failed file works again", "args": [*SMALL, "--lf"], "lastfailed": {"test_steps.py": True}},
    {"name": "stepwise", "args": [*SMALL, "--sw"]},
    {"name": "stepwise goes on", "args": [*SMALL, "--sw"], "again": True},
    {"name": "stepwise skips", "args": [*SMALL, "--sw", "--sw-skip"]},
]


def main() -> None:
    version = [int(part) for part in pytest.__version__.split(".")[:2]]
    runs = [scenario(entry, version) for entry in SCENARIOS]
    out = HERE / f"pytest-{version[0]}.{version[1]}.json"
    lines = ",\n".join(json.dumps(run, separators=(",", ":")) for run in runs)
    out.write_text(f"[\n{lines}\n]\n", encoding="ascii")
    print(f"{out.name}: {len(runs)} scenarios")


def scenario(entry: dict[str, Any], version: list[int]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve() / "suite"
        shutil.copytree(HERE / "suite", root)
        (root / "pytest.ini").write_text("[pytest]\n")
        values = root / ".pytest_cache" / "v" / "cache"
        if "lastfailed" in entry:
            values.mkdir(parents=True)
            (values / "lastfailed").write_text(json.dumps(entry["lastfailed"]))
        if entry.get("again"):
            run(entry, root)
        before = cached(values)
        recorded = run(entry, root)
        recorded["name"] = entry["name"]
        recorded["options"] = {
            "prefix": next((arg.split("=")[1] for arg in entry["args"] if arg.startswith("--junitprefix=")), ""),
            "suite_name": entry.get("suite_name", "pytest"),
            "logging": entry.get("logging", "no"),
            "log_passing": entry.get("log_passing", True),
            "duration": entry.get("duration", "total"),
            "family": entry.get("family", "xunit2"),
            "pytest": version,
        }
        recorded["cache_before"] = before
        recorded["cache_after"] = cached(values)
        recorded["stepwise"] = "--sw" in entry["args"]
        return anonymous(recorded, {str(root.parent): "", sys.prefix: "/venv", sys.base_prefix: "/python"})


def run(entry: dict[str, Any], root: Path) -> dict[str, Any]:
    reports, xml = root.parent / "reports.json", root.parent / "junit.xml"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(UNWANTED)}
    environment.update(entry.get("env", {}), RECORD_TO=str(reports), PYTHONPATH=str(HERE), TZ="UTC")
    ini = {
        "junit_family": entry.get("family", "xunit2"),
        "junit_logging": entry.get("logging", "no"),
        "junit_log_passing_tests": str(entry.get("log_passing", True)).lower(),
        "junit_duration_report": entry.get("duration", "total"),
        "junit_suite_name": entry.get("suite_name", "pytest"),
    }
    options = [part for key, value in ini.items() for part in ("-o", f"{key}={value}")]
    command = [sys.executable, "-m", "pytest", "-p", "recorder", f"--junitxml={xml}", *options, *entry["args"]]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if not (reports.exists() and xml.exists()):
        raise SystemExit(f"{entry['name']}: no record\n{done.stdout}\n{done.stderr}")
    recorded: dict[str, Any] = json.loads(reports.read_text(encoding="utf-8"))
    recorded["xml"] = xml.read_bytes().decode()  # as it is: carriage returns too
    return recorded


def anonymous(recorded: dict[str, Any], paths: dict[str, str]) -> dict[str, Any]:
    """The record without this machine's paths, name and memory addresses."""
    text = json.dumps(recorded)
    for path, name in sorted(paths.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(path, name)
    text = re.sub(r'hostname=\\"[^"]*\\"', r'hostname=\\"host\\"', text)
    clean: dict[str, Any] = json.loads(re.sub(r"\b0x[0-9a-f]{6,}\b", "0xabcdef", text))
    return clean


def cached(values: Path) -> dict[str, str]:
    wanted = [values / "lastfailed", values / "stepwise"]
    return {path.name: path.read_text(encoding="utf-8") for path in wanted if path.exists()}


if __name__ == "__main__":
    main()
